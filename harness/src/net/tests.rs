//! The host under test with the toy overlay, over real sockets.

use std::net::UdpSocket as StdUdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use overlays::{Addr, Cause, Hit, Item, Key, OpId, Outcome, Profile, Query, Reason, Time, Wire};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::frame::{self, Header};
use super::timers::Timers;
use super::toy::{Config, Message, Toy};
use super::*;
use crate::oracle::Grade;
use crate::sim::{Request, Verb};

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn network(peers: u32, limits: Limits) -> LiveNetwork<Toy> {
    let options = LiveOptions { limits, ..LiveOptions::new(peers, 1) };
    LiveNetwork::start(&Arc::new(Config::default()), &options).await.unwrap()
}

async fn joined(peers: u32) -> LiveNetwork<Toy> {
    joined_with(peers, Limits::default()).await
}

async fn joined_with(peers: u32, limits: Limits) -> LiveNetwork<Toy> {
    let network = network(peers, limits).await;
    let outcomes = network.play(&Script::bring_up(0, peers)).await;
    assert_eq!(outcomes, vec![Outcome::Done; peers as usize]);
    network
}

/// Waits until the condition holds; fails after a second.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(2), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

// --- Frames -------------------------------------------------------------

fn localhost(port: u16) -> Addr {
    Addr::from_socket(std::net::SocketAddrV4::new([127, 0, 0, 1].into(), port))
}

#[test]
fn frames_have_these_bytes() {
    let sender = localhost(0x1234);
    let traced = Header { sender, cause: Cause { op: OpId(0x0102_0304), hops: 5, legs: 6 } };
    let bytes = frame::encode(&traced, &Message::Ping { locate: 9 });
    let expected = [1, 1, 127, 0, 0, 1, 0x12, 0x34, 1, 2, 3, 4, 0, 5, 0, 6, 4, 0, 0, 0, 9];
    assert_eq!(bytes, expected);
    let upkeep = Header { sender, cause: Cause::UPKEEP };
    assert_eq!(frame::encode(&upkeep, &Message::Hello), [1, 0, 127, 0, 0, 1, 0x12, 0x34, 0]);
}

#[test]
fn frames_of_another_version_or_with_unknown_flags_are_refused() {
    let good =
        frame::encode(&Header { sender: localhost(1), cause: Cause::UPKEEP }, &Message::Hello);
    assert!(frame::decode::<Message>(&good).is_ok());
    for (at, value) in [(0, 0), (0, 2), (1, 2), (1, 0x80), (8, 99)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert!(frame::decode::<Message>(&bad).is_err(), "byte {at} = {value}");
    }
    assert!(frame::decode::<Message>(&good[..8]).is_err(), "no message");
    assert!(frame::decode::<Message>(&[&good[..], &[0]].concat()).is_err(), "a byte too many");
    let long = [&good[..8], &[6], &vec![0; Message::MAX_BYTES][..]].concat();
    assert!(frame::decode::<Message>(&long).is_err(), "a message over its limit");
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        Just(Message::Hello),
        Just(Message::Welcome),
        any::<(u32, [u8; 6], u8, [u8; 20])>().prop_map(|(search, origin, ttl, key)| {
            let (origin, key) = (Addr::from_bytes(origin), Key::from_bytes(key));
            Message::Find { search, origin, ttl, key }
        }),
        any::<(u32, String, u64)>().prop_map(|(search, name, size)| {
            Message::Have { search, item: Arc::new(Item::new(&name, size)) }
        }),
        any::<u32>().prop_map(|locate| Message::Ping { locate }),
        any::<Vec<u8>>().prop_map(Message::Ballast),
    ]
}

proptest! {
    #[test]
    fn frames_read_back_as_written(
        sender: [u8; 6], op: u32, hops: u16, legs: u16, message in messages(),
    ) {
        let cause = Cause { op: OpId(op), hops, legs };
        let header = Header { sender: Addr::from_bytes(sender), cause };
        let bytes = frame::encode(&header, &message);
        prop_assert!(bytes.len() <= frame::MAX_HEADER_BYTES + message.encoded_len());
        prop_assert_eq!(frame::decode::<Message>(&bytes), Ok((header, message)));
    }

    #[test]
    fn arbitrary_bytes_are_a_frame_or_an_error(mut bytes: Vec<u8>, plausible: bool) {
        if plausible && bytes.len() > 1 {
            bytes[0] = frame::VERSION;
            bytes[1] &= 1;
        }
        if let Ok((header, message)) = frame::decode::<Message>(&bytes) {
            let again = frame::encode(&header, &message);
            prop_assert_eq!(frame::decode::<Message>(&again), Ok((header, message)));
        }
    }

    #[test]
    fn timers_come_in_order_of_time_then_of_setting(dues in prop::collection::vec(0_u64..20, 0..50)) {
        let mut timers = Timers::new(40);
        let mut expected = Vec::new();
        for (i, &due) in dues.iter().enumerate() {
            let set = timers.set(Time::from_us(due), i);
            prop_assert_eq!(set, i < 40);
            if set {
                expected.push((due, i));
            }
        }
        expected.sort_unstable();
        let mut popped = Vec::new();
        for now in 0..20 {
            while let Some(i) = timers.pop_due(Time::from_us(now)) {
                prop_assert!(dues[i] == now);
                popped.push((now, i));
            }
        }
        prop_assert_eq!(popped, expected);
        prop_assert_eq!(timers.next_due(), None);
    }
}

// --- Verbs, measures ----------------------------------------------------

#[test]
fn the_verbs_work_over_sockets_and_are_charged() {
    block_on(async {
        let network = joined(5).await;
        let item = Arc::new(Item::new("amber finch.ogg", 0));
        let nodes = network.nodes();
        assert_eq!(nodes[3].insert(Arc::clone(&item)).await, Outcome::Done);
        let Outcome::Found(hits) = nodes[1].search(Query::exact(item.key())).await else {
            panic!("the item is in the mesh");
        };
        assert_eq!((hits[0].provider, &hits[0].item), (nodes[3].addr(), &item));
        assert!(network.quiesce().await);
        assert_eq!(nodes[1].search(Query::exact(Key::ZERO)).await, Outcome::NotFound);
        assert_eq!(nodes[1].search(Query::keywords("finch")).await, Outcome::Unsupported);
        assert_eq!(nodes[1].locate(Key::ZERO).await, Outcome::Located(nodes[0].addr()));
        assert_eq!(nodes[3].delete(item.key()).await, Outcome::Done);
        assert_eq!(nodes[3].delete(item.key()).await, Outcome::NotFound);
        assert_eq!(nodes[0].neighbours().await.unwrap().len(), 4);

        let measures = network.close(false).await;
        let record = |i: usize| &measures.operations[i];
        // Node 3 joins through 3 others: a Hello and a Welcome each, 1 byte.
        assert_eq!(record(3).verb, Verb::Join);
        assert_eq!((record(3).messages, record(3).bytes, record(3).hops), (6, 6, 1));
        // A flood over a full mesh of 5: 4 from the origin, 3 from each of the
        // others, and the hit.
        let found = record(6);
        assert_eq!(found.verb, Verb::Search);
        assert!((1..=4).contains(&found.hops), "whichever copy is first, within the TTL");
        assert_eq!(found.messages, 4 + 4 * 3 + 1);
        assert_eq!(found.bytes, 16 * 32 + 5 + item.encoded_len() as u64);
        assert_eq!((found.first_answer, found.timeouts), (found.ended, 0));
        assert_eq!(found.receivers.len(), 16, "forward copies that arrived");
        let missed = record(7);
        assert_eq!(missed.messages, 4 + 4 * 3);
        assert!(missed.ended.unwrap().since(missed.started).as_us() >= 300_000);
        assert_eq!(record(8).verb, Verb::KeywordSearch);
        assert_eq!(record(9).messages, 2);
        assert_eq!(measures.operations.len(), 12);
        assert!(measures.operations.iter().all(|o| o.ends == 1));
        assert_eq!(measures.counters.stray_outcomes, 0);
        assert_eq!(measures.aborted_tasks, 0);
        let traffic = &measures.traffic;
        assert!(traffic.upkeep > 0, "probes belong to no operation");
        assert_eq!(traffic.sent_by_kind.iter().sum::<u64>(), traffic.sent);
        let caused: u64 = measures.operations.iter().map(|o| u64::from(o.messages)).sum();
        assert_eq!(traffic.sent, caused + traffic.upkeep);
    });
}

#[test]
fn without_maintenance_an_idle_network_is_silent() {
    block_on(async {
        let options = LiveOptions { maintenance: false, ..LiveOptions::new(4, 1) };
        let network = LiveNetwork::<Toy>::start(&Arc::default(), &options).await.unwrap();
        network.play(&Script::bring_up(0, 4)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(network.close(false).await.traffic.upkeep, 0);
    });
}

#[test]
fn servers_come_first_and_profiles_keep_their_ids() {
    block_on(async {
        let config = Arc::new(Config { servers: 2, ..Config::default() });
        let mut options = LiveOptions::new(3, 1);
        let id = Key::hash(b"chosen");
        options.profiles = vec![Profile::server(Addr::from_index(9)).with_id(id)];
        let network = LiveNetwork::<Toy>::start(&config, &options).await.unwrap();
        assert_eq!((network.peers().len(), network.servers().len()), (3, 2));
        assert_eq!(network.nodes()[0].profile().id, id);
        assert_eq!(network.peers()[1].profile().id, Addr::from_index(1).key());
        let outcomes = network.play(&Script::bring_up(2, 3)).await;
        assert_eq!(outcomes, vec![Outcome::Done; 5]);
        let mut known = network.peers()[0].neighbours().await.unwrap();
        known.sort_unstable();
        let mut servers: Vec<_> = network.servers().iter().map(NodeHandle::addr).collect();
        servers.sort_unstable();
        assert_eq!(known, servers);
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn outcomes_of_a_script_are_graded_and_name_nodes_by_index() {
    block_on(async {
        let network = network(3, Limits::default()).await;
        let item = Arc::new(Item::new("amber finch.ogg", 0));
        let other = Arc::new(Item::new("not there.ogg", 0));
        let find = |item: &Item| Request::Search(Query::exact(item.key()));
        let step = |node, request| Step { node, request };
        let script = Script::bring_up(0, 3)
            .then(1, vec![step(2, Request::Insert(Arc::clone(&item))), step(1, find(&item))])
            .then(2, vec![step(0, find(&other)), step(0, Request::Search(Query::keywords("x")))])
            .then(1, vec![step(1, Request::Locate(Key::ZERO)), step(7, Request::Leave)])
            .then(1, vec![step(2, Request::Leave), step(0, find(&item))]);
        let outcomes = network.play(&script).await;
        let hit = Hit { item: Arc::clone(&item), provider: Addr::from_index(2) };
        let expected = [
            Outcome::Done,
            Outcome::Done,
            Outcome::Done,
            Outcome::Done,
            Outcome::Found(vec![hit]),
            Outcome::NotFound,
            Outcome::Unsupported,
            Outcome::Located(Addr::from_index(0)),
            Outcome::Failed(Reason::NodeDown),
            Outcome::Done,
            Outcome::NotFound,
        ];
        assert_eq!(outcomes, expected);
        let measures = network.close(false).await;
        let count = |grade| measures.grades.values().filter(|&&g| g == grade).count();
        assert_eq!((count(Grade::Correct), count(Grade::Unsupported)), (9, 1));
        assert_eq!((measures.grades.len(), measures.footprints.len()), (10, 2));
    });
}

#[test]
fn a_search_that_misses_what_is_there_has_failed() {
    block_on(async {
        let network = joined(2).await;
        let item = Arc::new(Item::new("amber finch.ogg", 0));
        let insert = Request::Insert(Arc::clone(&item));
        assert_eq!(network.ask(1, &insert).unwrap().await, Outcome::Done);
        // Behind the judge's back.
        assert_eq!(network.nodes()[1].delete(item.key()).await, Outcome::Done);
        let search = Request::Search(Query::exact(item.key()));
        assert_eq!(network.ask(0, &search).unwrap().await, Outcome::NotFound);
        network.kill(1).await;
        assert_eq!(network.ask(0, &search).unwrap().await, Outcome::NotFound);
        let grades: Vec<Grade> = network.close(false).await.grades.into_values().collect();
        let correct = Grade::Correct;
        assert_eq!(grades, [correct, correct, correct, Grade::Failed, correct]);
    });
}

#[test]
fn it_runs_on_one_thread_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let network = joined(8).await;
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn both_sides_opening_at_once_lose_nothing() {
    block_on(async {
        for _ in 0..20 {
            let network = network(2, Limits::default()).await;
            let [a, b] = network.nodes() else { panic!("two nodes") };
            let (to_a, to_b) = ([a.addr()], [b.addr()]);
            let (one, two) = tokio::join!(a.join(&to_b), b.join(&to_a));
            assert_eq!((one, two), (Outcome::Done, Outcome::Done));
            for node in [a, b] {
                assert_eq!(node.footprint().await.unwrap().routing_entries, 1, "nothing lost");
            }
            a.stop().await;
            // Once, though two connections may have broken.
            eventually("the loss is reported", async || {
                b.footprint().await.unwrap().routing_entries == 1_000_000
            })
            .await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert_eq!(b.footprint().await.unwrap().routing_entries, 1_000_000);
            assert_eq!(network.shutdown().await, 0);
        }
    });
}

// --- Nodes that go ------------------------------------------------------

#[test]
fn a_killed_node_is_lost_to_its_peers_and_ends_its_operations() {
    block_on(async {
        let network = joined(4).await;
        let nodes = network.nodes();
        let (outcome, ()) = tokio::join!(nodes[2].search(Query::exact(Key::ZERO)), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            nodes[2].stop().await;
        });
        assert_eq!(outcome, Outcome::Failed(Reason::NodeDown));
        assert_eq!(nodes[2].join(&[]).await, Outcome::Failed(Reason::NodeDown));
        assert_eq!(nodes[2].footprint().await, None);
        for i in [0, 1, 3] {
            eventually("the loss is reported", async || {
                nodes[i].footprint().await.unwrap().routing_entries == 1_000_002
            })
            .await;
        }
        // Its address is free again.
        let port = nodes[2].addr().to_socket();
        TcpListener::bind(port).await.unwrap();
        StdUdpSocket::bind(port).unwrap();
        let operations = network.ledger().operations();
        assert_eq!(operations[4].ends, 1);
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn a_node_that_leaves_stops_by_itself() {
    block_on(async {
        let network = joined(3).await;
        let nodes = network.nodes();
        assert_eq!(nodes[1].leave().await, Outcome::Done);
        eventually("it stops", async || nodes[1].footprint().await.is_none()).await;
        eventually("its peers know", async || {
            nodes[0].neighbours().await.unwrap() == [nodes[2].addr()]
        })
        .await;
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn joining_through_nobody_there_fails() {
    block_on(async {
        let network = network(1, Limits::default()).await;
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let outcome = network.nodes()[0].join(&[localhost(free)]).await;
        assert_eq!(outcome, Outcome::Failed(Reason::NoContact));
        assert_eq!(network.nodes()[0].counters().unreachable_streams, 1);
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn a_firewalled_node_can_open_streams_but_not_be_opened() {
    block_on(async {
        let mut options = LiveOptions::new(2, 1);
        let firewalled = Profile { firewalled: true, ..Profile::peer(Addr::from_index(0)) };
        options.profiles = vec![firewalled];
        let network = LiveNetwork::<Toy>::start(&Arc::default(), &options).await.unwrap();
        let [inside, outside] = network.nodes() else { panic!("two nodes") };
        let refused = outside.join(&[inside.addr()]).await;
        assert_eq!(refused, Outcome::Failed(Reason::NoContact));
        assert_eq!(inside.counters().refused_streams, 1);
        assert_eq!(inside.join(&[outside.addr()]).await, Outcome::Done);
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn a_cancelled_run_gives_what_it_has() {
    block_on(async {
        let (cancel, cancelled) = watch::channel(false);
        let misses = vec![Step { node: 0, request: Request::Search(Query::exact(Key::ZERO)) }; 100];
        let script = Script::bring_up(0, 3).then(1, misses);
        let start = Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(450)).await;
            cancel.send(true).unwrap();
            cancel.closed().await;
        });
        let options = LiveOptions::new(3, 1);
        let measures = live::<Toy>(&Arc::default(), &options, &script, cancelled).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(2));
        assert!(measures.interrupted);
        assert_eq!(measures.aborted_tasks, 0);
        let operations = &measures.operations;
        assert!(operations.len() < 10);
        assert_eq!(measures.grades.get(&operations[3].id), Some(&Grade::Correct));
        let last = operations.last().unwrap();
        assert_eq!((last.ends, measures.grades.get(&last.id)), (1, None));
        assert_eq!(measures.footprints.len(), 3);
    });
}

// --- Strangers ----------------------------------------------------------

#[test]
fn garbage_datagrams_are_dropped_and_counted() {
    block_on(async {
        let network = joined(2).await;
        let [a, b] = network.nodes() else { panic!("two nodes") };
        let socket = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        let spoofed = frame::encode(
            &Header { sender: b.addr(), cause: Cause::UPKEEP },
            &Message::LooseBallast(vec![0; 10]),
        );
        for bytes in [&b""[..], b"garbage", &[1; 2000], &spoofed] {
            socket.send_to(bytes, a.addr().to_socket()).unwrap();
        }
        eventually("all four are counted", async || a.counters().malformed_datagrams == 4).await;
        assert_eq!(a.footprint().await.unwrap().bytes, 0);
        assert_eq!(a.locate(Key::ZERO).await, Outcome::Located(b.addr()));
        assert_eq!(network.shutdown().await, 0);
    });
}

/// Sends bytes over a new connection and waits until the node closes it.
async fn is_closed_after(node: &NodeHandle, bytes: &[u8]) -> bool {
    let mut socket = TcpStream::connect(node.addr().to_socket()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut rest = Vec::new();
    let closed = socket.read_to_end(&mut rest);
    // Closed, or reset since not all was read.
    tokio::time::timeout(Duration::from_secs(2), closed).await.is_ok()
}

#[test]
fn garbage_streams_are_closed_and_counted() {
    block_on(async {
        let limits = Limits { handshake: Duration::from_millis(100), ..Limits::default() };
        let network = joined_with(2, limits).await;
        let [a, b] = network.nodes() else { panic!("two nodes") };
        let framed = |sender, message: &Message| {
            let bytes = frame::encode(&Header { sender, cause: Cause::UPKEEP }, message);
            [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
        };
        let elsewhere = Addr::from_bytes([10, 0, 0, 1, 0, 80]);
        let hello = framed(localhost(1), &Message::Hello);
        let two_senders = [&hello[..], &framed(localhost(2), &Message::Hello)].concat();
        let cases: [&[u8]; 5] = [
            b"GET / HTTP/1.1\r\n\r\n",
            &u32::MAX.to_be_bytes(),
            &[0, 0, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9],
            &framed(elsewhere, &Message::Hello),
            &two_senders,
        ];
        for (i, bytes) in cases.iter().enumerate() {
            assert!(is_closed_after(a, bytes).await, "case {i}");
            eventually("it is counted", async || a.counters().malformed_streams == i as u64 + 1)
                .await;
        }
        assert!(is_closed_after(a, &hello[..6]).await, "half a frame, then silence");
        eventually("it is counted", async || a.counters().silent_streams == 1).await;
        let found = b.locate(Key::ZERO).await;
        assert_eq!(found, Outcome::Located(a.addr()), "the network goes on");
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn strangers_cannot_take_all_connections() {
    block_on(async {
        let limits = Limits { strangers: 3, streams: 2, ..Limits::default() };
        let network = network(4, limits).await;
        let target = &network.nodes()[0];
        let mut sockets = Vec::new();
        for _ in 0..5 {
            sockets.push(TcpStream::connect(target.addr().to_socket()).await.unwrap());
        }
        eventually("two are refused", async || target.counters().refused_streams == 2).await;
        let via: Vec<Addr> = network.nodes()[1..].iter().map(NodeHandle::addr).collect();
        assert_eq!(target.join(&via).await, Outcome::Done);
        assert_eq!(target.counters().refused_streams, 3, "and a third peer");
        let mut known = target.neighbours().await.unwrap();
        known.sort_unstable_by_key(|peer| via.iter().position(|other| other == peer));
        assert_eq!(known, via[..2]);
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn a_peer_that_does_not_read_costs_a_stream_and_no_memory() {
    block_on(async {
        let network = network(1, Limits::default()).await;
        let node = &network.nodes()[0];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = localhost(listener.local_addr().unwrap().port());
        let accept = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let header = Header { sender: addr, cause: Cause::UPKEEP };
            let welcome = frame::encode(&header, &Message::Welcome);
            socket.write_u32(welcome.len() as u32).await.unwrap();
            socket.write_all(&welcome).await.unwrap();
            socket
        };
        let via = [addr];
        let (socket, outcome) = tokio::join!(accept, node.join(&via));
        assert_eq!(outcome, Outcome::Done);
        // 500 blocks of 50,000 bytes, far more than queue and socket hold.
        for i in 0..10 {
            node.insert(Arc::new(Item::new(&format!("ballast {i}"), 50))).await;
        }
        assert_eq!(node.counters().overflowed_streams, 1);
        eventually("the loss is reported", async || {
            node.footprint().await.unwrap().routing_entries == 1_000_000
        })
        .await;
        drop(socket);
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn a_flooding_peer_is_slowed_down_and_others_are_served() {
    block_on(async {
        let limits = Limits { events: 4, ..Limits::default() };
        let network = joined_with(3, limits).await;
        let [a, b, _] = network.nodes() else { panic!("three nodes") };
        let mut socket = TcpStream::connect(a.addr().to_socket()).await.unwrap();
        let header = Header { sender: localhost(9), cause: Cause::UPKEEP };
        let block = frame::encode(&header, &Message::Ballast(vec![0; 60_000]));
        let flood = tokio::spawn(async move {
            let frame = [&(block.len() as u32).to_be_bytes()[..], &block].concat();
            while socket.write_all(&frame).await.is_ok() {}
        });
        for _ in 0..20 {
            assert_eq!(b.locate(Key::ZERO).await, Outcome::Located(a.addr()));
            assert_eq!(a.locate(Key::ZERO).await, Outcome::Located(b.addr()));
        }
        assert!(a.footprint().await.unwrap().bytes > 0, "the flood was real");
        assert_eq!(network.shutdown().await, 0);
        flood.await.expect("it ends when the node closes the connection");
    });
}

#[test]
fn a_message_too_large_for_a_datagram_is_refused_and_counted() {
    block_on(async {
        let network = joined(2).await;
        let [a, b] = network.nodes() else { panic!("two nodes") };
        assert_eq!(a.insert(Arc::new(Item::new("", 65_507 - 17))).await, Outcome::Done);
        eventually("the largest arrives", async || {
            b.footprint().await.unwrap().bytes == 65_507 - 17
        })
        .await;
        assert_eq!(a.insert(Arc::new(Item::new("", 65_507 - 16))).await, Outcome::Done);
        assert_eq!(a.counters().oversized_datagrams, 1);
        assert_eq!(network.shutdown().await, 0);
    });
}

#[test]
fn operations_and_timers_are_bounded() {
    block_on(async {
        let limits = Limits { operations: 2, timers: 1, ..Limits::default() };
        let network = joined_with(1, limits).await;
        let node = &network.nodes()[0];
        let miss = || node.search(Query::exact(Key::ZERO));
        let (first, second, third, ()) = tokio::join!(biased; miss(), miss(), miss(), async {
            eventually("one is refused", async || node.counters().refused_operations == 1).await;
            tokio::time::sleep(Duration::from_millis(400)).await;
            node.stop().await;
        });
        assert_eq!(first, Outcome::NotFound);
        assert_eq!(second, Outcome::Failed(Reason::NodeDown), "it got no timer");
        assert_eq!(third, Outcome::Failed(Reason::Full));
        assert_eq!(node.counters().refused_timers, 1);
        assert_eq!(network.shutdown().await, 0);
    });
}
