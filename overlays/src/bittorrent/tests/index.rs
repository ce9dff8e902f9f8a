//! The index site.

use super::super::{Counts, Refusal};
use super::*;

impl Bench {
    /// Posts a link and tells whether it was taken.
    fn publish(&mut self, magnet: Magnet) -> bool {
        let effects = self.receive(peer(1), Message::Publish(Box::new(magnet)));
        match &sent(&effects)[..] {
            [(to, Message::Published { accepted })] if *to == peer(1) => *accepted,
            other => panic!("not one reply: {other:?}"),
        }
    }

    /// The names that the site lists for a query, in its order.
    fn browse(&mut self, query: &Query) -> Vec<String> {
        let effects = self.receive(peer(1), Message::Browse(Box::new(query.clone())));
        match &sent(&effects)[..] {
            [(_, Message::Listing(magnets))] => magnets
                .iter()
                .map(|magnet| magnet.item.as_ref().unwrap().name().to_owned())
                .collect(),
            other => panic!("not one listing: {other:?}"),
        }
    }

    fn scraped(&mut self, from: Addr, name: &str, complete: u32) {
        let counts = Counts { complete, ..Counts::default() };
        self.receive(from, Message::Scraped([(item(name).key(), counts)].into()));
    }
}

#[test]
fn links_are_found_by_all_words_and_by_hash() {
    let mut bench = Bench::index(&Config::default());
    for name in ["red song.ogg", "blue song.ogg", "red film.avi"] {
        assert!(bench.publish(magnet(name)));
    }
    assert!(bench.publish(magnet("red song.ogg")), "what is listed stays listed");
    assert_eq!(bench.browse(&Query::keywords("SONG red")), ["red song.ogg"]);
    assert_eq!(bench.browse(&Query::keywords("song")).len(), 2);
    assert_eq!(bench.browse(&Query::keywords("song green")), Vec::<String>::new());
    assert_eq!(bench.browse(&Query::keywords("")), Vec::<String>::new());
    assert_eq!(bench.browse(&Query::exact(item("red film.avi").key())), ["red film.avi"]);
    assert_eq!(bench.browse(&Query::exact(item("x").key())), Vec::<String>::new());
    assert_eq!(bench.node.footprint().index_entries, 3);
}

#[test]
fn a_long_list_is_walked_from_another_place_each_time() {
    let mut bench = Bench::index(&Config::default());
    for number in 0..200 {
        bench.publish(magnet(&format!("song number{number}.ogg")));
    }
    let query = Query { limit: 10, ..Query::keywords("song") };
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let names = bench.browse(&query);
        assert_eq!(names.len(), 10);
        seen.extend(names);
    }
    assert_eq!(seen.len(), 200, "everything has its turn");
}

#[test]
fn what_has_no_name_or_no_room_is_not_listed() {
    let mut bench = Bench::index(&Config { max_torrents: 2, ..Config::default() });
    assert!(!bench.publish(Magnet { item: None, ..magnet("a") }));
    assert!(bench.publish(magnet("a")) && bench.publish(magnet("b")));
    assert!(!bench.publish(magnet("c")));
    assert!(bench.publish(magnet("b")));
}

#[test]
fn torrents_without_seeds_go_after_some_scrapes() {
    let mut bench = Bench::index(&Config::default());
    bench.publish(magnet("a"));
    bench.publish(magnet("b"));
    let mut keys = [item("a").key(), item("b").key()];
    keys.sort_unstable();
    let effects = bench.wake(Timer::Scrape);
    assert_eq!(sent(&effects), [(TRACKERS[0], Message::Scrape(keys.into()))]);
    assert!(effects.iter().all(|e| e.cause == Cause::UPKEEP));
    bench.scraped(TRACKERS[0], "a", 0);
    bench.scraped(TRACKERS[0], "a", 0);
    bench.scraped(TRACKERS[0], "a", 1);
    bench.scraped(TRACKERS[0], "a", 0);
    bench.scraped(TRACKERS[0], "a", 0);
    assert_eq!(bench.browse(&Query::keywords("a")).len(), 1, "never three in a row");
    for _ in 0..9 {
        bench.scraped(peer(66), "a", 0);
    }
    assert_eq!(bench.browse(&Query::keywords("a")).len(), 1, "not its tracker's word");
    bench.scraped(TRACKERS[0], "a", 0);
    assert!(bench.browse(&Query::keywords("a")).is_empty());
    assert_eq!(bench.browse(&Query::keywords("b")).len(), 1);
}

#[test]
fn scrapes_come_in_batches_to_a_bounded_number_of_trackers() {
    let mut bench = Bench::index(&Config::default());
    for number in 0..120 {
        bench.publish(magnet(&format!("{number}")));
    }
    for number in 0..200 {
        let tracker = Arc::from([peer(number)]);
        bench.publish(Magnet::of(&item(&format!("odd {number}")), &tracker));
    }
    let asked = sent(&bench.wake(Timer::Scrape));
    assert!(asked.len() <= 32 + 2, "{}", asked.len());
    for (_, message) in asked {
        assert!(matches!(message, Message::Scrape(keys) if keys.len() <= 50));
    }
}

#[test]
fn an_index_site_is_no_tracker() {
    let mut bench = Bench::index(&Config::default());
    let effects = bench.receive(peer(1), announce(1, "a", Event::Started, 0));
    assert_eq!(sent(&effects), [(peer(1), Message::Refused(Refusal::NotServedHere))]);
}
