//! Items, keywords and queries, with names in any script.

use std::sync::Arc;

use overlays::{Hit, Item, Keywords, MAX_NAME_BYTES, Query, Reader, Target, Writer};
use proptest::prelude::*;

use super::{any_addr, any_key};

/// Letters that change their length or their look with their case or their
/// neighbours, beside common ones.
const EXOTIC: &str = "İıßẞſΣσςΆǅﬁŉ\u{307}\u{345}Ꭰꭰ𐐀𞤀中文 'x-9_.ÅK";

fn exotic_name() -> impl Strategy<Value = String> {
    let letters: Vec<char> = EXOTIC.chars().collect();
    let letter = prop_oneof![prop::sample::select(letters), any::<char>()];
    prop::collection::vec(letter, 0..200).prop_map(|chars| chars.into_iter().collect())
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), exotic_name(), "[a-cA-C' ]{0,300}", "(İ ){0,200}"]
}

fn any_item() -> impl Strategy<Value = Item> {
    (any_name(), any::<u64>()).prop_map(|(name, size)| Item::new(&name, size))
}

fn any_query() -> impl Strategy<Value = Query> {
    let query = prop_oneof![
        any_key().prop_map(Query::exact),
        any_name().prop_map(|name| Query::keywords(&name)),
    ];
    (query, 1..=Query::MAX_LIMIT).prop_map(|(query, limit)| Query { limit, ..query })
}

fn written(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_bytes()
}

proptest! {
    #[test]
    fn items_round_trip(item in any_item()) {
        let bytes = written(|w| item.encode(w));
        prop_assert_eq!(bytes.len(), item.encoded_len());
        let mut r = Reader::new(&bytes);
        prop_assert_eq!(Item::decode(&mut r), Ok(item));
        prop_assert_eq!(r.remaining(), 0);
    }

    #[test]
    fn queries_round_trip(query in any_query()) {
        let bytes = written(|w| query.encode(w));
        prop_assert_eq!(bytes.len(), query.encoded_len());
        let mut r = Reader::new(&bytes);
        prop_assert_eq!(Query::decode(&mut r), Ok(query));
        prop_assert_eq!(r.remaining(), 0);
    }

    #[test]
    fn hits_round_trip(item in any_item(), provider in any_addr()) {
        let hit = Hit { item: Arc::new(item), provider };
        let bytes = written(|w| hit.encode(w));
        prop_assert_eq!(bytes.len(), hit.encoded_len());
        prop_assert_eq!(Hit::decode(&mut Reader::new(&bytes)), Ok(hit));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        _ = Item::decode(&mut Reader::new(&bytes));
        _ = Hit::decode(&mut Reader::new(&bytes));
        if let Ok(query) = Query::decode(&mut Reader::new(&bytes)) {
            prop_assert!((1..=Query::MAX_LIMIT).contains(&query.limit));
        }
    }

    #[test]
    fn names_are_cut_between_characters(name in any_name()) {
        let item = Item::new(&name, 1);
        prop_assert!(item.name().len() <= MAX_NAME_BYTES);
        prop_assert!(name.starts_with(item.name()));
        let cut = name.len() - item.name().len();
        prop_assert!(cut == 0 || item.name().len() > MAX_NAME_BYTES - 4, "no more than needed");
    }

    /// What the wire carries gives the same words.
    #[test]
    fn keywords_survive_their_text(name in any_name()) {
        let words = Keywords::of(&name);
        prop_assert_eq!(words.text_len(), words.to_text().len());
        prop_assert!(words.text_len() <= MAX_NAME_BYTES);
        prop_assert!(words.words().len() <= 32);
        prop_assert_eq!(&Keywords::of(&words.to_text()), &words);
        let list: Vec<&str> = words.words().collect();
        prop_assert!(list.is_sorted_by(|a, b| a < b), "sorted, no repeats: {:?}", list);
    }

    /// The signature is a shortcut and no more.
    #[test]
    fn matching_is_inclusion_of_words(
        have in prop::collection::btree_set("[a-e]{1,2}", 0..12),
        want in prop::collection::btree_set("[a-e]{1,2}", 0..4),
    ) {
        let text = |set: &std::collections::BTreeSet<String>| {
            set.iter().cloned().collect::<Vec<_>>().join("-")
        };
        let item = Item::new(&text(&have), 1);
        let query = Query::keywords(&text(&want));
        prop_assert_eq!(query.matches(&item), !want.is_empty() && want.is_subset(&have));
        prop_assert!(Query::exact(item.key()).matches(&item));
    }
}

#[test]
fn words_are_letters_digits_and_apostrophes() {
    let words = |text| Keywords::of(text).words().map(String::from).collect::<Vec<_>>();
    assert_eq!(words("Don't_Stop (live) 1999.MP3"), ["1999", "don't", "live", "mp3", "stop"]);
    assert_eq!(words("a A a"), ["a"]);
    assert_eq!(words("Ärger-Straße 中文"), ["straße", "ärger", "中文"]);
    assert_eq!(words(" -- "), [""; 0]);
    let many: String = (0..99).map(|n| format!("{n} ")).collect();
    assert_eq!(words(&many).len(), 32);
}

#[test]
fn identity_of_an_item() {
    let item = Item::new("abc", 5);
    assert_eq!(item.key().to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(item.key(), Item::new("abc", 6).key(), "found by name");
    assert_ne!(item.content(), Item::new("abc", 6).content(), "fetched by content");
}

#[test]
fn limits_are_brought_into_range() {
    for (sent, read) in [(0, 1), (1, 1), (100, 100), (101, 100), (u16::MAX, 100)] {
        let query = Query { target: Target::Exact(Item::new("a", 1).key()), limit: sent };
        let bytes = written(|w| query.encode(w));
        assert_eq!(Query::decode(&mut Reader::new(&bytes)).unwrap().limit, read);
    }
}
