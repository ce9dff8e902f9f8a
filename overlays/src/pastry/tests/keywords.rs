//! Keyword search on a small circle.

use super::Bench;
use crate::parts::postings::{Intersect, keyword_key};
use crate::pastry::{Config, Message};
use crate::{Key, Outcome, Overlay as _, Query};

const BOTH: [Intersect; 2] = [Intersect::Path, Intersect::Asker];

/// Eight nodes evenly spaced; the first three share a song each.
fn circle(config: Config) -> Bench {
    let keys: Vec<Key> = (0..8).map(|i| Key::from_top_bits(i, 3)).collect();
    let shared = [(0, "red song one"), (1, "blue song two"), (2, "red car")];
    Bench::settled_at(Config { keywords: true, ..config }, &keys, &shared)
}

fn look(bench: &mut Bench, index: u32, words: &str) -> Vec<u32> {
    let query = Query::keywords(words);
    let outcome = bench.ask(index, |node, cx, op| node.search(cx, op, &query));
    assert!(matches!(outcome, Some(Outcome::Found(_) | Outcome::NotFound)), "{outcome:?}");
    let mut providers = Bench::providers(outcome);
    providers.sort_unstable();
    providers
}

#[test]
fn everyone_finds_by_words_what_anyone_shares() {
    for intersect in BOTH {
        let mut bench = circle(Config { intersect, ..Config::default() });
        bench.insert(5, "a red song");
        for asker in 0..8 {
            assert_eq!(look(&mut bench, asker, "song"), [0, 1, 5]);
            assert_eq!(look(&mut bench, asker, "song RED"), [0, 5]);
            assert_eq!(look(&mut bench, asker, "blue car"), [0; 0]);
            assert_eq!(look(&mut bench, asker, "nothing"), [0; 0]);
        }
    }
}

#[test]
fn what_was_deleted_is_on_no_list() {
    for intersect in BOTH {
        let mut bench = circle(Config { intersect, replicas: 3, ..Config::default() });
        let key = crate::Item::new("red song one", 1).key();
        let outcome = bench.ask(0, |node, cx, op| node.delete(cx, op, &key));
        assert_eq!(outcome, Some(Outcome::Done));
        assert_eq!(look(&mut bench, 4, "red"), [2]);
        assert_eq!(look(&mut bench, 4, "song"), [1]);
        let again = bench.ask(0, |node, cx, op| node.delete(cx, op, &key));
        assert_eq!(again, Some(Outcome::NotFound));
    }
}

#[test]
fn lists_survive_their_owner() {
    let mut bench = circle(Config { replicas: 3, ..Config::default() });
    let list = keyword_key("song");
    let Some(Outcome::Located(owner)) = bench.locate(4, list) else { panic!("no owner") };
    bench.crash(owner.index());
    bench.run(300);
    let asker = (owner.index() + 1) % 8;
    let expected: Vec<u32> = [0, 1].into_iter().filter(|p| *p != owner.index()).collect();
    let found = look(&mut bench, asker, "song");
    // Whether the dead node's own song is still listed is not the point.
    assert!(expected.iter().all(|p| found.contains(p)), "{found:?}");
}

#[test]
fn lists_are_handed_over_when_their_owner_leaves() {
    let mut bench = circle(Config::default());
    let mut owner_of = |word: &str| match bench.locate(4, keyword_key(word)) {
        Some(Outcome::Located(owner)) => owner.index(),
        other => panic!("{other:?}"),
    };
    let lists = [("car", 2), ("blue", 1), ("one", 0)].map(|(w, p)| (w, p, owner_of(w)));
    let foreign = lists.into_iter().find(|(_, provider, owner)| provider != owner);
    let (word, provider, leaver) = foreign.expect("some list is kept by another than its provider");
    let outcome = bench.ask(leaver, |node, cx, op| node.leave(cx, op));
    assert_eq!(outcome, Some(Outcome::Done));
    bench.crash(leaver);
    bench.run(60);
    assert_eq!(look(&mut bench, (leaver + 3) % 8, word), [provider]);
}

#[test]
fn a_hot_word_is_made_do_without_and_all_hot_words_are_answered_in_part() {
    for intersect in BOTH {
        let mut bench = circle(Config { intersect, max_postings: 2, ..Config::default() });
        for (node, name) in [(3, "song of green"), (4, "song of white")] {
            // A list that refuses a posting does not make the insert fail.
            assert_eq!(bench.insert(node, name), Some(Outcome::Done));
        }
        assert_eq!(look(&mut bench, 6, "song green"), [3]);
        assert_eq!(look(&mut bench, 6, "song white of"), [4]);
        assert_eq!(look(&mut bench, 6, "song").len(), 2, "the list is cut short");
    }
}

#[test]
fn without_the_index_words_are_unsupported() {
    let keys: Vec<Key> = (0..3).map(|i| Key::from_top_bits(i, 2)).collect();
    let mut bench = Bench::settled_at(Config::default(), &keys, &[]);
    let query = Query::keywords("song");
    let outcome = bench.ask(0, |node, cx, op| node.search(cx, op, &query));
    assert_eq!(outcome, Some(Outcome::Unsupported));
}

#[test]
fn a_newcomer_passes_on_what_its_neighbour_still_has() {
    let mut bench = circle(Config::default());
    let list = keyword_key("song");
    // Right at the list, while the records are on their way.
    bench.lose = Box::new(|_, _, message| matches!(message, Message::Transfer { .. }));
    bench.add(30, list.truncated(128));
    assert_eq!(bench.join(30, 2), Some(Outcome::Done));
    assert_eq!(bench.node(30).records(), 0);
    for asker in [3, 6, 30] {
        assert_eq!(look(&mut bench, asker, "song"), [0, 1]);
    }
}

#[test]
fn a_query_that_is_lost_is_sent_again() {
    for intersect in BOTH {
        let mut bench = circle(Config { intersect, ..Config::default() });
        let mut lost = 0;
        bench.lose = Box::new(move |_, _, message| {
            lost += 1;
            matches!(message, Message::Sifted(_)) && lost < 12
        });
        for asker in 0..8 {
            assert_eq!(look(&mut bench, asker, "song red"), [0]);
        }
    }
}
