//! Peers, call by call.

use std::sync::Arc;

use crate::replication::{Block, Config, Entries, Message, Replication, Shared, Timer};
use crate::seam::{
    Action, Addr, Cause, Cx, Effect, Item, Machine as _, OpId, Outcome, Overlay as _, Profile,
    Query, Reason, Rng, Span, Stream, Time,
};

const ME: Addr = Addr::from_index(5);

const fn addr(index: u32) -> Addr {
    Addr::from_index(index)
}

struct Bench {
    node: Replication,
    now: Time,
    rng: Rng,
}

type Effects = Vec<Effect<Replication>>;

impl Bench {
    fn founder() -> Self {
        let node = Replication::new(&Arc::new(Config::default()), &Profile::peer(ME));
        let mut bench = Self { node, now: Time::from_us(1_000_000), rng: Stream::Protocol.rng(7) };
        bench.call(|node, cx| node.join(cx, OpId(1), &[]));
        bench
    }

    fn call(&mut self, f: impl FnOnce(&mut Replication, &mut Cx<'_, Replication>)) -> Effects {
        let mut effects = Vec::new();
        let cause = Cause::start(OpId(1));
        f(&mut self.node, &mut Cx::new(self.now, ME, cause, false, &mut self.rng, &mut effects));
        effects
    }

    fn receive(&mut self, from: u32, message: Message) -> Effects {
        self.call(|node, cx| node.on_message(cx, addr(from), message))
    }

    fn news(&mut self, from: u32, block: Block) -> Effects {
        self.receive(from, Message::News(Arc::new(block)))
    }

    fn beat(&mut self) -> Effects {
        self.now += Span::from_s(30);
        let life = 0;
        self.call(|node, cx| node.on_timer(cx, Timer::Beat(life)))
    }
}

fn hello(origin: u32) -> Block {
    Block {
        origin: addr(origin),
        epoch: 1,
        gone: false,
        from: 0,
        upto: 0,
        entries: Entries::default(),
        state: Shared::default(),
    }
}

fn sent(effects: &Effects) -> Vec<(u32, Message)> {
    let messages = effects.iter().filter_map(|e| match &e.action {
        Action::Send { to, message } => Some((to.index(), message.clone())),
        _ => None,
    });
    messages.collect()
}

fn told(effects: &Effects) -> Vec<(u32, Block)> {
    let news = sent(effects).into_iter().filter_map(|(to, message)| match message {
        Message::News(block) => Some((to, (*block).clone())),
        _ => None,
    });
    news.collect()
}

#[test]
fn news_goes_to_all_neighbours_but_its_sender_and_only_once() {
    let mut bench = Bench::founder();
    for neighbour in [1, 2, 3] {
        bench.receive(neighbour, Message::Link);
    }
    let targets: Vec<u32> = told(&bench.news(2, hello(9))).into_iter().map(|(to, _)| to).collect();
    assert_eq!(targets, [1, 3]);
    assert!(told(&bench.news(1, hello(9))).is_empty());
}

#[test]
fn a_gap_is_asked_for_and_not_passed_on() {
    let mut bench = Bench::founder();
    bench.receive(1, Message::Link);
    let effects = bench.news(2, Block { from: 3, upto: 3, ..hello(9) });
    assert!(matches!(&sent(&effects)[..], [(2, Message::Want(list))] if list[0].0 == addr(9)));
}

#[test]
fn slander_is_refuted_with_everything_it_shares() {
    let mut bench = Bench::founder();
    bench.receive(1, Message::Link);
    let song = Arc::new(Item::new("song", 1));
    bench.call(|node, cx| node.insert(cx, OpId(2), &song));
    let later = bench.now.as_us() + 5;
    let told = told(&bench.news(7, Block::gone(ME, later)));
    assert_eq!(told.len(), 1);
    let (to, block) = &told[0];
    assert_eq!((*to, block.origin, block.gone, block.upto), (1, ME, false, 1));
    assert!(block.epoch > later);
}

#[test]
fn an_epoch_far_in_the_future_is_not_believed() {
    let mut bench = Bench::founder();
    let effects = bench.news(7, Block { epoch: u64::MAX, ..hello(9) });
    assert!(sent(&effects).is_empty());
    let effects = bench.news(7, Block::gone(ME, u64::MAX));
    assert!(sent(&effects).is_empty());
}

#[test]
fn a_silent_neighbour_is_said_to_be_gone() {
    let mut bench = Bench::founder();
    for neighbour in [1, 2] {
        bench.news(neighbour, hello(neighbour));
        bench.receive(neighbour, Message::Link);
    }
    let mut buried = Vec::new();
    for _ in 0..6 {
        bench.receive(1, Message::Echo { digest: 0 });
        buried.extend(told(&bench.beat()));
    }
    assert!(matches!(&buried[..], [(1, block)] if block.gone && block.origin == addr(2)));
}

#[test]
fn too_many_neighbours_are_refused() {
    let mut bench = Bench::founder();
    let most = u32::from(Config::default().max_links);
    for stranger in 100..100 + most {
        assert_eq!(sent(&bench.receive(stranger, Message::Link))[0].1, Message::Linked(true));
    }
    assert_eq!(sent(&bench.receive(9, Message::Link)), [(9, Message::Linked(false))]);
    let effects = bench.receive(9, Message::Beat { digest: 0, linked: true });
    assert_eq!(sent(&effects)[0], (9, Message::Linked(false)));
}

#[test]
fn a_page_that_does_not_lead_on_is_dropped() {
    let node = Replication::new(&Arc::new(Config::default()), &Profile::peer(ME));
    let mut bench = Bench { node, now: Time::ZERO, rng: Stream::Protocol.rng(7) };
    bench.call(|node, cx| node.join(cx, OpId(1), &[addr(1)]));
    let page = |next| Message::Page { blocks: Vec::new(), next };
    let place = Some((addr(4), 0));
    assert_eq!(sent(&bench.receive(1, page(place))), [(1, Message::Fetch { after: place })]);
    assert!(bench.receive(1, page(place)).is_empty());
    assert!(bench.receive(2, page(None)).is_empty(), "nobody asked that one");
}

#[test]
fn before_joining_a_search_fails_and_an_insert_waits() {
    let node = Replication::new(&Arc::new(Config::default()), &Profile::peer(ME));
    let mut bench = Bench { node, now: Time::ZERO, rng: Stream::Protocol.rng(7) };
    let song = Arc::new(Item::new("song", 1));
    let outcome = |effects: &Effects| match &effects[0].action {
        Action::Finish { outcome, .. } => outcome.clone(),
        other => panic!("{other:?}"),
    };
    let effects = bench.call(|node, cx| node.search(cx, OpId(1), &Query::exact(song.key())));
    assert_eq!(outcome(&effects), Outcome::Failed(Reason::NotJoined));
    let effects = bench.call(|node, cx| node.insert(cx, OpId(2), &song));
    assert_eq!(outcome(&effects), Outcome::Done);
    bench.call(|node, cx| node.join(cx, OpId(3), &[]));
    let effects = bench.call(|node, cx| node.search(cx, OpId(4), &Query::exact(song.key())));
    assert!(matches!(outcome(&effects), Outcome::Found(_)));
}
