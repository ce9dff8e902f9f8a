//! Criterion benches of the lab; run them with `cargo bench`.
//!
//! What they have in common: a converged network of [`PEERS`] peers that share
//! the embedded catalogue, and [`Askers`] who search it.

use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{NoDriver, Request, Settings, Sim};
use harness::workload::{Catalog, Placement, PlacementConfig, Popularity, draw};
use overlays::{Addr, Overlay, Profile, Query, Rng, Span, Stream};

/// Peers of the networks.
pub const PEERS: u32 = 1_000;
/// The seed of everything drawn.
const SEED: u64 = 1;

/// Who asks what: random peers, for items in proportion to their popularity.
#[derive(Debug)]
pub struct Askers {
    catalog: Catalog,
    placement: Placement,
    popularity: Popularity,
    rng: Rng,
    /// Nodes before the first peer.
    servers: u32,
}

impl Askers {
    fn new(servers: u32) -> Self {
        let catalog = Catalog::embedded();
        let items = catalog.len() as u32;
        let mut ranks = Stream::Workload.rng_of(SEED, 1);
        let popularity = Popularity::new(items, Popularity::DEFAULT_ALPHA, &mut ranks);
        let mut peers = Stream::Peers.rng(SEED);
        let placement =
            Placement::draw(&popularity, PEERS, &PlacementConfig::default(), &mut peers)
                .expect("the embedded catalogue can be placed");
        Self { catalog, placement, popularity, rng: Stream::Workload.rng(SEED), servers }
    }

    /// The next search by key, and the node that asks: never for what it
    /// shares itself.
    pub fn question(&mut self) -> (u32, Request) {
        loop {
            let peer = draw::below(&mut self.rng, u64::from(PEERS)) as u32;
            let item = self.popularity.draw(&mut self.rng);
            if !self.placement.shares(peer).contains(&item) {
                let query = Query::exact(self.catalog.item(item).key());
                return (peer + self.servers, Request::Search(query));
            }
        }
    }

    /// The time to the next search when `per_s` come per second.
    pub fn gap(&mut self, per_s: f64) -> Span {
        Span::from_s_f64(draw::exponential(&mut self.rng) / per_s)
    }
}

/// A converged network of overlay `O` and its askers; `None` when it can only
/// be joined. Whatever settling sends has arrived.
pub fn settled<O: Overlay>(config: &Arc<O::Config>, maintenance: bool) -> Option<(Sim<O>, Askers)> {
    let latency = Latency::build(&LatencySpec::King, &mut Stream::Topology.rng(SEED))
        .expect("this model reads no file");
    let network = Network::new(latency, 0.0).expect("no loss is a possible loss");
    let settings = Settings { seed: SEED, maintenance, ..Settings::default() };
    let mut sim = Sim::new(Arc::clone(config), network, settings);
    let servers = O::servers(config);
    for server in 0..servers {
        sim.add_node(Profile::server(Addr::from_index(server)));
    }
    for _ in 0..PEERS {
        sim.add_peer();
    }
    let askers = Askers::new(servers);
    let mut shares = Vec::new();
    for peer in 0..PEERS {
        for &item in askers.placement.shares(peer) {
            shares.push((peer + servers, Arc::clone(askers.catalog.item(item))));
        }
    }
    sim.settle(&shares)?;
    let rested = sim.now() + Span::from_s(30);
    sim.run_until(rested, &mut NoDriver);
    Some((sim, askers))
}
