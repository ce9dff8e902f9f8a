//! Delays over a generated hierarchy of routers.

use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use overlays::{Rng, Span};
use petgraph::algo::dijkstra;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;
use petgraph::visit::NodeFiltered;
use rand::RngExt;

use super::draw::Salt;

/// The delay of a link between transit routers (CAN, SIGCOMM 2001 §4), in
/// microseconds.
pub const TRANSIT_US: u32 = 100_000;
/// The delay of a link from a stub to its transit router.
pub const STUB_TRANSIT_US: u32 = 10_000;
/// The delay of a link inside a stub.
pub const STUB_US: u32 = 1_000;
/// The delay of a host's link to its router.
pub const HOST_US: u32 = 1_000;

/// The probability of a link between two transit domains; this and the next two
/// are those of the generator's sample files.
const DOMAIN_LINK: f64 = 1.0;
/// The probability of a link between two routers of a transit domain.
const TRANSIT_LINK: f64 = 0.6;
/// The probability of a link between two routers of a stub.
const STUB_LINK: f64 = 0.42;

/// The most transit routers; the table between them has their square.
const MAX_TRANSIT: u32 = 500;
/// The most routers of a stub; there is a table for each.
const MAX_STUB: u32 = 50;
/// The most stub routers.
const MAX_ROUTERS: u32 = 100_000;

/// How many routers of each kind a transit-stub network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Transit domains.
    pub domains: u32,
    /// Routers in each of them.
    pub domain_routers: u32,
    /// Stubs at each transit router.
    pub stubs: u32,
    /// Routers in each stub.
    pub stub_routers: u32,
}

impl Shape {
    const fn transit(self) -> u32 {
        self.domains * self.domain_routers
    }

    /// The routers of one stub, as indices of the graph.
    fn stub(self, stub: u32) -> Range<u32> {
        let start = self.transit() + stub * self.stub_routers;
        start..start + self.stub_routers
    }
}

impl Default for Shape {
    /// 5,050 routers, as in the studies of Pastry by Castro and others.
    fn default() -> Self {
        Self { domains: 10, domain_routers: 5, stubs: 10, stub_routers: 10 }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domains, domain_routers, stubs, stub_routers } = self;
        write!(f, "{domains}x{domain_routers}x{stubs}x{stub_routers}")
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let counts: Option<Vec<u32>> = text.split('x').map(|n| n.parse().ok()).collect();
        let Some([domains, domain_routers, stubs, stub_routers]) = counts.as_deref() else {
            return Err(format!(
                "`{text}` is not domains x routers in each x stubs at each x routers in each, \
                 such as 10x5x10x10"
            ));
        };
        let product = |factors: &[&u32]| {
            factors.iter().fold(1_u64, |product, n| product.saturating_mul(u64::from(**n)))
        };
        let transit = product(&[domains, domain_routers]);
        let stub = product(&[domains, domain_routers, stubs, stub_routers]);
        if transit > u64::from(MAX_TRANSIT) {
            return Err(format!("{transit} transit routers are more than {MAX_TRANSIT}"));
        }
        if *stub_routers > MAX_STUB {
            return Err(format!("{stub_routers} routers in a stub are more than {MAX_STUB}"));
        }
        if stub == 0 || stub > u64::from(MAX_ROUTERS) {
            return Err(format!("{stub} stub routers are not in 1..={MAX_ROUTERS}"));
        }
        Ok(Self {
            domains: *domains,
            domain_routers: *domain_routers,
            stubs: *stubs,
            stub_routers: *stub_routers,
        })
    }
}

/// The model `transit-stub` (Zegura et al., INFOCOM 1996): domains of transit
/// routers, all linked with each other; stubs that hang on one transit router
/// each; hosts on random stub routers.
///
/// Domains are random graphs. Where one falls apart, links are added to join
/// it, while the original generator draws again.
#[derive(Clone, Debug)]
pub struct TransitStub {
    salt: Salt,
    shape: Shape,
    /// Between any two transit routers, row by row; in microseconds, as all.
    transit: Box<[u32]>,
    /// From each stub router to its stub's transit router.
    uplink: Box<[u32]>,
    /// Between any two routers of a stub, stub by stub and row by row.
    inside: Box<[u32]>,
}

impl TransitStub {
    /// Generates a network and its routes.
    pub fn new(shape: &Shape, rng: &mut Rng) -> Self {
        let shape = *shape;
        let (graph, gateways) = generate(shape, rng);
        // A stub has one link to the outside. So its routes stay inside or
        // leave through that link, and tables per stub and between transit
        // routers hold all of the shortest paths.
        let transit = distances(&graph, 0..shape.transit());
        let mut uplink = Vec::new();
        let mut inside = Vec::new();
        for (stub, gateway) in gateways.iter().enumerate() {
            let table = distances(&graph, shape.stub(stub as u32));
            let row = gateway * shape.stub_routers as usize;
            let to_gateway = &table[row..row + shape.stub_routers as usize];
            uplink.extend(to_gateway.iter().map(|us| us + STUB_TRANSIT_US));
            inside.extend(table);
        }
        Self {
            salt: Salt::new(rng),
            shape,
            transit: transit.into(),
            uplink: uplink.into(),
            inside: inside.into(),
        }
    }

    /// The delay between two nodes.
    #[inline]
    pub fn one_way(&self, a: u32, b: u32) -> Span {
        let path_us = self.path_us(self.router_of(a), self.router_of(b));
        Span::from_us(u64::from(path_us + 2 * HOST_US))
    }

    /// The stub router that `node` hangs on.
    #[inline]
    fn router_of(&self, node: u32) -> u32 {
        self.salt.of_node(node).below(self.uplink.len() as u32)
    }

    /// The delay between two stub routers, counted from zero.
    #[inline]
    fn path_us(&self, a: u32, b: u32) -> u32 {
        let Shape { stubs, stub_routers, .. } = self.shape;
        let (stub_a, stub_b) = (a / stub_routers, b / stub_routers);
        if stub_a == stub_b {
            return self.inside[(a * stub_routers + b % stub_routers) as usize];
        }
        let (transit_a, transit_b) = (stub_a / stubs, stub_b / stubs);
        self.uplink[a as usize]
            + self.transit[(transit_a * self.shape.transit() + transit_b) as usize]
            + self.uplink[b as usize]
    }
}

/// The graph of all routers with delays in microseconds: the transit routers,
/// then the stubs' in order; and which router of each stub has the link out.
fn generate(shape: Shape, rng: &mut Rng) -> (UnGraph<(), u32>, Vec<usize>) {
    let mut graph = UnGraph::default();
    for _ in 0..shape.transit() {
        graph.add_node(());
    }
    let domain = |d: u32| d * shape.domain_routers..(d + 1) * shape.domain_routers;
    for d in 0..shape.domains {
        link_randomly(&mut graph, domain(d), TRANSIT_LINK, TRANSIT_US, rng);
    }
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    random_links(0..shape.domains, DOMAIN_LINK, rng, |a, b| pairs.push((a, b)));
    for (a, b) in pairs {
        let (a, b) = (rng.random_range(domain(a)), rng.random_range(domain(b)));
        graph.add_edge(a.into(), b.into(), TRANSIT_US);
    }
    let mut gateways = Vec::new();
    for stub in 0..shape.transit() * shape.stubs {
        let routers = shape.stub(stub);
        for _ in routers.clone() {
            graph.add_node(());
        }
        link_randomly(&mut graph, routers.clone(), STUB_LINK, STUB_US, rng);
        let gateway = rng.random_range(0..shape.stub_routers);
        let transit = stub / shape.stubs;
        graph.add_edge((routers.start + gateway).into(), transit.into(), STUB_TRANSIT_US);
        gateways.push(gateway as usize);
    }
    (graph, gateways)
}

fn link_randomly(
    graph: &mut UnGraph<(), u32>,
    routers: Range<u32>,
    probability: f64,
    delay_us: u32,
    rng: &mut Rng,
) {
    random_links(routers, probability, rng, |a, b| {
        graph.add_edge(a.into(), b.into(), delay_us);
    });
}

/// The links of a connected random graph.
fn random_links(
    range: Range<u32>,
    probability: f64,
    rng: &mut Rng,
    mut link: impl FnMut(u32, u32),
) {
    let start = range.start;
    let mut parts = UnionFind::new(range.len());
    for b in range.clone() {
        for a in start..b {
            if rng.random_bool(probability) {
                link(a, b);
                parts.union(a - start, b - start);
            }
        }
    }
    for b in range.skip(1) {
        // All before `b` are joined by now, so any of them will do.
        if !parts.equiv(0, b - start) {
            let a = rng.random_range(start..b);
            link(a, b);
            parts.union(a - start, b - start);
        }
    }
}

/// The delays between any two of `routers` over paths among them, row by row.
fn distances(graph: &UnGraph<(), u32>, routers: Range<u32>) -> Vec<u32> {
    let part = NodeFiltered::from_fn(graph, |router: NodeIndex| {
        routers.contains(&(router.index() as u32))
    });
    let mut table = Vec::with_capacity(routers.len() * routers.len());
    for from in routers.clone() {
        let delays = dijkstra(&part, from.into(), None, |link| *link.weight());
        table.extend(routers.clone().map(|to| delays[&NodeIndex::from(to)]));
    }
    table
}

#[cfg(test)]
mod tests {
    use overlays::Stream;

    use super::*;

    #[test]
    fn tables_hold_the_shortest_paths_of_the_whole_graph() {
        let shape = Shape { domains: 3, domain_routers: 4, stubs: 2, stub_routers: 5 };
        let model = TransitStub::new(&shape, &mut Stream::Topology.rng(9));
        let (graph, _) = generate(shape, &mut Stream::Topology.rng(9));
        let stub_routers = graph.node_count() as u32 - shape.transit();
        assert_eq!(stub_routers, 3 * 4 * 2 * 5);
        for a in 0..stub_routers {
            let from = (shape.transit() + a).into();
            let delays = dijkstra(&graph, from, None, |link| *link.weight());
            for b in 0..stub_routers {
                assert_eq!(model.path_us(a, b), delays[&NodeIndex::from(shape.transit() + b)]);
            }
        }
    }

    #[test]
    fn random_links_connect_even_without_luck() {
        let mut rng = Stream::Topology.rng(1);
        let mut links = Vec::new();
        random_links(5..25, 0.0, &mut rng, |a, b| links.push((a, b)));
        assert_eq!(links.len(), 19, "a tree");
        assert!(links.iter().all(|(a, b)| a < b && (5..25).contains(b) && *a >= 5));
        links.clear();
        random_links(0..6, 1.0, &mut rng, |a, b| links.push((a, b)));
        assert_eq!(links.len(), 15, "a complete graph");
    }

    #[test]
    fn shapes_are_read_and_bounded() {
        assert_eq!("10x5x10x10".parse(), Ok(Shape::default()));
        let sample = Shape { domains: 1, domain_routers: 4, stubs: 3, stub_routers: 8 };
        assert_eq!("1x4x3x8".parse(), Ok(sample));
        assert_eq!(sample.to_string(), "1x4x3x8");
        for bad in ["", "1x2x3", "axbxcxd", "0x5x10x10", "1x501x1x1", "1x1x1x51", "1x5x1000x50"] {
            assert!(bad.parse::<Shape>().is_err(), "{bad}");
        }
        assert!("4294967295x4294967295x4294967295x4294967295".parse::<Shape>().is_err());
    }
}
