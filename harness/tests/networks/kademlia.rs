//! The Kademlia family in the simulator: lookups that are right and short,
//! converged starts that equal joined ones, and networks that are hurt.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::sim::{Operation, Request};
use overlays::kad::Emule;
use overlays::kademlia::{Config, Dialect, Node, Paper};
use overlays::mainline::Krpc;
use overlays::{Addr, Item, Key, Outcome, Query, Span};
use rand::RngExt as _;

use crate::lab::{self, Log, items, seeded};

type Lab<D> = lab::Lab<Node<D>>;

/// How lookups went.
#[derive(Debug)]
struct Lookups {
    right: f64,
    mean_hops: f64,
    most_hops: u16,
    mean_messages: f64,
}

impl<D: Dialect> Lab<D> {
    /// A network brought up by joins, one every 200 ms.
    fn joined(config: Config<D>, nodes: u32, seed: u64) -> Self {
        let mut lab = Self::new(config, nodes, seeded(seed));
        lab.sim.start(0, &Request::Join(Vec::new()), 0);
        for node in 1..nodes {
            let member = lab.rng.random_range(0..node.div_ceil(2));
            lab.sim.start(node, &Request::Join(vec![Addr::from_index(member)]), 0);
            lab.run(Span::from_ms(200));
        }
        lab.finish();
        lab
    }

    /// Random live nodes locate random keys.
    fn look_up(&mut self, count: usize) -> Lookups {
        self.log = Log::default();
        let live: Vec<u32> = self.sim.live().collect();
        let mut wanted = BTreeMap::new();
        for _ in 0..count {
            let mut bytes = [0; 20];
            self.rng.fill(&mut bytes);
            let key = Key::from_bytes(bytes);
            let node = live[self.rng.random_range(0..live.len())];
            let op = self.sim.start(node, &Request::Locate(key), 0);
            wanted.insert(op, key);
            self.run(Span::from_ms(50));
        }
        self.finish();
        // A node that the asker is itself is not found by itself only.
        let closest = |key: Key| {
            let id = |n: &u32| self.sim.machine(*n).contact().id.xor(key);
            live.iter().copied().min_by_key(id).map(Addr::from_index)
        };
        let right = wanted.iter().filter(|(op, key)| {
            matches!(self.log.outcomes.get(op), Some(Outcome::Located(a)) if Some(*a) == closest(**key))
        });
        let n = count as f64;
        let operations: Vec<&Operation> =
            self.log.closed.iter().filter(|o| wanted.contains_key(&o.id)).collect();
        assert_eq!(operations.len(), count);
        Lookups {
            right: right.count() as f64 / n,
            mean_hops: operations.iter().map(|o| f64::from(o.hops)).sum::<f64>() / n,
            most_hops: operations.iter().map(|o| o.hops).max().unwrap_or_default(),
            mean_messages: operations.iter().map(|o| f64::from(o.messages)).sum::<f64>() / n,
        }
    }

    /// How many of these items a random live node finds.
    fn found(&mut self, items: &[Arc<Item>]) -> f64 {
        self.log = Log::default();
        let live: Vec<u32> = self.sim.live().collect();
        for item in items {
            let node = live[self.rng.random_range(0..live.len())];
            self.sim.start(node, &Request::Search(Query::exact(item.key())), 0);
            self.run(Span::from_ms(50));
        }
        self.finish();
        let found = |o: &&Outcome| matches!(o, Outcome::Found(_));
        self.log.outcomes.values().filter(found).count() as f64 / items.len() as f64
    }

    fn complaints(&self) -> usize {
        self.audit().len()
    }
}

/// §3: a lookup takes at most ceil(log2 n) + c hops, here with c = 2, and ends
/// at the closest node.
fn right_and_short<D: Dialect>(sizes: &[u32]) {
    for &nodes in sizes {
        let mut lab = Lab::<D>::settled(Config::default(), nodes, seeded(1), &[]);
        let lookups = lab.look_up(300);
        println!("{} n = {nodes}: {lookups:?}", D::ABOUT.name);
        let bound = f64::from(nodes).log2().ceil() as u16 + 2;
        assert_eq!(lookups.right, 1.0, "{} with {nodes} nodes", D::ABOUT.name);
        assert!(lookups.most_hops <= bound, "{} hops of {bound}", lookups.most_hops);
    }
}

#[test]
fn kademlia_is_right_within_log2_n_plus_2_hops() {
    right_and_short::<Paper>(&[100, 1000, 10_000]);
}

#[test]
fn mainline_is_right_within_log2_n_plus_2_hops() {
    right_and_short::<Krpc>(&[100, 1000, 10_000]);
}

#[test]
fn kad_is_right_within_log2_n_plus_2_hops() {
    right_and_short::<Emule>(&[100, 1000, 10_000]);
}

/// A converged start routes as a network that joined by messages does.
fn joined_equals_settled<D: Dialect>(nodes: u32) {
    let mut joined = Lab::<D>::joined(Config::default(), nodes, 3);
    // Whom nobody told of a subtree finds it at the hourly refresh.
    joined.run(Span::from_s(3 * 3600));
    assert_eq!(joined.complaints(), 0, "a subtree is unknown to somebody");
    let mut settled = Lab::<D>::settled(Config::default(), nodes, seeded(3), &[]);
    assert_eq!(settled.complaints(), 0);
    let (a, b) = (joined.look_up(400), settled.look_up(400));
    println!("{} n = {nodes}: joined {a:?}, settled {b:?}", D::ABOUT.name);
    assert_eq!((a.right, b.right), (1.0, 1.0));
    assert!((a.mean_hops - b.mean_hops).abs() < 0.5, "{a:?} {b:?}");
    let messages = a.mean_messages / b.mean_messages;
    assert!((0.85..1.15).contains(&messages), "{a:?} {b:?}");
    let buckets = |lab: &Lab<D>| -> Vec<f64> {
        let mut sizes = vec![0.0; 32];
        for (_, node) in lab.sim.population() {
            node.buckets().zip(&mut sizes).for_each(|(b, sum)| *sum += b.len() as f64);
        }
        sizes.iter().map(|sum| sum / f64::from(nodes)).collect()
    };
    for (index, (a, b)) in buckets(&joined).into_iter().zip(buckets(&settled)).enumerate() {
        assert!((a - b).abs() < 2.0, "bucket {index}: {a} joined, {b} settled");
    }
}

#[test]
fn kademlia_joined_equals_settled() {
    for nodes in [64, 256, 1024] {
        joined_equals_settled::<Paper>(nodes);
    }
}

#[test]
fn mainline_joined_equals_settled() {
    for nodes in [64, 256, 1024] {
        joined_equals_settled::<Krpc>(nodes);
    }
}

#[test]
fn kad_joined_equals_settled() {
    for nodes in [64, 256, 1024] {
        joined_equals_settled::<Emule>(nodes);
    }
}

/// §2.3: STORE goes to the k closest.
#[test]
fn records_lie_at_the_k_closest() {
    let mut lab = Lab::<Paper>::settled(Config::default(), 500, seeded(4), &[]);
    for item in items(50) {
        lab.sim.start(0, &Request::Insert(item), 0);
        lab.run(Span::from_s(1));
    }
    lab.finish();
    let kept: usize = lab.sim.population().iter().map(|(_, n)| n.records()).sum();
    // The provider needs no record where it is one of the closest itself.
    assert!((950..=1000).contains(&kept), "{kept} records of 50 items");
    assert_eq!(lab.found(&items(50)), 1.0);
}

/// Three nodes of ten die at once. Every bucket has k chances, every record k
/// copies.
#[test]
fn three_in_ten_die_at_once() {
    let items = items(200);
    let shares: Vec<(u32, Arc<Item>)> = items.iter().map(|i| (0, i.clone())).collect();
    let mut lab = Lab::<Paper>::settled(Config::default(), 1000, seeded(5), &shares);
    lab.crash_fraction(0.3);
    let lookups = lab.look_up(200);
    println!("30 % dead: {lookups:?}");
    assert!(lookups.right >= 0.99, "{lookups:?}");
    let found = lab.found(&items);
    assert!(found >= 0.99, "{found}: of twenty copies some live, but not every walk gets there");
    lab.run(Span::from_s(3 * 3600));
    assert_eq!(lab.complaints(), 0, "repaired by refresh");
    let lookups = lab.look_up(200);
    assert_eq!(lookups.right, 1.0, "{lookups:?}");
}

/// One message in twenty is lost.
#[test]
fn loss_of_five_percent_is_borne() {
    let mut lab = Lab::<Krpc>::settled(Config::default(), 500, seeded(6), &[]);
    lab.set_loss(0.05);
    let mainline = lab.look_up(300);
    let mut lab = Lab::<Paper>::settled(Config::default(), 500, seeded(6), &[]);
    lab.set_loss(0.05);
    let paper = lab.look_up(300);
    println!("5 % loss: mainline {mainline:?}, kademlia {paper:?}");
    // A lost datagram costs Mainline, which sends nothing twice, the node
    // asked: one in ten, for two messages.
    assert!(mainline.right >= 0.85, "{mainline:?}");
    assert!(paper.right >= 0.98, "{paper:?}");
}

/// Two halves that do not hear each other for ten minutes become one again.
#[test]
fn a_partition_heals() {
    let mut lab = Lab::<Krpc>::settled(Config::default(), 100, seeded(7), &[]);
    let groups: Vec<u32> = (0..100).map(|node| node % 2).collect();
    lab.sim.partition(&groups);
    lab.look_up(100);
    lab.run(Span::from_s(600));
    lab.sim.heal();
    lab.run(Span::from_s(2 * 3600));
    assert_eq!(lab.complaints(), 0);
    assert_eq!(lab.look_up(200).right, 1.0);
}

/// Gummadi et al., SIGCOMM 2003: with one contact per subtree and no repair,
/// XOR routing loses about 20 % of the paths when 30 % of the nodes are dead.
/// A bucket of twenty loses none.
#[test]
fn one_contact_per_bucket_is_fragile() {
    let right = |k: usize| {
        let mut config = Config::<Paper>::default();
        (config.k, config.alpha, config.retries, config.stale) = (k, 1, 0, 100);
        let mut lab = Lab::settled(config, 2000, seeded(8), &[]);
        lab.crash_fraction(0.3);
        lab.look_up(400).right
    };
    let (one, twenty) = (right(1), right(20));
    println!("right with 30 % dead: {one} with k = 1, {twenty} with k = 20");
    assert!(one < 0.9 && twenty > 0.99, "{one} {twenty}");
}
