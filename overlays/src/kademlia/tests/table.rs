//! The k-buckets.

use proptest::prelude::*;

use super::super::table::{Seen, Table};
use super::*;
use crate::Stream;

/// A table of the node 0 that has heard of these, one per second from second 0.
fn table(k: usize, ids: &[u8]) -> Table {
    let mut table = Table::new(Key::ZERO);
    for (now_s, id) in (0..).zip(ids) {
        table.see(contact(*id), true, now_s, &settings(k));
    }
    table
}

fn ids(contacts: &[Contact]) -> Vec<u64> {
    contacts.iter().map(|c| c.id.top_bits(8)).collect()
}

fn buckets(table: &Table) -> Vec<Vec<u64>> {
    table.buckets().map(|b| ids(&b)).collect()
}

/// §2.4: only the bucket whose range holds the node itself is split.
#[test]
fn only_the_own_bucket_splits() {
    let mut t = table(2, &[0x80, 0x90]);
    assert_eq!(buckets(&t), [vec![0x80, 0x90]]);
    // The third forces a split, and belongs to the far half, which is full.
    assert_eq!(t.see(contact(0xa0), true, 3, &settings(2)), Seen::Refused);
    assert_eq!(buckets(&t), [vec![0x80, 0x90], vec![]]);
    assert_eq!(t.see(contact(0x40), true, 4, &settings(2)), Seen::Added);
    assert_eq!(t.see(contact(0x20), true, 5, &settings(2)), Seen::Added);
    assert_eq!(t.see(contact(0x10), true, 6, &settings(2)), Seen::Added);
    assert_eq!(buckets(&t), [vec![0x80, 0x90], vec![0x40], vec![0x20, 0x10]]);
    assert_eq!(t.len(), 3);
}

/// §2.2: whoever is heard of moves to the end of its bucket.
#[test]
fn the_least_recently_seen_comes_first() {
    let mut t = table(3, &[0x80, 0x90, 0xa0]);
    assert_eq!(t.see(contact(0x80), false, 5, &settings(3)), Seen::Known);
    assert_eq!(buckets(&t)[0], [0x90, 0xa0, 0x80]);
}

/// §2.2 and §4.1: a newcomer to a full bucket waits; the least recently seen
/// is asked, and gives way if it does not answer.
#[test]
fn a_silent_contact_gives_way_to_one_that_waits() {
    let s = settings(2);
    let mut t = table(2, &[0x80, 0x90]);
    let late = 1 + (s.questionable.as_us() / 1_000_000) as u32;
    assert_eq!(t.see(contact(0xa0), false, late, &s), Seen::Check(contact(0x80)));
    t.fail(&contact(0x80), true, late, &s);
    assert_eq!(buckets(&t)[0], [0x90, 0xa0]);
    // If it answers, it stays, and the newcomer goes on waiting.
    assert_eq!(t.see(contact(0xb0), false, 2 * late, &s), Seen::Check(contact(0x90)));
    assert_eq!(t.see(contact(0x90), true, 2 * late, &s), Seen::Known);
    assert_eq!(buckets(&t)[0], [0xa0, 0x90]);
}

/// §4.1: a stale contact is not dropped while nobody waits for its place, but
/// not used either.
#[test]
fn stale_contacts_are_kept_and_not_used() {
    let s = settings(2);
    let mut t = table(2, &[0x80, 0x90]);
    for _ in 0..s.stale {
        t.fail(&contact(0x90), false, 9, &s);
    }
    assert_eq!(buckets(&t)[0], [0x80, 0x90]);
    assert_eq!(ids(&t.closest(id8(0x90), 5, false, &s)), [0x80]);
    let mut rng = Stream::Protocol.rng(1);
    assert_eq!(t.some_stale(&s, &mut rng), Some(contact(0x90)));
    // A newcomer takes its place at once.
    assert_eq!(t.see(contact(0xa0), false, 10, &s), Seen::Added);
    assert_eq!(buckets(&t)[0], [0x80, 0xa0]);
    // One that answers again is as good as new.
    t.fail(&contact(0x80), false, 11, &s);
    assert_eq!(ids(&t.closest(id8(0x80), 5, true, &s)), [0xa0], "not recommended");
    t.see(contact(0x80), true, 12, &s);
    assert_eq!(ids(&t.closest(id8(0x80), 5, true, &s)), [0x80, 0xa0]);
}

#[test]
fn an_identifier_in_good_standing_cannot_be_taken() {
    let s = settings(2);
    let mut t = table(2, &[0x80]);
    let thief = Contact { addr: Addr::from_index(999), ..contact(0x80) };
    assert_eq!(t.see(thief, true, 5, &s), Seen::Refused);
    assert_eq!(t.contacts().collect::<Vec<_>>(), [contact(0x80)]);
    let myself = Contact { id: Key::ZERO, addr: Addr::from_index(999) };
    assert_eq!(t.see(myself, true, 5, &s), Seen::Refused);
}

#[test]
fn stale_contacts_are_forgotten_in_the_end() {
    let s = settings(2);
    let mut t = table(2, &[0x80, 0x90]);
    (0..s.stale).for_each(|_| t.fail(&contact(0x80), false, 9, &s));
    t.forget(0, &s);
    assert_eq!(buckets(&t)[0].len(), 2);
    t.forget(1, &s);
    assert_eq!(buckets(&t)[0], [0x90]);
}

#[test]
fn refresh_targets_lie_in_their_buckets() {
    let t = table(2, &[0x80, 0x90, 0x40, 0x50, 0x20, 0x30, 0x10, 0x18]);
    let mut rng = Stream::Protocol.rng(3);
    for bucket in 0..t.len() {
        for _ in 0..50 {
            let target = t.random_in(bucket, 160, &mut rng);
            let shared = target.common_prefix_bits(Key::ZERO) as usize;
            let last = bucket + 1 == t.len();
            assert!(if last { shared >= bucket } else { shared == bucket }, "{bucket}: {target}");
        }
    }
}

/// How many leading bits each gap shares with the node, whose identifier is 0.
fn gaps(k: usize, t: &Table) -> Vec<u32> {
    let gaps = t.gaps(k, 160, &mut Stream::Protocol.rng(3));
    gaps.iter().map(|id| id.common_prefix_bits(Key::ZERO)).collect()
}

#[test]
fn gaps_are_the_subtrees_of_nobody_known() {
    // The last bucket, that of all who share a bit or more, is full of two near
    // ones; nobody is known who shares one or two bits. Who shares four or five
    // would be among the two closest and found with them.
    let t = table(2, &[0x80, 0x90, 0x02, 0x10]);
    assert_eq!(buckets(&t)[1], [0x02, 0x10]);
    assert_eq!(gaps(2, &t), [1, 2]);
    assert_eq!(gaps(2, &table(2, &[0x80])), [0; 0]);
    // Three near ones split the last bucket again and again.
    let t = table(2, &[0x02, 0x03, 0x01]);
    assert_eq!((t.len(), gaps(2, &t)), (8, vec![0, 1, 2, 3, 4, 5]));
    // Forged neighbours very close by do not make for more than a few.
    let mut forged = table(2, &[0x80]);
    for bit in 0..2 {
        let near = Contact { id: Key::power_of_two(bit), addr: Addr::from_index(7 + bit) };
        forged.see(near, true, 0, &settings(2));
    }
    assert_eq!(gaps(2, &forged).len(), 8);
}

#[test]
fn untouched_buckets_are_due() {
    let mut t = table(2, &[0x80, 0x90, 0x40, 0x50, 0x20]);
    t.touch(id8(0x81), 1000);
    t.touch(id8(0x01), 1000);
    assert_eq!(t.untouched(999), [1]);
    assert_eq!(t.untouched(1000).len(), t.len());
}

proptest! {
    /// Whatever comes, no bucket overflows, each contact is in its bucket, and
    /// the closest are the closest.
    #[test]
    fn tables_keep_their_shape(
        k in 1_usize..6,
        steps in proptest::collection::vec((any::<u8>(), 0..4_u8), 0..300),
        target: u8,
    ) {
        let s = settings(k);
        let mut t = Table::new(id8(0x5a));
        for (now_s, (id, what)) in (0..).zip(steps) {
            match what {
                0 => t.fail(&contact(id), id % 2 == 0, now_s, &s),
                n => {
                    t.see(contact(id), n == 1, now_s, &s);
                }
            }
        }
        let all: Vec<Vec<Contact>> = t.buckets().collect();
        let last = all.len().saturating_sub(1);
        for (index, bucket) in all.iter().enumerate() {
            prop_assert!(bucket.len() <= k);
            for c in bucket {
                let shared = c.id.common_prefix_bits(id8(0x5a)) as usize;
                prop_assert!(shared == index || index == last && shared > index);
            }
        }
        let mut known: Vec<Contact> = t.contacts().collect();
        let before = known.len();
        known.sort_by_key(|c| c.distance(id8(target)));
        known.dedup();
        prop_assert_eq!(known.len(), before);
        let all_in_use = Settings { stale: u8::MAX, ..s.clone() };
        let closest = t.closest(id8(target), k, false, &all_in_use);
        prop_assert_eq!(&closest[..], &known[..known.len().min(k)]);
        let own = id8(0x5a).xor(id8(target));
        let closer = known.iter().filter(|c| c.distance(id8(target)) < own).count();
        prop_assert_eq!(t.closer(id8(target), usize::MAX, &all_in_use), closer);
        prop_assert_eq!(t.closer(id8(target), k, &all_in_use), closer.min(k));
    }
}
