//! A network that starts converged is like one that joined.

use overlays::Addr;
use overlays::fasttrack::Config;

use super::lab::{Lab, mean};

/// What can be compared between two networks.
#[derive(Debug)]
struct Figures {
    supernodes: f64,
    children: f64,
    home_rtt_ms: f64,
    links: f64,
    search_messages: f64,
}

fn figures(mut lab: Lab) -> Figures {
    let families = lab.families();
    let links: Vec<f64> = lab
        .supernodes()
        .into_iter()
        .map(|node| {
            let machine = lab.sim.machine(node);
            let mut contacts = 0_usize;
            overlays::Overlay::neighbours(machine, &mut |_| contacts += 1);
            (contacts - machine.children()) as f64
        })
        .collect();
    let rtts: Vec<f64> = lab
        .peers()
        .filter_map(|node| {
            let home = lab.sim.machine(node).home()?.index();
            let there = lab.latency.one_way(node, home) + lab.latency.one_way(home, node);
            Some(there.as_ms_f64())
        })
        .collect();
    let asked = 40;
    let mut messages = 0;
    for turn in 0..asked {
        let (hits, account) = lab.search(1 + turn * 7 % *lab.peers().end(), "own peer3");
        assert_eq!(hits.len(), usize::from(account.node != 3));
        messages += account.messages;
    }
    Figures {
        supernodes: families.len() as f64,
        children: mean(families.iter().map(|&f| f as f64)),
        home_rtt_ms: mean(rtts.into_iter()),
        links: mean(links.into_iter()),
        search_messages: f64::from(messages) / f64::from(asked),
    }
}

/// Takes one of the figures.
type Pick = fn(&Figures) -> f64;

/// The mean over a few seeds of what `pick` takes from each network's figures.
fn over_seeds(figures: &[Figures], pick: Pick) -> f64 {
    mean(figures.iter().map(pick))
}

/// The same distribution: numbers of supernodes and ordinary nodes, distances,
/// links and the cost of a search that must ask everyone agree within a
/// quarter over three seeds. Splits happen in steps of two, so a single network
/// may be off by more.
#[test]
fn settled_equals_joined() {
    let mut apart = Vec::new();
    for (peers, split) in [(64, 16), (256, 30), (1024, 100)] {
        let config = Config { children_split: split, children_min: split / 8, ..Config::default() };
        let joined: Vec<Figures> =
            (1..=3).map(|seed| figures(Lab::joined(&config, peers, seed))).collect();
        let settled: Vec<Figures> =
            (1..=3).map(|seed| figures(Lab::settled(&config, peers, seed))).collect();
        let picks: [(&str, Pick); 5] = [
            ("supernodes", |f| f.supernodes),
            ("ordinary nodes of each", |f| f.children),
            ("round trip to it", |f| f.home_rtt_ms),
            ("links", |f| f.links),
            ("messages of a search", |f| f.search_messages),
        ];
        for (name, pick) in picks {
            let (a, b) = (over_seeds(&joined, pick), over_seeds(&settled, pick));
            println!("{peers} peers, {name}: joined {a:.1}, settled {b:.1}");
            if (a / b - 1.0).abs() > 0.25 {
                apart.push(format!("{peers} peers, {name}: {a:.1} and {b:.1}"));
            }
        }
    }
    assert!(apart.is_empty(), "{apart:?}");
}

#[test]
fn a_settled_network_is_at_rest() {
    for peers in [1, 2, 64, 300] {
        let lab = Lab::settled(&Config::default(), peers, 5);
        assert_eq!(lab.audit(), [""; 0], "{peers} peers");
    }
}

/// The nearest of five is nearer than one at random.
#[test]
fn homes_are_near() {
    let lab = Lab::settled(&Config { children_split: 20, ..Config::default() }, 400, 3);
    let supernodes = lab.supernodes();
    let rtt = |a: u32, b: u32| (lab.latency.one_way(a, b) + lab.latency.one_way(b, a)).as_ms_f64();
    let homed: Vec<(u32, u32)> = lab
        .peers()
        .filter_map(|node| Some((node, lab.sim.machine(node).home()?.index())))
        .collect();
    let chosen = mean(homed.iter().map(|&(node, home)| rtt(node, home)));
    let random =
        mean(homed.iter().map(|&(node, _)| mean(supernodes.iter().map(|&s| rtt(node, s)))));
    assert!(chosen < 0.6 * random, "{chosen:.0} ms, at random {random:.0} ms");
    assert!(homed.iter().all(|&(_, home)| Addr::from_index(home).index() > 0));
}
