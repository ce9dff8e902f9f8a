//! The web cache and those who ask it.

use super::bench::{Bench, ME, addr, ultrapeer};
use crate::gnutella06::message::Message;
use crate::gnutella06::{Config, Rank};
use crate::seam::{Addr, OpId, Outcome, Overlay, Profile, Span};

fn config() -> Config {
    Config { web_caches: 1, web_cache_hosts: 3, ..Config::default() }
}

fn hosts(list: &[u32]) -> Message {
    Message::Hosts { hosts: list.iter().map(|n| addr(*n)).collect() }
}

#[test]
fn a_cache_hands_out_the_newest_hosts() {
    let mut bench = Bench::new(config(), Profile::server(addr(ME)));
    bench.call(|node, cx| node.join(cx, OpId(1), &[]));
    assert_eq!(bench.outcomes, [(OpId(1), Outcome::Done)]);
    for host in 1..=5 {
        let sent = bench.tell(host, Message::Update { host: addr(host) });
        assert_eq!(sent, [(host, Message::Updated { ok: true })]);
    }
    // Nobody enters others.
    let sent = bench.tell(6, Message::Update { host: addr(7) });
    assert_eq!(sent, [(6, Message::Updated { ok: false })]);
    assert_eq!(bench.tell(20, Message::HostFile), [(20, hosts(&[5, 4, 3]))]);
    // Too soon again, and later.
    assert_eq!(bench.tell(20, Message::HostFile), [(20, Message::Updated { ok: false })]);
    bench.now += Span::from_s(5);
    assert_eq!(bench.tell(20, Message::HostFile), [(20, hosts(&[5, 4, 3]))]);
    // Whatever else is said to it.
    let connect = Message::Connect { headers: Box::new(ultrapeer()) };
    assert_eq!(bench.tell(21, connect), []);
}

#[test]
fn a_flood_of_askers_fills_nothing() {
    let mut bench = Bench::new(config(), Profile::server(addr(ME)));
    for asker in 0..100_000 {
        bench.tell(asker, Message::Update { host: addr(asker) });
    }
    assert!(bench.node.footprint().bytes < 100_000);
    assert_eq!(bench.node.web_cache.as_ref().unwrap().hosts().count(), 3);
}

#[test]
fn newcomers_ask_the_cache_and_ultrapeers_tell_it() {
    let cache: Addr = addr(1);
    let join = |answer: Message| {
        let mut bench = Bench::new(config(), Profile::peer(addr(ME)));
        let sent = bench.call(|node, cx| node.join(cx, OpId(1), &[cache]));
        assert_eq!(sent, [(1, Message::HostFile)]);
        (bench.tell(1, answer), bench)
    };
    // The first one founds the network.
    let (sent, bench) = join(hosts(&[]));
    assert_eq!(sent, [(1, Message::Update { host: addr(ME) })]);
    assert_eq!((bench.node.rank(), bench.outcomes.len()), (Rank::Ultrapeer, 1));
    // Others dial whom it names.
    let (sent, _) = join(hosts(&[7]));
    assert!(matches!(sent[..], [(7, Message::Connect { .. })]), "{sent:?}");
    // A cache that is busy is asked again.
    let (sent, mut bench) = join(Message::Updated { ok: false });
    assert_eq!(sent, []);
    assert_eq!(bench.wake_last(), [(1, Message::HostFile)]);
    // Hosts from elsewhere are nobody's answer.
    assert_eq!(bench.tell(5, hosts(&[8])), []);
}
