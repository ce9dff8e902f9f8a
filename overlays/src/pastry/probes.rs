//! Probes: short questions that measure a distance or tell the living from the
//! dead.
//!
//! Nobody enters a table of this node without having answered one: the paper
//! has a node verify that another "is actually alive by contacting it" before
//! it takes it into its leaf set, and it needs the distance for the others.

use super::contact::{Contact, Rtt};
use super::message::Message;
use super::{Context, Pastry, Timer};
use crate::{Addr, Key, Time};

/// The most probes under way at a time; further ones are not sent.
const MAX: usize = 512;
/// How often an unanswered probe is sent.
const TRIES: u8 = 2;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To learn the distance of a candidate for table or neighbourhood set, or
    /// whether a member is still there.
    Distance,
    /// The same, of a node whose state a joiner wants as well (the second
    /// stage): one exchange for both.
    Fetch,
    /// A node that did not acknowledge a message: is it dead? Until it
    /// answers, messages are routed around it.
    Suspicion,
    /// A keep-alive to a leaf, or to a candidate for the leaf set.
    Leaf,
    /// A node that fell silent a while ago: is it back?
    Lost,
}

/// A question under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    nonce: u32,
    pub(super) contact: Contact,
    pub(super) purpose: Purpose,
    /// When it was first sent: an answer may come after a second one, from far
    /// away, and it does not say which it answers.
    sent: Time,
    tries: u8,
}

/// All probes under way.
#[derive(Debug, Default)]
pub(super) struct Probes {
    open: Vec<Probe>,
}

impl Probes {
    fn take(&mut self, nonce: u32) -> Option<Probe> {
        let at = self.open.iter().position(|p| p.nonce == nonce)?;
        Some(self.open.swap_remove(at))
    }

    /// Whether a probe of one of these kinds is under way to `addr`.
    pub(super) fn is_under_way(&self, addr: Addr, which: impl Fn(Purpose) -> bool) -> bool {
        self.open.iter().any(|p| p.contact.addr == addr && which(p.purpose))
    }

    /// The nodes whose distance is being measured.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Contact> + '_ {
        let measures = |p: &&Probe| matches!(p.purpose, Purpose::Distance | Purpose::Fetch);
        self.open.iter().filter(measures).map(|p| p.contact)
    }

    /// All under way.
    pub(super) fn open(&self) -> &[Probe] {
        &self.open
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many leaves and candidates for the leaf set have yet to answer.
    pub(super) fn leaves_under_way(&self) -> usize {
        self.open.iter().filter(|p| p.purpose == Purpose::Leaf).count()
    }

    /// Gives back memory.
    pub(super) fn shrink(&mut self) {
        self.open.shrink_to_fit();
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Probe>()
    }
}

impl Pastry {
    /// Asks `contact` whether it is there, unless it is being asked already.
    pub(super) fn probe(&mut self, cx: &mut Context<'_>, contact: Contact, purpose: Purpose) {
        if contact.addr == cx.me() {
            return;
        }
        let probes = &mut self.aside.get_or_insert_default().probes;
        let asks_leaves = |p| matches!(p, Purpose::Leaf | Purpose::Lost);
        let same = |p: Purpose| match purpose {
            Purpose::Distance | Purpose::Fetch => true,
            Purpose::Suspicion => p == Purpose::Suspicion,
            Purpose::Leaf | Purpose::Lost => asks_leaves(p),
        };
        if probes.open.len() >= MAX || probes.is_under_way(contact.addr, same) {
            return;
        }
        // Out of the same numbers as requests, so that no answer fits both.
        let nonce = self.requests.number();
        let sent = cx.now();
        self.send_probe(cx, Probe { nonce, contact, purpose, sent, tries: 1 });
    }

    fn send_probe(&mut self, cx: &mut Context<'_>, probe: Probe) {
        let nonce = probe.nonce;
        let message = match probe.purpose {
            Purpose::Distance | Purpose::Suspicion => Message::Ping { nonce },
            Purpose::Fetch => Message::GetState { request: nonce, row: None },
            Purpose::Leaf | Purpose::Lost => {
                let seen = self.leaves.get(probe.contact.addr).map_or(0, |l| l.seen);
                Message::KeepAlive { nonce, id: self.me.id, seen }
            }
        };
        cx.send(probe.contact.addr, message);
        cx.wake(self.config.request_timeout, Timer::Probe(nonce));
        self.aside.get_or_insert_default().probes.open.push(probe);
    }

    /// A probe was answered by the node with identifier `id` at `from`.
    /// Returns what it was for, unless it was not this node's question or the
    /// answer is not that of the node that was meant.
    pub(super) fn answered(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        nonce: u32,
        id: Key,
    ) -> Option<(Probe, Rtt)> {
        let probes = &mut self.aside.as_mut()?.probes;
        if !probes.open.iter().any(|p| p.nonce == nonce && p.contact.addr == from) {
            return None;
        }
        let probe = probes.take(nonce)?;
        if probe.contact.id != id {
            // Whoever that is, it is not the node that was spoken of.
            self.forget(cx, probe.contact);
            return None;
        }
        Some((probe, Rtt::from_span(cx.now().since(probe.sent))))
    }

    /// A probe's time is up.
    pub(super) fn on_probe_timer(&mut self, cx: &mut Context<'_>, nonce: u32) {
        let Some(aside) = &mut self.aside else { return };
        let Some(mut probe) = aside.probes.take(nonce) else { return };
        if probe.tries < TRIES {
            probe.tries += 1;
            return self.send_probe(cx, probe);
        }
        if probe.purpose != Purpose::Lost {
            self.fell_silent(cx, probe.contact);
        }
        self.tidy();
        self.on_leaf_probe_over(cx);
    }
}
