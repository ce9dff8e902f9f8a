//! The overlay graph: who knows whom.

mod export;
mod figures;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use petgraph::graph::DiGraph;

pub use figures::{Figures, WORK_LIMIT};

/// A snapshot of who knows whom among the nodes that are up.
#[derive(Clone, Debug, Default)]
pub struct OverlayGraph {
    /// Which node indices are up.
    up: Vec<bool>,
    labels: BTreeMap<u32, String>,
    /// From each node to those it knows, in any order, with repetitions.
    links: Vec<(u32, u32)>,
}

/// The graph of the nodes that are up, by their rank among these.
#[derive(Debug)]
struct Compact {
    /// The index of each node.
    nodes: Vec<u32>,
    /// The links between them, sorted and distinct.
    links: Vec<(u32, u32)>,
    /// Distinct links to nodes that are not up.
    stale: u64,
}

impl OverlayGraph {
    /// A graph without nodes, for indices up to about `size`.
    pub fn new(size: u32) -> Self {
        Self { up: vec![false; size as usize], ..Self::default() }
    }

    /// Adds the node with index `node`, which knows `neighbours`. Repeated
    /// neighbours count once, and a node itself is not its neighbour.
    pub fn add(&mut self, node: u32, neighbours: impl IntoIterator<Item = u32>) {
        if node as usize >= self.up.len() {
            self.up.resize(node as usize + 1, false);
        }
        self.up[node as usize] = true;
        let others = neighbours.into_iter().filter(|other| *other != node);
        self.links.extend(others.map(|other| (node, other)));
    }

    /// Names a node in exports; without a name it is `n` and its index.
    pub fn set_label(&mut self, node: u32, label: impl Into<String>) {
        self.labels.insert(node, label.into());
    }

    fn label(&self, node: u32) -> String {
        self.labels.get(&node).cloned().unwrap_or_else(|| format!("n{node}"))
    }

    fn compact(&self) -> Compact {
        let is_up = |node: u32| self.up.get(node as usize) == Some(&true);
        let nodes: Vec<u32> = (0..self.up.len() as u32).filter(|node| is_up(*node)).collect();
        let mut rank_of = vec![0; self.up.len()];
        for (rank, node) in nodes.iter().enumerate() {
            rank_of[*node as usize] = rank as u32;
        }
        let mut links = self.links.clone();
        links.sort_unstable();
        links.dedup();
        let all = links.len();
        links.retain(|(_, to)| is_up(*to));
        let stale = (all - links.len()) as u64;
        for (from, to) in &mut links {
            *from = rank_of[*from as usize];
            *to = rank_of[*to as usize];
        }
        Compact { nodes, links, stale }
    }
}

impl Compact {
    /// As petgraph's graph; a node's weight is its index.
    fn to_petgraph(&self) -> DiGraph<u32, ()> {
        let mut graph = DiGraph::with_capacity(self.nodes.len(), self.links.len());
        for node in &self.nodes {
            graph.add_node(*node);
        }
        graph.extend_with_edges(&self.links);
        graph
    }
}
