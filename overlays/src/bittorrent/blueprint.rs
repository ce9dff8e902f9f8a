//! A converged network, computed once for everyone.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt as _;

use super::Context;
use super::client::{Client, Phase};
use super::config::{Config, Tiers};
use super::dht::DhtBlueprint;
use super::index::IndexSite;
use super::magnet::Magnet;
use super::message::Message;
use super::sample::sample;
use super::swarm::Swarm;
use super::torrent::Torrent;
use super::tracker::Tracker;
use crate::mainline::Mainline;
use crate::seam::{Addr, Census, Item, Key, Overlay, Profile, Rng, Span};

/// Everyone's place in every swarm.
#[derive(Debug)]
pub struct Blueprint {
    servers: Vec<Addr>,
    swarms: Vec<SwarmPlan>,
    /// For each peer its places: which swarm, and which member of it.
    places: BTreeMap<Addr, Vec<(u32, u32)>>,
    /// How many trackers there are.
    trackers: usize,
    /// The DHT, if there is one.
    dht: Option<Box<DhtBlueprint>>,
}

/// One swarm: its members and who is connected to whom.
#[derive(Debug)]
struct SwarmPlan {
    item: Arc<Item>,
    /// Sorted by address.
    members: Box<[Addr]>,
    /// For each member the numbers of those it is connected to.
    links: Box<[Box<[u32]>]>,
}

impl Blueprint {
    /// The network that everyone in the census would converge to.
    pub(super) fn new(config: &Config, census: Census, rng: &mut Rng) -> Self {
        let dht = config.has_dht().then(|| converged_dht(&census, rng)).flatten();
        let mut places: BTreeMap<Addr, Vec<(u32, u32)>> =
            census.peers.iter().map(|peer| (peer.addr, Vec::new())).collect();
        let mut swarms = Vec::new();
        for holdings in census.holdings.chunk_by(|a, b| a.item.key() == b.item.key()) {
            let mut members: Vec<Addr> = holdings.iter().map(|h| h.provider).collect();
            members.retain(|member| places.contains_key(member));
            members.dedup();
            for (number, member) in members.iter().enumerate() {
                let place = (swarms.len() as u32, number as u32);
                places.entry(*member).or_default().push(place);
            }
            let links = connections(config, members.len(), rng);
            let item = Arc::clone(&holdings[0].item);
            swarms.push(SwarmPlan { item, members: members.into(), links });
        }
        let trackers = config.tracker_count();
        Self { servers: census.servers, swarms, places, trackers, dht }
    }

    /// How many servers come before the one at `addr`.
    pub(super) fn place_of_server(&self, addr: Addr) -> Option<usize> {
        self.servers.iter().position(|&server| server == addr)
    }

    fn index_site(&self) -> Option<Addr> {
        self.servers.first().copied()
    }

    fn trackers(&self) -> Arc<[Addr]> {
        self.servers.iter().skip(1).take(self.trackers).copied().collect()
    }

    /// The DHT, if there is one.
    pub(super) fn dht(&self) -> Option<&DhtBlueprint> {
        self.dht.as_deref()
    }

    /// The order in which `peer` tries the trackers of a torrent: as given, or,
    /// in a shared tier, from a place of its own onwards.
    fn order_of_trial(&self, config: &Config, peer: Addr, key: Key) -> Arc<[Addr]> {
        let mut order = self.trackers().to_vec();
        if config.tiers == Tiers::Shared && !order.is_empty() {
            let turn = peer.key().xor(key).prefix64() % order.len() as u64;
            order.rotate_left(turn as usize);
        }
        order.into()
    }
}

/// The DHT that the peers and the node they start from, the last server, would
/// converge to.
fn converged_dht(census: &Census, rng: &mut Rng) -> Option<Box<DhtBlueprint>> {
    let mut peers = census.peers.clone();
    peers.extend(census.servers.last().map(|&router| Profile::server(router)));
    let census = Census::new(peers, Vec::new(), census.holdings.clone())
        .with_distances(census.distances.clone());
    Mainline::blueprint(&<Mainline as Overlay>::Config::default(), census, rng).map(Box::new)
}

/// The connections in a swarm of `count` peers that came one after another,
/// each shaking hands with a few of those before it, as a tracker's reply
/// names them; whoever is left with too few seeks further ones.
fn connections(config: &Config, count: usize, rng: &mut Rng) -> Box<[Box<[u32]>]> {
    let want = usize::from(config.want_peers).min(count.saturating_sub(1));
    let most = usize::from(config.max_peers);
    let mut links: Vec<Vec<u32>> = vec![Vec::new(); count];
    let order: Vec<usize> = sample(rng, count, count);
    for turn in 0..2 {
        for at in 0..count {
            let me = order[at];
            let others = if turn == 0 { at } else { count };
            let missing = want.saturating_sub(links[me].len());
            if missing == 0 {
                continue;
            }
            // A few more than needed, since some are full or known already.
            for other in sample(rng, others, others.min(2 * want + 10)) {
                let other = order[other];
                if links[me].len() >= want {
                    break;
                }
                let fits = other != me && links[other].len() < most;
                if fits && !links[me].contains(&(other as u32)) {
                    links[me].push(other as u32);
                    links[other].push(me as u32);
                }
            }
        }
    }
    links.into_iter().map(Vec::into_boxed_slice).collect()
}

impl IndexSite {
    /// Lists everything that is shared.
    pub(super) fn settle(&mut self, blueprint: &Blueprint) {
        let trackers = blueprint.trackers();
        for swarm in blueprint.swarms.iter().filter(|swarm| !swarm.members.is_empty()) {
            self.list(&Magnet::of(&swarm.item, &trackers));
        }
    }
}

impl Tracker {
    /// Lists the peers that announce here first.
    pub(super) fn settle(&mut self, cx: &Context<'_>, config: &Config, blueprint: &Blueprint) {
        let me = cx.me();
        for swarm in &blueprint.swarms {
            let key = swarm.item.key();
            let mine =
                |peer: &Addr| blueprint.order_of_trial(config, *peer, key).first() == Some(&me);
            let here = swarm.members.iter().copied().filter(mine);
            self.settle_swarm(key, here, cx.now());
        }
    }
}

impl Client {
    /// Takes its places in the swarms.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, blueprint: &Blueprint) {
        let (me, now) = (cx.me(), cx.now());
        let Some(places) = blueprint.places.get(&me) else { return };
        self.index = blueprint.index_site();
        self.trackers = blueprint.trackers();
        self.routers = blueprint.servers.iter().skip(1 + blueprint.trackers).copied().collect();
        self.phase = Phase::In;
        for &(swarm, member) in places {
            let SwarmPlan { item, members, links } = &blueprint.swarms[swarm as usize];
            let neighbours = links[member as usize].iter().map(|&other| members[other as usize]);
            // One message opens the stream, without which neither side would
            // notice that the other is gone.
            for other in neighbours.clone().filter(|&other| other < me) {
                cx.send(other, Message::KeepAlive);
            }
            let order = blueprint.order_of_trial(&self.config, me, item.key());
            // Its tracker would refuse an announce that comes sooner.
            let earliest = self.config.min_interval.min(self.config.interval).as_us();
            let wait = cx.rng().random_range(earliest..=self.config.interval.as_us());
            let torrent = Torrent {
                listed_at: order.first().copied(),
                trackers: if self.config.tiers == Tiers::Shared {
                    order
                } else {
                    Arc::clone(&self.trackers)
                },
                due: now + Span::from_us(wait),
                published: true,
                swarm: Swarm::settled(neighbours),
                ..Torrent::new(item)
            };
            self.torrents.insert(item.key(), torrent);
        }
        if let (Some(dht), Some(plan)) = (&mut self.dht, blueprint.dht()) {
            dht.settle(cx, plan);
        }
        self.start_rounds(cx);
    }
}
