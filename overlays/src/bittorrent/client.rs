//! The client: shares torrents, and is a peer of each torrent's swarm.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::Config;
use super::dht::{Dht, Ended, Errand};
use super::inquiry::{Ask, Inquiries, Inquiry};
use super::magnet::MAX_TRACKERS;
use super::message::{Event, Message};
use super::search::Search;
use super::torrent::Torrent;
use super::{Context, Timer};
use crate::seam::{Addr, Cause, Footprint, Item, Key, Note, OpId, Outcome, Profile, Reason, Span};
use rand::RngExt as _;

/// How often a client looks after its connections: as often as BEP 11 allows
/// peer exchange.
pub(super) const ROUND: Span = Span::from_s(60);

/// The most nodes of the DHT that a client starts from.
const MAX_ROUTERS: usize = 8;

/// Streams without use that are kept for the next round to close.
const MAX_IDLE: usize = 256;

/// How far the client is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// Not in the network.
    Out,
    /// The join has not ended.
    Joining {
        op: OpId,
        cause: Cause,
        /// What is waited for: the index site and the DHT, then the torrents
        /// that are on their way in.
        waiting: usize,
        /// Why the client is not in, as far as is known.
        trouble: Option<Reason>,
    },
    /// In the network.
    In,
}

/// A BitTorrent client.
#[derive(Debug)]
pub struct Client {
    pub(super) config: Arc<Config>,
    pub(super) phase: Phase,
    /// The index site.
    pub(super) index: Option<Addr>,
    /// The trackers that this client's torrents are announced at.
    pub(super) trackers: Arc<[Addr]>,
    pub(super) torrents: BTreeMap<Key, Torrent>,
    pub(super) inquiries: Inquiries,
    /// Nodes through which it enters the DHT.
    pub(super) routers: Box<[Addr]>,
    /// Its node of the DHT, if it takes part in that.
    pub(super) dht: Option<Box<Dht>>,
    pub(super) searches: BTreeMap<u32, Search>,
    /// Peers whose streams are closed in the next round, unless they are
    /// needed again by then.
    pub(super) idle: Vec<Addr>,
    pub(super) last_search: u32,
    /// Whether the timer of the rounds is set.
    pub(super) in_rounds: bool,
}

impl Client {
    /// A client that has not joined.
    pub(super) fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        Self {
            config: Arc::clone(config),
            phase: Phase::Out,
            index: None,
            trackers: Arc::default(),
            torrents: BTreeMap::new(),
            inquiries: Inquiries::default(),
            routers: Box::default(),
            dht: config.has_dht().then(|| Box::new(Dht::new(profile))),
            searches: BTreeMap::new(),
            idle: Vec::new(),
            last_search: 0,
            in_rounds: false,
        }
    }

    /// Whether it is in the network.
    pub(super) const fn is_in(&self) -> bool {
        matches!(self.phase, Phase::In)
    }

    /// Visits the index site and enters the DHT, then announces what is shared.
    /// The contacts are the index site, then the trackers, then a node of the
    /// DHT, as a user knows them.
    pub(super) fn join(&mut self, cx: &mut Context<'_>, op: OpId, via: &[Addr]) {
        match self.phase {
            Phase::In => return cx.finish(op, Outcome::Done),
            // One attempt at a time; its operation will end by itself.
            Phase::Joining { .. } => return cx.finish(op, Outcome::Failed(Reason::Refused)),
            Phase::Out => {}
        }
        let me = cx.me();
        let mut servers = via.iter().copied().filter(|&server| server != me);
        let Some(index) = servers.next() else {
            return cx.finish(op, Outcome::Failed(Reason::NoContact));
        };
        self.index = Some(index);
        let most = MAX_TRACKERS.min(self.config.tracker_count());
        self.trackers = servers.by_ref().take(most).collect();
        self.routers = servers.take(MAX_ROUTERS).collect();
        let bootstraps = self.dht.is_some() && !self.routers.is_empty();
        self.phase = Phase::Joining {
            op,
            cause: cx.cause(),
            waiting: 1 + usize::from(bootstraps),
            trouble: Some(Reason::NoContact),
        };
        self.ask(cx, index, Message::Visit, Ask::Visit);
        self.enter_dht(cx);
    }

    /// Enters the DHT, unless it is in or on its way.
    pub(super) fn enter_dht(&mut self, cx: &mut Context<'_>) {
        if self.dht.as_ref().is_some_and(|dht| dht.is_out()) && !self.routers.is_empty() {
            let routers = self.routers.clone();
            self.with_dht(cx, |dht, cx| dht.join(cx, &routers));
        }
    }

    /// Lets the DHT node do something, and takes up what ended by that.
    pub(super) fn with_dht(
        &mut self,
        cx: &mut Context<'_>,
        run: impl FnOnce(&mut Dht, &mut Context<'_>) -> Vec<Ended>,
    ) {
        let Some(dht) = &mut self.dht else { return };
        for Ended { errand, outcome, cause } in run(dht, cx) {
            let cx = &mut cx.on_behalf_of(cause);
            match errand {
                Errand::Join => {
                    let trouble = match outcome {
                        Outcome::Failed(reason) => Some(reason),
                        _ => None,
                    };
                    self.on_welcome(cx, trouble);
                }
                Errand::Announce(key) => self.on_stored(cx, key, &outcome),
                Errand::Find { search, info_hash } => {
                    self.on_dht_found(cx, search, info_hash, outcome);
                }
                Errand::Forget => {}
            }
        }
    }

    /// Sends a request to a server.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>, server: Addr, message: Message, ask: Ask) {
        self.inquiries.ask(cx, server, message, ask, self.config.reply_timeout);
    }

    /// Tells trackers and peers, and ends what is under way.
    pub(super) fn leave(&mut self, cx: &mut Context<'_>, op: OpId) {
        self.end_searches(cx, Reason::NotJoined);
        let torrents = core::mem::take(&mut self.torrents);
        let mut peers: Vec<Addr> = Vec::new();
        for torrent in torrents.values() {
            self.stop(cx, torrent);
            peers.extend(torrent.swarm.neighbours());
        }
        peers.sort_unstable();
        peers.dedup();
        for peer in peers {
            cx.close(peer);
        }
        // The items stay the user's, for another join.
        let fresh = |(key, torrent): (Key, Torrent)| (key, Torrent::new(&torrent.item));
        self.torrents = torrents.into_iter().map(fresh).collect();
        if let Phase::Joining { op, cause, .. } = self.phase {
            let mut cx = cx.on_behalf_of(cause);
            cx.finish(op, Outcome::Failed(Reason::NotJoined));
        }
        self.phase = Phase::Out;
        self.inquiries.forget();
        self.idle.clear();
        if let Some(dht) = &mut self.dht {
            dht.leave();
        }
        cx.finish(op, Outcome::Done);
    }

    /// Tells the tracker that this client no longer seeds a torrent, and ends
    /// the insert if that is still under way.
    fn stop(&mut self, cx: &mut Context<'_>, torrent: &Torrent) {
        let key = torrent.item.key();
        if let Some(entering) = &torrent.entering
            && let Some(op) = entering.op
        {
            let mut cx = cx.on_behalf_of(entering.cause);
            cx.finish(op, Outcome::Failed(Reason::Refused));
        }
        // An announce under way may be listed before its reply comes.
        let first = torrent.announcing.then(|| torrent.trackers.first().copied()).flatten();
        if let Some(tracker) = torrent.listed_at.or(first) {
            let announce = self.announce(cx, key, Event::Stopped, 0);
            self.ask(cx, tracker, announce, Ask::Stop);
        }
    }

    /// Ends the connection to `peer` for one torrent by a word. The stream is
    /// not closed at once: `peer` may be about to say something on it.
    pub(super) fn hang_up(&mut self, cx: &mut Context<'_>, peer: Addr, info_hash: Key) {
        cx.send(peer, Message::Goodbye(info_hash));
        if self.idle.len() < MAX_IDLE && !self.uses(peer) && !self.idle.contains(&peer) {
            self.idle.push(peer);
        }
    }

    /// Whether any torrent or search needs the stream to `peer`.
    pub(super) fn uses(&self, peer: Addr) -> bool {
        self.torrents.values().any(|torrent| torrent.swarm.uses(peer))
            || self.searches.values().any(|search| search.uses(peer))
    }

    /// Shares an item: publishes the torrent and announces it.
    pub(super) fn insert(&mut self, cx: &mut Context<'_>, op: OpId, item: &Arc<Item>) {
        let key = item.key();
        if self.torrents.contains_key(&key) {
            return cx.finish(op, Outcome::Done);
        }
        if self.torrents.len() >= self.config.max_torrents as usize {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        self.torrents.insert(key, Torrent::new(item));
        if self.is_in() {
            self.enter(cx, key, Some(op));
        } else {
            cx.finish(op, Outcome::Done);
        }
    }

    /// Stops sharing an item. The link stays at the index site, which cannot
    /// know who else has it.
    pub(super) fn delete(&mut self, cx: &mut Context<'_>, op: OpId, key: &Key) {
        let Some(torrent) = self.torrents.remove(key) else {
            return cx.finish(op, Outcome::NotFound);
        };
        let was_entering = torrent.entering.as_ref().is_some_and(|e| e.op.is_none());
        self.stop(cx, &torrent);
        for peer in torrent.swarm.neighbours() {
            self.hang_up(cx, peer, *key);
        }
        self.with_dht(cx, |dht, cx| dht.withdraw(cx, *key));
        if was_entering {
            self.entered(cx);
        }
        cx.finish(op, Outcome::Done);
    }

    /// Handles what servers and peers say; what only a client may say to a
    /// server is dropped.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        match message {
            Message::Welcome
            | Message::Published { .. }
            | Message::Listing(_)
            | Message::Peers(_)
            | Message::Refused(_) => {
                if let Some(inquiry) = self.inquiries.answered(cx, from) {
                    self.on_reply(cx, from, inquiry, message);
                }
            }
            Message::Connect { info_hash, .. } => self.on_connect(cx, from, info_hash),
            Message::Accept { info_hash, complete, .. } => {
                self.on_accept(cx, from, info_hash, complete);
            }
            Message::Decline(info_hash) | Message::Goodbye(info_hash) => {
                if let Some(torrent) = self.torrents.get_mut(&info_hash) {
                    torrent.swarm.disconnect(from);
                }
                // Who says goodbye ends what it began itself, such as a search
                // for the same torrent, and may yet answer.
                if matches!(message, Message::Decline(_)) {
                    self.on_peer_declined(cx, from, info_hash);
                }
            }
            Message::MetadataRequest(info_hash) => match self.torrents.get(&info_hash) {
                Some(torrent) => cx.send(from, Message::Metadata(Arc::clone(&torrent.item))),
                None => cx.send(from, Message::Decline(info_hash)),
            },
            Message::Metadata(item) => self.on_metadata(cx, from, &item),
            Message::Pex(pex) if self.config.pex => {
                let (me, now) = (cx.me(), cx.now());
                if let Some(torrent) = self.torrents.get_mut(&pex.info_hash) {
                    torrent.swarm.on_pex(from, &pex, me, now);
                }
            }
            Message::Dht(message) => {
                self.with_dht(cx, |dht, cx| dht.on_message(cx, from, *message));
            }
            // Whoever takes this client for a server is told so.
            Message::Visit | Message::Publish(_) | Message::Browse(_) | Message::Announce(_) => {
                cx.send(from, Message::Refused(super::Refusal::NotServedHere));
            }
            Message::Scrape(_) | Message::Scraped(_) | Message::Pex(_) | Message::KeepAlive => {}
        }
    }

    fn on_reply(&mut self, cx: &mut Context<'_>, from: Addr, inquiry: Inquiry, message: Message) {
        match (inquiry.ask, message) {
            (Ask::Visit, Message::Welcome) => self.on_welcome(cx, None),
            (Ask::Publish(key), Message::Published { accepted }) => {
                self.on_published(cx, key, accepted);
            }
            (Ask::Browse(search), Message::Listing(magnets)) => {
                self.on_listing(cx, search, magnets);
            }
            (Ask::Announce { info_hash, place, .. }, Message::Peers(peers)) => {
                self.on_announced(cx, from, info_hash, place, &peers);
            }
            (Ask::Find { search, info_hash }, Message::Peers(peers)) => {
                self.on_found(cx, search, info_hash, &peers);
            }
            (Ask::Stop, _) => {}
            _ => self.on_unanswered(cx, inquiry, Reason::Refused),
        }
    }

    /// A server refused, or said something else than what was asked, or
    /// nothing.
    fn on_unanswered(&mut self, cx: &mut Context<'_>, inquiry: Inquiry, reason: Reason) {
        let mut cx = cx.on_behalf_of(inquiry.cause);
        match inquiry.ask {
            Ask::Visit => self.on_welcome(&mut cx, Some(reason)),
            Ask::Publish(key) => self.on_published(&mut cx, key, false),
            Ask::Browse(search) => self.end_search(&mut cx, search, Some(reason)),
            Ask::Announce { info_hash, event, place } => {
                self.try_tracker(&mut cx, info_hash, event, place + 1, reason);
            }
            Ask::Find { search, info_hash } => {
                self.on_find_failed(&mut cx, search, info_hash, reason);
            }
            Ask::Stop => {}
        }
    }

    /// The index site is there, or the DHT has let this client in, or not: one
    /// of them is enough. Once both are known the torrents follow.
    fn on_welcome(&mut self, cx: &mut Context<'_>, failure: Option<Reason>) {
        let Phase::Joining { op, cause, waiting, trouble } = self.phase else { return };
        let trouble = trouble.and(failure);
        self.phase = Phase::Joining { op, cause, waiting: waiting - 1, trouble };
        if waiting > 1 {
            return;
        }
        if let Some(reason) = trouble {
            self.phase = Phase::Out;
            let mut cx = cx.on_behalf_of(cause);
            return cx.finish(op, Outcome::Failed(reason));
        }
        let keys: Vec<Key> = self.torrents.keys().copied().collect();
        // One more than there are, so that the join ends only below.
        self.phase = Phase::Joining { op, cause, waiting: keys.len() + 1, trouble };
        for key in keys {
            self.enter(cx, key, None);
        }
        self.entered(cx);
        self.start_rounds(cx);
    }

    /// One of the torrents that a join waits for is in, or never will be.
    pub(super) fn entered(&mut self, cx: &mut Context<'_>) {
        let Phase::Joining { op, cause, waiting, trouble } = self.phase else { return };
        let waiting = waiting.saturating_sub(1);
        self.phase = Phase::Joining { op, cause, waiting, trouble };
        if waiting == 0 {
            self.phase = Phase::In;
            let index = self.index;
            cx.note(|| Note::TableChange { table: "index", slot: 0, peer: index });
            cx.finish(op, Outcome::Done);
        }
    }

    /// Starts the rounds, at a random moment so that not all clients have
    /// theirs at once.
    pub(super) fn start_rounds(&mut self, cx: &mut Context<'_>) {
        if !self.in_rounds {
            self.in_rounds = true;
            let first = Span::from_us(cx.rng().random_range(0..ROUND.as_us()));
            cx.wake_upkeep(first, Timer::Round);
        }
    }

    /// A reply is overdue, a search has had its time, or it is time for a
    /// round.
    pub(super) fn on_timer(&mut self, cx: &mut Context<'_>, timer: Timer) {
        match timer {
            Timer::Reply(id) => {
                for inquiry in self.inquiries.overdue(cx, id) {
                    self.on_unanswered(cx, inquiry, Reason::Timeout);
                }
            }
            Timer::Search(search) => self.end_search(cx, search, Some(Reason::Timeout)),
            Timer::Round => self.on_round(cx),
            Timer::Calls(search) => self.on_calls_overdue(cx, search),
            Timer::Dht(timer) => self.with_dht(cx, |dht, cx| dht.on_timer(cx, timer)),
            Timer::Scrape | Timer::Expire => {}
        }
    }

    /// A stream broke: a server's requests will not be answered, a peer's
    /// connections are over.
    pub(super) fn on_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        for inquiry in self.inquiries.lost(peer) {
            self.on_unanswered(cx, inquiry, Reason::NoContact);
        }
        for torrent in self.torrents.values_mut() {
            torrent.swarm.disconnect(peer);
        }
        self.on_peer_lost(cx, peer);
    }

    /// A peer asks whether we have a torrent. Without room for one more
    /// connection it is told and let go.
    fn on_connect(&mut self, cx: &mut Context<'_>, from: Addr, info_hash: Key) {
        let max_peers = usize::from(self.config.max_peers);
        let peer_id = super::peer_id(cx.me());
        let is_out = matches!(self.phase, Phase::Out);
        if let Some(torrent) = self.torrents.get_mut(&info_hash).filter(|_| !is_out) {
            cx.send(from, Message::Accept { info_hash, peer_id, complete: true });
            if !torrent.swarm.connect(from, max_peers) {
                cx.send(from, Message::Goodbye(info_hash));
            }
        } else if self.searches.values().any(|search| search.seeks(&info_hash)) {
            cx.send(from, Message::Accept { info_hash, peer_id, complete: false });
            cx.send(from, Message::Goodbye(info_hash));
        } else {
            cx.send(from, Message::Decline(info_hash));
        }
    }

    /// A peer answered our handshake: for the swarm, for a search, or both.
    fn on_accept(&mut self, cx: &mut Context<'_>, from: Addr, info_hash: Key, complete: bool) {
        let max_peers = usize::from(self.config.max_peers);
        if let Some(torrent) = self.torrents.get_mut(&info_hash) {
            torrent.swarm.answered(from, max_peers);
        }
        self.on_peer_accepted(cx, from, info_hash, complete);
        // It answers too late, or there is no room for it.
        let in_swarm = self.torrents.get(&info_hash).is_some_and(|t| t.swarm.is_neighbour(from));
        let in_search = self.searches.values().any(|search| search.is_connected(info_hash, from));
        if !(in_swarm || in_search) {
            self.hang_up(cx, from, info_hash);
        }
    }

    /// The servers and the peers it is connected to.
    pub(super) fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        if !self.is_in() {
            return;
        }
        self.index.into_iter().for_each(&mut *visit);
        self.trackers.iter().copied().for_each(&mut *visit);
        for torrent in self.torrents.values() {
            torrent.swarm.neighbours().for_each(&mut *visit);
        }
        if let Some(dht) = &self.dht {
            dht.neighbours(visit);
        }
    }

    /// Servers, connections and contacts of the DHT as routing entries; of an
    /// index a client keeps its part of the DHT.
    pub(super) fn footprint(&self) -> Footprint {
        let mut known = Vec::new();
        self.neighbours(&mut |addr| known.push(addr));
        known.sort_unstable();
        known.dedup();
        let torrents: usize = self
            .torrents
            .values()
            .map(|torrent| size_of::<Key>() + size_of::<Torrent>() + torrent.swarm.heap_bytes())
            .sum();
        let searches: usize = self.searches.values().map(Search::bytes).sum();
        let dht = self.dht.as_ref().map(|dht| dht.footprint()).unwrap_or_default();
        Footprint {
            routing_entries: known.len() as u64,
            index_entries: dht.index_entries,
            bytes: (torrents + searches + self.inquiries.bytes()) as u64 + dht.bytes,
        }
    }
}
