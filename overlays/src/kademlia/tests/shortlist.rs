//! The state of a lookup.

use proptest::prelude::*;

use super::super::shortlist::Shortlist;
use super::*;

fn list(target: u8, ids: &[u8]) -> Shortlist {
    let mut list = Shortlist::new(id8(target));
    for id in ids {
        list.add(contact(*id));
    }
    list
}

fn answer(list: &mut Shortlist, id: u8, nodes: &[u8]) {
    let nodes: Vec<Contact> = nodes.iter().map(|id| contact(*id)).collect();
    list.answered(&contact(id), contact(id), &nodes, None, true);
}

/// §2.3: alpha at a time, closest first; done when the k closest answered.
#[test]
fn asks_alpha_at_a_time_closest_first() {
    let mut l = list(0, &[8, 4, 16, 32]);
    let next: Vec<_> = core::iter::from_fn(|| l.next(2, 3)).collect();
    assert_eq!(next, [contact(4), contact(8)]);
    answer(&mut l, 4, &[1, 2]);
    assert_eq!(l.next(2, 3), Some(contact(1)));
    assert!(!l.is_finished(3));
    answer(&mut l, 1, &[]);
    answer(&mut l, 8, &[]);
    assert_eq!(l.next(2, 3), Some(contact(2)));
    assert!(!l.is_finished(3));
    answer(&mut l, 2, &[]);
    assert!(l.is_finished(3), "1, 2 and 4 have answered");
    let found: Vec<Contact> = l.closest(3).map(|c| c.contact).collect();
    assert_eq!(found, [contact(1), contact(2), contact(4)]);
}

/// §2.3: when nobody closer turns up, all of the k closest are asked at once.
#[test]
fn the_last_round_asks_all_at_once() {
    let mut l = list(0, &[1, 2, 3, 4, 5, 6, 7]);
    let first: Vec<_> = core::iter::from_fn(|| l.next(2, 6)).collect();
    assert_eq!(first.len(), 2);
    answer(&mut l, 1, &[]);
    answer(&mut l, 2, &[9]);
    let rest: Vec<_> = core::iter::from_fn(|| l.next(2, 6)).collect();
    assert_eq!(rest, [3, 4, 5, 6].map(contact));
}

#[test]
fn silent_nodes_are_passed_over() {
    let mut l = list(0, &[1, 2, 3]);
    while l.next(3, 2).is_some() {}
    l.silent(&contact(1));
    answer(&mut l, 2, &[1]);
    assert_eq!(l.next(3, 2), Some(contact(3)), "1 is not asked again");
    answer(&mut l, 3, &[]);
    assert!(l.is_finished(2));
    // One that answers late counts after all.
    answer(&mut l, 1, &[]);
    assert_eq!(l.closest(1).next().map(|c| c.contact), Some(contact(1)));
}

/// A contact known by its address may turn out to be one known by name.
#[test]
fn one_node_by_two_names_is_one() {
    let mut l = Shortlist::new(id8(0));
    l.add_unknown(contact(7).addr);
    let unknown = l.next(3, 2).unwrap();
    assert_eq!(unknown.addr, contact(7).addr);
    l.add(contact(7));
    assert_eq!(l.next(3, 2), Some(contact(7)));
    l.answered(&unknown, contact(7), &[], None, true);
    assert!(l.is_finished(2));
    answer(&mut l, 7, &[]);
    assert!(l.is_finished(2));
    assert_eq!(l.closest(9).count(), 1);
}

#[test]
fn the_closest_without_a_value_is_known_with_its_rank() {
    let mut l = list(0, &[1, 2, 3, 4]);
    while l.next(4, 4).is_some() {}
    answer(&mut l, 4, &[]);
    answer(&mut l, 3, &[]);
    l.answered(&contact(2), contact(2), &[], None, false);
    l.silent(&contact(1));
    assert_eq!(l.closest_without(), Some((contact(3), 1)));
}

proptest! {
    /// A lookup ends, whatever the answers, and with the closest that answered.
    #[test]
    fn lookups_end(
        seeds in proptest::collection::vec(any::<u8>(), 1..20),
        answers in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..12)), 600),
        alpha in 1_usize..6,
        k in 1_usize..12,
    ) {
        let mut l = list(0, &seeds);
        let mut answers = answers.into_iter();
        let mut open = std::collections::VecDeque::new();
        let mut answered = Vec::new();
        let mut asked = 0;
        loop {
            while let Some(to) = l.next(alpha, k) {
                asked += 1;
                open.push_back(to);
            }
            prop_assert!(open.len() <= alpha.max(k));
            let Some(to) = open.pop_front() else { break };
            let (silent, nodes) = answers.next().unwrap();
            let nodes: Vec<Contact> = nodes.into_iter().map(contact).collect();
            if silent {
                l.silent(&to);
            } else {
                l.answered(&to, to, &nodes, None, true);
                answered.push(to);
            }
        }
        prop_assert!(l.is_finished(k));
        prop_assert!(asked <= 256);
        answered.sort_by_key(|c| c.distance(id8(0)));
        answered.truncate(k);
        let found: Vec<Contact> = l.closest(k).map(|c| c.contact).collect();
        prop_assert_eq!(found, answered);
    }
}
