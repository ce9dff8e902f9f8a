//! The two traits that make an overlay.

use core::fmt;
use std::sync::Arc;

use super::about::{About, SearchPower};
use super::addr::Addr;
use super::census::Census;
use super::context::Cx;
use super::footprint::Footprint;
use super::item::{Item, Query};
use super::key::Key;
use super::operation::{OpId, Outcome};
use super::parameters::Parameters;
use super::rng::Rng;
use super::wire::Wire;

/// A node's state machine: what a host drives.
///
/// A machine reads nothing but its own state, its arguments and the context.
/// Input from the network may be hostile; a machine drops what it cannot use
/// and never panics on it.
pub trait Machine: Sized {
    /// Everything it says to other nodes.
    type Message: Wire;
    /// What it wants to be woken for. Kept in every pending timer, so at most
    /// eight bytes.
    type Timer: Copy + fmt::Debug + Send + 'static;

    /// A message came from `from`.
    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Self::Message);

    /// A timer asked for earlier is due. Timers are never cancelled: one that
    /// no longer matters finds nothing to do and returns.
    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Self::Timer);

    /// A stream to `peer` broke, was closed by it, or could not be opened.
    /// Whatever was sent on it may not have arrived.
    fn on_lost(&mut self, cx: &mut Cx<'_, Self>, peer: Addr) {
        let _ = (cx, peer);
    }

    /// Reads a little of the memory that the next call will need, such as the
    /// first entry of a table on the heap, and does nothing with it. A host of
    /// very many machines calls this shortly before a call, so that the wait
    /// for memory overlaps with other work. Doing nothing is always right.
    fn warm(&self) {}

    /// Like [`Machine::warm`], a little later and for one message: what `warm`
    /// fetched has come by now, and can be followed to where it points.
    fn warm_for(&self, message: &Self::Message) {
        let _ = message;
    }

    /// How a message travels.
    fn transport(message: &Self::Message) -> Transport {
        let _ = message;
        Transport::Datagram
    }
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Alone; it may be lost, overtaken, or sent to nobody, in silence (UDP).
    Datagram,
    /// On the stream to that peer, opened by the first message; in order, and
    /// reported through [`Machine::on_lost`] when it breaks (TCP).
    Stream,
}

/// What kind of node this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// A peer: it has a user who shares and searches.
    #[default]
    Peer,
    /// Dedicated infrastructure, such as Napster's index server.
    Server,
}

/// What a node is like, as its host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The node's address: what others see as the sender of its messages.
    pub addr: Addr,
    /// The identifier that a structured overlay uses; SHA-1 of the address
    /// unless the experiment sets another.
    pub id: Key,
    /// Peer or server.
    pub role: Role,
    /// Whether others cannot open a connection to it.
    pub firewalled: bool,
    /// Upstream capacity in bits per second.
    pub upload_bps: u64,
    /// Downstream capacity in bits per second.
    pub download_bps: u64,
}

impl Profile {
    /// An unremarkable peer at `addr`: reachable, 1 Mb/s up, 10 Mb/s down.
    pub fn peer(addr: Addr) -> Self {
        Self {
            addr,
            id: addr.key(),
            role: Role::Peer,
            firewalled: false,
            upload_bps: 1_000_000,
            download_bps: 10_000_000,
        }
    }

    /// A server at `addr`: reachable, 1 Gb/s both ways.
    pub fn server(addr: Addr) -> Self {
        Self {
            role: Role::Server,
            upload_bps: 1_000_000_000,
            download_bps: 1_000_000_000,
            ..Self::peer(addr)
        }
    }

    /// The same with another identifier.
    #[must_use]
    pub const fn with_id(mut self, id: Key) -> Self {
        self.id = id;
        self
    }
}

/// An overlay network, as seen from one node: the five verbs of the lab and
/// what is needed to measure it.
///
/// Each verb takes an operation id and ends in exactly one
/// [`Cx::finish`] for that id, sooner or later, on the node where it was
/// called (the host ends it when the node goes down first).
pub trait Overlay: Machine + Send + 'static {
    /// Name, source and theory.
    const ABOUT: About;

    /// Whether its peers reach each other through firewalls in a way that the
    /// lab takes for granted, such as hole punching. Real sockets then let
    /// connections to them through.
    const PUNCHES_HOLES: bool = false;

    /// Its parameters, with the defaults of its paper.
    type Config: Parameters;

    /// A converged network, computed once for all nodes: what
    /// [`Overlay::settle`] reads and the harness judges locates by. `()` when
    /// the overlay cannot start converged.
    type Blueprint: Send + Sync;

    /// A node that has not joined anything yet.
    fn new(config: &Arc<Self::Config>, profile: &Profile) -> Self;

    /// Enters the network through `via`, known members. With none, the node
    /// founds the network (a server starts serving). Items inserted before are
    /// announced on the way in. Ends in `Done` or `Failed`.
    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]);

    /// Leaves politely: hands over what others need. Ends in `Done`; the host
    /// then stops the node.
    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId);

    /// Shares `item` from this node. Ends in `Done` or `Failed`. Before
    /// `join`, it takes note, ends in `Done`, and `join` announces the item.
    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>);

    /// Stops sharing the item with this key from this node. Ends in `Done`,
    /// `NotFound` if it was not shared here, or `Failed`.
    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key);

    /// Looks for items and their providers. Ends in `Found`, `NotFound`,
    /// `Unsupported` or `Failed`. An overlay that learns of hits one by one
    /// reports each with [`Cx::answer`] as it comes.
    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query);

    /// Finds the node responsible for `key`, without asking it for anything:
    /// the bare lookup of a structured overlay. Ends in `Located`, `Failed`,
    /// or `Unsupported` where no node is responsible for keys.
    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        let _ = key;
        cx.finish(op, Outcome::Unsupported);
    }

    /// What this node keeps. Pure.
    fn footprint(&self) -> Footprint;

    /// The other nodes it keeps contact details of: its edges of the overlay
    /// graph. Pure; may repeat itself.
    fn neighbours(&self, visit: &mut dyn FnMut(Addr));

    /// Which searches the overlay answers, as configured.
    fn search_power(config: &Self::Config) -> SearchPower;

    /// How many dedicated servers the network needs beside its peers.
    fn servers(config: &Self::Config) -> u32 {
        let _ = config;
        0
    }

    /// What the server at `place`, counted from 0, is: a word for command
    /// lines. Servers of one kind do the same work.
    fn server_kind(config: &Self::Config, place: u32) -> &'static str {
        let _ = (config, place);
        "server"
    }

    /// The converged network of everyone in the census, or `None` when this
    /// overlay only starts by joining. Takes the census by value, since at a
    /// million nodes two copies would count.
    fn blueprint(config: &Self::Config, census: Census, rng: &mut Rng) -> Option<Self::Blueprint> {
        let _ = (config, census, rng);
        None
    }

    /// Takes this node's place in the converged network, items and upkeep
    /// timers included, as if it had joined long ago.
    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Self::Blueprint) {
        let _ = (cx, blueprint);
    }

    /// The node responsible for `key` in a converged network, for the harness
    /// to judge a locate by.
    fn owner(blueprint: &Self::Blueprint, key: &Key) -> Option<Addr> {
        let _ = (blueprint, key);
        None
    }

    /// The invariants that the overlay promises over a whole network at rest,
    /// each violation in one sentence. Called by the harness on all live
    /// nodes, never by protocol code.
    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        let _ = nodes;
        Vec::new()
    }
}
