//! The tracker: who is in which swarm (BEP 3).

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;

use super::config::Config;
use super::message::{Announce, Counts, Event, Message, Peers, Refusal};
use super::sample::sample;
use super::{Context, Timer};
use crate::seam::{Addr, Footprint, Key, Note, Rng, Span, Time};

/// How often a tracker looks for peers that fell silent.
const EXPIRY_ROUND: Span = Span::from_s(60);

/// A peer of a swarm, as it announced itself.
#[derive(Clone, Copy, Debug)]
struct Member {
    addr: Addr,
    /// When it last announced.
    seen: Time,
}

/// The peers of one torrent, each list sorted by address.
#[derive(Debug, Default)]
struct Swarm {
    seeds: Vec<Member>,
    leechers: Vec<Member>,
    /// How many reported completion.
    downloaded: u32,
}

impl Swarm {
    const fn len(&self) -> usize {
        self.seeds.len() + self.leechers.len()
    }

    /// Takes a peer out and tells when it was last seen.
    fn remove(&mut self, addr: Addr) -> Option<Time> {
        for list in [&mut self.seeds, &mut self.leechers] {
            if let Ok(at) = list.binary_search_by_key(&addr, |member| member.addr) {
                return Some(list.remove(at).seen);
            }
        }
        None
    }

    fn add(&mut self, addr: Addr, is_seed: bool, seen: Time) {
        let list = if is_seed { &mut self.seeds } else { &mut self.leechers };
        let at = list.partition_point(|member| member.addr < addr);
        list.insert(at, Member { addr, seen });
    }

    fn counts(&self) -> Counts {
        Counts {
            complete: self.seeds.len() as u32,
            downloaded: self.downloaded,
            incomplete: self.leechers.len() as u32,
        }
    }

    /// Up to `want` peers at random for `asker`. Who still lacks something
    /// hears of seeds first, as common trackers do; who lacks nothing, of all
    /// alike.
    fn pick(&self, asker: Addr, wants_seeds: bool, want: usize, rng: &mut Rng) -> Box<[Addr]> {
        let mut peers = Vec::with_capacity(want.min(self.len()));
        if wants_seeds {
            draw(&self.seeds, asker, want, rng, &mut peers);
            draw(&self.leechers, asker, want, rng, &mut peers);
        } else {
            let all = self.len();
            for at in sample(rng, all, all.min(want + 1)) {
                let member =
                    self.seeds.get(at).or_else(|| self.leechers.get(at - self.seeds.len()));
                peers.extend(member.map(|m| m.addr).filter(|&addr| addr != asker));
            }
            peers.truncate(want);
        }
        peers.into()
    }
}

/// Adds members at random until there are `want` peers.
fn draw(members: &[Member], asker: Addr, want: usize, rng: &mut Rng, peers: &mut Vec<Addr>) {
    let left = want.saturating_sub(peers.len());
    // One more than is wanted, since the asker may be among them.
    for at in sample(rng, members.len(), members.len().min(left + 1)) {
        if members[at].addr != asker && peers.len() < want {
            peers.push(members[at].addr);
        }
    }
}

/// A tracker.
#[derive(Debug)]
pub struct Tracker {
    config: Arc<Config>,
    swarms: BTreeMap<Key, Swarm>,
}

impl Tracker {
    /// A tracker of nothing yet.
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self { config: Arc::clone(config), swarms: BTreeMap::new() }
    }

    /// Its parameters.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    /// Starts its upkeep.
    pub(super) fn start(&self, cx: &mut Context<'_>) {
        cx.wake_upkeep(EXPIRY_ROUND, Timer::Expire);
    }

    /// Answers announces and scrapes; whoever takes it for an index site is
    /// told otherwise.
    pub(super) fn on_message(&mut self, cx: &mut Context<'_>, from: Addr, message: Message) {
        match message {
            Message::Announce(announce) => {
                let reply = match self.announce(cx, from, &announce) {
                    Ok(peers) => Message::Peers(Box::new(peers)),
                    Err(refusal) => Message::Refused(refusal),
                };
                cx.send(from, reply);
            }
            Message::Scrape(keys) => {
                let counts = |key: &Key| self.swarms.get(key).map(Swarm::counts);
                let mut files: Vec<(Key, Counts)> =
                    keys.iter().map(|key| (*key, counts(key).unwrap_or_default())).collect();
                files.sort_unstable_by_key(|(key, _)| *key);
                files.dedup_by_key(|(key, _)| *key);
                cx.send(from, Message::Scraped(files.into()));
            }
            Message::Visit | Message::Publish(_) | Message::Browse(_) => {
                cx.send(from, Message::Refused(Refusal::NotServedHere));
            }
            _ => {}
        }
    }

    fn announce(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        announce: &Announce,
    ) -> Result<Peers, Refusal> {
        let key = announce.info_hash;
        // The address is the connection's: nobody announces another.
        let port = announce.port;
        let addr = Addr::from_socket(SocketAddrV4::new(*from.to_socket().ip(), port));
        if announce.event == Event::Stopped {
            let counts = self.stopped(cx, key, addr);
            return Ok(self.reply(counts, Box::default()));
        }
        let known = self.swarms.len();
        let may_open = known < self.config.max_torrents as usize;
        if !may_open && !self.swarms.contains_key(&key) {
            return Err(Refusal::Full);
        }
        let swarm = self.swarms.entry(key).or_default();
        let seen = swarm.remove(addr);
        if announce.event == Event::Interval
            && let Some(seen) = seen
            && cx.now().since(seen) < self.config.min_interval
        {
            swarm.add(addr, announce.left == 0, seen);
            return Err(Refusal::TooOften);
        }
        if seen.is_none() && swarm.len() >= self.config.max_swarm as usize {
            return Err(Refusal::Full);
        }
        swarm.add(addr, announce.left == 0, cx.now());
        swarm.downloaded += u32::from(announce.event == Event::Completed);
        if seen.is_none() {
            cx.note(|| Note::Store { key, provider: addr, stored: true });
        }
        let want = usize::from(announce.numwant.min(self.config.max_numwant));
        let peers = swarm.pick(addr, announce.left > 0, want, cx.rng());
        let counts = swarm.counts();
        Ok(self.reply(counts, peers))
    }

    fn stopped(&mut self, cx: &mut Context<'_>, key: Key, addr: Addr) -> Counts {
        let Some(swarm) = self.swarms.get_mut(&key) else { return Counts::default() };
        if swarm.remove(addr).is_some() {
            cx.note(|| Note::Store { key, provider: addr, stored: false });
        }
        let counts = swarm.counts();
        if swarm.len() == 0 {
            self.swarms.remove(&key);
        }
        counts
    }

    fn reply(&self, counts: Counts, peers: Box<[Addr]>) -> Peers {
        let seconds = |span: Span| (span.as_us() / 1_000_000) as u32;
        Peers {
            complete: counts.complete,
            incomplete: counts.incomplete,
            interval_s: seconds(self.config.interval),
            min_interval_s: Some(seconds(self.config.min_interval)),
            peers,
        }
    }

    /// Forgets peers that missed their announces.
    pub(super) fn on_expire(&mut self, cx: &mut Context<'_>) {
        let lifetime = self.config.interval * u64::from(self.config.missed_announces);
        let (now, lifetime) = (cx.now(), lifetime + EXPIRY_ROUND);
        for (&key, swarm) in &mut self.swarms {
            for list in [&mut swarm.seeds, &mut swarm.leechers] {
                list.retain(|member| {
                    let keep = now.since(member.seen) <= lifetime;
                    if !keep {
                        cx.note(|| Note::Store { key, provider: member.addr, stored: false });
                    }
                    keep
                });
            }
        }
        self.swarms.retain(|_, swarm| swarm.len() > 0);
        cx.wake_upkeep(EXPIRY_ROUND, Timer::Expire);
    }

    /// Takes up the swarms of a converged network: seeds that announced just
    /// now, sorted by address.
    pub(super) fn settle_swarm(&mut self, key: Key, seeds: impl Iterator<Item = Addr>, now: Time) {
        let seeds: Vec<Member> = seeds.map(|addr| Member { addr, seen: now }).collect();
        if !seeds.is_empty() {
            self.swarms.insert(key, Swarm { seeds, ..Swarm::default() });
        }
    }

    /// All seeds, by torrent; for audits.
    pub(super) fn seeds(&self) -> impl Iterator<Item = (Key, Addr)> {
        self.swarms
            .iter()
            .flat_map(|(&key, swarm)| swarm.seeds.iter().map(move |member| (key, member.addr)))
    }

    /// Whether `peer` seeds a torrent, as far as the tracker knows.
    pub(super) fn is_seed(&self, key: &Key, peer: Addr) -> bool {
        self.swarms
            .get(key)
            .is_some_and(|s| s.seeds.binary_search_by_key(&peer, |member| member.addr).is_ok())
    }

    /// Whom it keeps, each counted once as a contact and once per swarm as an
    /// index entry.
    pub(super) fn footprint(&self) -> Footprint {
        let members: usize = self.swarms.values().map(Swarm::len).sum();
        let bytes = self.swarms.len() * (size_of::<Key>() + size_of::<Swarm>())
            + members * size_of::<Member>();
        let mut peers = Vec::with_capacity(members);
        self.neighbours(&mut |addr| peers.push(addr));
        peers.sort_unstable();
        peers.dedup();
        Footprint {
            routing_entries: peers.len() as u64,
            index_entries: members as u64,
            bytes: bytes as u64,
        }
    }

    /// The peers of all swarms, again and again.
    pub(super) fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        for swarm in self.swarms.values() {
            for member in swarm.seeds.iter().chain(&swarm.leechers) {
                visit(member.addr);
            }
        }
    }
}
