//! A node on its way to a supernode, and as an ordinary node there.

use super::*;
use crate::fasttrack::{Callback, Listing, Results, Seed};
use crate::seam::Reason;

const PING: fn(&Message) -> bool = |m| matches!(m, Message::Ping { .. });
const GREETING: fn(&Message) -> bool = |m| matches!(m, Message::Greeting);

#[test]
fn probes_five_and_takes_the_nearest() {
    let mut node = Bench::outsider(&Config::default());
    node.insert(2, "song");
    let effects = node.join(1, &[SERVER]);
    assert_eq!(sent(&effects), [(SERVER, Message::ListRequest)]);
    let effects = node.receive(SERVER, Message::Nodes(list(&[50, 51, 52, 53, 54, 55, 56])));
    assert_eq!(closed(&effects), [SERVER], "the list is all that was wanted");
    let probed = receivers(&effects, PING);
    assert_eq!(probed.len(), 5);
    let tag = node.tag();
    // The third to answer is the nearest but full; the fifth stays silent.
    for (order, &candidate) in probed.iter().take(4).enumerate() {
        node.now = Time::from_us(1_000 * order as u64);
        let answer = match order {
            0 => Message::Refusal { tag },
            _ => Message::Pong { tag, load: 0 },
        };
        assert_eq!(sent(&node.receive(candidate, answer)), []);
    }
    let effects = node.wake(Timer::Homing(tag));
    assert_eq!(receivers(&effects, GREETING), [probed[1]], "the first that takes it");
    let seed = Seed::new(2);
    assert_eq!(sent(&node.receive(probed[3], Message::Greeted { seed })), [], "was not asked");
    let told = sent(&node.receive(probed[1], Message::Greeted { seed }));
    assert_eq!(told[0], (probed[1], Message::NetworkName { seed }));
    assert!(matches!(told[1], (to, Message::UserInfo { .. }) if to == probed[1]), "{told:?}");
    assert_eq!(sent(&node.receive(probed[1], Message::Greeted { seed })), [], "told before");
    // It has filled up meanwhile: the next nearest.
    let effects = node.receive(probed[1], Message::Refused(list(&[])));
    assert_eq!(receivers(&effects, GREETING), [probed[2]]);
    let effects = node.receive(probed[2], Message::Nodes(list(&[50])));
    assert_eq!(sent(&effects), [(probed[2], Message::Share(item("song")))], "the files follow");
    assert_eq!(finished(&effects), [(1, Outcome::Done)]);
    assert_eq!(node.home(), Some(probed[2]));
    assert_eq!(node.node.footprint().routing_entries, 1);
}

#[test]
fn silent_candidates_are_probed_twice_then_others() {
    let mut node = Bench::outsider(&Config { candidates: 2, ..Config::default() });
    node.join(1, &[SERVER]);
    let effects = node.receive(SERVER, Message::Nodes(list(&[50, 51, 52])));
    let first = receivers(&effects, PING);
    assert_eq!(first.len(), 2);
    let tag = node.tag();
    assert_eq!(receivers(&node.wake(Timer::Homing(tag)), PING), first);
    let effects = node.wake(Timer::Homing(tag));
    let rest = receivers(&effects, PING);
    assert!(rest.len() == 1 && !first.contains(&rest[0]), "{rest:?}");
    assert_eq!(sent(&node.wake(Timer::Homing(tag))), [], "a stale timer");
}

#[test]
fn who_finds_no_supernode_becomes_one_if_others_can_reach_it() {
    let mut node = Bench::outsider(&Config::default());
    node.join(1, &[SERVER]);
    let effects = node.receive(SERVER, Message::Nodes(list(&[])));
    assert_eq!(sent(&effects), [(SERVER, Message::Register { load: 0 })]);
    assert_eq!(finished(&effects), [], "not before the server knows it");
    let effects = node.receive(SERVER, Message::Nodes(list(&[])));
    assert_eq!(finished(&effects), [(1, Outcome::Done)]);
    assert!(node.is_supernode());

    let walled = Profile { firewalled: true, ..Profile::peer(peer(1)) };
    let mut node = Bench::new(&Config::default(), &walled);
    node.join(1, &[SERVER]);
    let effects = node.receive(SERVER, Message::Nodes(list(&[])));
    assert_eq!(finished(&effects), [(1, Outcome::Failed(Reason::Refused))]);
    assert!(!node.is_supernode());
}

#[test]
fn a_dead_list_server_fails_a_join_but_not_a_return() {
    let config = Config::default();
    let mut node = Bench::outsider(&config);
    node.join(1, &[SERVER]);
    let effects = node.lose(SERVER);
    assert_eq!(finished(&effects), [(1, Outcome::Failed(Reason::NoContact))]);

    let mut node = Bench::ordinary(&config);
    assert_eq!(sent(&node.lose(SERVER)), [], "nothing happens");
    let effects = node.lose(peer(50));
    assert_eq!(sent(&effects), [], "it waits a little");
    let [(after, timer)] = woken(&effects)[..] else { panic!("{effects:?}") };
    assert!(after >= config.rehome_after.min(Span::from_s(1)) && after <= Span::from_s(3));
    assert_eq!(sent(&node.wake(timer)), [(SERVER, Message::ListRequest)]);
    let effects = node.lose(SERVER);
    assert_eq!(receivers(&effects, PING), [peer(51), peer(52)], "those it remembers");
}

#[test]
fn the_old_supernode_serves_until_the_new_one_accepts() {
    let mut node = Bench::ordinary(&Config::default());
    let effects = node.receive(peer(50), Message::Move(list(&[51, 50])));
    assert_eq!(receivers(&effects, PING), [peer(51)], "not the one that sends it away");
    assert_eq!(node.home(), Some(peer(50)));
    let tag = node.tag();
    node.receive(peer(51), Message::Pong { tag, load: 0 });
    assert_eq!(node.home(), Some(peer(50)));
    let effects = node.receive(peer(51), Message::Nodes(list(&[])));
    assert_eq!((node.home(), closed(&effects)), (Some(peer(51)), vec![peer(50)]));
    // Nobody but its supernode can send it anywhere.
    let effects = node.receive(peer(77), Message::Move(list(&[78])));
    assert_eq!(sent(&effects), []);
    // A move that leads nowhere leaves it where it is.
    node.receive(peer(51), Message::Move(list(&[60])));
    let tag = node.tag();
    node.receive(peer(60), Message::Refusal { tag });
    node.wake(Timer::Homing(tag));
    node.wake(Timer::Homing(tag));
    assert_eq!(node.home(), Some(peer(51)));
}

/// Results of supernode 50, each a name, a provider and whether it is behind a
/// firewall.
fn results(lines: &[(&str, u32, bool)]) -> Arc<Results> {
    let listing = |&(name, provider, firewalled): &(&str, u32, bool)| Listing {
        hit: hit(name, provider),
        bandwidth: Bandwidth(100),
        firewalled,
    };
    Arc::new(Results::new(peer(50), lines.iter().map(listing).collect()))
}

#[test]
fn collects_what_was_asked_for() {
    let mut node = Bench::ordinary(&Config::default());
    let query = Query { limit: 2, ..Query::keywords("song") };
    let effects = node.search(7, &query);
    assert_eq!(sent(&effects), [(peer(50), Message::Search { id: 1, query })]);
    // Its own file, another word, one twice, one too many.
    let lines = [
        ("song a", 1, false),
        ("other", 2, false),
        ("song b", 3, false),
        ("song b", 3, false),
        ("song c", 4, false),
        ("song d", 5, false),
    ];
    let message = Message::Result { id: 1, results: results(&lines) };
    assert_eq!(finished(&node.receive(peer(51), message.clone())), [], "not from a stranger");
    node.receive(peer(50), message);
    let effects = node.receive(peer(50), Message::End { id: 1 });
    let hits = vec![hit("song b", 3), hit("song c", 4)];
    assert_eq!(finished(&effects), [(7, Outcome::Found(hits))]);
    assert_eq!(finished(&node.wake(Timer::Search(1))), [], "it has ended");
}

#[test]
fn firewalled_providers_are_called_upon() {
    let mut node = Bench::ordinary(&Config { callbacks: 2, ..Config::default() });
    node.search(7, &Query::keywords("song"));
    let lines = [
        ("song a", 2, true),
        ("song b", 2, true),
        ("song c", 3, true),
        ("song d", 4, true),
        ("song e", 5, false),
    ];
    let message = Message::Result { id: 1, results: results(&lines) };
    let effects = node.receive(peer(50), message);
    let calls: Vec<Callback> = sent(&effects)
        .into_iter()
        .map(|(to, message)| match message {
            Message::Push(call) if to == peer(50) => call,
            other => panic!("{other:?}"),
        })
        .collect();
    let providers: Vec<Addr> = calls.iter().map(|call| call.provider).collect();
    assert_eq!(providers, [peer(2), peer(3)], "each once, two at the most");
    let effects = node.receive(peer(50), Message::End { id: 1 });
    assert_eq!(finished(&effects), [], "two are to call");
    // A call must come from the provider and carry the number.
    let effects = node.receive(peer(9), Message::Give { id: calls[0].id });
    assert_eq!(closed(&effects), [peer(9)]);
    node.receive(peer(2), Message::Give { id: !calls[0].id });
    let effects = node.receive(peer(2), Message::Give { id: calls[0].id });
    assert_eq!(closed(&effects), [], "the next call may be on its way");
    let effects = node.wake(Timer::Calls(1));
    let hits = vec![hit("song a", 2), hit("song b", 2), hit("song d", 4), hit("song e", 5)];
    assert_eq!(finished(&effects), [(7, Outcome::Found(hits))], "all but the silent one's");
}

#[test]
fn calls_where_its_supernode_says() {
    let mut node = Bench::ordinary(&Config::default());
    let call = Message::Call { id: 5, to: peer(9) };
    assert_eq!(sent(&node.receive(peer(77), call.clone())), [], "a stranger cannot make it");
    let effects = node.receive(peer(50), call);
    assert_eq!(sent(&effects), [(peer(9), Message::Give { id: 5 })]);
    assert_eq!(closed(&effects), [peer(9)], "the file would follow");
}

#[test]
fn a_search_outlives_the_supernode() {
    let mut node = Bench::ordinary(&Config::default());
    let query = Query::keywords("song");
    node.search(7, &query);
    node.search(8, &query);
    let message = Message::Result { id: 2, results: results(&[("song", 3, false)]) };
    node.receive(peer(50), message);
    let effects = node.lose(peer(50));
    let expected = [(8, Outcome::Found(vec![hit("song", 3)]))];
    assert_eq!(finished(&effects), expected, "what came must do; the other one waits");
    let [(_, timer)] = woken(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(finished(&node.search(9, &query)), [], "it waits too");
    node.wake(timer);
    node.receive(SERVER, Message::Nodes(list(&[60])));
    let tag = node.tag();
    node.receive(peer(60), Message::Pong { tag, load: 0 });
    let effects = node.receive(peer(60), Message::Nodes(list(&[])));
    assert_eq!(node.home(), Some(peer(60)));
    let asked = [1, 3].map(|id| (peer(60), Message::Search { id, query: query.clone() }));
    assert_eq!(sent(&effects), asked, "both are asked of the next one");
    assert_eq!(finished(&node.receive(peer(60), Message::End { id: 1 })), [(7, Outcome::NotFound)]);
    // Nor does it wait for ever.
    let ends = finished(&node.wake(Timer::Search(3)));
    assert_eq!(ends, [(9, Outcome::Failed(Reason::Timeout))]);
}

#[test]
fn a_search_without_an_answer_goes_on_when_its_node_is_promoted() {
    let mut node = Bench::ordinary(&Config::default());
    let query = Query::keywords("song");
    node.search(7, &query);
    let effects = node.receive(peer(50), Message::Promote);
    let asked = receivers(&effects, |m| matches!(m, Message::Query { .. }));
    assert!(asked.contains(&peer(50)), "{asked:?}");
}

#[test]
fn is_promoted_by_its_supernode_only() {
    let mut node = Bench::ordinary(&Config::default());
    node.receive(peer(77), Message::Promote);
    assert!(!node.is_supernode());
    let effects = node.receive(peer(50), Message::Promote);
    assert!(node.is_supernode() && node.home().is_none());
    let links = receivers(&effects, |m| matches!(m, Message::Link { .. }));
    assert_eq!(links, [peer(50), peer(51), peer(52)], "its old one and those it knows");
    assert_eq!(receivers(&effects, |m| matches!(m, Message::Register { .. })), [SERVER]);
}
