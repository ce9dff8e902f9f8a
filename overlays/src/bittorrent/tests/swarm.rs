//! Connections within a swarm, and peer exchange.

use super::super::Pex;
use super::*;

fn pex(added: &[u32], dropped: &[u32]) -> Message {
    let list = |indices: &[u32]| indices.iter().copied().map(peer).collect();
    let info_hash = item("a").key();
    Message::Pex(Box::new(Pex { info_hash, added: list(added), dropped: list(dropped) }))
}

/// Those whom the client shakes hands with in a round.
fn dialed(effects: &Effects) -> Vec<Addr> {
    let sent = sent(effects).into_iter();
    sent.filter(|(_, m)| matches!(m, Message::Connect { .. })).map(|(to, _)| to).collect()
}

/// A client sharing `a` that is connected to these peers and has told them so.
fn connected(config: &Config, others: &[u32]) -> Bench {
    let mut bench = Bench::sharing(config, "a", others);
    for other in dialed(&bench.wake(Timer::Round)) {
        bench.receive(other, accept(other.index(), "a", true));
    }
    bench.now += Span::from_s(60);
    bench.wake(Timer::Round);
    bench
}

#[test]
fn a_peer_connects_to_as_many_as_it_wants() {
    let mut bench = Bench::sharing(&Config::default(), "a", &(10..60).collect::<Vec<_>>());
    let first = dialed(&bench.wake(Timer::Round));
    assert_eq!(first.len(), 10);
    for other in &first[..4] {
        let effects = bench.receive(*other, accept(other.index(), "a", true));
        assert!(sent(&effects).is_empty());
    }
    bench.receive(first[4], Message::Decline(item("a").key()));
    bench.lose(first[5]);
    let second = dialed(&bench.wake(Timer::Round));
    assert_eq!(second.len(), 6, "what is still missing");
    assert!(second.iter().all(|other| !first.contains(other)));
    // An answer to no question connects nobody.
    let effects = bench.receive(peer(99), accept(99, "a", true));
    assert_eq!(sent(&effects), [(peer(99), Message::Goodbye(item("a").key()))]);
    assert!(!bench.neighbours().contains(&peer(99)));
}

#[test]
fn newcomers_are_told_of_everyone_and_the_others_of_the_change() {
    let mut bench = connected(&Config::default(), &[10, 11]);
    let effects = bench.receive(peer(12), connect(12, "a"));
    assert_eq!(sent(&effects), [(peer(12), accept(1, "a", true))]);
    bench.lose(peer(10));
    bench.now += Span::from_s(60);
    let told = sent(&bench.wake(Timer::Round));
    assert_eq!(told, [(peer(11), pex(&[12], &[10])), (peer(12), pex(&[11], &[]))]);
    bench.now += Span::from_s(60);
    assert!(sent(&bench.wake(Timer::Round)).is_empty(), "no news");
}

#[test]
fn news_leads_to_connections() {
    let mut bench = connected(&Config::default(), &[10]);
    bench.receive(peer(10), pex(&[1, 10, 20, 21, 22], &[]));
    assert_eq!(dialed(&bench.wake(Timer::Round)), [peer(20), peer(21), peer(22)]);
}

#[test]
fn strangers_and_chatterers_are_not_listened_to() {
    let mut bench = connected(&Config::default(), &[10]);
    bench.receive(peer(66), pex(&[20], &[]));
    assert!(dialed(&bench.wake(Timer::Round)).is_empty(), "no neighbour");
    bench.receive(peer(10), pex(&[21], &[]));
    bench.receive(peer(10), pex(&[22], &[]));
    bench.now += Span::from_s(60);
    bench.receive(peer(10), pex(&[23, 24], &[]));
    bench.receive(peer(10), pex(&[], &[24]));
    assert_eq!(dialed(&bench.wake(Timer::Round)), [peer(21), peer(23), peer(24)]);
    for round in 0..100 {
        bench.now += Span::from_s(60);
        let many: Vec<u32> = (0..50).map(|i| 1000 * round + i).collect();
        bench.receive(peer(10), pex(&many, &[]));
    }
    assert!(bench.node.footprint().bytes < 20_000, "{:?}", bench.node.footprint());
}

#[test]
fn peers_do_not_tell_each_other_where_that_is_off() {
    let config = Config { pex: false, ..Config::default() };
    let mut bench = connected(&config, &[10, 11]);
    bench.receive(peer(12), connect(12, "a"));
    bench.receive(peer(10), pex(&[20], &[]));
    assert!(sent(&bench.wake(Timer::Round)).is_empty());
}

#[test]
fn a_full_peer_says_what_it_has_and_hangs_up() {
    let mut bench = Bench::sharing(&Config { max_peers: 2, ..Config::default() }, "a", &[]);
    let key = item("a").key();
    for index in [10, 11, 11] {
        let effects = bench.receive(peer(index), connect(index, "a"));
        assert_eq!(sent(&effects), [(peer(index), accept(1, "a", true))]);
    }
    let effects = bench.receive(peer(12), connect(12, "a"));
    let answer = [(peer(12), accept(1, "a", true)), (peer(12), Message::Goodbye(key))];
    assert_eq!(sent(&effects), answer);
    assert_eq!(bench.neighbours()[2..], [peer(10), peer(11)]);
    let effects = bench.receive(peer(13), connect(13, "nothing of ours"));
    assert_eq!(sent(&effects), [(peer(13), Message::Decline(item("nothing of ours").key()))]);
}

#[test]
fn who_hangs_up_is_let_go() {
    let mut bench = connected(&Config::default(), &[10, 11]);
    bench.receive(peer(10), Message::Goodbye(item("another").key()));
    assert!(bench.neighbours().contains(&peer(10)));
    bench.receive(peer(10), Message::Goodbye(item("a").key()));
    assert!(!bench.neighbours().contains(&peer(10)));
}
