//! A little network of sessions: links with a latency, nodes with an upload
//! rate. Some nodes lie about blocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::session::*;
use crate::wire::{Handshake, Message, Reserved};
use crate::{Block, InfoHash, PeerId, PieceSet};

pub(super) const HASH: InfoHash = InfoHash([7; 20]);

pub(super) fn torrent(piece_len: u32, total_len: u64) -> Torrent {
    let geometry = Geometry::new(piece_len, total_len).unwrap();
    Torrent { info_hash: HASH, geometry, private: false, info: Arc::from([]) }
}

pub(super) fn name(node: usize) -> PeerId {
    let mut name = *b"-OL0100-000000000000";
    name[12..].copy_from_slice(&(node as u64).to_be_bytes());
    PeerId(name)
}

pub(super) fn addr(node: usize) -> SocketAddr {
    SocketAddr::from(([80, 1, (node >> 8) as u8, node as u8], 6881))
}

pub(super) fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// What a block's bytes are: its own, or a lie.
fn digest(block: &Block, lie: u8) -> BlockDigest {
    let mut digest = [0; 20];
    digest[..4].copy_from_slice(&block.piece.to_be_bytes());
    digest[4..8].copy_from_slice(&block.begin.to_be_bytes());
    digest[19] = lie;
    digest
}

pub(super) struct Node {
    pub(super) session: Session,
    /// Bytes per second that it sends.
    pub(super) rate: u64,
    /// Whether it corrupts a block.
    pub(super) lies: fn(&Block) -> bool,
    ready: VecDeque<LinkId>,
    sending: bool,
    buffers: BTreeMap<u32, BTreeMap<u32, BlockDigest>>,
    /// Where the other end of a link is.
    pub(super) ends: BTreeMap<LinkId, (usize, LinkId)>,
    next_link: u32,
    pub(super) finished_us: Option<u64>,
    pub(super) banned: BTreeSet<Banned>,
    pub(super) closed: Vec<CloseReason>,
    pub(super) metadata: Option<Vec<u8>>,
    pub(super) sent: BTreeMap<&'static str, u32>,
    pub(super) stores: bool,
    pub(super) dialled: Vec<SocketAddr>,
}

enum Event {
    Message(usize, LinkId, Message),
    Begins(usize, LinkId, Block),
    Ends(usize, LinkId, Block, u8),
    Sent(usize, LinkId, Block),
    Closed(usize, LinkId),
}

pub(super) struct Net {
    pub(super) now_us: u64,
    pub(super) latency_us: u64,
    pub(super) nodes: Vec<Node>,
    queue: BTreeMap<(u64, u64), Event>,
    pushed: u64,
    /// One message in so many is lost, if not 0.
    pub(super) loss: u32,
    pub(super) rng: Xoshiro256PlusPlus,
    pub(super) dials: bool,
    receiving: BTreeMap<(usize, LinkId), bool>,
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::Request(_) => "request",
        Message::Cancel(_) => "cancel",
        Message::Have(_) => "have",
        Message::Unchoke => "unchoke",
        Message::Choke => "choke",
        Message::Reject(_) => "reject",
        Message::Extended { .. } => "extended",
        Message::KeepAlive => "keep-alive",
        _ => "other",
    }
}

impl Net {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now_us: 0,
            latency_us: 10_000,
            nodes: Vec::new(),
            queue: BTreeMap::new(),
            pushed: 0,
            loss: 0,
            rng: rng(seed),
            dials: false,
            receiving: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, session: Session, rate: u64) -> usize {
        self.nodes.push(Node {
            session,
            rate,
            lies: |_| false,
            ready: VecDeque::new(),
            sending: false,
            buffers: BTreeMap::new(),
            ends: BTreeMap::new(),
            next_link: 0,
            finished_us: None,
            banned: BTreeSet::new(),
            closed: Vec::new(),
            metadata: None,
            sent: BTreeMap::new(),
            stores: true,
            dialled: Vec::new(),
        });
        self.nodes.len() - 1
    }

    pub(super) fn config(&self) -> SessionConfig {
        let node = self.nodes.len();
        SessionConfig { peer_id: name(node), listen_port: 6881, ..SessionConfig::default() }
    }

    pub(super) fn add_seed(&mut self, torrent: &Torrent, rate: u64) -> usize {
        let all = PieceSet::full(torrent.geometry.pieces());
        self.add_with(torrent, all, rate, |_| {})
    }

    pub(super) fn add_leecher(&mut self, torrent: &Torrent, rate: u64) -> usize {
        self.add_with(torrent, PieceSet::empty(torrent.geometry.pieces()), rate, |_| {})
    }

    pub(super) fn add_with(
        &mut self,
        torrent: &Torrent,
        have: PieceSet,
        rate: u64,
        change: impl FnOnce(&mut SessionConfig),
    ) -> usize {
        let mut config = self.config();
        change(&mut config);
        let seed = self.nodes.len() as u64;
        self.add(Session::new(config, torrent.clone(), have, rng(seed), self.now_us), rate)
    }

    /// Connects two nodes: `a` dials `b`.
    pub(super) fn connect(&mut self, a: usize, b: usize) -> (LinkId, LinkId) {
        self.connect_as(a, b, Reserved::OURS)
    }

    pub(super) fn connect_as(
        &mut self,
        a: usize,
        b: usize,
        reserved: Reserved,
    ) -> (LinkId, LinkId) {
        self.open(a, b, reserved, HASH)
    }

    /// Connects `a`, who looks for `hash`, with `b`, whatever that has.
    pub(super) fn connect_hash(&mut self, a: usize, b: usize, hash: InfoHash) {
        self.open(a, b, Reserved::OURS, hash);
    }

    fn open(&mut self, a: usize, b: usize, reserved: Reserved, hash: InfoHash) -> (LinkId, LinkId) {
        let now_us = self.now_us;
        let [at_a, at_b] = [a, b].map(|n| {
            let link = LinkId(self.nodes[n].next_link);
            self.nodes[n].next_link += 1;
            link
        });
        for (me, link, other, incoming) in [(a, at_a, b, false), (b, at_b, a, true)] {
            let far = if incoming { at_a } else { at_b };
            self.nodes[me].ends.insert(link, (other, far));
            let info_hash = if incoming { HASH } else { hash };
            let handshake = Handshake { reserved, info_hash, peer_id: name(other) };
            let at = addr(other);
            self.nodes[me].session.link_opened(link, at, incoming, &handshake, false, now_us);
        }
        self.drain(a);
        self.drain(b);
        (at_a, at_b)
    }

    fn push(&mut self, at_us: u64, event: Event) {
        self.pushed += 1;
        self.queue.insert((at_us, self.pushed), event);
    }

    pub(super) fn drain(&mut self, node: usize) {
        while let Some(effect) = self.nodes[node].session.poll_effect() {
            self.carry_out(node, effect);
        }
    }

    fn carry_out(&mut self, node: usize, effect: Effect) {
        let (now_us, at_us) = (self.now_us, self.now_us + self.latency_us);
        let nodes = self.nodes.len();
        let me = &mut self.nodes[node];
        match effect {
            Effect::Send { link, message } => {
                *me.sent.entry(kind(&message)).or_default() += 1;
                let Some(&(other, far)) = me.ends.get(&link) else { return };
                let lost = self.loss > 0 && draw::below(&mut self.rng, self.loss) == 0;
                if !lost {
                    self.push(at_us, Event::Message(other, far, message));
                }
            }
            Effect::UploadReady { link } => {
                if !me.ready.contains(&link) {
                    me.ready.push_back(link);
                }
                self.pump(node);
            }
            Effect::Close { link, reason } => {
                me.closed.push(reason);
                if let Some((other, far)) = me.ends.remove(&link) {
                    self.push(at_us, Event::Closed(other, far));
                }
            }
            Effect::Check { piece, digests } => self.check(node, piece, digests),
            Effect::Forget { piece } => {
                me.buffers.remove(&piece);
            }
            Effect::Finished => me.finished_us = Some(now_us),
            Effect::Ban(banned) => {
                me.banned.insert(banned);
            }
            Effect::MetadataComplete(info) => me.metadata = Some(info),
            Effect::Connect(to) => {
                me.dialled.push(to);
                let SocketAddr::V4(v4) = to else { return };
                let ip = v4.ip().octets();
                let other = usize::from(ip[2]) << 8 | usize::from(ip[3]);
                if self.dials && other < nodes && other != node {
                    self.connect(node, other);
                } else if self.dials {
                    me.session.connect_failed(to, now_us);
                }
            }
            Effect::WantPeers | Effect::DhtNode(_) => {}
        }
    }

    fn check(&mut self, node: usize, piece: u32, asked: bool) {
        let now_us = self.now_us;
        let me = &mut self.nodes[node];
        let blocks = me.buffers.remove(&piece).unwrap_or_default();
        let geometry = me.session.torrent().unwrap().geometry;
        assert_eq!(blocks.len() as u32, geometry.blocks_in(piece), "all blocks are in the buffer");
        let good = blocks.values().all(|digest| digest[19] == 0);
        let digests: Vec<BlockDigest> = blocks.into_values().collect();
        let verdict = match (good, asked) {
            (true, false) => Verdict::GOOD,
            (true, true) => Verdict::Good { digests },
            (false, _) => Verdict::Bad { digests },
        };
        me.session.piece_checked(piece, verdict, now_us);
        if good && me.stores {
            me.session.piece_stored(piece, now_us);
        } else if good {
            me.session.store_failed(piece, StoreError::Full, now_us);
        }
    }

    fn pump(&mut self, node: usize) {
        let now_us = self.now_us;
        let me = &mut self.nodes[node];
        if me.sending {
            return;
        }
        while let Some(link) = me.ready.pop_front() {
            let Some(block) = me.session.next_upload(link, now_us) else { continue };
            let Some(&(other, far)) = me.ends.get(&link) else { continue };
            me.sending = true;
            me.ready.push_back(link);
            let lie = if (me.lies)(&block) { 1 + node as u8 } else { 0 };
            let takes_us = (u64::from(block.len) * SECOND_US / me.rate).max(1);
            let latency_us = self.latency_us;
            self.push(now_us + latency_us, Event::Begins(other, far, block));
            self.push(now_us + takes_us, Event::Sent(node, link, block));
            self.push(now_us + takes_us + latency_us, Event::Ends(other, far, block, lie));
            return;
        }
    }

    fn handle(&mut self, event: Event) {
        let now_us = self.now_us;
        let node = match event {
            Event::Message(node, link, message) => {
                if self.nodes[node].ends.contains_key(&link) {
                    self.nodes[node].session.message(link, message, now_us);
                }
                node
            }
            Event::Begins(node, link, block) => {
                if self.nodes[node].ends.contains_key(&link) {
                    let admission = self.nodes[node].session.block_begins(link, block, now_us);
                    self.receiving.insert((node, link), admission == Admission::Receive);
                }
                node
            }
            Event::Ends(node, link, block, lie) => {
                let receives = self.receiving.remove(&(node, link)) == Some(true);
                if receives && self.nodes[node].ends.contains_key(&link) {
                    let buffer = self.nodes[node].buffers.entry(block.piece).or_default();
                    buffer.insert(block.begin, digest(&block, lie));
                    self.nodes[node].session.block_received(link, block, now_us);
                }
                node
            }
            Event::Sent(node, link, block) => {
                self.nodes[node].sending = false;
                self.nodes[node].session.upload_done(link, block, now_us);
                self.pump(node);
                node
            }
            Event::Closed(node, link) => {
                if self.nodes[node].ends.remove(&link).is_some() {
                    self.nodes[node].session.link_closed(link, now_us);
                }
                node
            }
        };
        self.drain(node);
    }

    /// Breaks a connection at both ends.
    pub(super) fn break_link(&mut self, node: usize, link: LinkId) {
        if let Some((other, far)) = self.nodes[node].ends.remove(&link) {
            self.nodes[node].session.link_closed(link, self.now_us);
            self.push(self.now_us + self.latency_us, Event::Closed(other, far));
            self.drain(node);
        }
    }

    /// Runs until `end_us`, or `done`.
    pub(super) fn run(&mut self, end_us: u64, mut done: impl FnMut(&Self) -> bool) {
        loop {
            let wakes = self.nodes.iter().enumerate();
            let wake = wakes.filter_map(|(n, node)| Some((node.session.next_wake_us()?, n))).min();
            let next = self.queue.first_key_value().map(|(key, _)| key.0);
            let at_us = match (wake, next) {
                (None, None) => return,
                (wake, next) => wake.map_or(u64::MAX, |w| w.0).min(next.unwrap_or(u64::MAX)),
            };
            if at_us > end_us || done(self) {
                return;
            }
            self.now_us = self.now_us.max(at_us);
            if next.is_some_and(|next_us| next_us <= at_us) {
                if let Some((_, event)) = self.queue.pop_first() {
                    self.handle(event);
                }
            } else if let Some((_, node)) = wake {
                self.nodes[node].session.wake(self.now_us);
                self.drain(node);
            }
            for node in &self.nodes {
                node.session.check();
            }
        }
    }
}
