//! A network that starts converged is like one that joined.

use std::sync::Arc;

use harness::sim::Request;
use overlays::bittorrent::BitTorrent;
use overlays::{Addr, Item, Overlay as _};

use super::lab::{Lab, TRACKER, connected, exact, hit, listed, providers};

/// Peer `rank` of `n` shares this: half of them one item, a quarter the next,
/// and so on, so that there are swarms of every size.
fn shared_by(rank: u32, n: u32) -> Arc<Item> {
    hit((n / (rank + 1)).ilog2())
}

/// The network that its peers bring up by joining one after another.
fn joined(n: u32) -> Lab {
    let mut lab = Lab::new(&[], n, 0.0);
    for server in [0, TRACKER] {
        lab.done(server, Request::Join((0..server).map(Addr::from_index).collect()));
    }
    for (rank, peer) in (0..).zip(lab.peers()) {
        lab.done(peer, Request::Insert(shared_by(rank, n)));
        lab.join(peer);
        // A newcomer seeks its connections before the next one comes. In a rush
        // it would find some of them made by others already.
        lab.run_s(60);
    }
    lab.run_s(600);
    lab.rest();
    lab
}

/// The same, converged from the start.
fn settled(n: u32) -> Lab {
    let mut lab = Lab::new(&[], n, 0.0);
    let shares: Vec<(u32, Arc<Item>)> =
        (0..).zip(lab.peers()).map(|(rank, peer)| (peer, shared_by(rank, n))).collect();
    lab.sim.settle(&shares).expect("the overlay starts converged");
    lab.run_s(600);
    lab
}

/// What can be compared between two networks.
#[derive(Debug)]
struct Figures {
    /// Connections of each peer in the swarms of more than 40, sorted.
    connections: Vec<usize>,
    messages: f64,
}

fn figures(mut lab: Lab, n: u32) -> Figures {
    let audit = BitTorrent::audit(&lab.sim.population());
    assert_eq!(audit, [""; 0], "{n} peers");
    assert_eq!(listed(&lab, TRACKER), u64::from(n));
    let first = lab.peers().start;
    let item_of = |peer: u32| shared_by(peer - first, n);
    let mut connections = Vec::new();
    for peer in lab.peers() {
        let members = lab.peers().filter(|&p| item_of(p).key() == item_of(peer).key()).count();
        let others = connected(&lab, peer);
        assert!(others.iter().all(|&other| item_of(other).key() == item_of(peer).key()));
        if members > 40 {
            connections.push(others.len());
        } else if members <= 11 {
            assert_eq!(others.len(), members - 1, "everyone knows everyone in a small swarm");
        }
    }
    connections.sort_unstable();
    let mut messages = 0;
    let askers: Vec<u32> = lab.peers().step_by(n as usize / 16).collect();
    for &asker in &askers {
        for number in 0..=n.ilog2() {
            let item = hit(number);
            let members: Vec<u32> =
                lab.peers().filter(|&p| p != asker && item_of(p).key() == item.key()).collect();
            let found = providers(&exact(&mut lab, asker, &item));
            assert!(found.iter().all(|provider| members.contains(provider)), "{found:?}");
            assert_eq!(found.is_empty(), members.is_empty(), "n{asker} asks for {}", item.name());
            let (found, search) = lab.providers(asker, item.key());
            messages += search.messages;
            // The tracker names 50; who is in the swarm knows some itself.
            let told = if item_of(asker).key() == item.key() { 100 } else { 50 };
            let (least, most) = (members.len().min(50), members.len().min(told));
            assert!((least..=most).contains(&found.len()), "n{asker} finds {}", found.len());
        }
    }
    let searches = askers.len() as f64 * f64::from(n.ilog2() + 1);
    Figures { connections, messages: f64::from(messages) / searches }
}

/// The value below which this fraction of the sorted numbers lies.
fn quantile(sorted: &[usize], fraction: f64) -> f64 {
    let at = (sorted.len() as f64 * fraction) as usize;
    sorted[at.min(sorted.len() - 1)] as f64
}

/// The members of every swarm and what searches find are the same; how many
/// connections a peer has, and what a search costs, is alike.
#[test]
fn settled_equals_joined() {
    let mut apart = Vec::new();
    for n in [64, 256, 1024] {
        let (joined, settled) = (figures(joined(n), n), figures(settled(n), n));
        let mut compare = |what: &str, a: f64, b: f64, tolerance: f64| {
            println!("{n} peers, {what}: joined {a:.1}, settled {b:.1}");
            if (a - b).abs() > tolerance * b {
                apart.push(format!("{n} peers, {what}: {a:.1} and {b:.1}"));
            }
        };
        let mean =
            |f: &Figures| f.connections.iter().sum::<usize>() as f64 / f.connections.len() as f64;
        if n > 64 {
            compare("connections", mean(&joined), mean(&settled), 0.1);
            for fraction in [0.1, 0.5, 0.9] {
                let at = |f: &Figures| quantile(&f.connections, fraction);
                let what = format!("connections at quantile {fraction}");
                compare(&what, at(&joined), at(&settled), 0.25);
            }
        }
        compare("messages of a search", joined.messages, settled.messages, 0.1);
    }
    assert!(apart.is_empty(), "{apart:?}");
}
