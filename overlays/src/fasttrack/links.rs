//! A supernode's links to other supernodes: kept at a certain number, and
//! exchanged for others all the time.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::message::{Message, NodeEntry};
use super::peer::Context;
use super::supernode::load_of;
use super::{Blueprint, Config, Place};
use crate::seam::Addr;

/// A link to another supernode.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The other's load, as last heard.
    load: u8,
    /// Whether the other has agreed.
    is_up: bool,
}

/// The links of a supernode.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<Addr, Link>,
}

/// The most links that a supernode agrees to: half as many again as it seeks.
pub(super) fn most(config: &Config) -> usize {
    usize::from(config.links) * 3 / 2
}

impl Links {
    /// How many there are, asked for or up.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there is one to `peer`, asked for or up.
    pub fn contains(&self, peer: Addr) -> bool {
        self.links.contains_key(&peer)
    }

    /// Whether the link to `peer` is up.
    pub fn is_up(&self, peer: Addr) -> bool {
        self.links.get(&peer).is_some_and(|link| link.is_up)
    }

    /// The peers of all links, in order.
    pub fn all(&self) -> impl Iterator<Item = Addr> {
        self.links.keys().copied()
    }

    /// The peers of the links that are up, in order.
    pub fn linked(&self) -> impl Iterator<Item = Addr> {
        self.links.iter().filter(|(_, link)| link.is_up).map(|(&addr, _)| addr)
    }

    /// The peers of the links that are up and their loads, in order.
    pub fn loads(&self) -> impl Iterator<Item = (Addr, u8)> {
        self.links.iter().filter(|(_, link)| link.is_up).map(|(&addr, link)| (addr, link.load))
    }

    /// Asks `peer` for a link, unless there is one.
    pub fn ask(&mut self, cx: &mut Context<'_>, peer: Addr, load: u8) {
        if peer != cx.me() && !self.links.contains_key(&peer) {
            self.links.insert(peer, Link { load: 0, is_up: false });
            cx.send(peer, Message::Link { load });
        }
    }

    /// Agrees to a link that `peer` asks for, if there is room.
    pub fn accept(&mut self, config: &Config, peer: Addr, load: u8) -> bool {
        let room = self.links.contains_key(&peer) || self.links.len() < most(config);
        if room {
            self.links.insert(peer, Link { load, is_up: true });
        }
        room
    }

    /// `peer` agrees to a link, or tells its load on one. False when there is
    /// none.
    pub fn acknowledge(&mut self, peer: Addr, load: u8) -> bool {
        self.links.get_mut(&peer).is_some_and(|link| {
            *link = Link { load, is_up: true };
            true
        })
    }

    /// There is no link to `peer` any more.
    pub fn remove(&mut self, peer: Addr) {
        self.links.remove(&peer);
    }

    /// Asks known supernodes for links, at random, until there are enough.
    pub fn top_up(&mut self, cx: &mut Context<'_>, config: &Config, known: &[NodeEntry], load: u8) {
        let missing = usize::from(config.links).saturating_sub(self.links.len());
        let strangers = known.iter().map(|entry| entry.addr).filter(|&addr| !self.contains(addr));
        let mut strangers: Vec<Addr> = strangers.collect();
        strangers.shuffle(cx.rng());
        for peer in strangers.into_iter().take(missing) {
            self.ask(cx, peer, load);
        }
    }

    /// Tells everyone the load.
    pub fn tell_load(&self, cx: &mut Context<'_>, load: u8) {
        for peer in self.linked() {
            cx.send(peer, Message::Load { load });
        }
    }

    /// Gives up links by chance, so that each is kept for its lifetime on
    /// average; only where there are others to take their place.
    pub fn shuffle(&mut self, cx: &mut Context<'_>, config: &Config, known: &[NodeEntry]) {
        let mut others = known.iter().filter(|entry| !self.contains(entry.addr)).count();
        let lifetime_us = config.link_lifetime.as_us().max(1);
        let chance = config.upkeep_every.as_us() as f64 / lifetime_us as f64;
        let peers: Vec<Addr> = self.linked().collect();
        for peer in peers {
            if others > 0 && cx.rng().random_bool(chance.min(1.0)) {
                others -= 1;
                self.links.remove(&peer);
                cx.close(peer);
            }
        }
    }

    /// Has the links of a converged network. Of each two supernodes, one opens
    /// the stream.
    pub fn settle(
        &mut self,
        cx: &mut Context<'_>,
        blueprint: &Blueprint,
        place: &Place,
        config: &Config,
    ) {
        for &peer in &place.links {
            let children = blueprint.place(peer).map_or(0, |place| place.children.len());
            self.links.insert(peer, Link { load: load_of(children, config), is_up: true });
            if cx.me() < peer {
                cx.send(peer, Message::Alive);
            }
        }
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        self.links.len() * (size_of::<Addr>() + size_of::<Link>())
    }
}
