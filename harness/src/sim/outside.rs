//! Everything of a simulation but the machines.

use std::collections::VecDeque;

use overlays::{
    Action, Addr, Cause, Effect, Note, OpId, Outcome, Overlay, Reason, Rng, Span, Time, Transport,
    Wire,
};

use super::event::{Event, Kind};
use super::letters::{Letter, Letters};
use super::links::{Link, Links};
use super::operations::{Operation, Operations};
use super::queue::EventQueue;
use super::recorder::Recorder;
use super::samples::Samples;
use super::settings::Settings;
use super::trace_hash::TraceHash;
use super::traffic::Traffic;
use crate::network::Network;

#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub up: bool,
    /// Counts restarts, so that timers of an earlier life are ignored.
    pub life: u8,
}

/// Everything of a simulation but the machines, so that a machine and the rest
/// can be borrowed at once.
#[derive(Debug)]
pub(super) struct Outside<O: Overlay> {
    pub now: Time,
    pub settings: Settings,
    pub status: Vec<Status>,
    pub queue: EventQueue<Event<O>>,
    pub letters: Letters<O::Message>,
    pub links: Links,
    pub network: Network,
    pub network_rng: Rng,
    pub protocol_rng: Rng,
    pub operations: Operations,
    pub traffic: Traffic,
    /// Messages received, by node, where that is measured.
    pub received: Vec<u32>,
    pub trace_hash: TraceHash,
    pub recorder: Option<Recorder>,
    pub samples: Option<Samples<O::Message>>,
    /// Ends to tell the driver of, in order.
    pub ended: VecDeque<(OpId, Outcome)>,
    pub closed: VecDeque<Operation>,
    /// Ends of operations that had ended before: each is a bug of the overlay.
    pub surplus_ends: u64,
}

impl<O: Overlay> Outside<O> {
    pub fn is_up(&self, node: u32) -> bool {
        self.status.get(node as usize).is_some_and(|s| s.up)
    }

    #[inline]
    pub fn record(&mut self, f: impl FnOnce(&mut Recorder, Time)) {
        if let Some(recorder) = &mut self.recorder {
            f(recorder, self.now);
        }
    }

    #[inline]
    pub fn release(&mut self, op: OpId) {
        if let Some(operation) = self.operations.release(op) {
            self.closed.push_back(operation);
        }
    }

    /// Carries out what the machine of `node` wants.
    #[inline]
    pub fn carry_out(&mut self, node: u32, effects: &mut Vec<Effect<O>>) {
        for Effect { cause, action } in effects.drain(..) {
            match action {
                Action::Send { to, message } => self.send(node, cause, to, message),
                Action::Wake { after, timer } => {
                    let life = self.status[node as usize].life;
                    self.operations.hold(cause.op);
                    let kind = Kind::Timer { life, timer, cause };
                    self.queue.push(self.now + after, Event { node, kind });
                }
                Action::Upkeep { after, timer } => {
                    let at = self.now + after;
                    if self.settings.maintenance && at <= self.settings.upkeep_until {
                        let life = self.status[node as usize].life;
                        self.queue.push(at, Event { node, kind: Kind::Upkeep { life, timer } });
                    }
                }
                Action::Answer { op, .. } => self.operations.answer(op, cause, self.now),
                Action::Finish { op, outcome } => self.finish(node, cause, op, outcome),
                Action::Close { peer } => self.close(node, peer),
                Action::Note(note) => self.note(node, cause, note),
            }
        }
    }

    pub fn note(&mut self, node: u32, cause: Cause, note: Note) {
        self.record(|r, at| r.note(at, cause, node, note));
    }

    pub fn finish(&mut self, node: u32, cause: Cause, op: OpId, outcome: Outcome) {
        if self.operations.finish(op, cause, self.now, &outcome) {
            let cause = Cause { op, ..cause };
            self.record(|r, at| r.operation_end(at, cause, node, &outcome));
            self.operations.hold(op);
            self.ended.push_back((op, outcome));
        } else {
            self.surplus_ends += 1;
        }
    }

    #[inline]
    pub fn send(&mut self, from: u32, cause: Cause, to: Addr, message: O::Message) {
        let cause = cause.next(message.is_reply());
        let (kind, len) = (message.kind(), message.encoded_len());
        let bytes = len as u64;
        if let Some(samples) = &mut self.samples {
            samples.take(&message);
        }
        self.traffic.count_sent(kind, bytes, cause.op == OpId::NONE);
        self.operations.count_sent(cause, bytes);
        let to = to.index();
        self.record(|r, at| r.send(at, cause, from, to, O::Message::KINDS[kind], bytes));
        let stream = O::transport(&message) == Transport::Stream;
        let (arrival, serial) = if (to as usize) >= self.status.len() {
            // An address that nobody ever had, such as a forged one.
            if stream {
                self.refuse(from, to, cause);
            }
            (None, 0)
        } else if stream {
            self.stream_arrival(from, to, cause)
        } else {
            let delay = self.network.deliver(from, to, &mut self.network_rng);
            (delay.map(|d| self.now + d), 0)
        };
        let from = Addr::from_index(from);
        match arrival {
            Some(at) => {
                self.operations.hold(cause.op);
                let (bytes, kind) = (len as u32, kind as u8);
                let letter = Letter { message, from, cause, stream: serial, bytes, kind };
                let slot = self.letters.post(letter);
                self.queue.push(at, Event { node: to, kind: Kind::Letter(slot) });
            }
            None => {
                self.traffic.lost += 1;
                self.operations.count_timeout(cause);
                self.record(|r, at| r.drop(at, cause, to, from, "lost"));
            }
        }
    }

    pub fn forge(&mut self, from: Addr, to: u32, message: O::Message) {
        let cause = Cause::UPKEEP.next(message.is_reply());
        let (kind, len) = (message.kind(), message.encoded_len());
        let bytes = len as u64;
        self.traffic.count_sent(kind, bytes, true);
        self.record(|r, at| r.send(at, cause, from.index(), to, O::Message::KINDS[kind], bytes));
        let (bytes, kind) = (len as u32, kind as u8);
        let slot = self.letters.post(Letter { message, from, cause, stream: 0, bytes, kind });
        self.queue.push(self.now, Event { node: to, kind: Kind::Letter(slot) });
    }

    /// When a letter sent now on the stream from `from` to `to` arrives, and
    /// the stream's number. Opens the stream if there is none: that takes one
    /// round trip before the first letter can leave, as TCP's handshake does.
    pub fn stream_arrival(&mut self, from: u32, to: u32, cause: Cause) -> (Option<Time>, u32) {
        let Some(delay) = self.network.stream_delay(from, to, &mut self.network_rng) else {
            if self.links.find(from, to).is_none() {
                let serial = self.links.next_serial();
                self.links.open(from, to, serial, self.now);
                self.schedule_loss(from, to, serial, cause, self.settings.stream_timeout);
            }
            return (None, 0);
        };
        if let Some(link) = self.links.find(from, to) {
            link.last_arrival = link.last_arrival.max(self.now + delay);
            return (Some(link.last_arrival), link.serial);
        }
        if !self.is_up(to) {
            self.refuse(from, to, cause);
            return (None, 0);
        }
        let serial = self.links.next_serial();
        let opened = self.now + delay * 2;
        self.links.open(from, to, serial, opened + delay);
        self.links.open(to, from, serial, opened);
        self.record(|r, at| r.link(at, from, to, true));
        (Some(opened + delay), serial)
    }

    /// A stream to nobody: the attempt is refused after one round trip.
    pub fn refuse(&mut self, from: u32, to: u32, cause: Cause) {
        let serial = self.links.next_serial();
        self.links.open(from, to, serial, self.now);
        let round_trip = self.network.one_way(from, to) * 2;
        self.schedule_loss(from, to, serial, cause, round_trip);
    }

    pub fn schedule_loss(&mut self, node: u32, peer: u32, serial: u32, cause: Cause, after: Span) {
        self.operations.hold(cause.op);
        let kind = Kind::Lost { peer, serial, cause };
        self.queue.push(self.now + after, Event { node, kind });
    }

    /// Closes `node`'s end of its stream to `peer`, who learns of it after
    /// everything sent before.
    pub fn close(&mut self, node: u32, peer: Addr) {
        let peer = peer.index();
        if let Some(link) = self.links.close(node, peer) {
            self.tell_closed(node, link);
        }
    }

    pub fn tell_closed(&mut self, node: u32, link: Link) {
        let peer = link.peer;
        self.record(|r, at| r.link(at, node, peer, false));
        if !self.links.is_open(peer, node, link.serial) {
            return;
        }
        let after = match self.network.stream_delay(node, peer, &mut self.network_rng) {
            Some(delay) => (self.now + delay).max(link.last_arrival).since(self.now),
            None => self.settings.stream_timeout,
        };
        self.schedule_loss(peer, node, link.serial, Cause::UPKEEP, after);
    }

    /// Takes away `node`'s end of stream `serial`; whether it was still open.
    pub fn lose(&mut self, node: u32, peer: u32, serial: u32) -> bool {
        let open = self.links.is_open(node, peer, serial);
        if open {
            self.links.close(node, peer);
        }
        open && self.is_up(node)
    }

    /// Schedules the loss of all streams that cross a partition.
    pub fn break_unreachable(&mut self) {
        let cut: Vec<(u32, Link)> = self
            .links
            .iter()
            .filter(|(node, link)| !self.network.reachable(*node, link.peer))
            .collect();
        for (node, link) in cut {
            let timeout = self.settings.stream_timeout;
            self.schedule_loss(node, link.peer, link.serial, Cause::UPKEEP, timeout);
        }
    }

    /// Whether an arriving letter reaches the machine; counts it either way.
    #[inline]
    pub fn admit(&mut self, to: u32, letter: &Letter<O::Message>) -> bool {
        let Letter { from, cause, stream, .. } = *letter;
        let refused = if !self.status[to as usize].up {
            Some("node down")
        } else if stream != 0 && !self.links.is_open(to, from.index(), stream) {
            Some("stream closed")
        } else {
            None
        };
        if let Some(why) = refused {
            self.traffic.undeliverable += 1;
            self.operations.count_timeout(cause);
            self.record(|r, at| r.drop(at, cause, to, from, why));
            return false;
        }
        let kind = usize::from(letter.kind);
        self.traffic.delivered += 1;
        self.trace_hash.delivery(self.now, from, to, kind, letter.bytes as usize);
        if self.settings.measure_load {
            self.received[to as usize] += 1;
        }
        let message = &letter.message;
        if self.settings.measure_reach
            && !message.is_reply()
            && let Some(op) = self.operations.get_mut(cause.op)
        {
            op.receivers.push(to);
        }
        self.record(|r, at| {
            r.receive(at, cause, to, from, O::Message::KINDS[kind], message.is_reply());
        });
        true
    }

    /// Takes a node down.
    pub fn stop(&mut self, node: u32) {
        if !self.is_up(node) {
            return;
        }
        self.status[node as usize].up = false;
        self.record(|r, at| r.node(at, node, false));
        for link in self.links.close_all(node) {
            self.tell_closed(node, link);
        }
        for op in self.operations.unended_at(node) {
            self.finish(node, Cause::start(op), op, Outcome::Failed(Reason::NodeDown));
        }
    }
}
