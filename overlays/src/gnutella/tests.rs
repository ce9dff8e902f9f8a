//! Servents on fabricated contexts: what one does with what it is told.

use std::sync::Arc;

use rand::SeedableRng;

use super::*;
use crate::seam::{Action, Cause, Effect, Hit, Target, Time, Wire};

fn addr(n: u32) -> Addr {
    Addr::from_index(n)
}

fn guid(n: u8) -> Guid {
    Guid::from_bytes([n, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0])
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 1_000_000))
}

fn query(name: &str) -> Target {
    Target::Exact(item(name).key())
}

/// One servent, number 100, and what it does.
struct Rig {
    node: Gnutella,
    rng: Rng,
    now: Time,
}

const ME: u32 = 100;

impl Rig {
    fn new(config: Config) -> Self {
        Self::with_profile(config, Profile::peer(addr(ME)))
    }

    fn with_profile(config: Config, profile: Profile) -> Self {
        let node = Gnutella::new(&Arc::new(config), &profile);
        Self { node, rng: Rng::seed_from_u64(5), now: Time::ZERO + Span::from_s(10) }
    }

    /// A member with permanent peers 1, 2, ..., `n`.
    fn member(config: Config, n: u32) -> Self {
        Self::new(config).linked_to(n)
    }

    fn linked_to(mut self, n: u32) -> Self {
        self.call(|node, cx| node.join(cx, OpId(1), &[]));
        for peer in 1..=n {
            let sent = self.tell(peer, Message::Connect { links: 4 });
            if !self.node.firewalled {
                assert!(matches!(sent[0].1, Message::Accept { .. }));
            }
        }
        self
    }

    fn call(
        &mut self,
        f: impl FnOnce(&mut Gnutella, &mut Cx<'_, Gnutella>),
    ) -> Vec<Action<Gnutella>> {
        let mut effects: Vec<Effect<Gnutella>> = Vec::new();
        let cause = Cause::UPKEEP;
        let mut cx = Cx::new(self.now, addr(ME), cause, false, &mut self.rng, &mut effects);
        f(&mut self.node, &mut cx);
        effects.into_iter().map(|e| e.action).collect()
    }

    fn act(&mut self, from: u32, message: Message) -> Vec<Action<Gnutella>> {
        self.call(|node, cx| node.on_message(cx, addr(from), message))
    }

    /// What it sends on being told `message` by `from`.
    fn tell(&mut self, from: u32, message: Message) -> Vec<(u32, Message)> {
        sends(self.act(from, message))
    }

    fn ask(&mut self, from: u32, id: u8, ttl: u8, name: &str) -> Vec<(u32, Message)> {
        let way = Way::start(ttl);
        let target = query(name);
        self.tell(from, Message::Query { guid: guid(id), way, min_speed_kbps: 0, target })
    }

    fn search(&mut self, op: u32, query: &Query) -> Vec<Action<Gnutella>> {
        self.call(|node, cx| node.search(cx, OpId(op), query))
    }
}

fn sends(actions: Vec<Action<Gnutella>>) -> Vec<(u32, Message)> {
    let sends = actions.into_iter().filter_map(|a| match a {
        Action::Send { to, message } => Some((to.index(), message)),
        _ => None,
    });
    sends.collect()
}

fn outcomes(actions: &[Action<Gnutella>]) -> Vec<(OpId, Outcome)> {
    let ends = actions.iter().filter_map(|a| match a {
        Action::Finish { op, outcome } => Some((*op, outcome.clone())),
        _ => None,
    });
    ends.collect()
}

fn targets(sent: &[(u32, Message)]) -> Vec<u32> {
    sent.iter().map(|(to, _)| *to).collect()
}

/// The identifier with which a search went out.
fn guid_of(actions: &[Action<Gnutella>]) -> Guid {
    let found = actions.iter().find_map(|a| match a {
        Action::Send {
            message: Message::Query { guid, .. } | Message::Walk { guid, .. }, ..
        } => Some(*guid),
        _ => None,
    });
    found.expect("a query was sent")
}

fn hit_from(provider: u32, names: &[&str], push: bool) -> Arc<HitBody> {
    let records: Vec<_> =
        (0..).zip(names).map(|(index, name)| Record { index, item: item(name) }).collect();
    let servent = Guid::of_servent(addr(provider).key());
    Arc::new(HitBody::new(addr(provider), 1000, push, servent, records))
}

fn hit_message(guid: Guid, body: Arc<HitBody>) -> Message {
    Message::QueryHit { guid, way: Way { ttl: 4, hops: 2 }, body }
}

#[test]
fn timers_take_eight_bytes_and_messages_48() {
    assert!(size_of::<Timer>() <= 8);
    assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
}

#[test]
fn a_query_goes_to_all_but_its_sender_in_any_case() {
    let mut rig = Rig::member(Config::default(), 4);
    rig.call(|node, cx| node.insert(cx, OpId(2), &item("a song")));
    let sent = rig.ask(2, 1, 7, "a song");
    assert!(matches!(&sent[0], (2, Message::QueryHit { way: Way { ttl: 1, hops: 0 }, .. })));
    assert_eq!(targets(&sent[1..]), [1, 3, 4]);
    for (_, message) in &sent[1..] {
        let Message::Query { way, .. } = message else { panic!("{message:?}") };
        assert_eq!(*way, Way { ttl: 6, hops: 1 });
    }
}

#[test]
fn a_duplicate_is_dropped() {
    let mut rig = Rig::member(Config::default(), 4);
    assert_eq!(rig.ask(2, 1, 7, "x").len(), 3);
    assert_eq!(rig.ask(3, 1, 7, "x"), []);
    assert_eq!(rig.ask(2, 1, 7, "x"), []);
}

#[test]
fn ttl_one_is_answered_but_not_forwarded_and_zero_is_dropped() {
    let mut rig = Rig::member(Config::default(), 4);
    rig.call(|node, cx| node.insert(cx, OpId(2), &item("x")));
    assert_eq!(targets(&rig.ask(2, 1, 1, "x")), [2]);
    assert_eq!(rig.ask(2, 2, 0, "x"), []);
}

#[test]
fn too_large_a_ttl_is_cut_down() {
    let mut rig = Rig::member(Config::default(), 2);
    let sent = rig.ask(1, 1, 255, "x");
    assert!(matches!(sent[..], [(2, Message::Query { way: Way { ttl: 9, hops: 1 }, .. })]));
}

#[test]
fn strangers_are_not_heard() {
    let mut rig = Rig::member(Config::default(), 2);
    rig.call(|node, cx| node.insert(cx, OpId(2), &item("x")));
    assert_eq!(rig.ask(77, 1, 7, "x"), []);
    assert_eq!(rig.tell(77, Message::Ping { guid: guid(1), way: Way::start(7) }), []);
}

#[test]
fn a_hit_takes_the_reverse_path_and_unknown_ones_are_dropped() {
    let mut rig = Rig::member(Config::default(), 4);
    rig.ask(2, 1, 7, "x");
    let sent = rig.tell(4, hit_message(guid(1), hit_from(50, &["x"], false)));
    assert!(matches!(sent[..], [(2, Message::QueryHit { way: Way { ttl: 3, hops: 3 }, .. })]));
    assert_eq!(rig.tell(4, hit_message(guid(9), hit_from(50, &["x"], false))), []);
    // After the way back broke there is nobody to give it to.
    rig.call(|node, cx| node.on_lost(cx, addr(2)));
    assert_eq!(rig.tell(4, hit_message(guid(1), hit_from(50, &["x"], false))), []);
}

#[test]
fn a_slow_servent_does_not_answer_who_wants_speed() {
    let mut rig = Rig::member(Config::default(), 1);
    rig.call(|node, cx| node.insert(cx, OpId(2), &item("x")));
    let ask = |id, min_speed_kbps| Message::Query {
        guid: guid(id),
        way: Way::start(1),
        min_speed_kbps,
        target: query("x"),
    };
    assert_eq!(rig.tell(1, ask(1, 1001)), []);
    assert_eq!(rig.tell(1, ask(2, 1000)).len(), 1);
}

#[test]
fn an_overloaded_servent_is_silent() {
    let config = Config { capacity_per_s: 3, ..Config::default() };
    let mut rig = Rig::member(config, 2);
    let answered = (1..=10).filter(|id| !rig.ask(1, *id, 7, "x").is_empty()).count();
    assert_eq!(answered, 3);
    assert_eq!(rig.tell(1, Message::Ping { guid: guid(99), way: Way::start(7) }), []);
    rig.now += Span::from_s(1);
    // A query dropped for overload was not remembered, so it may come again.
    assert_eq!(rig.ask(1, 10, 7, "x").len(), 1);
}

#[test]
fn a_flood_of_guids_leaves_the_tables_bounded() {
    let config = Config { route_capacity: 64, ..Config::default() };
    let mut rig = Rig::member(config, 2);
    for id in 0..5_000_u32 {
        let mut bytes = [7; 16];
        bytes[..4].copy_from_slice(&id.to_be_bytes());
        let guid = Guid::from_bytes(bytes);
        let way = Way::start(7);
        rig.tell(1, Message::Query { guid, way, min_speed_kbps: 0, target: query("x") });
        let host = PongHost { addr: addr(1_000 + id), files: 0, kilobytes: 0 };
        rig.tell(1, Message::Pong { guid, way, host });
        rig.tell(1, hit_message(guid, hit_from(id, &["y"], true)));
        rig.tell(id + 1_000, Message::Accept { links: 0 });
        assert!(rig.node.queries.count() <= 64 && rig.node.servents.count() <= 64);
    }
    assert!(rig.node.footprint().bytes < 64 * 1024);
}

#[test]
fn a_search_floods_counts_first_arrivals_and_ends_at_its_limit() {
    let mut rig = Rig::member(Config::default(), 3);
    let asked = Query { limit: 3, ..Query::keywords("song") };
    let started = rig.search(9, &asked);
    let guid = guid_of(&started);
    assert_eq!(targets(&sends(started)), [1, 2, 3]);
    let done = rig.act(1, hit_message(guid, hit_from(50, &["song a", "other"], false)));
    assert!(matches!(done[..], [Action::Answer { op: OpId(9), hits: 1 }]));
    // The same again, by another way, is no news.
    assert!(rig.act(2, hit_message(guid, hit_from(50, &["song a"], false))).is_empty());
    let names = ["song a", "song b", "song c"];
    let done = rig.act(2, hit_message(guid, hit_from(51, &names, false)));
    let [(OpId(9), Outcome::Found(hits))] = &outcomes(&done)[..] else { panic!("{done:?}") };
    assert_eq!(hits.len(), 3);
    // Late hits and the timer find nothing to do.
    assert!(rig.act(2, hit_message(guid, hit_from(52, &names, false))).is_empty());
    let timer = Timer::Search { round: 1, op: OpId(9) };
    assert!(rig.call(|node, cx| node.on_timer(cx, timer)).is_empty());
}

#[test]
fn a_search_that_nobody_answers_ends_with_its_timer() {
    let mut rig = Rig::member(Config::default(), 3);
    let started = rig.search(9, &Query::exact(item("x").key()));
    let timer = started.iter().find_map(|a| match a {
        Action::Wake { after, timer } => Some((*after, *timer)),
        _ => None,
    });
    assert_eq!(timer, Some((Span::from_s(5), Timer::Search { round: 1, op: OpId(9) })));
    let ended = rig.call(|node, cx| node.on_timer(cx, timer.unwrap().1));
    assert_eq!(outcomes(&ended), [(OpId(9), Outcome::NotFound)]);
}

#[test]
fn own_files_are_found_without_a_message() {
    let mut rig = Rig::member(Config::default(), 3);
    rig.call(|node, cx| node.insert(cx, OpId(2), &item("x")));
    let ended = rig.search(9, &Query::exact(item("x").key()));
    let hit = Hit { item: item("x"), provider: addr(ME) };
    assert_eq!(outcomes(&ended), [(OpId(9), Outcome::Found(vec![hit]))]);
    assert_eq!(ended.len(), 1);
}

#[test]
fn searching_before_joining_fails() {
    let mut rig = Rig::new(Config::default());
    let ended = rig.search(9, &Query::keywords("x"));
    assert_eq!(outcomes(&ended), [(OpId(9), Outcome::Failed(Reason::NotJoined))]);
}

#[test]
fn searches_at_once_are_bounded() {
    let mut rig = Rig::member(Config::default(), 1);
    let full = (0..2_000).filter(|op| {
        let ends = outcomes(&rig.search(10 + op, &Query::keywords("x")));
        ends.iter().any(|(_, o)| *o == Outcome::Failed(Reason::Full))
    });
    assert_eq!(full.count(), 2_000 - 1_024);
}

#[test]
fn an_expanding_ring_asks_again_with_a_larger_ttl() {
    let config = Config { search: Strategy::ExpandingRing, ..Config::default() };
    let mut rig = Rig::member(config, 2);
    let mut actions = rig.search(9, &Query::exact(item("x").key()));
    let mut ttls = Vec::new();
    let mut guids = Vec::new();
    for round in 1..=4 {
        guids.push(guid_of(&actions));
        for (_, message) in sends(actions) {
            let Message::Query { way, .. } = message else { panic!() };
            ttls.push(way.ttl);
        }
        // A timer of an earlier ring changes nothing.
        let stale = Timer::Search { round: round - 1, op: OpId(9) };
        assert!(rig.call(|node, cx| node.on_timer(cx, stale)).is_empty());
        let timer = Timer::Search { round, op: OpId(9) };
        actions = rig.call(|node, cx| node.on_timer(cx, timer));
    }
    assert_eq!(ttls, [1, 1, 3, 3, 5, 5, 7, 7]);
    guids.dedup();
    assert_eq!(guids.len(), 4);
    assert_eq!(outcomes(&actions), [(OpId(9), Outcome::NotFound)]);
}

#[test]
fn the_ring_of_the_course_grows_by_one() {
    let config =
        Config { search: Strategy::ExpandingRing, ring_step: 1, ttl: 3, ..Config::default() };
    let mut rig = Rig::member(config, 1);
    let mut ttls = Vec::new();
    let mut actions = rig.search(9, &Query::exact(item("x").key()));
    for round in 1..=3 {
        let sent = sends(actions);
        let [(1, Message::Query { way, .. })] = &sent[..] else { panic!("{sent:?}") };
        ttls.push(way.ttl);
        let timer = Timer::Search { round, op: OpId(9) };
        actions = rig.call(|node, cx| node.on_timer(cx, timer));
    }
    assert_eq!(ttls, [1, 2, 3]);
    assert_eq!(outcomes(&actions), [(OpId(9), Outcome::NotFound)]);
}

fn walking(walkers: u32) -> Config {
    Config { search: Strategy::RandomWalkers, walkers, ..Config::default() }
}

#[test]
fn walkers_leave_evenly_over_the_links() {
    let mut rig = Rig::member(walking(32), 4);
    let mut to = targets(&sends(rig.search(9, &Query::exact(item("x").key()))));
    to.sort_unstable();
    assert_eq!(to, [[1; 8], [2; 8], [3; 8], [4; 8]].concat());
}

fn walk(id: u8, ttl: u8, hops: u8, originator: Option<u32>) -> Message {
    let body = Arc::new(WalkBody { target: query("x"), originator: originator.map(addr) });
    Message::Walk { guid: guid(id), way: Way { ttl, hops }, min_speed_kbps: 0, body }
}

#[test]
fn a_walker_goes_to_one_unused_link_and_is_answered_once() {
    let mut rig = Rig::member(walking(4), 4);
    rig.call(|node, cx| node.insert(cx, OpId(2), &item("x")));
    let mut used = Vec::new();
    for n in 0..3 {
        let sent = rig.tell(1, walk(1, 100, 0, Some(90)));
        let hits = sent.iter().filter(|(_, m)| matches!(m, Message::QueryHit { .. })).count();
        assert_eq!(hits, usize::from(n == 0));
        let (to, message) = sent.last().unwrap();
        assert!(matches!(message, Message::Walk { way: Way { ttl: 99, hops: 1 }, .. }));
        used.push(*to);
    }
    used.sort_unstable();
    assert_eq!(used, [2, 3, 4]);
    // All were used: any but the one it came from will do.
    let sent = rig.tell(1, walk(1, 100, 0, Some(90)));
    assert!(matches!(sent[..], [(2..=4, Message::Walk { .. })]));
    // With its TTL used up it ends.
    assert_eq!(rig.tell(1, walk(1, 1, 98, None)), []);
}

#[test]
fn a_walker_in_a_dead_end_turns_back() {
    let mut rig = Rig::member(walking(4), 1);
    assert!(matches!(rig.tell(1, walk(1, 100, 0, None))[..], [(1, Message::Walk { .. })]));
}

#[test]
fn a_walker_checks_back_every_four_steps() {
    let mut rig = Rig::member(walking(4), 4);
    let sent = rig.tell(1, walk(1, 100, 3, Some(90)));
    assert_eq!(sent, [(90, Message::Check { guid: guid(1) })]);
    // Somebody else's verdict does not count.
    assert_eq!(rig.tell(2, Message::Verdict { guid: guid(1), walk_on: true }), []);
    let actions = rig.act(90, Message::Verdict { guid: guid(1), walk_on: true });
    assert!(matches!(
        actions[..],
        [
            Action::Send { message: Message::Walk { way: Way { ttl: 99, hops: 4 }, .. }, .. },
            Action::Close { .. }
        ]
    ));
    // There was only one walker; a second verdict finds none.
    assert_eq!(rig.tell(90, Message::Verdict { guid: guid(1), walk_on: true }), []);
    rig.tell(1, walk(1, 100, 7, Some(90)));
    assert_eq!(rig.tell(90, Message::Verdict { guid: guid(1), walk_on: false }), []);
    assert!(rig.node.parked.is_empty());
}

#[test]
fn parked_walkers_are_bounded_and_end_with_their_originator() {
    let mut rig = Rig::member(walking(4), 4);
    for n in 0..5_000_u32 {
        rig.tell(1, walk((n % 200) as u8 + 1, 100, 3, Some(90 + n % 2)));
    }
    assert_eq!(rig.node.parked.len(), 1024);
    rig.call(|node, cx| node.on_lost(cx, addr(90)));
    assert_eq!(rig.node.parked.len(), 512);
    rig.now += Span::from_s(61);
    rig.call(|node, cx| node.on_timer(cx, Timer::Upkeep));
    assert!(rig.node.parked.is_empty());
}

#[test]
fn the_originator_lets_walkers_go_on_while_it_searches() {
    let mut rig = Rig::member(walking(4), 4);
    let started = rig.search(9, &Query::exact(item("x").key()));
    let id = guid_of(&started);
    assert_eq!(
        rig.tell(60, Message::Check { guid: id }),
        [(60, Message::Verdict { guid: id, walk_on: true })]
    );
    rig.tell(1, hit_message(id, hit_from(50, &["x"], false)));
    assert_eq!(
        rig.tell(60, Message::Check { guid: id }),
        [(60, Message::Verdict { guid: id, walk_on: false })]
    );
}

#[test]
fn a_firewalled_hit_counts_only_after_its_push_was_followed() {
    let mut rig = Rig::member(Config { push: true, ..Config::default() }, 3);
    let started = rig.search(9, &Query::exact(item("x").key()));
    let sent = rig.tell(2, hit_message(guid_of(&started), hit_from(50, &["x"], true)));
    let servent = Guid::of_servent(addr(50).key());
    let [(2, Message::Push { way: Way { ttl: 3, hops: 0 }, body, .. })] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(**body, PushBody { servent, index: 0, to: addr(ME) });
    // A GIV from elsewhere proves nothing.
    assert!(outcomes(&rig.act(51, Message::Giv { servent, index: 0 })).is_empty());
    let ended = rig.act(50, Message::Giv { servent, index: 0 });
    let hit = Hit { item: item("x"), provider: addr(50) };
    assert_eq!(outcomes(&ended), [(OpId(9), Outcome::Found(vec![hit]))]);
    assert!(matches!(ended[0], Action::Close { .. }));
}

#[test]
fn a_push_takes_the_path_of_the_hit_and_the_servent_connects() {
    let mut rig = Rig::member(Config::default(), 3);
    rig.ask(1, 1, 7, "x");
    rig.tell(3, hit_message(guid(1), hit_from(50, &["x"], true)));
    let body = PushBody { servent: Guid::of_servent(addr(50).key()), index: 0, to: addr(90) };
    let push = |body| Message::Push { guid: guid(8), way: Way::start(3), body: Box::new(body) };
    let sent = rig.tell(1, push(body));
    assert!(matches!(sent[..], [(3, Message::Push { way: Way { ttl: 2, hops: 1 }, .. })]));
    let nobody = PushBody { servent: guid(77), ..body };
    assert_eq!(rig.tell(1, push(nobody)), []);

    let servent = rig.node.servent;
    let for_me = PushBody { servent, ..body };
    assert_eq!(rig.tell(1, push(for_me)), [], "it shares nothing with this number");
    rig.call(|node, cx| node.insert(cx, OpId(2), &item("x")));
    assert_eq!(rig.tell(1, push(for_me)), [(90, Message::Giv { servent, index: 0 })]);
}

#[test]
fn two_firewalled_servents_are_of_no_use_to_each_other() {
    let profile = Profile { firewalled: true, ..Profile::peer(addr(ME)) };
    let mut rig = Rig::with_profile(Config { push: true, ..Config::default() }, profile);
    rig.call(|node, cx| node.join(cx, OpId(1), &[addr(1)]));
    rig.tell(1, Message::Accept { links: 1 });
    let started = rig.search(9, &Query::exact(item("x").key()));
    assert!(rig.act(1, hit_message(guid_of(&started), hit_from(50, &["x"], true))).is_empty());
    // It accepts nobody, without a word.
    let refused = rig.act(5, Message::Connect { links: 0 });
    assert!(matches!(refused[..], [Action::Close { .. }]));
}

#[test]
fn joining_dials_pings_and_chooses_among_pong_senders() {
    let mut rig = Rig::new(Config::default());
    let dialled = rig.call(|node, cx| node.join(cx, OpId(1), &[addr(1)]));
    assert!(matches!(dialled[1], Action::Send { message: Message::Connect { links: 0 }, .. }));
    let joined = rig.act(1, Message::Accept { links: 2 });
    assert_eq!(outcomes(&joined), [(OpId(1), Outcome::Done)]);
    let id = joined.iter().find_map(|a| match a {
        Action::Send { message: Message::Ping { guid, way }, .. } => {
            assert_eq!(*way, Way::start(7));
            Some(*guid)
        }
        _ => None,
    });
    for n in 2..12 {
        let host = PongHost { addr: addr(n), files: 1, kilobytes: 1 };
        rig.tell(1, Message::Pong { guid: id.unwrap(), way: Way { ttl: 1, hops: 1 }, host });
    }
    // A pong for a ping that nobody sent is dropped.
    let host = PongHost { addr: addr(66), files: 1, kilobytes: 1 };
    rig.tell(1, Message::Pong { guid: guid(3), way: Way { ttl: 1, hops: 1 }, host });
    assert!(rig.node.hosts.addrs().all(|a| a != addr(66)));
    // Half of the three missing ones at once.
    let mut sent = sends(rig.call(|node, cx| node.on_timer(cx, Timer::Choose)));
    assert_eq!(sent.len(), 2);
    while let Some((peer, message)) = sent.pop() {
        assert!(matches!(message, Message::Connect { .. }) && (2..12).contains(&peer));
        sent.extend(rig.tell(peer, Message::Accept { links: 4 }));
    }
    assert_eq!(rig.node.links.len(), 4);
}

#[test]
fn joining_fails_when_nobody_accepts() {
    let mut rig = Rig::new(Config::default());
    rig.call(|node, cx| node.join(cx, OpId(1), &[addr(1), addr(2)]));
    let first = rig.node.dials[0].peer;
    let next = rig.call(|node, cx| node.on_lost(cx, first));
    assert!(outcomes(&next).is_empty());
    let second = rig.node.dials[0].peer;
    // The refusal names another, which is tried as well.
    let hosts: Arc<[Addr]> = Arc::new([addr(3)]);
    let refuse = Message::Refuse { code: 503, hosts };
    assert!(sends(rig.act(second.index(), refuse)).iter().any(|(to, _)| *to == 3));
    // When that does not answer either, the contact that refused is asked
    // again, five times in all.
    rig.now += Span::from_s(5);
    let mut actions = rig.call(|node, cx| node.on_timer(cx, Timer::Dial(addr(3))));
    for _ in 0..4 {
        assert!(outcomes(&actions).is_empty());
        let dialled = sends(rig.call(|node, cx| node.on_timer(cx, Timer::Choose)));
        assert_eq!(dialled, [(second.index(), Message::Connect { links: 0 })]);
        let hosts: Arc<[Addr]> = Arc::new([]);
        actions = rig.act(second.index(), Message::Refuse { code: 503, hosts });
    }
    assert_eq!(outcomes(&actions), [(OpId(1), Outcome::Failed(Reason::NoContact))]);
}

#[test]
fn joining_fails_at_once_when_nobody_is_there() {
    let mut rig = Rig::new(Config::default());
    rig.call(|node, cx| node.join(cx, OpId(1), &[addr(1)]));
    let ended = rig.call(|node, cx| node.on_lost(cx, addr(1)));
    assert_eq!(outcomes(&ended), [(OpId(1), Outcome::Failed(Reason::NoContact))]);
    // Naming oneself is naming nobody.
    let ended = rig.call(|node, cx| node.join(cx, OpId(2), &[addr(ME)]));
    assert_eq!(outcomes(&ended), [(OpId(2), Outcome::Failed(Reason::NoContact))]);
}

#[test]
fn a_full_servent_makes_room_for_the_needy_and_refuses_others() {
    let mut rig = Rig::member(Config::default(), 5);
    let sent = rig.tell(6, Message::Connect { links: 3 });
    assert!(matches!(sent[..], [(6, Message::Refuse { code: 503, .. })]));
    let sent = rig.tell(6, Message::Connect { links: 2 });
    let [(given_up, Message::Bye { body, .. }), (6, Message::Accept { .. })] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert!((1..=5).contains(given_up));
    assert_eq!(body.hosts[..], [addr(6)]);
    assert_eq!(rig.node.links.len(), 5);

    let mut rig = Rig::member(Config { make_room: false, ..Config::default() }, 5);
    let sent = rig.tell(6, Message::Connect { links: 0 });
    assert!(matches!(sent[..], [(6, Message::Refuse { code: 503, .. })]));
    // And it is silent about itself.
    assert_eq!(rig.tell(1, Message::Ping { guid: guid(1), way: Way::start(1) }), []);
}

#[test]
fn a_lost_link_is_replaced_from_the_cache() {
    let mut rig = Rig::member(Config::default(), 4);
    rig.node.hosts.learn(addr(20));
    let sent = sends(rig.call(|node, cx| node.on_lost(cx, addr(1))));
    assert_eq!(sent, [(20, Message::Connect { links: 3 })]);
    assert_eq!(rig.node.links.len(), 3);
    // A loss that concerns nobody changes nothing.
    assert!(rig.call(|node, cx| node.on_lost(cx, addr(99))).is_empty());
}

#[test]
fn bye_points_to_another() {
    let mut rig = Rig::member(Config::default(), 4);
    let body = Arc::new(ByeBody { code: 201, hosts: [addr(30)].into() });
    let sent = rig.tell(2, Message::Bye { guid: guid(1), body });
    assert_eq!(sent, [(30, Message::Connect { links: 3 })]);
}

#[test]
fn an_acceptance_nobody_awaits_is_answered_with_bye() {
    let mut rig = Rig::member(Config::default(), 1);
    assert!(matches!(rig.tell(9, Message::Accept { links: 0 })[..], [(9, Message::Bye { .. })]));
    assert_eq!(rig.node.links.len(), 1);
}

#[test]
fn leaving_says_bye_and_ends_searches() {
    let mut rig = Rig::member(Config::default(), 2);
    rig.search(9, &Query::keywords("x"));
    let actions = rig.call(|node, cx| node.leave(cx, OpId(10)));
    assert_eq!(outcomes(&actions), [(OpId(9), Outcome::NotFound), (OpId(10), Outcome::Done)]);
    let closed = actions.iter().filter(|a| matches!(a, Action::Close { .. })).count();
    assert_eq!((sends(actions).len(), closed), (2, 2));
}

#[test]
fn pings_are_answered_from_the_cache_once_per_spacing() {
    let mut rig = Rig::member(Config::default(), 2);
    let fit_until = rig.now + Span::from_s(90);
    for n in 0..30 {
        let host = PongHost { addr: addr(200 + n), files: 0, kilobytes: 0 };
        rig.node.hosts.learn_pong(host, 1 + (n % 6) as u8, fit_until, rig.now);
    }
    let ping = |id| Message::Ping { guid: guid(id), way: Way::start(7) };
    let sent = rig.tell(1, ping(1));
    assert_eq!(sent.len(), 11, "its own pong and ten cached ones, and no ping goes on");
    assert!(sent.iter().all(|(to, m)| *to == 1 && matches!(m, Message::Pong { .. })));
    assert_eq!(rig.tell(1, ping(2)), []);
    rig.now += Span::from_s(3);
    assert_eq!(rig.tell(1, ping(3)).len(), 11);
    // A ping with TTL 1 asks for the servent alone.
    assert_eq!(rig.tell(2, Message::Ping { guid: guid(4), way: Way::start(1) }).len(), 1);
}

#[test]
fn without_caching_pings_are_flooded_and_pongs_find_back() {
    let config = Config { pong_caching: false, ..Config::default() };
    let mut rig = Rig::member(config, 3);
    let sent = rig.tell(1, Message::Ping { guid: guid(1), way: Way::start(7) });
    assert_eq!(targets(&sent), [1, 2, 3]);
    assert!(matches!(sent[0].1, Message::Pong { way: Way { ttl: 1, hops: 0 }, .. }));
    assert_eq!(rig.tell(2, Message::Ping { guid: guid(1), way: Way::start(5) }), []);
    let host = PongHost { addr: addr(40), files: 2, kilobytes: 3 };
    let pong = Message::Pong { guid: guid(1), way: Way { ttl: 3, hops: 0 }, host };
    let sent = rig.tell(3, pong);
    assert!(matches!(sent[..], [(1, Message::Pong { way: Way { ttl: 2, hops: 1 }, .. })]));
    assert!(rig.node.hosts.addrs().any(|a| a == addr(40)), "passing pongs fill the cache too");
}

fn census(n: u32) -> Census {
    let members = (0..n).map(|i| Profile::peer(addr(i))).collect();
    let held = |i| crate::seam::Holding { item: item(&format!("file {i}")), provider: addr(i) };
    Census::new(members, Vec::new(), (0..n).map(held).collect())
}

/// All servents of a settled network.
fn settled(config: &Config, n: u32) -> Vec<(Addr, Gnutella)> {
    let mut rng = Rng::seed_from_u64(3);
    let blueprint = Gnutella::blueprint(config, census(n), &mut rng).expect("it can settle");
    let config = Arc::new(config.clone());
    let settle = |i| {
        let mut node = Gnutella::new(&config, &Profile::peer(addr(i)));
        let mut effects = Vec::new();
        let mut cx = Cx::new(Time::ZERO, addr(i), Cause::UPKEEP, false, &mut rng, &mut effects);
        node.settle(&mut cx, &blueprint);
        (addr(i), node)
    };
    (0..n).map(settle).collect()
}

fn complaints(nodes: &[(Addr, Gnutella)]) -> Vec<String> {
    Gnutella::audit(&nodes.iter().map(|(a, n)| (*a, n)).collect::<Vec<_>>())
}

#[test]
fn a_settled_network_is_sound_and_near_its_degree() {
    for n in [1, 2, 3, 5, 8, 50, 500] {
        let nodes = settled(&Config::default(), n);
        assert_eq!(complaints(&nodes), Vec::<String>::new());
        let links: usize = nodes.iter().map(|(_, n)| n.links.len()).sum();
        let mean = links as f64 / f64::from(n);
        assert!(n < 8 || (4.0..=5.0).contains(&mean), "{n} servents with {mean} links each");
        assert!(nodes.iter().all(|(_, n)| n.shares.count() == 1));
    }
}

#[test]
fn a_settled_tree_has_the_degree_at_every_inner_servent() {
    let config = Config { topology: Topology::Tree, ..Config::default() };
    let nodes = settled(&config, 1 + 4 + 12 + 36);
    assert_eq!(complaints(&nodes), Vec::<String>::new());
    let degrees: Vec<usize> = nodes.iter().map(|(_, n)| n.links.len()).collect();
    assert!(degrees[..17].iter().all(|d| *d == 4) && degrees[17..].iter().all(|d| *d == 1));
}

#[test]
fn the_audit_notices_what_is_wrong() {
    let mut nodes = settled(&Config::default(), 20);
    let peer = nodes[0].1.links.pop().unwrap().peer;
    assert_eq!(complaints(&nodes), [format!("{peer} counts n0 as a peer, not so the other way")]);
    for (_, node) in &mut nodes {
        node.links.clear();
    }
    assert_eq!(complaints(&nodes), ["only 1 of 20 servents are connected with n0"]);
}

#[test]
fn messages_read_back_and_fit_their_length() {
    let body = hit_from(50, &["a", "b"], true);
    for message in [
        Message::Connect { links: 3 },
        Message::Refuse { code: 503, hosts: Arc::new([addr(1), addr(2)]) },
        hit_message(guid(1), body),
    ] {
        let bytes = message.to_bytes();
        assert_eq!(bytes.len(), message.encoded_len());
        assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }
}
