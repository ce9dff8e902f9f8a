//! How a client's torrents get known and stay known: publishing, announces to
//! the trackers (BEP 3, BEP 12), and the rounds of every minute.

use std::sync::Arc;

use super::client::{Client, ROUND};
use super::inquiry::Ask;
use super::magnet::Magnet;
use super::message::{Announce, Event, Message, Peers};
use super::torrent::{Entering, order_of_trial};
use super::{Context, Timer};
use crate::seam::{Addr, Key, OpId, Outcome, Reason, Span};

impl Client {
    /// Brings a torrent into the network: the link to the index site, the
    /// client to the tracker.
    pub(super) fn enter(&mut self, cx: &mut Context<'_>, key: Key, op: Option<OpId>) {
        let trackers = order_of_trial(cx, &self.trackers, self.config.tiers);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.trackers = trackers;
        torrent.entering = Some(Box::new(Entering {
            op,
            cause: cx.cause(),
            publishing: true,
            announcing: true,
            storing: self.dht.as_ref().is_some_and(|dht| dht.node().has_joined()),
            trouble: Some(Reason::NoContact),
        }));
        self.publish(cx, key);
        // Who looks for the torrent just now is listed already.
        let seeks = self.searches.values().any(|search| search.seeks(&key));
        let event = if seeks { Event::Completed } else { Event::Started };
        self.try_tracker(cx, key, event, 0, Reason::NoContact);
        if let Some(torrent) = self.torrents.get(&key) {
            let item = Arc::clone(&torrent.item);
            self.with_dht(cx, |dht, cx| dht.announce(cx, &item));
        }
    }

    /// The DHT has taken an announcement, or has not.
    pub(super) fn on_stored(&mut self, cx: &mut Context<'_>, key: Key, outcome: &Outcome) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(entering) = torrent.entering.as_mut().filter(|e| e.storing) else { return };
        entering.storing = false;
        if *outcome == Outcome::Done {
            entering.trouble = None;
        }
        self.conclude(cx, key);
    }

    fn publish(&mut self, cx: &mut Context<'_>, key: Key) {
        let (Some(index), Some(torrent)) = (self.index, self.torrents.get(&key)) else { return };
        let magnet = Magnet::of(&torrent.item, &self.trackers);
        self.ask(cx, index, Message::Publish(Box::new(magnet)), Ask::Publish(key));
    }

    /// The index site has replied, or will not.
    pub(super) fn on_published(&mut self, cx: &mut Context<'_>, key: Key, accepted: bool) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.published |= accepted;
        if let Some(entering) = &mut torrent.entering {
            entering.publishing = false;
            self.conclude(cx, key);
        }
    }

    /// An announce in a message.
    pub(super) fn announce(
        &self,
        cx: &Context<'_>,
        info_hash: Key,
        event: Event,
        left: u64,
    ) -> Message {
        Message::Announce(Box::new(Announce {
            info_hash,
            peer_id: super::peer_id(cx.me()),
            port: cx.me().port(),
            uploaded: 0,
            downloaded: 0,
            left,
            event,
            numwant: if event == Event::Stopped { 0 } else { self.config.numwant },
        }))
    }

    /// Announces at the tracker in this place of the list; beyond its end, the
    /// announce has failed and is tried again later.
    pub(super) fn try_tracker(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        event: Event,
        place: usize,
        trouble: Reason,
    ) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.announcing = true;
        if let Some(&tracker) = torrent.trackers.get(place) {
            // A tracker that does not list us has to be told that we start.
            let event = match torrent.listed_at {
                Some(at) if at == tracker => event,
                _ if event == Event::Interval => Event::Started,
                _ => event,
            };
            let announce = self.announce(cx, key, event, 0);
            return self.ask(cx, tracker, announce, Ask::Announce { info_hash: key, event, place });
        }
        torrent.announcing = false;
        torrent.failures = torrent.failures.saturating_add(1);
        let wait = self.config.retry_after * (1 << torrent.failures.min(20) >> 1);
        torrent.due = cx.now() + wait.min(self.config.interval);
        if let Some(entering) = &mut torrent.entering {
            entering.announcing = false;
            entering.trouble = entering.trouble.and(Some(trouble));
            self.conclude(cx, key);
        }
    }

    /// A tracker lists us and tells of others.
    pub(super) fn on_announced(
        &mut self,
        cx: &mut Context<'_>,
        tracker: Addr,
        key: Key,
        place: usize,
        peers: &Peers,
    ) {
        let me = cx.me();
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.announcing = false;
        torrent.failures = 0;
        torrent.listed_at = Some(tracker);
        // A tracker cannot make us ask it all the time, or never again.
        let asked = Span::from_s(u64::from(peers.interval_s));
        torrent.due = cx.now() + asked.clamp(ROUND, Span::from_s(86_400));
        torrent.prefer(place, self.config.tiers);
        torrent.swarm.hear_of(&peers.peers, me);
        if let Some(entering) = &mut torrent.entering {
            entering.announcing = false;
            entering.trouble = None;
            self.conclude(cx, key);
        }
    }

    /// Ends the insert, or this torrent's part of the join, once index site,
    /// trackers and DHT have replied or failed. An insert is done when peers can
    /// find each other; the link is posted again in the rounds.
    fn conclude(&mut self, cx: &mut Context<'_>, key: Key) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let ready =
            torrent.entering.as_ref().is_some_and(|e| !(e.publishing || e.announcing || e.storing));
        let Some(entering) = torrent.entering.take_if(|_| ready) else { return };
        match entering.op {
            Some(op) => {
                let outcome = entering.trouble.map_or(Outcome::Done, Outcome::Failed);
                cx.finish(op, outcome);
            }
            None => self.entered(cx),
        }
    }

    /// The round of every minute: announces that are due, links that the index
    /// site lacks, connections and peer exchange.
    pub(super) fn on_round(&mut self, cx: &mut Context<'_>) {
        self.in_rounds = !matches!(self.phase, super::client::Phase::Out);
        if !self.in_rounds {
            return;
        }
        self.enter_dht(cx);
        for peer in core::mem::take(&mut self.idle) {
            if !self.uses(peer) {
                cx.close(peer);
            }
        }
        let keys: Vec<Key> = self.torrents.keys().copied().collect();
        for key in keys {
            self.look_after(cx, key);
        }
        cx.wake_upkeep(ROUND, Timer::Round);
    }

    fn look_after(&mut self, cx: &mut Context<'_>, key: Key) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if torrent.entering.is_some() {
            return;
        }
        if self.config.pex {
            torrent.swarm.exchange(cx, key);
        } else {
            torrent.swarm.forget_news();
        }
        let peer_id = super::peer_id(cx.me());
        for peer in torrent.swarm.dial(usize::from(self.config.want_peers)) {
            cx.send(peer, Message::Connect { info_hash: key, peer_id });
        }
        if cx.now() < torrent.due || torrent.announcing {
            return;
        }
        let is_listed = torrent.published;
        self.try_tracker(cx, key, Event::Interval, 0, Reason::NoContact);
        if !is_listed {
            self.publish(cx, key);
        }
    }
}
