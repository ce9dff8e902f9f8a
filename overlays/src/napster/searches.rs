//! A client's open searches, and the choice of the best answer by round trip.

use std::collections::BTreeMap;

use super::message::Message;
use super::{Config, Napster, Timer, watch};
use crate::seam::{Addr, Cause, Cx, Hit, OpId, Outcome, Query, Reason, Span, Time};

/// The most searches that a client has open at a time.
const MAX_OPEN: usize = 256;

/// A ping and what came of it.
#[derive(Debug)]
struct Probe {
    provider: Addr,
    rtt: Option<Span>,
}

/// How far an open search is.
#[derive(Debug)]
enum Phase {
    /// The server is answering.
    Asked,
    /// The server has answered; providers were pinged at this time.
    Pinging { since: Time, probes: Vec<Probe> },
}

#[derive(Debug)]
struct Open {
    op: OpId,
    cause: Cause,
    query: Query,
    hits: Vec<Hit>,
    phase: Phase,
}

/// The searches of a client that have not ended.
#[derive(Debug, Default)]
pub struct Searches {
    open: BTreeMap<u32, Open>,
    last_tag: u32,
}

type Context<'a> = Cx<'a, Napster>;

impl Searches {
    /// Asks `server`.
    pub fn start(
        &mut self,
        cx: &mut Context<'_>,
        config: &Config,
        server: Addr,
        op: OpId,
        query: &Query,
    ) {
        if self.open.len() >= MAX_OPEN {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        self.last_tag = self.last_tag.wrapping_add(1);
        let tag = self.last_tag;
        let (cause, query) = (cx.cause(), query.clone());
        cx.send(server, Message::Search { tag, local: !config.forward, query: query.clone() });
        watch(cx, config.search_timeout, Timer::Search(tag));
        self.open.insert(tag, Open { op, cause, query, hits: Vec::new(), phase: Phase::Asked });
    }

    /// The server names a hit. One that was not asked for, or comes over the
    /// limit, is dropped.
    pub fn on_found(&mut self, cx: &mut Context<'_>, tag: u32, hit: Hit) {
        let Some(open) = self.open.get_mut(&tag) else { return };
        let expected = matches!(open.phase, Phase::Asked)
            && open.hits.len() < usize::from(open.query.limit)
            && open.query.matches(&hit.item);
        if expected {
            open.hits.push(hit);
            cx.answer(open.op, 1);
        }
    }

    /// The server has named all hits: pings the first few providers, unless
    /// there is nothing to choose.
    pub fn on_end(&mut self, cx: &mut Context<'_>, config: &Config, tag: u32) {
        let Some(open) = self.open.get_mut(&tag) else { return };
        if !matches!(open.phase, Phase::Asked) {
            return;
        }
        let mut providers: Vec<Addr> = Vec::new();
        for hit in &open.hits {
            if providers.len() < usize::from(config.ping_best) && !providers.contains(&hit.provider)
            {
                providers.push(hit.provider);
            }
        }
        if providers.len() < 2 {
            return self.finish(cx, tag);
        }
        let me = cx.me();
        let probe = |provider| Probe { provider, rtt: (provider == me).then_some(Span::ZERO) };
        let probes: Vec<Probe> = providers.into_iter().map(probe).collect();
        for probe in probes.iter().filter(|p| p.rtt.is_none()) {
            cx.send(probe.provider, Message::Ping { tag });
        }
        cx.wake(config.ping_timeout, Timer::Pings(tag));
        open.phase = Phase::Pinging { since: cx.now(), probes };
    }

    /// A provider answered a ping.
    pub fn on_pong(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32) {
        let Some(open) = self.open.get_mut(&tag) else { return };
        let Phase::Pinging { since, probes } = &mut open.phase else { return };
        let rtt = cx.now().since(*since);
        if let Some(probe) = probes.iter_mut().find(|p| p.provider == from && p.rtt.is_none()) {
            probe.rtt = Some(rtt);
        }
        if probes.iter().all(|p| p.rtt.is_some()) {
            self.finish(cx, tag);
        }
    }

    /// The time for pongs is over.
    pub fn on_pings_overdue(&mut self, cx: &mut Context<'_>, tag: u32) {
        if self.open.get(&tag).is_some_and(|open| matches!(open.phase, Phase::Pinging { .. })) {
            self.finish(cx, tag);
        }
    }

    /// The time for the server's answers is over: what came must do.
    pub fn on_overdue(&mut self, cx: &mut Context<'_>, tag: u32) {
        self.end_without_server(cx, tag, Reason::Timeout);
    }

    /// The link to the server is gone; searches that have all their answers
    /// go on.
    pub fn on_server_lost(&mut self, cx: &mut Context<'_>) {
        let waiting = self.open.iter().filter(|(_, open)| matches!(open.phase, Phase::Asked));
        let tags: Vec<u32> = waiting.map(|(&tag, _)| tag).collect();
        for tag in tags {
            self.end_without_server(cx, tag, Reason::NotJoined);
        }
    }

    /// Ends all searches, since the client leaves.
    pub fn end_all(&mut self, cx: &mut Context<'_>) {
        while let Some((&tag, _)) = self.open.first_key_value() {
            self.end_without_server(cx, tag, Reason::NotJoined);
        }
    }

    fn end_without_server(&mut self, cx: &mut Context<'_>, tag: u32, reason: Reason) {
        match self.open.get(&tag) {
            Some(open) if open.hits.is_empty() => {
                let mut cx = cx.on_behalf_of(open.cause);
                cx.finish(open.op, Outcome::Failed(reason));
                self.open.remove(&tag);
            }
            Some(open) => {
                let mut cx = cx.on_behalf_of(open.cause);
                self.finish(&mut cx, tag);
            }
            None => {}
        }
    }

    /// Ends a search with the hits in the order of their providers' round
    /// trips; those that were not pinged follow, those that stayed silent come
    /// last.
    fn finish(&mut self, cx: &mut Context<'_>, tag: u32) {
        let Some(Open { op, mut hits, phase, .. }) = self.open.remove(&tag) else { return };
        if let Phase::Pinging { probes, .. } = phase {
            hits.sort_by_cached_key(|hit| {
                match probes.iter().find(|p| p.provider == hit.provider) {
                    Some(Probe { rtt: Some(rtt), .. }) => (0, *rtt),
                    None => (1, Span::ZERO),
                    Some(Probe { rtt: None, .. }) => (2, Span::ZERO),
                }
            });
        }
        cx.finish_search(op, hits);
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let hits: usize = self.open.values().map(|open| open.hits.len()).sum();
        self.open.len() * size_of::<Open>() + hits * size_of::<Hit>()
    }
}
