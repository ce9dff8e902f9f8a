//! Queries of the keyword index at one node among fabricated messages.

use std::sync::Arc;

use super::super::message::{Body, Store};
use super::super::{Paper, Timer};
use super::bench::{Bench, ME};
use super::*;
use crate::parts::postings::{Intersect, Sift, Sifted, Way, keyword_key};
use crate::{Hit, Item, Keywords, Machine as _, OpId, Outcome, Overlay as _, Query, Reason};

/// A node with its index on that knows these.
fn member(change: impl Fn(&mut Settings), ids: &[u8]) -> Bench<Paper> {
    Bench::member(
        |s| {
            (s.keywords, s.k) = (true, 3);
            change(s);
        },
        ids,
    )
}

fn hit(name: &str, provider: u32) -> Hit {
    Hit { item: Arc::new(Item::new(name, 1)), provider: Addr::from_index(provider) }
}

/// Has the node keep `hit` under `word`.
fn file(b: &mut Bench<Paper>, word: &str, hit: &Hit) {
    let (key, item) = (keyword_key(word), hit.item.clone());
    let store = Store { key, item, provider: hit.provider, lifetime_s: 1000 };
    b.hear(contact(0x80), 1, Body::Store(Box::new(store)));
}

fn sift(words: &str, way: Way) -> Sift {
    let words = Arc::new(Keywords::of(words));
    Sift { asker: contact(0x80).addr, ticket: 5, words, word: 0, way }
}

fn path() -> Way {
    Way::Path { seen: 0, found: Vec::new(), limit: 10 }
}

fn sifted(ticket: u32, hits: Vec<Hit>) -> Body {
    Body::Sifted(Box::new(Sifted { ticket, word: 0, hits, next: None, is_hot: false }))
}

#[test]
fn a_holder_answers_from_its_records_and_its_own_shares() {
    let mut b = member(|_| {}, &[0x80]);
    let (kept, other) = (hit("red song", 77), hit("red car", 78));
    file(&mut b, "red", &kept);
    file(&mut b, "red", &other);
    let own = Arc::new(Item::new("my red song", 1));
    b.call(|node, cx| node.insert(cx, OpId(2), &own));
    b.effects.clear();
    b.hear(contact(0x80), 9, Body::Sift(Box::new(sift("red song", path()))));
    let Some(Body::Sifted(answer)) = b.reply() else { panic!("no answer") };
    let mine = Hit { item: own, provider: Addr::from_index(ME) };
    assert_eq!(answer.hits, [kept, mine], "what has both words");
    assert_eq!((answer.ticket, answer.is_hot), (5, false));
}

#[test]
fn a_full_list_passes_the_query_on_to_the_next_word() {
    let mut b = member(|s| s.max_providers = 1, &[0x80, 0x40]);
    file(&mut b, "red", &hit("red car", 77));
    b.effects.clear();
    b.hear(contact(0x80), 9, Body::Sift(Box::new(sift("red song", path()))));
    let asked = b.asked();
    assert_eq!(asked.len(), 2, "a lookup of the other word");
    for (to, number, body) in asked {
        assert_eq!(body, Body::FindNode(keyword_key("song")));
        let from = if to == contact(0x80).addr { contact(0x80) } else { contact(0x40) };
        b.hear(from, number, Body::Nodes(Box::default()));
    }
    let passed = b.asked();
    let Some((_, _, Body::Sift(next))) = passed.first() else { panic!("{passed:?}") };
    assert_eq!((next.asker, next.word), (contact(0x80).addr, 1));
    assert!(matches!(next.way, Way::Path { seen: 1, .. }), "the first word has been seen");
}

/// Starts a search for *song*, and answers its lookup: the holders, in order.
fn search(b: &mut Bench<Paper>) -> (Addr, u32) {
    b.effects.clear();
    b.call(|node, cx| node.search(cx, OpId(2), &Query::keywords("song")));
    for (to, number, body) in b.asked() {
        assert_eq!(body, Body::FindNode(keyword_key("song")));
        let from = [contact(0x80), contact(0x40), contact(0xc0)];
        let from = from.into_iter().find(|c| c.addr == to).expect("a contact");
        b.hear(from, number, Body::Nodes(Box::default()));
    }
    handed_to(b)
}

/// Whom a query was handed to, and the number of that request.
fn handed_to(b: &mut Bench<Paper>) -> (Addr, u32) {
    let asked = b.asked();
    let [(to, number, Body::Sift(_))] = &asked[..] else { panic!("{asked:?}") };
    (*to, *number)
}

fn by_addr(addr: Addr) -> Contact {
    [contact(0x80), contact(0x40), contact(0xc0)].into_iter().find(|c| c.addr == addr).unwrap()
}

#[test]
fn an_empty_list_is_not_believed_at_once() {
    let mut b = member(|_| {}, &[0x80, 0x40, 0xc0]);
    let (first, number) = search(&mut b);
    b.hear(by_addr(first), number, sifted(1, Vec::new()));
    let (second, number) = handed_to(&mut b);
    assert_ne!(first, second);
    b.hear(by_addr(second), number, sifted(1, vec![hit("a song", 77)]));
    assert!(matches!(b.outcome(), Some(Outcome::Found(hits)) if hits.len() == 1));
}

#[test]
fn a_query_that_was_passed_on_is_answered_by_a_stranger() {
    let mut b = member(|_| {}, &[0x80, 0x40, 0xc0]);
    let (first, number) = search(&mut b);
    b.hear(by_addr(first), number, Body::Ack);
    assert_eq!((b.asked().len(), b.outcome()), (0, None), "it waits");
    b.hear(contact(0x11), 12_345, sifted(1, vec![hit("a song", 77)]));
    assert!(matches!(b.outcome(), Some(Outcome::Found(hits)) if hits.len() == 1));
}

#[test]
fn a_query_among_the_dead_ends() {
    for intersect in [Intersect::Path, Intersect::Asker] {
        let mut b = member(|s| s.intersect = intersect, &[0x80]);
        b.call(|node, cx| node.search(cx, OpId(2), &Query::keywords("song")));
        while b.outcome().is_none() {
            let asked = b.asked();
            assert!(!asked.is_empty(), "it waits for nothing");
            for (_, number, _) in asked {
                b.time_out(number);
            }
        }
        // The node itself is the only one left, and has nothing.
        assert!(
            matches!(b.outcome(), Some(Outcome::NotFound | Outcome::Failed(Reason::Timeout))),
            "{:?}",
            b.outcome()
        );
    }
}

#[test]
fn a_query_whose_answer_gets_lost_ends_when_it_is_overdue() {
    let mut b = member(|_| {}, &[0x80, 0x40, 0xc0]);
    let (first, number) = search(&mut b);
    b.hear(by_addr(first), number, Body::Ack);
    b.call(|node, cx| node.on_timer(cx, Timer::Keywords(1)));
    assert_eq!(b.outcome(), Some(&Outcome::Failed(Reason::Timeout)));
}
