//! What becomes of a network whose peers die or leave.

use harness::sim::Request;

use super::lab::{Lab, TRACKER, exact, hit, known, listed, providers};
use crate::baseline_lab::item;

/// The announce interval, in seconds.
const INTERVAL_S: u64 = 1800;

/// The tracker names the dead until they have missed two announces: until then
/// searches call them in vain, and find the living none the less.
#[test]
fn a_third_die_at_once_and_the_others_are_found_at_once() {
    for discovery in ["tracker", "dht", "both"] {
        let mut lab = Lab::joined(&[("discovery", discovery)], 30);
        let peers: Vec<u32> = lab.peers().collect();
        for &peer in &peers {
            lab.done(peer, Request::Insert(hit(0)));
        }
        let dead: Vec<u32> = peers.iter().copied().filter(|peer| peer % 10 < 3).collect();
        assert_eq!(dead.len(), 9);
        for &peer in &dead {
            lab.sim.crash(peer);
        }
        lab.all_find_all();
        let living = lab.live_peers();
        for &asker in &living[..5] {
            let found = providers(&exact(&mut lab, asker, &hit(0)));
            assert!(!found.is_empty() && found.iter().all(|p| living.contains(p)), "{found:?}");
        }
        lab.run_s(2 * INTERVAL_S + 180);
        lab.rest();
        lab.all_find_all();
        if discovery != "dht" {
            assert_eq!(listed(&lab, TRACKER), 3 * living.len() as u64);
            assert!(known(&lab, TRACKER).iter().all(|peer| living.contains(peer)));
        }
    }
}

#[test]
fn everyone_leaves_but_one() {
    for discovery in ["tracker", "dht", "both"] {
        let mut lab = Lab::joined(&[("discovery", discovery)], 12);
        let peers: Vec<u32> = lab.peers().collect();
        let (last, newcomer) = (peers[5], peers[6]);
        for &peer in peers.iter().filter(|&&peer| peer != last) {
            lab.done(peer, Request::Leave);
        }
        lab.rest();
        assert!(providers(&exact(&mut lab, last, &item(peers[0], 0))).is_empty());
        lab.done(last, Request::Insert(hit(0)));
        lab.sim.restart(newcomer);
        lab.join(newcomer);
        let found = providers(&exact(&mut lab, newcomer, &hit(0)));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [last], "{discovery}");
        assert_eq!(lab.live_peers(), [last, newcomer]);
    }
}
