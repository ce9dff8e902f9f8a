//! The DHT node inside a client, and the one that others start from.
//!
//! A client is a tracker client and a node of the Mainline DHT at once (BEP 5),
//! as real ones are. The node is the machine of [`crate::mainline`], unchanged;
//! this module carries its effects out in BitTorrent's messages and timers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Message;
use super::{BitTorrent, Context, Timer};
use crate::mainline::Mainline;
use crate::seam::{
    Action, Addr, Cause, Cx, Footprint, Item, Key, Machine as _, OpId, Outcome, Overlay as _,
    Profile,
};

/// What an errand of the DHT is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// To get in.
    Join,
    /// To be known to have a torrent.
    Announce(Key),
    /// To find peers for a search.
    Find {
        /// The search.
        search: u32,
        /// The torrent.
        info_hash: Key,
    },
    /// Nobody waits for the end.
    Forget,
}

/// An errand that ended.
#[derive(Debug)]
pub struct Ended {
    /// What it was for.
    pub errand: Errand,
    /// How it ended.
    pub outcome: Outcome,
    /// On whose behalf.
    pub cause: Cause,
}

/// A node of the Mainline DHT and what it was asked to do.
#[derive(Debug)]
pub struct Dht {
    profile: Profile,
    node: Box<Mainline>,
    /// Errands under way, by a number that is an operation to the node.
    errands: BTreeMap<u32, Errand>,
    last: u32,
}

impl Dht {
    /// A node that has not joined.
    pub fn new(profile: &Profile) -> Self {
        let config = Arc::new(<Mainline as crate::Overlay>::Config::default());
        Self {
            profile: *profile,
            node: Box::new(Mainline::new(&config, profile)),
            errands: BTreeMap::new(),
            last: 0,
        }
    }

    /// The node, to look at.
    pub const fn node(&self) -> &Mainline {
        &self.node
    }

    /// Whether it is neither in the DHT nor on its way.
    pub fn is_out(&self) -> bool {
        !self.node.has_joined() && !self.errands.values().any(|&errand| errand == Errand::Join)
    }

    /// Leaves without a word, as Mainline's nodes do.
    pub fn leave(&mut self) {
        *self = Self::new(&self.profile);
    }

    /// Asks the node to do something for `errand`; what ended by that is
    /// returned, which may be this errand.
    pub fn ask(
        &mut self,
        cx: &mut Context<'_>,
        errand: Errand,
        run: impl FnOnce(&mut Mainline, &mut Cx<'_, Mainline>, OpId),
    ) -> Vec<Ended> {
        self.last = self.last.wrapping_add(1).max(1);
        let op = OpId(self.last);
        self.errands.insert(op.0, errand);
        self.call(cx, |node, cx| run(node, cx, op))
    }

    /// Calls the node and returns the errands that ended by that.
    pub fn call(
        &mut self,
        cx: &mut Context<'_>,
        run: impl FnOnce(&mut Mainline, &mut Cx<'_, Mainline>),
    ) -> Vec<Ended> {
        let Self { node, errands, .. } = self;
        let mut ended = Vec::new();
        let carry = |cx: &mut Context<'_>, action: Action<Mainline>| match action {
            Action::Send { to, message } => cx.send(to, Message::Dht(Box::new(message))),
            Action::Wake { after, timer } => cx.wake(after, Timer::Dht(timer)),
            Action::Upkeep { after, timer } => cx.wake_upkeep(after, Timer::Dht(timer)),
            Action::Finish { op, outcome } => {
                if let Some(errand) = errands.remove(&op.0) {
                    ended.push(Ended { errand, outcome, cause: cx.cause() });
                }
            }
            Action::Close { peer } => cx.close(peer),
            Action::Note(note) => cx.note(|| note),
            // What it finds are candidates; a handshake makes them answers.
            Action::Answer { .. } => {}
        };
        cx.embed::<Mainline, _>(|cx| run(node, cx), carry);
        ended
    }

    /// A message from another node of the DHT.
    pub fn on_message(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        message: DhtMessage,
    ) -> Vec<Ended> {
        self.call(cx, |node, cx| node.on_message(cx, from, message))
    }

    /// A timer of the node is due.
    pub fn on_timer(&mut self, cx: &mut Context<'_>, timer: DhtTimer) -> Vec<Ended> {
        self.call(cx, |node, cx| node.on_timer(cx, timer))
    }

    /// Enters the DHT through a node that is in it; without one, founds it.
    pub fn join(&mut self, cx: &mut Context<'_>, via: &[Addr]) -> Vec<Ended> {
        self.ask(cx, Errand::Join, |node, cx, op| node.join(cx, op, via))
    }

    /// Announces that this client has a torrent.
    pub fn announce(&mut self, cx: &mut Context<'_>, item: &Arc<Item>) -> Vec<Ended> {
        let key = item.key();
        self.ask(cx, Errand::Announce(key), |node, cx, op| node.announce(cx, op, key, item))
    }

    /// Stops announcing a torrent. What others keep expires.
    pub fn withdraw(&mut self, cx: &mut Context<'_>, key: Key) -> Vec<Ended> {
        self.ask(cx, Errand::Forget, |node, cx, op| node.delete(cx, op, &key))
    }

    /// Looks for up to `limit` peers of a torrent.
    pub fn find(
        &mut self,
        cx: &mut Context<'_>,
        search: u32,
        info_hash: Key,
        limit: u16,
    ) -> Vec<Ended> {
        // The DHT tells addresses only; what they have is seen later.
        let unknown = Arc::new(Item::new("", 0));
        self.ask(cx, Errand::Find { search, info_hash }, |node, cx, op| {
            node.providers(cx, op, info_hash, &unknown, limit);
        })
    }

    /// Takes its place in a converged DHT.
    pub fn settle(&mut self, cx: &mut Context<'_>, blueprint: &DhtBlueprint) {
        self.call(cx, |node, cx| node.settle(cx, blueprint));
    }

    /// Contacts, records and memory of the node.
    pub fn footprint(&self) -> Footprint {
        self.node.footprint()
    }

    /// The contacts of the node.
    pub fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.node.neighbours(visit);
    }
}

/// What the DHT's nodes say.
pub type DhtMessage = <Mainline as crate::Machine>::Message;
/// What they want to be woken for.
pub type DhtTimer = <Mainline as crate::Machine>::Timer;
/// A converged DHT.
pub type DhtBlueprint = <Mainline as crate::Overlay>::Blueprint;

impl BitTorrent {
    /// The DHT node inside, if there is one that takes part.
    pub(super) fn dht(&self) -> Option<&Mainline> {
        match self {
            Self::Server(server) => match &**server {
                super::Server::Router(dht) => Some(dht.node()),
                _ => None,
            },
            Self::Client(client) => client.dht.as_ref().map(|dht| dht.node()),
        }
    }
}
