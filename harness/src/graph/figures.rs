//! What is measured of an overlay graph.

use overlays::Rng;
use petgraph::Directed;
use petgraph::algo::kosaraju_scc;
use petgraph::csr::Csr;
use petgraph::unionfind::UnionFind;
use rand::RngExt;

use super::{Compact, OverlayGraph};
use crate::stats::Tally;

/// Links that are followed at most for the paths, and again for the
/// clustering; a larger graph is sampled. 2 * 10^8 take about a second.
pub const WORK_LIMIT: u64 = 200_000_000;

/// Not reached.
const FAR: u32 = u32::MAX;

type Adjacency = Csr<(), (), Directed, u32>;

/// The figures of an overlay graph. Links lead from a node to those that it
/// knows; paths follow them, components and clustering ignore their direction.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Nodes that are up.
    pub nodes: u64,
    /// Distinct links between them.
    pub links: u64,
    /// Distinct links to nodes that are not up.
    pub stale_links: u64,
    /// Weakly connected components.
    pub components: u64,
    /// Nodes in the largest of these.
    pub largest_component: u64,
    /// Strongly connected components: any two nodes of one reach each other.
    pub strong_components: u64,
    /// Nodes in the largest of these.
    pub largest_strong_component: u64,
    /// The longest shortest path between nodes of which one reaches the other;
    /// a lower bound unless `paths_are_exact`.
    pub diameter: u64,
    /// The mean shortest path, in links; `None` if no node reaches another.
    pub mean_path: Option<f64>,
    /// The fraction of ordered pairs of nodes of which the first reaches the
    /// second; `None` for fewer than two nodes.
    pub reachable: Option<f64>,
    /// From how many nodes paths were followed.
    pub sources: u64,
    /// Whether these are all nodes, and not a random sample.
    pub paths_are_exact: bool,
    /// Links from each node.
    pub out_degree: Tally,
    /// Links to each node.
    pub in_degree: Tally,
    /// The mean over all nodes of the fraction of pairs of a node's neighbours
    /// that are neighbours themselves (Watts and Strogatz, 1998); a node with
    /// fewer than two neighbours counts as 0.
    pub clustering: Option<f64>,
    /// Whether all nodes were looked at for it, and not a random sample.
    pub clustering_is_exact: bool,
}

impl OverlayGraph {
    /// Measures the graph. `rng` chooses the samples of a large one.
    pub fn figures(&self, rng: &mut Rng) -> Figures {
        self.figures_within(WORK_LIMIT, rng)
    }

    /// Measures the graph with another limit than [`WORK_LIMIT`].
    pub(super) fn figures_within(&self, work_limit: u64, rng: &mut Rng) -> Figures {
        let compact = self.compact();
        let mut figures = Figures {
            nodes: compact.nodes.len() as u64,
            links: compact.links.len() as u64,
            stale_links: compact.stale,
            ..Figures::default()
        };
        figures.set_degrees(&compact);
        figures.set_components(&compact);
        figures.set_paths(&compact, work_limit, rng);
        figures.set_clustering(&compact, work_limit, rng);
        figures
    }
}

impl Figures {
    fn set_degrees(&mut self, compact: &Compact) {
        let mut out = vec![0_u64; compact.nodes.len()];
        let mut into = out.clone();
        for (from, to) in &compact.links {
            out[*from as usize] += 1;
            into[*to as usize] += 1;
        }
        out.into_iter().for_each(|degree| self.out_degree.record(degree));
        into.into_iter().for_each(|degree| self.in_degree.record(degree));
    }

    fn set_components(&mut self, compact: &Compact) {
        let mut parts = UnionFind::new(compact.nodes.len());
        for (from, to) in &compact.links {
            parts.union(*from, *to);
        }
        let mut sizes = vec![0_u64; compact.nodes.len()];
        for part in parts.into_labeling() {
            sizes[part as usize] += 1;
        }
        self.components = sizes.iter().filter(|size| **size > 0).count() as u64;
        self.largest_component = sizes.into_iter().max().unwrap_or(0);
        // Not Tarjan's algorithm: petgraph's recurses as deep as a path is long.
        let strong = kosaraju_scc(&compact.to_petgraph());
        self.strong_components = strong.len() as u64;
        self.largest_strong_component = strong.iter().map(Vec::len).max().unwrap_or(0) as u64;
    }

    fn set_paths(&mut self, compact: &Compact, work_limit: u64, rng: &mut Rng) {
        let nodes = compact.nodes.len();
        let links = adjacency(nodes, &compact.links);
        let work = (nodes + compact.links.len()) as u64;
        let sources = sample(nodes, work_limit / work.max(1), rng);
        let mut distance = vec![FAR; nodes];
        let mut reached = Vec::with_capacity(nodes);
        let (mut pairs, mut sum) = (0_u64, 0_u64);
        for source in &sources {
            // Breadth first; `reached` is both the queue and the result.
            distance[*source as usize] = 0;
            reached.push(*source);
            let mut next = 0;
            while let Some(node) = reached.get(next) {
                next += 1;
                let further = distance[*node as usize] + 1;
                for neighbour in links.neighbors_slice(*node) {
                    if distance[*neighbour as usize] == FAR {
                        distance[*neighbour as usize] = further;
                        reached.push(*neighbour);
                    }
                }
            }
            pairs += reached.len() as u64 - 1;
            for node in reached.drain(..) {
                let hops = u64::from(std::mem::replace(&mut distance[node as usize], FAR));
                sum += hops;
                self.diameter = self.diameter.max(hops);
            }
        }
        self.sources = sources.len() as u64;
        self.paths_are_exact = sources.len() == nodes;
        self.mean_path = ratio(sum, pairs);
        self.reachable = ratio(pairs, self.sources * (nodes as u64).saturating_sub(1));
    }

    fn set_clustering(&mut self, compact: &Compact, work_limit: u64, rng: &mut Rng) {
        let nodes = compact.nodes.len();
        let mut both: Vec<(u32, u32)> =
            compact.links.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]).collect();
        both.sort_unstable();
        both.dedup();
        let neighbours = adjacency(nodes, &both);
        // A node costs the degrees of its neighbours; all nodes together, the
        // sum of the squares of all degrees.
        let degree = |node: u32| neighbours.neighbors_slice(node).len() as u64;
        let work: u64 = (0..nodes as u32).map(|node| degree(node).pow(2)).sum();
        let affordable = work_limit / (work / (nodes as u64).max(1)).max(1);
        let sample = sample(nodes, affordable, rng);
        let mut marked = vec![false; nodes];
        let mut total = 0.0;
        for node in &sample {
            let around = neighbours.neighbors_slice(*node);
            around.iter().for_each(|n| marked[*n as usize] = true);
            let linked: usize = around
                .iter()
                .flat_map(|n| neighbours.neighbors_slice(*n))
                .filter(|n| marked[**n as usize])
                .count();
            around.iter().for_each(|n| marked[*n as usize] = false);
            let pairs = around.len() * around.len().saturating_sub(1);
            total += ratio(linked as u64, pairs as u64).unwrap_or(0.0);
        }
        self.clustering = (!sample.is_empty()).then(|| total / sample.len() as f64);
        self.clustering_is_exact = sample.len() == nodes;
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The links of `nodes` nodes, row by row.
fn adjacency(nodes: usize, sorted: &[(u32, u32)]) -> Adjacency {
    let mut links = Adjacency::from_sorted_edges(sorted).expect("they are sorted and distinct");
    // The library makes nodes up to the last that has a link.
    while links.node_count() < nodes {
        links.add_node(());
    }
    links
}

/// All of 0..`nodes`, or `affordable` of them at random, but at least one.
fn sample(nodes: usize, affordable: u64, rng: &mut Rng) -> Vec<u32> {
    let mut sample: Vec<u32> = (0..nodes as u32).collect();
    let take = usize::try_from(affordable).unwrap_or(nodes).max(1);
    if take < nodes {
        // The first steps of a shuffle.
        for i in 0..take {
            sample.swap(i, rng.random_range(i..nodes));
        }
        sample.truncate(take);
    }
    sample
}
