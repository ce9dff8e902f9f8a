//! A swarm of transfer sessions, simulated.
//!
//! The sessions are those that run over sockets, unchanged. What is modelled
//! here is their hosts: an access link with a rate up and a rate down, a latency
//! between any two, a tracker that names random nodes.
//!
//! The uplink sends one block at a time and serves the connections that have
//! something to send in turn, so each gets a fair share. At the other end blocks
//! wait for the downlink in the order in which they come. Messages without a
//! block take the latency and no room. Every block is thus three events,
//! however many nodes there are.

mod node;
mod outcome;
mod plan;
pub mod questions;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use overlays::{Addr, Rng, Stream, Time};
use transfer::session::{
    Admission, Banned, Effect, LinkId, SECOND_US, Session, SessionConfig, Source, Torrent, Verdict,
};
use transfer::wire::{Handshake, Message, Reserved};
use transfer::{Block, InfoHash, PeerId, PieceSet};

pub use outcome::{NodeOutcome, Outcome};
pub use plan::{Leave, NodePlan, SwarmPlan};

use crate::sim::TraceHash;
use crate::sim::queue::EventQueue;
use crate::workload::draw;
use node::{Node, Parcel};

const INFO_HASH: InfoHash = InfoHash(*b"a simulated torrent ");
/// Of the first node; each is in a network of its own, since what a newcomer may
/// have although it is choked follows from that (BEP 6).
const FIRST_IP: u32 = 0x5000_0000;
const PORT: u16 = 6881;

#[derive(Clone, Copy, Debug)]
enum Event {
    Joins(u32),
    Wakes(u32),
    /// A connection is set up.
    Dials(u32, u32),
    /// A message, by its place, comes to a node over a link.
    Message(u32, LinkId, u32),
    /// A block has left the uplink of a node.
    Sent(u32, LinkId, Block),
    /// A block reaches the downlink of a node.
    Reaches(u32, Parcel),
    /// It has passed the downlink.
    Arrives(u32, bool),
    Closed(u32, LinkId),
}

/// A swarm of transfer sessions.
#[derive(Debug)]
pub struct Swarm {
    plan: SwarmPlan,
    nodes: Vec<Node>,
    queue: EventQueue<Event>,
    /// Messages on their way, and unused places among them.
    messages: Vec<Option<Message>>,
    unused: Vec<u32>,
    now_us: u64,
    rng: Rng,
    trace: TraceHash,
    deliveries: u64,
}

impl Swarm {
    /// A swarm before its first event.
    #[must_use]
    pub fn new(plan: SwarmPlan) -> Self {
        let nodes: Vec<Node> = plan.nodes.iter().cloned().map(Node::new).collect();
        let mut queue = EventQueue::new();
        for (n, node) in plan.nodes.iter().enumerate() {
            queue.push(Time::from_us(node.joins_us), Event::Joins(n as u32));
        }
        let rng = Stream::Network.rng(plan.seed);
        Self {
            plan,
            nodes,
            queue,
            messages: Vec::new(),
            unused: Vec::new(),
            now_us: 0,
            rng,
            trace: TraceHash::default(),
            deliveries: 0,
        }
    }

    /// Runs to `end_us`, or until every node that is still there has
    /// everything.
    pub fn run(&mut self, end_us: u64) -> Outcome {
        while let Some((at, event)) = self.queue.pop_until(Time::from_us(end_us)) {
            self.now_us = at.as_us();
            self.handle(event);
            let arrived = matches!(event, Event::Arrives(..));
            if arrived && self.nodes.iter().all(|node| node.finished_us.is_some()) {
                break;
            }
        }
        self.outcome()
    }

    /// Of each piece, how many nodes that are online have it.
    #[must_use]
    pub fn copies(&self) -> Vec<u32> {
        let mut copies = vec![0; self.plan.geometry.pieces() as usize];
        let online = self.nodes.iter().filter(|node| node.online);
        for have in online.filter_map(|node| node.session.as_ref()?.have()) {
            have.iter().for_each(|piece| copies[piece as usize] += 1);
        }
        copies
    }

    /// Whether a node has joined and not left.
    #[must_use]
    pub fn is_online(&self, node: usize) -> bool {
        self.nodes[node].online || self.nodes[node].session.is_none()
    }

    /// How many nodes beside these `node` has banned.
    #[must_use]
    pub fn banned_beside(&self, node: usize, these: &[u32]) -> u32 {
        let these = |banned: &Banned| {
            these.iter().any(|&other| match *banned {
                Banned::Address(ip) => ip == address(other).ip(),
                Banned::Port(addr) => addr.ip() == address(other).ip(),
            })
        };
        self.nodes[node].banned.iter().filter(|banned| !these(banned)).count() as u32
    }

    /// The session of a node, once it has joined.
    #[must_use]
    pub fn session(&self, node: usize) -> Option<&Session> {
        self.nodes[node].session.as_ref()
    }

    fn outcome(&self) -> Outcome {
        let of = |node: &Node| {
            let traffic = node.session.as_ref().map(|session| session.traffic(self.now_us));
            let traffic = traffic.unwrap_or_default();
            let have = node.session.as_ref().and_then(Session::have).map_or(0, PieceSet::count);
            NodeOutcome {
                finished_us: node.finished_us,
                have,
                polluted: node.rotten.len() as u32,
                downloaded: traffic.downloaded,
                uploaded: traffic.uploaded,
                duplicate: traffic.duplicate,
                bad: traffic.bad,
                banned: node.banned.len() as u32,
            }
        };
        Outcome {
            nodes: self.nodes.iter().map(of).collect(),
            end_us: self.now_us,
            deliveries: self.deliveries,
            trace: self.trace,
        }
    }

    fn push(&mut self, delay_us: u64, event: Event) {
        self.queue.push(Time::from_us(self.now_us + delay_us), event);
    }

    fn delivered(&mut self, to: u32, link: LinkId, kind: usize, bytes: usize) {
        self.deliveries += 1;
        let at = Time::from_us(self.now_us);
        self.trace.delivery(at, Addr::from_index(link.0), to, kind, bytes);
    }

    fn handle(&mut self, event: Event) {
        let now_us = self.now_us;
        let n = match event {
            Event::Joins(n) => {
                self.join(n);
                n
            }
            Event::Wakes(n) => {
                let node = &mut self.nodes[n as usize];
                if node.wake_us != Some(now_us) {
                    return;
                }
                node.wake_us = None;
                if let Some(session) = &mut node.session {
                    session.wake(now_us);
                }
                n
            }
            Event::Dials(from, to) => {
                self.connect(from, to);
                self.drain(to);
                from
            }
            Event::Message(n, link, place) => {
                self.unused.push(place);
                let Some(message) = self.messages[place as usize].take() else { return };
                if self.nodes[n as usize].end(link).is_none() {
                    return;
                }
                self.delivered(n, link, kind(&message), 0);
                if let Some(session) = &mut self.nodes[n as usize].session {
                    session.message(link, message, now_us);
                }
                n
            }
            Event::Sent(n, link, block) => {
                self.sent(n, link, block);
                n
            }
            Event::Reaches(n, parcel) => {
                self.nodes[n as usize].inbox.push_back(parcel);
                if self.nodes[n as usize].inbox.len() == 1 {
                    self.receive(n);
                }
                n
            }
            Event::Arrives(n, kept) => {
                self.arrives(n, kept);
                n
            }
            Event::Closed(n, link) => {
                let node = &mut self.nodes[n as usize];
                if let (Some(end), Some(session)) =
                    (node.ends.get_mut(link.0 as usize), &mut node.session)
                    && end.take().is_some()
                {
                    session.link_closed(link, now_us);
                }
                n
            }
        };
        self.drain(n);
    }

    fn join(&mut self, n: u32) {
        let pieces = self.plan.geometry.pieces();
        let torrent = Torrent {
            info_hash: INFO_HASH,
            geometry: self.plan.geometry,
            private: false,
            info: Arc::from([]),
        };
        let rng = Stream::Protocol.rng_of(self.plan.seed, u64::from(n));
        let node = &mut self.nodes[n as usize];
        let config =
            SessionConfig { peer_id: name(n), listen_port: PORT, ..node.plan.config.clone() };
        let have = if node.plan.seed { PieceSet::full(pieces) } else { PieceSet::empty(pieces) };
        node.session = Some(Session::new(config, torrent, have, rng, self.now_us));
        node.online = true;
        self.announce(n);
    }

    /// The tracker names random nodes that are online.
    fn announce(&mut self, n: u32) {
        let online = self.nodes.iter().enumerate().filter(|(_, node)| node.online);
        let mut others: Vec<u32> =
            online.map(|(other, _)| other as u32).filter(|&other| other != n).collect();
        let gives = self.plan.tracker_gives.min(others.len());
        for place in 0..gives {
            let left = (others.len() - place) as u64;
            let drawn = place + draw::below(&mut self.rng, left) as usize;
            others.swap(place, drawn);
        }
        if let Some(session) = &mut self.nodes[n as usize].session {
            for &other in &others[..gives] {
                session.peer_found(address(other), Source::Tracker, self.now_us);
            }
        }
    }

    fn connect(&mut self, from: u32, to: u32) {
        let now_us = self.now_us;
        let there = self.nodes.get(to as usize).is_some_and(|node| node.online);
        if !there || !self.nodes[from as usize].online {
            if let Some(session) = &mut self.nodes[from as usize].session {
                session.connect_failed(address(to), now_us);
            }
            return;
        }
        let link_of = |node: &Node| LinkId(node.ends.len() as u32);
        let at_from = link_of(&self.nodes[from as usize]);
        let at_to = link_of(&self.nodes[to as usize]);
        for (n, link, other, far) in [(to, at_to, from, at_from), (from, at_from, to, at_to)] {
            let node = &mut self.nodes[n as usize];
            node.ends.push(Some((other, far)));
            let peer_id = name(other);
            let handshake = Handshake { reserved: Reserved::OURS, info_hash: INFO_HASH, peer_id };
            if let Some(session) = &mut node.session {
                session.link_opened(link, address(other), n == to, &handshake, false, now_us);
            }
        }
    }

    /// Carries out what a session wants, and sees to its next waking.
    fn drain(&mut self, n: u32) {
        while let Some(effect) =
            self.nodes[n as usize].session.as_mut().and_then(Session::poll_effect)
        {
            self.carry_out(n, effect);
        }
        let node = &mut self.nodes[n as usize];
        let next = node.session.as_ref().and_then(Session::next_wake_us);
        if let Some(at_us) = next
            && node.online
            && node.wake_us.is_none_or(|set_us| at_us < set_us)
        {
            let at_us = at_us.max(self.now_us);
            node.wake_us = Some(at_us);
            self.queue.push(Time::from_us(at_us), Event::Wakes(n));
        }
    }

    fn carry_out(&mut self, n: u32, effect: Effect) {
        let (now_us, latency_us) = (self.now_us, self.plan.latency_us);
        let node = &mut self.nodes[n as usize];
        match effect {
            Effect::Send { link, message } => {
                let Some((other, far)) = node.end(link) else { return };
                let place = self.unused.pop().unwrap_or_else(|| {
                    self.messages.push(None);
                    self.messages.len() as u32 - 1
                });
                self.messages[place as usize] = Some(message);
                self.push(latency_us, Event::Message(other, far, place));
            }
            Effect::UploadReady { link } => {
                if !node.ready.contains(&link) {
                    node.ready.push_back(link);
                }
                self.send(n);
            }
            Effect::Close { link, .. } => {
                if let Some((other, far)) =
                    node.ends.get_mut(link.0 as usize).and_then(Option::take)
                {
                    self.push(latency_us, Event::Closed(other, far));
                }
            }
            Effect::Check { piece, digests } => self.check(n, piece, digests),
            Effect::Forget { piece } => {
                node.suspect.remove(&piece);
            }
            Effect::Finished => {
                node.finished_us = Some(now_us);
                if node.plan.leaves == Leave::WhenFinished && !node.plan.seed {
                    self.leave(n);
                }
            }
            Effect::Ban(banned) => {
                node.banned.insert(banned);
            }
            Effect::Connect(addr) => {
                if let Some(to) = node_at(addr) {
                    // The connection's and the protocol's handshake.
                    self.push(4 * latency_us, Event::Dials(n, to));
                }
            }
            Effect::WantPeers => self.announce(n),
            Effect::MetadataComplete(_) | Effect::DhtNode(_) => {}
        }
    }

    fn leave(&mut self, n: u32) {
        let node = &mut self.nodes[n as usize];
        node.online = false;
        if let Some(session) = &mut node.session {
            session.stop(self.now_us);
        }
    }

    /// What the hash of a piece says.
    fn check(&mut self, n: u32, piece: u32, asked: bool) {
        let (now_us, verify) = (self.now_us, self.plan.verify);
        let blocks = self.plan.geometry.blocks_in(piece);
        let node = &mut self.nodes[n as usize];
        let bad = node.suspect.contains_key(&piece);
        let verdict = match (bad && verify, asked) {
            (true, _) => Verdict::Bad { digests: node.digests(piece, blocks) },
            (false, true) => Verdict::Good { digests: node.digests(piece, blocks) },
            (false, false) => Verdict::GOOD,
        };
        if let Some(rot) = node.suspect.remove(&piece)
            && !verify
        {
            node.rotten.insert(piece, rot);
        }
        if let Some(session) = &mut node.session {
            session.piece_checked(piece, verdict, now_us);
            session.piece_stored(piece, now_us);
        }
    }

    /// Puts the next block on the uplink, if that is free.
    fn send(&mut self, n: u32) {
        let now_us = self.now_us;
        let node = &mut self.nodes[n as usize];
        while !node.sending
            && node.online
            && let Some(link) = node.ready.pop_front()
        {
            let Some(session) = &mut node.session else { return };
            let Some(block) = session.next_upload(link, now_us) else { continue };
            node.ready.push_back(link);
            node.sending = true;
            let takes_us = (u64::from(block.len) * SECOND_US).div_ceil(node.plan.up.max(1));
            self.push(takes_us, Event::Sent(n, link, block));
            return;
        }
    }

    fn sent(&mut self, n: u32, link: LinkId, block: Block) {
        let (now_us, latency_us) = (self.now_us, self.plan.latency_us);
        let node = &mut self.nodes[n as usize];
        node.sending = false;
        node.sent += u64::from(block.len);
        if let Some(session) = &mut node.session {
            session.upload_done(link, block, now_us);
        }
        let lies_one_in = node.plan.lies_one_in;
        let lies = lies_one_in > 0 && draw::below(&mut self.rng, u64::from(lies_one_in)) == 0;
        let lie = if lies { n + 1 } else { node.rot(&block) };
        let left = matches!(node.plan.leaves, Leave::AfterSending(most) if node.sent >= most);
        if let Some((other, far)) = node.end(link) {
            let parcel = Parcel { link: far, block, lie };
            self.push(latency_us, Event::Reaches(other, parcel));
        }
        if left {
            self.leave(n);
        } else {
            self.send(n);
        }
    }

    /// The first block of the inbox begins to pass the downlink.
    fn receive(&mut self, n: u32) {
        let now_us = self.now_us;
        let node = &mut self.nodes[n as usize];
        while let Some(&parcel) = node.inbox.front() {
            let admission = match &mut node.session {
                Some(session)
                    if node.ends.get(parcel.link.0 as usize).is_some_and(Option::is_some) =>
                {
                    session.block_begins(parcel.link, parcel.block, now_us)
                }
                _ => Admission::Refuse,
            };
            if admission == Admission::Refuse {
                node.inbox.pop_front();
                continue;
            }
            let takes_us = u64::from(parcel.block.len) * SECOND_US;
            let takes_us = takes_us.div_ceil(node.plan.down.max(1));
            self.push(takes_us, Event::Arrives(n, admission == Admission::Receive));
            return;
        }
    }

    fn arrives(&mut self, n: u32, kept: bool) {
        let now_us = self.now_us;
        let node = &mut self.nodes[n as usize];
        let Some(Parcel { link, block, lie }) = node.inbox.pop_front() else { return };
        if kept
            && node.end(link).is_some()
            && let Some(session) = &mut node.session
        {
            if lie != 0 {
                node.suspect.entry(block.piece).or_default().insert(block.begin, lie);
            } else if let Some(bad) = node.suspect.get_mut(&block.piece) {
                // What a broken connection left here is overwritten.
                bad.remove(&block.begin);
                if bad.is_empty() {
                    node.suspect.remove(&block.piece);
                }
            }
            session.block_received(link, block, now_us);
            self.delivered(n, link, BLOCK_KIND, block.len as usize);
        }
        self.receive(n);
    }
}

const BLOCK_KIND: usize = 7;

/// The number of a message on the wire, for the trace.
fn kind(message: &Message) -> usize {
    let mut bytes = Vec::new();
    match message {
        Message::Bitfield(_) => 5,
        Message::Extended { .. } => 20,
        small => {
            small.encode(&mut bytes);
            bytes.get(4).copied().map_or(255, usize::from)
        }
    }
}

fn name(n: u32) -> PeerId {
    let mut name = *b"-OL0100-000000000000";
    name[16..].copy_from_slice(&n.to_be_bytes());
    PeerId(name)
}

fn address(n: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from(FIRST_IP + (n << 8)), PORT))
}

fn node_at(addr: SocketAddr) -> Option<u32> {
    match addr {
        SocketAddr::V4(v4) => u32::from(*v4.ip()).checked_sub(FIRST_IP).map(|ip| ip >> 8),
        SocketAddr::V6(_) => None,
    }
}
