//! The list server: registering, expiry, lists.

use super::*;

/// What `index` is told when it asks for a list.
fn list_for(bench: &mut Bench, index: u32) -> Vec<u32> {
    let effects = bench.receive(peer(index), Message::ListRequest);
    match &sent(&effects)[..] {
        [(to, Message::Nodes(nodes))] if *to == peer(index) => {
            nodes.iter().map(|entry| entry.addr.index()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn hands_out_those_that_register() {
    let mut server = Bench::server(&Config::default());
    assert_eq!(list_for(&mut server, 9), [0; 0]);
    for index in [3, 1, 2] {
        server.receive(peer(index), Message::Register { load: 50 });
    }
    assert_eq!(list_for(&mut server, 9), [1, 2, 3]);
    assert_eq!(list_for(&mut server, 2), [1, 3], "nobody is told of itself");
    server.receive(peer(1), Message::Unregister);
    server.lose(peer(3));
    assert_eq!(list_for(&mut server, 9), [2], "one withdrew, one went down");
}

#[test]
fn forgets_who_no_longer_registers() {
    let config = Config::default();
    let mut server = Bench::server(&config);
    server.receive(peer(1), Message::Register { load: 0 });
    server.now = Time::ZERO + config.list_expiry;
    server.receive(peer(2), Message::Register { load: 0 });
    server.wake(Timer::Upkeep);
    assert_eq!(list_for(&mut server, 9), [1, 2]);
    server.now += Span::from_us(1);
    server.wake(Timer::Upkeep);
    assert_eq!(list_for(&mut server, 9), [2]);
}

#[test]
fn a_list_has_a_limit_and_changes() {
    let config = Config { list_entries: 10, ..Config::default() };
    let mut server = Bench::server(&config);
    for index in 0..100 {
        server.receive(peer(index), Message::Register { load: 0 });
    }
    let (first, second) = (list_for(&mut server, 500), list_for(&mut server, 500));
    assert_eq!((first.len(), second.len()), (10, 10));
    assert!(first.is_sorted_by(|a, b| a < b), "nobody twice");
    assert_ne!(first, second);
}

#[test]
fn a_server_that_left_closes_streams() {
    let mut server = Bench::server(&Config::default());
    server.receive(peer(1), Message::Register { load: 0 });
    let effects = server.call(2, |node, cx| node.leave(cx, OpId(2)));
    assert_eq!((finished(&effects), closed(&effects)), (vec![(2, Outcome::Done)], vec![peer(1)]));
    let effects = server.receive(peer(9), Message::ListRequest);
    assert_eq!(closed(&effects), [peer(9)]);
}
