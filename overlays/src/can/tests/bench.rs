//! A small torus.

use std::sync::Arc;

use crate::can::message::{Errand, Message};
use crate::can::{Blueprint, Can, Config, Point, Zone};
use crate::{Addr, Cause, Census, Holding, Item, Outcome, Overlay, Profile, Stream};

pub(super) type Bench = crate::bench::Bench<Can>;

impl Bench {
    /// The census of nodes 0..n.
    pub(super) fn census(n: u32, shared: &[(u32, &str)]) -> Census {
        let peers = (0..n).map(|i| Profile::peer(Self::addr(i)));
        let holdings = shared.iter().map(|(i, name)| Holding {
            item: Arc::new(Item::new(name, 1)),
            provider: Self::addr(*i),
        });
        Census::new(peers.collect(), Vec::new(), holdings.collect())
    }

    /// Nodes 0..n of a converged network.
    pub(super) fn settled(config: Config, n: u32, shared: &[(u32, &str)]) -> (Self, Blueprint) {
        let mut bench = Self::new(config);
        let mut rng = Stream::Protocol.rng(11);
        let blueprint = Blueprint::new(&bench.config, Self::census(n, shared), &mut rng);
        for i in 0..n {
            bench.enlist(i);
            bench.call(i, Cause::UPKEEP, |node, cx| node.settle(cx, &blueprint));
        }
        (bench, blueprint)
    }

    /// Nodes 0..n that joined one after another.
    pub(super) fn joined(config: Config, n: u32) -> Self {
        let mut bench = Self::new(config);
        for i in 0..n {
            bench.enlist(i);
            let outcome = bench.join(i, i.saturating_sub(1));
            assert_eq!(outcome, Some(Outcome::Done), "n{i} joins");
        }
        bench
    }

    /// A node that has not joined, with the identifier of its address.
    pub(super) fn enlist(&mut self, index: u32) {
        self.add(index, Self::addr(index).key());
    }

    /// A node that joins at these coordinates, in halves, quarters, ... of 1.
    pub(super) fn join_at(&mut self, index: u32, via: u32, coordinates: &[f64]) {
        self.enlist(index);
        let fractions: Vec<u32> =
            coordinates.iter().map(|x| (x * 4_294_967_296.0) as u32).collect();
        self.send_joiners_to(Some(Point::at(&fractions)));
        assert_eq!(self.join(index, via), Some(Outcome::Done), "n{index} joins");
        self.send_joiners_to(None);
        self.run(2);
    }

    /// Has joiners ask for this point in place of their own choice.
    pub(super) fn send_joiners_to(&mut self, wanted: Option<Point>) {
        self.alter = Box::new(move |message| {
            if let (Some(point), Message::Route { routed, .. }) = (wanted, message)
                && matches!(*routed.errand, Errand::Join { .. })
            {
                routed.point = point;
            }
        });
    }

    pub(super) fn zones(&self, index: u32) -> Vec<Zone> {
        self.node(index).zones(0).collect()
    }

    pub(super) fn neighbours(&self, index: u32) -> Vec<u32> {
        self.node(index).neighbours_in(0).map(|a| a.index()).collect()
    }

    pub(super) fn audit(&self) -> Vec<String> {
        let nodes: Vec<(Addr, &Can)> = self.nodes.iter().map(|(a, n)| (*a, n)).collect();
        Can::audit(&nodes)
    }

    /// Lets time pass until the network is in order, for at most ten minutes.
    pub(super) fn rest(&mut self) {
        for _ in 0..20 {
            self.run(30);
            if self.audit().is_empty() {
                return;
            }
        }
        assert_eq!(self.audit(), Vec::<String>::new());
    }

    pub(super) fn leave(&mut self, index: u32) -> Option<Outcome> {
        let outcome = self.ask(index, |node, cx, op| node.leave(cx, op));
        self.nodes.remove(&Self::addr(index));
        outcome
    }
}
