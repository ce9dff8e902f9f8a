//! One node among fabricated messages.

use std::sync::Arc;

use super::super::message::{Body, Transaction};
use super::super::{Dialect, Message, Node, Timer};
use super::*;
use crate::{
    Action, Cause, Cx, Effect, Machine, OpId, Outcome, Overlay, Profile, Rng, Stream, Time,
};

/// A node with identifier 0 and what it has asked its host for.
pub(super) struct Bench<D: Dialect> {
    pub(super) node: Node<D>,
    pub(super) now: Time,
    rng: Rng,
    pub(super) effects: Vec<Effect<Node<D>>>,
}

pub(super) const ME: u32 = 1000;

impl<D: Dialect> Bench<D> {
    /// A node that knows these and has joined through the first.
    pub(super) fn member(change: impl Fn(&mut Settings), ids: &[u8]) -> Self {
        let mut config = super::super::Config::<D>::default();
        config.id_bits = 160;
        change(&mut config);
        let profile = Profile::peer(Addr::from_index(ME)).with_id(Key::ZERO);
        let mut bench = Self {
            node: Node::new(&Arc::new(config), &profile),
            now: Time::ZERO,
            rng: Stream::Protocol.rng(1),
            effects: Vec::new(),
        };
        bench.call(|node, cx| node.join(cx, OpId(1), &[]));
        for id in ids {
            // An answered ping makes a contact good in every dialect.
            bench.hear(contact(*id), 0, Body::Ping);
            for (to, number, _) in bench.asked() {
                assert_eq!(to, contact(*id).addr);
                bench.hear(contact(*id), number, Body::Ack);
            }
        }
        bench.effects.clear();
        bench
    }

    pub(super) fn call(&mut self, call: impl FnOnce(&mut Node<D>, &mut Cx<'_, Node<D>>)) {
        let me = Addr::from_index(ME);
        let cause = Cause::start(OpId(1));
        let mut cx = Cx::new(self.now, me, cause, false, &mut self.rng, &mut self.effects);
        call(&mut self.node, &mut cx);
    }

    pub(super) fn hear(&mut self, from: Contact, number: u32, body: Body) {
        let message = Message::new(Transaction::numbered(number), from.id, false, body);
        self.call(|node, cx| node.on_message(cx, from.addr, message));
    }

    /// The requests sent since the last look, with their numbers; replies and
    /// other effects are passed over.
    pub(super) fn asked(&mut self) -> Vec<(Addr, u32, Body)> {
        let sent = self.effects.drain(..).filter_map(|e| match e.action {
            Action::Send { to, message } if !message.body.is_reply() => {
                Some((to, message.transaction.number().unwrap(), message.body))
            }
            _ => None,
        });
        sent.collect()
    }

    /// The only reply since the last look.
    pub(super) fn reply(&mut self) -> Option<Body> {
        let mut replies: Vec<Body> = self
            .effects
            .drain(..)
            .filter_map(|e| match e.action {
                Action::Send { message, .. } if message.body.is_reply() => Some(message.body),
                _ => None,
            })
            .collect();
        assert!(replies.len() <= 1);
        replies.pop()
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.effects.iter().find_map(|e| match &e.action {
            Action::Finish { outcome, .. } => Some(outcome),
            _ => None,
        })
    }

    /// Lets the requests' timers run out, retries included.
    pub(super) fn time_out(&mut self, number: u32) {
        for _ in 0..4 {
            self.call(|node, cx| node.on_timer(cx, Timer::Request(number)));
        }
    }
}
