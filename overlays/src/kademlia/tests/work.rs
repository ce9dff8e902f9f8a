//! Jobs and their errands.

use std::sync::Arc;

use super::super::work::{End, Errand, Work};
use super::*;
use crate::Item;

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 1))
}

/// Where each errand goes and what it announces there.
fn announced(errands: impl IntoIterator<Item = Errand>) -> Vec<(Key, Vec<String>)> {
    let errands = errands.into_iter().map(|errand| match errand {
        Errand::Publish { key, items } => {
            (key, items.iter().map(|i| i.name().to_owned()).collect())
        }
        other => panic!("{other:?}"),
    });
    errands.collect()
}

#[test]
fn items_at_one_place_share_an_errand_but_not_too_many() {
    let (red, blue) = (id8(1), id8(2));
    let some = [(blue, item("a")), (red, item("b")), (blue, item("c"))];
    let expected = [(red, vec!["b".to_owned()]), (blue, vec!["a".to_owned(), "c".to_owned()])];
    assert_eq!(announced(Errand::publish(some)), expected);
    let many = (0..40).map(|i| (red, item(&format!("file {i}"))));
    let sizes: Vec<usize> =
        announced(Errand::publish(many)).iter().map(|(_, names)| names.len()).collect();
    assert_eq!(sizes, [16, 16, 8]);
}

#[test]
fn what_is_no_longer_shared_is_not_announced() {
    let (red, blue) = (id8(1), id8(2));
    let (a, b) = (item("a"), item("b"));
    let mut work = Work::default();
    let errands = Errand::publish([(red, a.clone()), (red, b), (blue, a.clone())]);
    work.put_job(End::Upkeep, errands);
    work.drop_publications(&[red, blue], &a);
    let job = work.job_for(|end| end == End::Upkeep).expect("it has not begun");
    assert_eq!(announced(job.queue.drain(..)), [(red, vec!["b".to_owned()])]);
}
