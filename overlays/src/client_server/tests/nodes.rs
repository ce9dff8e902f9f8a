//! Servers and clients, call by call.

use std::sync::Arc;

use crate::client_server::{Change, ClientServer, Config, Message};
use crate::seam::{
    Action, Addr, Cause, Cx, Effect, Hit, Item, Machine as _, OpId, Outcome, Overlay as _, Profile,
    Query, Reason, Rng, Stream, Time,
};

const fn addr(index: u32) -> Addr {
    Addr::from_index(index)
}

fn item(name: &str) -> Arc<Item> {
    Arc::new(Item::new(name, 1))
}

struct Bench {
    node: ClientServer,
    me: Addr,
    rng: Rng,
}

type Effects = Vec<Effect<ClientServer>>;

impl Bench {
    fn server(index: u32, servers: u32) -> Self {
        let config = Arc::new(Config { servers, ..Config::default() });
        let node = ClientServer::new(&config, &Profile::server(addr(index)));
        Self { node, me: addr(index), rng: Stream::Protocol.rng(7) }
    }

    fn client(index: u32) -> Self {
        let node = ClientServer::new(&Arc::default(), &Profile::peer(addr(index)));
        Self { node, me: addr(index), rng: Stream::Protocol.rng(7) }
    }

    fn call(
        &mut self,
        op: u32,
        f: impl FnOnce(&mut ClientServer, &mut Cx<'_, ClientServer>),
    ) -> Effects {
        let mut effects = Vec::new();
        let cause = Cause::start(OpId(op));
        f(
            &mut self.node,
            &mut Cx::new(Time::ZERO, self.me, cause, false, &mut self.rng, &mut effects),
        );
        effects
    }

    fn join(&mut self, via: &[Addr]) -> Effects {
        self.call(1, |node, cx| node.join(cx, OpId(1), via))
    }

    fn receive(&mut self, from: u32, message: Message) -> Effects {
        self.call(2, |node, cx| node.on_message(cx, addr(from), message))
    }

    fn open(&mut self, client: u32) -> Effects {
        self.receive(client, Message::Open { items: 0, sum: 0 })
    }
}

fn sent(effects: &Effects) -> Vec<(u32, Message)> {
    let messages = effects.iter().filter_map(|e| match &e.action {
        Action::Send { to, message } => Some((to.index(), message.clone())),
        _ => None,
    });
    messages.collect()
}

fn finished(effects: &Effects) -> Vec<Outcome> {
    let ends = effects.iter().filter_map(|e| match &e.action {
        Action::Finish { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    ends.collect()
}

fn closes(effects: &Effects, peer: u32) -> bool {
    effects.iter().any(|e| matches!(e.action, Action::Close { peer: p } if p == addr(peer)))
}

#[test]
fn a_server_stores_for_those_who_opened_a_session_only() {
    let mut server = Bench::server(0, 1);
    server.join(&[]);
    let put = |tag| Message::Put { tag, item: item("song") };
    let refused = sent(&server.receive(9, put(4)));
    assert_eq!(refused, [(9, Message::Confirm { tag: 4, made: false })]);
    let opened = Message::Opened { store_anew: false, servers: [addr(0)].into() };
    assert_eq!(sent(&server.open(9)), [(9, opened)]);
    assert_eq!(sent(&server.receive(9, put(5))), [(9, Message::Confirm { tag: 5, made: true })]);
    let get = Message::Get { tag: 6, query: Query::keywords("song") };
    let hits = vec![Hit { item: item("song"), provider: addr(9) }];
    assert_eq!(sent(&server.receive(8, get)), [(8, Message::Results { tag: 6, hits })]);
}

#[test]
fn a_write_is_confirmed_when_every_replica_has_made_it() {
    let mut server = Bench::server(0, 3);
    server.join(&[]);
    for replica in [1, 2] {
        server.receive(replica, Message::Link { complete: false });
    }
    server.open(9);
    let effects = server.receive(9, Message::Put { tag: 5, item: item("song") });
    let change = Change::Put(Hit { item: item("song"), provider: addr(9) });
    let copies: Vec<(u32, Message)> = sent(&effects);
    assert_eq!(copies.len(), 2);
    let Message::Replicate { id, change: first } = copies[0].1.clone() else { panic!() };
    assert_eq!(first, change);
    // One replica confirms twice: that is no second replica.
    for _ in 0..2 {
        assert_eq!(sent(&server.receive(1, Message::Replicated { id })), []);
    }
    let confirmed = sent(&server.receive(2, Message::Replicated { id }));
    assert_eq!(confirmed, [(9, Message::Confirm { tag: 5, made: true })]);
}

#[test]
fn a_write_does_not_wait_for_a_replica_that_is_gone() {
    let mut server = Bench::server(0, 2);
    server.join(&[]);
    server.receive(1, Message::Link { complete: false });
    server.open(9);
    server.receive(9, Message::Put { tag: 5, item: item("song") });
    let effects = server.call(3, |node, cx| node.on_lost(cx, addr(1)));
    assert!(sent(&effects).contains(&(9, Message::Confirm { tag: 5, made: true })));
}

#[test]
fn only_as_many_servers_link_as_there_are() {
    let mut server = Bench::server(0, 2);
    server.join(&[]);
    server.receive(1, Message::Link { complete: true });
    let effects = server.receive(77, Message::Link { complete: true });
    assert!(sent(&effects).is_empty() && closes(&effects, 77));
}

#[test]
fn a_replica_sends_clients_to_the_primary_and_heeds_nobody_else() {
    let mut replica = Bench::server(1, 2);
    replica.join(&[addr(0)]);
    let servers = [addr(0), addr(1)].into();
    replica.receive(0, Message::Linked { complete: true, servers });
    assert_eq!(sent(&replica.open(9)), [(9, Message::Redirect(addr(0)))]);
    let change = Change::Put(Hit { item: item("forged"), provider: addr(9) });
    replica.receive(66, Message::Replicate { id: 1, change });
    let ClientServer::Server(server) = &replica.node else { panic!() };
    assert_eq!(server.store().records(), 0);
}

#[test]
fn a_client_that_is_taken_for_a_server_hangs_up() {
    let mut client = Bench::client(5);
    let effects = client.open(9);
    assert!(closes(&effects, 9));
}

#[test]
fn a_join_fails_when_no_server_opens() {
    let mut client = Bench::client(5);
    let effects = client.join(&[addr(0), addr(1)]);
    assert_eq!(sent(&effects).len(), 1);
    let effects = client.call(3, |node, cx| node.on_lost(cx, addr(0)));
    assert_eq!(sent(&effects), [(1, Message::Open { items: 0, sum: 0 })]);
    let effects = client.receive(1, Message::Refused);
    assert_eq!(finished(&effects), [Outcome::Failed(Reason::Refused)]);
}

#[test]
fn servers_that_disagree_do_not_send_a_client_around_for_ever() {
    let mut client = Bench::client(5);
    client.join(&[addr(0), addr(1)]);
    let mut asked = 0;
    let mut at = 0;
    loop {
        let effects = client.receive(at, Message::Redirect(addr(1 - at)));
        if !finished(&effects).is_empty() {
            break;
        }
        at = sent(&effects)[0].0;
        asked += 1;
        assert!(asked < 100, "still going");
    }
}

#[test]
fn an_item_inserted_while_the_session_opens_is_stored_too() {
    let mut client = Bench::client(5);
    client.join(&[addr(0)]);
    client.call(4, |node, cx| node.insert(cx, OpId(4), &item("song")));
    let servers: Arc<[Addr]> = [addr(0)].into();
    let opened = |store_anew| Message::Opened { store_anew, servers: servers.clone() };
    let effects = client.receive(0, opened(false));
    assert!(matches!(sent(&effects)[..], [(0, Message::Open { items: 1, .. })]));
    let effects = client.receive(0, opened(true));
    assert!(matches!(sent(&effects)[..], [(0, Message::Put { tag: 0, .. })]));
    assert_eq!(finished(&effects), [Outcome::Done]);
}
