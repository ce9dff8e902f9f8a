//! The records kept for others.

use std::sync::Arc;

use super::super::records::{Keep, RecordId, Records, tag};
use super::*;
use crate::{Item, Keywords};

fn keep(name: &str, key: Key, provider: u32, lifetime_s: u32) -> Keep {
    let item = Arc::new(Item::new(name, 1));
    let id = RecordId { key, item: tag(item.key()), provider: Addr::from_index(provider) };
    Keep { id, item: Some(item), lifetime_s, replicate_after_s: Some(10) }
}

#[test]
fn records_expire_and_are_never_cut_short() {
    let s = settings(2);
    let mut records = Records::default();
    assert!(records.put(keep("a", id8(1), 7, 100), 0, &s));
    assert!(records.put(keep("a", id8(1), 7, 10), 50, &s));
    assert_eq!(records.len(), 1);
    assert_eq!(records.get(id8(1), None, 9, 0, 99).len(), 1);
    assert_eq!(records.get(id8(1), None, 9, 0, 100).len(), 0, "dead before it is swept");
    records.expire(100);
    assert_eq!(records.len(), 0);
}

#[test]
fn lists_and_the_whole_are_bounded() {
    let s = Settings { max_providers: 3, max_records: 5, ..settings(2) };
    let mut records = Records::default();
    let taken = (0..9).filter(|p| records.put(keep("a", id8(1), *p, 100), 0, &s)).count();
    assert_eq!(taken, 3);
    let taken = (0..9).filter(|p| records.put(keep("a", id8(2), *p, 100), 0, &s)).count();
    assert_eq!((taken, records.len()), (2, 5));
    assert!(records.put(keep("a", id8(1), 0, 200), 0, &s), "a refresh needs no room");
}

/// Under a keyword there are several items, and one provider may have many.
#[test]
fn records_under_a_word_are_told_apart_by_item() {
    let s = settings(2);
    let mut records = Records::default();
    for name in ["red song", "blue song", "red film"] {
        records.put(keep(name, id8(1), 7, 100), 0, &s);
    }
    assert_eq!(records.len(), 3);
    let words = Keywords::of("RED song");
    let found = records.get(id8(1), Some(&words), 9, 0, 0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].item.as_ref().map(|i| i.name()), Some("red song"));
    assert!(records.get(id8(2), None, 9, 0, 0).is_empty());
}

/// Who asks for fewer than there are gets others each time.
#[test]
fn long_lists_are_told_round_and_round() {
    let s = settings(2);
    let mut records = Records::default();
    assert!((0..5).all(|p| records.put(keep("a", id8(1), p, 100), 0, &s)));
    let told = |start| -> Vec<u32> {
        records.get(id8(1), None, 2, start, 0).iter().map(|r| r.provider.index()).collect()
    };
    assert_eq!((told(0), told(4), told(7)), (vec![0, 1], vec![4, 0], vec![2, 3]));
}

/// §2.5: who has just been told of a record need not pass it on.
#[test]
fn replication_is_put_off_by_a_store() {
    let s = settings(2);
    let mut records = Records::default();
    records.put(keep("a", id8(1), 7, 100), 0, &s);
    assert_eq!(records.due(9), []);
    assert_eq!(records.due(10), [id8(1)]);
    records.put(keep("a", id8(1), 7, 100), 5, &s);
    assert_eq!(records.due(10), []);
    assert_eq!(records.due(15), [id8(1)]);
    let due = records.take_due(id8(1), 15, 10);
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].2, 90, "what is left of its life goes along");
    assert_eq!(records.due(24), []);
    assert_eq!(records.due(25), [id8(1)]);
    records.release(id8(1));
    assert_eq!(records.due(1000), []);
}

/// Long lists are counted once; the count follows whatever becomes of them.
#[test]
fn a_crowded_key_has_room_for_as_many_as_have_gone() {
    let s = Settings { max_providers: 40, ..settings(2) };
    let mut records = Records::default();
    let put =
        |records: &mut Records, p, lifetime_s| records.put(keep("a", id8(1), p, lifetime_s), 0, &s);
    assert!((0..40).all(|p| put(&mut records, p, 100 + p)));
    assert!(!put(&mut records, 50, 100));
    let id = keep("a", id8(1), 3, 0).id;
    assert!(records.remove(&id) && !records.remove(&id));
    assert!(put(&mut records, 50, 500) && !put(&mut records, 51, 500));
    records.expire(135);
    let left = records.len();
    assert_eq!(left, 5);
    assert_eq!((60..200).filter(|p| put(&mut records, *p, 500)).count(), 40 - left);
    records.expire(1000);
    assert_eq!((60..200).filter(|p| put(&mut records, *p, 2000)).count(), 40);
}
