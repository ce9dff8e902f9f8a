//! Searches: from words or a key to torrents, and from torrents to peers.
//!
//! The index site turns words into torrents, a tracker a torrent into peers,
//! and a handshake shows whether a peer is there and has it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::client::Client;
use super::config::Exact;
use super::inquiry::Ask;
use super::magnet::Magnet;
use super::message::{Event, Message, Peers};
use super::torrent::order_of_trial;
use super::{Context, Timer};
use crate::seam::{Addr, Cause, Hit, Item, Key, OpId, Outcome, Query, Reason, Span, Target, Time};

/// How often a peer is called before it is given up (libtorrent: 3 failures).
const MAX_CALLS: usize = 3;

/// The search for the peers of one torrent.
#[derive(Debug)]
pub struct Hunt {
    info_hash: Key,
    /// What it holds, once that is known.
    item: Option<Arc<Item>>,
    /// Trackers that were not asked yet, in order of trial.
    trackers: VecDeque<Addr>,
    /// Whether a tracker has yet to reply.
    asking: bool,
    /// Whether the DHT has yet to reply.
    asking_dht: bool,
    /// The tracker that lists us as a leecher because of this.
    listed_at: Option<Addr>,
    /// Peers heard of and not tried yet.
    candidates: VecDeque<Addr>,
    /// All peers that were tried.
    tried: Vec<Addr>,
    /// Those of them that were called again, once for each time.
    called_again: Vec<Addr>,
    /// Those of them that have yet to answer, in order of their calls, and
    /// when they were called.
    dialing: Vec<(Addr, Time)>,
    /// Those that answered and are still there.
    connected: Vec<Addr>,
    /// Peers that have it and were not reported yet, for want of its name.
    nameless: Vec<Addr>,
    /// Whom we asked for the name, and when.
    asked_name: Option<(Addr, Time)>,
}

impl Hunt {
    /// Hears of peers.
    fn hear_of(&mut self, peers: impl Iterator<Item = Addr>, me: Addr) {
        for peer in peers {
            if peer != me && !self.tried.contains(&peer) && !self.candidates.contains(&peer) {
                self.candidates.push_back(peer);
            }
        }
    }

    /// Whether nothing more will come of it.
    fn is_over(&self) -> bool {
        let asks = self.asking || self.asking_dht;
        let waits = asks || !self.dialing.is_empty() || !self.nameless.is_empty();
        !waits && self.candidates.is_empty()
    }

    /// Whether `peer` has something left to say.
    fn waits_for(&self, peer: Addr) -> bool {
        self.is_dialing(peer) || self.nameless.contains(&peer)
    }

    fn is_dialing(&self, peer: Addr) -> bool {
        self.dialing.iter().any(|(other, _)| *other == peer)
    }

    /// `peer` did not answer: it is called again, unless it was often enough.
    fn call_again(&mut self, peer: Addr) {
        let waits = self.waits_for(peer);
        self.give_up_on(peer);
        let again = self.called_again.iter().filter(|&&other| other == peer).count();
        if waits && again + 1 < MAX_CALLS {
            self.called_again.push(peer);
            self.candidates.push_front(peer);
        }
    }

    /// Peers that were asked something `timeout` ago and have not answered.
    fn overdue(&self, now: Time, timeout: Span) -> Vec<Addr> {
        let asked = self.dialing.iter().chain(&self.asked_name);
        let late = asked.filter(|(_, since)| now.since(*since) >= timeout);
        late.map(|(peer, _)| *peer).collect()
    }

    /// `peer` will not answer.
    fn give_up_on(&mut self, peer: Addr) {
        self.dialing.retain(|(other, _)| *other != peer);
        self.nameless.retain(|&other| other != peer);
        self.connected.retain(|&other| other != peer);
        self.asked_name.take_if(|(other, _)| *other == peer);
    }
}

/// A search under way.
#[derive(Debug)]
pub struct Search {
    op: OpId,
    cause: Cause,
    /// How many hits are enough.
    limit: usize,
    hits: Vec<Hit>,
    /// Whether the index site has yet to reply.
    browsing: bool,
    /// Whether anyone who could know has replied.
    answered: bool,
    /// What went wrong last.
    trouble: Reason,
    /// Torrents whose peers are still to be looked for.
    queue: VecDeque<Magnet>,
    /// Those whose peers are being looked for, and those before.
    hunts: Vec<Hunt>,
}

impl Search {
    /// Whether it looks for the peers of this torrent.
    pub fn seeks(&self, info_hash: &Key) -> bool {
        self.hunts.iter().any(|hunt| hunt.info_hash == *info_hash)
    }

    /// Whether it needs the stream to `peer`.
    pub fn uses(&self, peer: Addr) -> bool {
        let uses = |hunt: &Hunt| hunt.is_dialing(peer) || hunt.connected.contains(&peer);
        self.hunts.iter().any(uses)
    }

    /// Whether it is connected to `peer` for this torrent.
    pub fn is_connected(&self, info_hash: Key, peer: Addr) -> bool {
        let hunt = self.hunts.iter().find(|hunt| hunt.info_hash == info_hash);
        hunt.is_some_and(|hunt| hunt.connected.contains(&peer))
    }

    fn hunt(&mut self, info_hash: Key) -> Option<&mut Hunt> {
        self.hunts.iter_mut().find(|hunt| hunt.info_hash == info_hash)
    }

    /// Reports that `provider` has `item`.
    fn hit(&mut self, cx: &mut Context<'_>, item: &Arc<Item>, provider: Addr) {
        if self.hits.len() < self.limit {
            self.hits.push(Hit { item: Arc::clone(item), provider });
            cx.answer(self.op, 1);
        }
    }

    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        let hunt = |hunt: &Hunt| {
            let peers = hunt.candidates.len() + hunt.tried.len() + hunt.dialing.len();
            size_of::<Hunt>() + peers * size_of::<Addr>()
        };
        size_of::<Self>()
            + self.hunts.iter().map(hunt).sum::<usize>()
            + self.queue.len() * size_of::<Magnet>()
            + self.hits.len() * size_of::<Hit>()
    }
}

impl Client {
    /// Looks for the peers of a torrent known by its key, or for torrents at
    /// the index site and then for their peers.
    pub(super) fn search(&mut self, cx: &mut Context<'_>, op: OpId, query: &Query) {
        let Some(index) = self.index.filter(|_| self.is_in()) else {
            return cx.finish(op, Outcome::Failed(Reason::NotJoined));
        };
        self.last_search = self.last_search.wrapping_add(1);
        let tag = self.last_search;
        let mut search = Search {
            op,
            cause: cx.cause(),
            limit: usize::from(query.limit),
            hits: Vec::new(),
            browsing: false,
            answered: false,
            trouble: Reason::NoContact,
            queue: VecDeque::new(),
            hunts: Vec::new(),
        };
        let mut upkeep = cx.on_behalf_of(Cause::UPKEEP);
        upkeep.wake(self.config.search_timeout, Timer::Search(tag));
        upkeep.wake(self.config.connect_timeout, Timer::Calls(tag));
        match &query.target {
            Target::Exact(key) if self.config.exact == Exact::Magnet => {
                let trackers = Arc::clone(&self.trackers);
                search.queue.push_back(Magnet { info_hash: *key, item: None, trackers });
                self.searches.insert(tag, search);
                self.proceed(cx, tag);
            }
            _ => {
                search.browsing = true;
                self.searches.insert(tag, search);
                let browse = Message::Browse(Box::new(query.clone()));
                self.ask(cx, index, browse, Ask::Browse(tag));
            }
        }
    }

    /// The index site has replied.
    pub(super) fn on_listing(&mut self, cx: &mut Context<'_>, tag: u32, magnets: Box<[Magnet]>) {
        let Some(search) = self.searches.get_mut(&tag) else { return };
        search.browsing = false;
        // Torrents are not peers: if nobody can be asked for those, the search
        // has failed.
        search.answered |= magnets.is_empty();
        search.queue.extend(magnets);
        self.proceed(cx, tag);
    }

    /// Does what the search can do now: tries further peers and further
    /// torrents, or ends it.
    fn proceed(&mut self, cx: &mut Context<'_>, tag: u32) {
        let most = usize::from(self.config.parallel_torrents);
        loop {
            let Some(search) = self.searches.get_mut(&tag) else { return };
            if search.hits.len() >= search.limit {
                return self.end_search(cx, tag, None);
            }
            dial(cx, search);
            let active = search.hunts.iter().filter(|hunt| !hunt.is_over()).count();
            if active >= most {
                return;
            }
            let Some(magnet) = search.queue.pop_front() else {
                if active == 0 && !search.browsing {
                    self.end_search(cx, tag, None);
                }
                return;
            };
            self.hunt(cx, tag, magnet);
        }
    }

    /// Starts looking for the peers of a torrent: among our own connections,
    /// if we are in its swarm, and at its trackers.
    fn hunt(&mut self, cx: &mut Context<'_>, tag: u32, magnet: Magnet) {
        let Magnet { info_hash, item, trackers } = magnet;
        let own = self.torrents.get(&info_hash);
        let trackers = if trackers.is_empty() { &self.trackers } else { &trackers };
        let mut hunt = Hunt {
            info_hash,
            item: item.or_else(|| own.map(|torrent| Arc::clone(&torrent.item))),
            trackers: order_of_trial(cx, trackers, self.config.tiers).iter().copied().collect(),
            asking: false,
            asking_dht: false,
            listed_at: None,
            candidates: VecDeque::new(),
            tried: Vec::new(),
            called_again: Vec::new(),
            dialing: Vec::new(),
            connected: Vec::new(),
            nameless: Vec::new(),
            asked_name: None,
        };
        if let Some(own) = own {
            hunt.hear_of(own.swarm.neighbours(), cx.me());
        }
        let Some(search) = self.searches.get_mut(&tag) else { return };
        if search.seeks(&info_hash) {
            return;
        }
        search.hunts.push(hunt);
        self.ask_next_tracker(cx, tag, info_hash);
        self.ask_dht(cx, tag, info_hash);
    }

    /// Asks the DHT for peers, if this client takes part in it.
    fn ask_dht(&mut self, cx: &mut Context<'_>, tag: u32, info_hash: Key) {
        if self.dht.is_none() {
            return;
        }
        if let Some(hunt) = self.searches.get_mut(&tag).and_then(|s| s.hunt(info_hash)) {
            hunt.asking_dht = true;
            let limit = self.config.numwant;
            self.with_dht(cx, |dht, cx| dht.find(cx, tag, info_hash, limit));
        }
    }

    /// The DHT tells of peers, or of none.
    pub(super) fn on_dht_found(
        &mut self,
        cx: &mut Context<'_>,
        tag: u32,
        info_hash: Key,
        outcome: Outcome,
    ) {
        let me = cx.me();
        let Some(search) = self.searches.get_mut(&tag) else { return };
        match &outcome {
            Outcome::Failed(reason) => search.trouble = *reason,
            _ => search.answered = true,
        }
        let Some(hunt) = search.hunt(info_hash) else { return };
        hunt.asking_dht = false;
        if let Outcome::Found(hits) = outcome {
            hunt.hear_of(hits.iter().map(|hit| hit.provider), me);
        }
        self.proceed(cx, tag);
    }

    /// Asks the next tracker for peers, as one who lacks everything; one who
    /// is in the swarm already announces itself anew, as after a restart, since
    /// an announce without an event may come too early.
    fn ask_next_tracker(&mut self, cx: &mut Context<'_>, tag: u32, info_hash: Key) {
        let is_member = self.torrents.contains_key(&info_hash);
        let Some(hunt) = self.searches.get_mut(&tag).and_then(|s| s.hunt(info_hash)) else {
            return;
        };
        let Some(tracker) = hunt.trackers.pop_front() else {
            hunt.asking = false;
            return;
        };
        hunt.asking = true;
        // Without the name the size is unknown too: something is lacking.
        let left = hunt.item.as_ref().map_or(1, |item| item.size_bytes().max(1));
        let announce = if is_member {
            self.announce(cx, info_hash, Event::Started, 0)
        } else {
            hunt.listed_at = Some(tracker);
            self.announce(cx, info_hash, Event::Started, left)
        };
        self.ask(cx, tracker, announce, Ask::Find { search: tag, info_hash });
    }

    /// A tracker tells of peers.
    pub(super) fn on_found(
        &mut self,
        cx: &mut Context<'_>,
        tag: u32,
        info_hash: Key,
        peers: &Peers,
    ) {
        let me = cx.me();
        let Some(search) = self.searches.get_mut(&tag) else { return };
        search.answered = true;
        let Some(hunt) = search.hunt(info_hash) else { return };
        hunt.asking = false;
        hunt.hear_of(peers.peers.iter().copied(), me);
        self.proceed(cx, tag);
    }

    /// A tracker does not reply, or refuses.
    pub(super) fn on_find_failed(
        &mut self,
        cx: &mut Context<'_>,
        tag: u32,
        info_hash: Key,
        reason: Reason,
    ) {
        let Some(search) = self.searches.get_mut(&tag) else { return };
        search.trouble = reason;
        if let Some(hunt) = search.hunt(info_hash) {
            hunt.listed_at = None;
        }
        self.ask_next_tracker(cx, tag, info_hash);
        self.proceed(cx, tag);
    }

    /// A peer shook hands: if it has everything it is a hit, unless we have
    /// yet to hear what it is that it has.
    pub(super) fn on_peer_accepted(
        &mut self,
        cx: &mut Context<'_>,
        peer: Addr,
        info_hash: Key,
        complete: bool,
    ) {
        for tag in self.searching(info_hash) {
            let Some(search) = self.searches.get_mut(&tag) else { continue };
            let Some(hunt) = search.hunt(info_hash) else { continue };
            if !hunt.is_dialing(peer) {
                continue;
            }
            hunt.dialing.retain(|(other, _)| *other != peer);
            hunt.connected.push(peer);
            match (complete, hunt.item.clone()) {
                (false, _) => {}
                (true, Some(item)) => search.hit(cx, &item, peer),
                (true, None) => hunt.nameless.push(peer),
            }
            self.proceed(cx, tag);
        }
    }

    /// A peer tells what a torrent holds. It can only be believed if the name
    /// hashes to what was asked for.
    pub(super) fn on_metadata(&mut self, cx: &mut Context<'_>, from: Addr, item: &Arc<Item>) {
        for tag in self.searching(item.key()) {
            let Some(search) = self.searches.get_mut(&tag) else { continue };
            let Some(hunt) = search.hunt(item.key()) else { continue };
            if hunt.asked_name.take_if(|(other, _)| *other == from).is_none() {
                continue;
            }
            hunt.item = Some(Arc::clone(item));
            for peer in core::mem::take(&mut hunt.nameless) {
                search.hit(cx, item, peer);
            }
            self.proceed(cx, tag);
        }
    }

    /// A peer does not have a torrent.
    pub(super) fn on_peer_declined(&mut self, cx: &mut Context<'_>, peer: Addr, info_hash: Key) {
        for tag in self.searching(info_hash) {
            let Some(hunt) = self.searches.get_mut(&tag).and_then(|s| s.hunt(info_hash)) else {
                continue;
            };
            hunt.give_up_on(peer);
            self.proceed(cx, tag);
        }
    }

    /// The stream to a peer broke. It may be gone, or have closed a stream that
    /// it no longer needed while we were speaking; so it is called again.
    pub(super) fn on_peer_lost(&mut self, cx: &mut Context<'_>, peer: Addr) {
        let using = self.searches.iter().filter(|(_, search)| search.uses(peer));
        let tags: Vec<u32> = using.map(|(&tag, _)| tag).collect();
        for tag in tags {
            let Some(search) = self.searches.get_mut(&tag) else { continue };
            for hunt in &mut search.hunts {
                hunt.call_again(peer);
            }
            let cause = search.cause;
            self.proceed(&mut cx.on_behalf_of(cause), tag);
        }
    }

    /// The calls of a search have had their time. A stream can break without a
    /// word to this end when both ends open it at once.
    pub(super) fn on_calls_overdue(&mut self, cx: &mut Context<'_>, tag: u32) {
        let timeout = self.config.connect_timeout;
        let now = cx.now();
        let Some(search) = self.searches.get_mut(&tag) else { return };
        cx.on_behalf_of(Cause::UPKEEP).wake(timeout, Timer::Calls(tag));
        for hunt in &mut search.hunts {
            hunt.overdue(now, timeout).into_iter().for_each(|peer| hunt.call_again(peer));
        }
        let cause = search.cause;
        self.proceed(&mut cx.on_behalf_of(cause), tag);
    }

    fn searching(&self, info_hash: Key) -> Vec<u32> {
        let seeking = self.searches.iter().filter(|(_, search)| search.seeks(&info_hash));
        seeking.map(|(&tag, _)| tag).collect()
    }

    /// Ends a search with what it found. `because` tells what cut it short.
    pub(super) fn end_search(&mut self, cx: &mut Context<'_>, tag: u32, because: Option<Reason>) {
        let Some(search) = self.searches.remove(&tag) else { return };
        let Search { op, cause, hits, answered, trouble, hunts, .. } = search;
        let cause = if because.is_some() { cause } else { cx.cause() };
        let cx = &mut cx.on_behalf_of(cause);
        match because {
            Some(reason) if hits.is_empty() => cx.finish(op, Outcome::Failed(reason)),
            None if hits.is_empty() && !answered => cx.finish(op, Outcome::Failed(trouble)),
            _ => cx.finish_search(op, hits),
        }
        for hunt in hunts {
            self.withdraw(cx, &hunt);
        }
    }

    /// Nobody fetches anything here, so the client leaves the swarm that it
    /// entered to ask for peers.
    fn withdraw(&mut self, cx: &mut Context<'_>, hunt: &Hunt) {
        let key = hunt.info_hash;
        let other = self.searches.values().any(|search| search.seeks(&key));
        if let Some(tracker) = hunt.listed_at
            && !other
            && !self.torrents.contains_key(&key)
        {
            let announce = self.announce(cx, key, Event::Stopped, 1);
            self.ask(cx, tracker, announce, Ask::Stop);
        }
        let in_swarm = |peer| self.torrents.get(&key).is_some_and(|t| t.swarm.uses(peer));
        let dialing = hunt.dialing.iter().map(|(peer, _)| *peer);
        let peers = hunt.connected.iter().copied().chain(dialing);
        for peer in peers.filter(|&peer| !in_swarm(peer)).collect::<Vec<_>>() {
            self.hang_up(cx, peer, key);
        }
    }

    /// Ends all searches, since the client leaves.
    pub(super) fn end_searches(&mut self, cx: &mut Context<'_>, reason: Reason) {
        while let Some((&tag, _)) = self.searches.first_key_value() {
            self.end_search(cx, tag, Some(reason));
        }
    }
}

/// Shakes hands with as many further peers as could still be hits, and asks
/// for names that are lacking.
fn dial(cx: &mut Context<'_>, search: &mut Search) {
    let waiting = |hunt: &Hunt| hunt.dialing.len() + hunt.nameless.len();
    let coming: usize = search.hunts.iter().map(waiting).sum();
    let mut room = search.limit.saturating_sub(search.hits.len() + coming);
    let (peer_id, now) = (super::peer_id(cx.me()), cx.now());
    for hunt in &mut search.hunts {
        let info_hash = hunt.info_hash;
        while room > 0
            && let Some(peer) = hunt.candidates.pop_front()
        {
            room -= 1;
            if !hunt.tried.contains(&peer) {
                hunt.tried.push(peer);
            }
            hunt.dialing.push((peer, now));
            cx.send(peer, Message::Connect { info_hash, peer_id });
        }
        if hunt.asked_name.is_none()
            && let Some(&peer) = hunt.nameless.first()
        {
            hunt.asked_name = Some((peer, now));
            cx.send(peer, Message::MetadataRequest(info_hash));
        }
    }
}
