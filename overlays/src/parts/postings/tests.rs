//! Lists, queries and searches on their own.

use std::sync::Arc;

use super::*;
use crate::seam::{Addr, Cause, Hit, Item, Keywords, OpId, Outcome, Reason};

fn hit(name: &str, provider: u32) -> Hit {
    Hit { item: Arc::new(Item::new(name, 1)), provider: Addr::from_index(provider) }
}

fn words(text: &str) -> Arc<Keywords> {
    Arc::new(Keywords::of(text))
}

const ASKER: Addr = Addr::from_index(99);

fn start(searches: &mut Searches, text: &str, way: Intersect) -> Vec<Sift> {
    let who = (ASKER, OpId(1), Cause::start(OpId(1)));
    searches.start(who, &words(text), 100, way).expect("there is room and there are words").1
}

fn answer(sift: Sift, hits: &[Hit], is_hot: bool) -> Sifted {
    match sift.meet(List { hits: hits.iter().cloned(), is_hot }) {
        Step::Answer(sifted) => sifted,
        Step::On(sift) => panic!("goes on: {sift:?}"),
    }
}

fn found(progress: Progress) -> Vec<u32> {
    match progress {
        Progress::End(Ended { outcome: Outcome::Found(hits), .. }) => {
            hits.iter().map(|hit| hit.provider.index()).collect()
        }
        other => panic!("not found: {other:?}"),
    }
}

#[test]
fn a_record_has_a_place_for_itself_and_one_for_each_word() {
    let hit = hit("Red song.ogg", 1);
    let all: Vec<Posting> = Posting::all(&hit, true).collect();
    let keys: Vec<_> = all.iter().map(Posting::key).collect();
    let under = ["ogg", "red", "song"].map(keyword_key);
    assert_eq!(keys, [hit.item.key(), under[0], under[1], under[2]]);
    assert_eq!(Posting::all(&hit, false).count(), 1);
    // An item that is called like a word is not in the way of its list.
    assert_ne!(keyword_key("red"), Item::new("red", 1).key());
}

#[test]
fn a_hot_list_refuses_and_stays_hot() {
    let mut hot = HotLists::default();
    let list = keyword_key("the");
    assert!(hot.admits(list, 1, 2));
    assert!(!hot.is_hot(list, 1, 2));
    // One that was handed over full may have refused others elsewhere.
    assert!(hot.is_hot(list, 2, 2));
    assert!(!hot.admits(list, 2, 2));
    // There is room again, but what was refused is still missing.
    assert!(hot.admits(list, 1, 2));
    assert!(hot.is_hot(list, 1, 2));
    hot.remove(list);
    assert!(!hot.is_hot(list, 1, 2));
}

#[test]
fn the_asker_keeps_what_is_on_all_lists() {
    let mut searches = Searches::default();
    let sifts = start(&mut searches, "red song", Intersect::Asker);
    assert_eq!(sifts.len(), 2);
    let red = [hit("red song", 1), hit("red car", 2)];
    // Somebody withdrew the song from the second list only: the lists are not
    // changed together, and both must agree.
    let song = [hit("red song", 3), hit("blue song", 4)];
    let both = hit("song in red", 5);
    let both = core::slice::from_ref(&both);
    let lists = [[&red[..], both].concat(), [&song[..], both].concat()];
    let mut answers = sifts.into_iter().zip(lists).map(|(sift, list)| answer(sift, &list, false));
    let (first, second) = (answers.next().unwrap(), answers.next().unwrap());
    assert_eq!(searches.on_sifted(ASKER, first), Progress::Wait);
    assert_eq!(found(searches.on_sifted(ASKER, second)), [5]);
}

#[test]
fn the_asker_fetches_a_long_list_page_by_page() {
    let mut searches = Searches::default();
    let list: Vec<Hit> = (0..250).map(|i| hit(&format!("song {i}"), i)).collect();
    let mut sifts = start(&mut searches, "song", Intersect::Asker);
    let mut pages = 0;
    let progress = loop {
        let sift = sifts.pop().expect("one page at a time");
        pages += 1;
        match searches.on_sifted(ASKER, answer(sift, &list, false)) {
            Progress::Send(more) => sifts = more,
            other => break other,
        }
    };
    assert_eq!(pages, 3);
    assert_eq!(found(progress).len(), 100);
}

#[test]
fn a_hot_list_does_not_count_out_what_it_lacks() {
    let mut searches = Searches::default();
    let sifts = start(&mut searches, "the song", Intersect::Asker);
    let [song, the] = <[Sift; 2]>::try_from(sifts).unwrap();
    assert_eq!(song.key(), keyword_key("song"));
    let whole = answer(song, &[hit("the song", 1), hit("a song", 2)], false);
    assert_eq!(searches.on_sifted(ASKER, whole), Progress::Wait);
    let cut_short = answer(the, &[hit("the car", 3)], true);
    assert_eq!(found(searches.on_sifted(ASKER, cut_short)), [1]);
}

#[test]
fn a_query_on_its_path_ends_at_the_first_whole_list() {
    let mut searches = Searches::default();
    let [sift] = <[Sift; 1]>::try_from(start(&mut searches, "the song", Intersect::Path)).unwrap();
    assert_eq!(sift.key(), keyword_key("song"), "the longest word comes first");
    let sifted = answer(sift, &[hit("the song", 1), hit("a song", 2)], false);
    assert_eq!(found(searches.on_sifted(ASKER, sifted)), [1]);
}

#[test]
fn a_query_on_its_path_goes_on_from_a_hot_list_with_what_it_found() {
    let mut searches = Searches::default();
    let [sift] = <[Sift; 1]>::try_from(start(&mut searches, "the song", Intersect::Path)).unwrap();
    let hits = [hit("the song", 1), hit("a song", 2)];
    let Step::On(sift) = sift.meet(List { hits: hits.into_iter(), is_hot: true }) else {
        panic!("a list that is cut short ends nothing");
    };
    assert_eq!(sift.key(), keyword_key("the"));
    // All words are hot: the answer is what there is, and says so.
    let sifted = answer(sift, &[hit("the song", 3), hit("the song", 1)], true);
    assert!(sifted.is_hot);
    assert_eq!(found(searches.on_sifted(ASKER, sifted)), [1, 3]);
}

#[test]
fn a_word_that_cannot_be_reached_is_made_do_without() {
    for way in [Intersect::Asker, Intersect::Path] {
        let mut searches = Searches::default();
        let mut sifts = start(&mut searches, "the song", way);
        let unreachable = sifts.remove(0);
        let ticket = unreachable.ticket;
        let left = match searches.on_unreachable(ASKER, ticket, unreachable.word) {
            Progress::Send(sifts) => sifts,
            Progress::Wait => sifts,
            other => panic!("{other:?}"),
        };
        let [sift] = <[Sift; 1]>::try_from(left).unwrap();
        assert_ne!(sift.word, unreachable.word);
        let sifted = answer(sift, &[hit("the song", 1)], false);
        assert_eq!(found(searches.on_sifted(ASKER, sifted)), [1]);
    }
}

#[test]
fn a_search_that_nobody_answers_fails_once() {
    for way in [Intersect::Asker, Intersect::Path] {
        let mut searches = Searches::default();
        let ticket = start(&mut searches, "the song", way)[0].ticket;
        let Progress::End(ended) = searches.on_overdue(ticket) else { panic!("no end") };
        assert_eq!(ended.outcome, Outcome::Failed(Reason::Timeout));
        assert_eq!(searches.on_overdue(ticket), Progress::Wait);
    }
}

#[test]
fn what_does_not_match_is_not_believed() {
    let mut searches = Searches::default();
    let sift = start(&mut searches, "song", Intersect::Path).remove(0);
    let (ticket, word) = (sift.ticket, sift.word);
    let hits = vec![hit("car", 1)];
    let lie = Sifted { ticket, word, hits, next: None, is_hot: false };
    let Progress::End(ended) = searches.on_sifted(ASKER, lie) else { panic!("no end") };
    assert_eq!(ended.outcome, Outcome::NotFound);
}

#[test]
fn no_words_match_nothing() {
    let who = (ASKER, OpId(1), Cause::start(OpId(1)));
    let outcome = Searches::default().start(who, &words("--"), 100, Intersect::Path);
    assert_eq!(outcome, Err(Outcome::NotFound));
}

#[test]
fn an_operation_ends_with_its_last_record_as_the_item_did() {
    let mut publications = Publications::default();
    publications.start(OpId(1), 3);
    let full = Outcome::Failed(Reason::Full);
    assert_eq!(publications.on_record(OpId(1), 0, full.clone()), None);
    assert_eq!(publications.on_record(OpId(1), WHOLE, Outcome::Done), None);
    assert_eq!(publications.on_record(OpId(1), 1, full.clone()), Some(Outcome::Done));
    assert_eq!(publications.on_record(OpId(1), 1, full), None);
}
