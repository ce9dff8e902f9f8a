//! Questions about swarming, answered by measuring.
//!
//! Each is a small swarm that runs in a moment, and what to read off it.

use transfer::session::{Endgame, Geometry, LeechChoking, PieceOrder, SECOND_US};

use super::{Leave, NodePlan, Outcome, Swarm, SwarmPlan};

const KB: u64 = 1_000;
const HOUR_US: u64 = 3_600 * SECOND_US;

fn geometry(piece_kib: u32, pieces: u32) -> Geometry {
    let piece_len = piece_kib * 1024;
    let total_len = u64::from(piece_len) * u64::from(pieces);
    Geometry::new(piece_len, total_len).expect("these pieces are not absurd")
}

/// One seed, and 200 leechers who come within ten seconds: fast ones, middling
/// ones and slow ones, with downlinks four times their uplinks.
#[must_use]
pub fn flash_crowd(seed: u64) -> SwarmPlan {
    let mut nodes = vec![NodePlan::seed(800 * KB)];
    for n in 0..200 {
        let up = [250, 100, 50][n % 3] * KB;
        let joins_us = n as u64 * SECOND_US / 20;
        nodes.push(NodePlan { joins_us, ..NodePlan::leecher(up, 4 * up) });
    }
    SwarmPlan::new(geometry(64, 64), nodes, seed)
}

/// What is left when the seed leaves early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survival {
    /// How many of the leechers have the piece that the fewest have, when the
    /// seed has just left.
    pub least_copies: u32,
    /// Pieces that nobody has then.
    pub lost: u32,
    /// Leechers of 40 who get everything in the end.
    pub finished: usize,
}

/// Which order of pieces keeps all of them alive? The seed leaves when it has
/// sent `copies` of the file to 40 leechers. Nobody gives pieces to those whom
/// it chokes, as these follow from the address and not from the order.
#[must_use]
pub fn survival(order: PieceOrder, copies: f64, seed: u64) -> Survival {
    let geometry = geometry(32, 128);
    let after = (geometry.total_len() as f64 * copies) as u64;
    let mut nodes =
        vec![NodePlan { leaves: Leave::AfterSending(after), ..NodePlan::seed(400 * KB) }];
    nodes[0].config.allowed_fast = 0;
    for _ in 0..40 {
        let mut node = NodePlan::leecher(100 * KB, 400 * KB);
        node.config.order = order;
        node.config.allowed_fast = 0;
        nodes.push(node);
    }
    let mut swarm = Swarm::new(SwarmPlan::new(geometry, nodes, seed));
    let mut end_us = 0;
    while swarm.is_online(0) && end_us < HOUR_US {
        end_us += SECOND_US / 10;
        swarm.run(end_us);
    }
    let copies = swarm.copies();
    let outcome = swarm.run(HOUR_US / 10);
    Survival {
        least_copies: copies.iter().copied().min().unwrap_or(0),
        lost: copies.iter().filter(|&&copies| copies == 0).count() as u32,
        finished: outcome.finished() - 1,
    }
}

/// How long contributors and free riders wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fairness {
    /// Mean seconds from joining until a contributor has everything.
    pub contributors_s: f64,
    /// Mean seconds from joining until a free rider has.
    pub free_riders_s: f64,
}

/// Leechers of a swarm that lasts.
const COMERS: usize = 160;

/// Does tit for tat starve free riders? Every two seconds a leecher comes, and
/// every fourth sends nothing. Who has everything leaves, and nobody gives
/// pieces to those whom it chokes. So there is always somebody who contributes
/// and wants what an uplink carries; where all come at once, they also end at
/// once, and then their uplinks are for whoever is left. Counted are those who
/// come in the middle half of the time.
#[must_use]
pub fn fairness(seed: u64) -> Fairness {
    let rides = |n: usize| n % 4 == 3;
    let mut nodes = vec![NodePlan::seed(200 * KB)];
    nodes[0].config.allowed_fast = 0;
    for n in 0..COMERS {
        let mut node = NodePlan {
            joins_us: n as u64 * 2 * SECOND_US,
            leaves: Leave::WhenFinished,
            ..NodePlan::leecher(100 * KB, 400 * KB)
        };
        node.config.allowed_fast = 0;
        if rides(n) {
            node.config.leech_choking = LeechChoking::FreeRider;
        }
        nodes.push(node);
    }
    let outcome = Swarm::new(SwarmPlan::new(geometry(64, 128), nodes, seed)).run(HOUR_US);
    let mean_s = |riders: bool| {
        let middle = (COMERS / 4..COMERS * 3 / 4).filter(|n| rides(*n) == riders);
        let waited_us = middle.map(|n| {
            let end_us = outcome.nodes[n + 1].finished_us.unwrap_or(outcome.end_us);
            end_us - n as u64 * 2 * SECOND_US
        });
        let waited_us: Vec<u64> = waited_us.collect();
        waited_us.iter().sum::<u64>() as f64 / (1e6 * waited_us.len() as f64)
    };
    Fairness { contributors_s: mean_s(false), free_riders_s: mean_s(true) }
}

/// What a liar does to a swarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pollution {
    /// Honest leechers of 40 whose file is not what it should be.
    pub polluted_nodes: u32,
    /// Bad pieces that they have, in per cent of all.
    pub polluted_percent: f64,
    /// Bytes that failed their hash, in per cent of all that was received.
    pub bad_percent: f64,
    /// Honest leechers who banned somebody.
    pub banned_by: u32,
    /// Honest nodes that somebody banned.
    pub innocent: u32,
    /// Mean seconds until an honest leecher has everything.
    pub mean_s: f64,
}

/// Why a hash for each piece? One seed and 40 leechers, and two of those who
/// begin with everything and corrupt every tenth block.
#[must_use]
pub fn pollution(verify: bool, seed: u64) -> Pollution {
    let mut nodes = vec![NodePlan::seed(200 * KB)];
    for _ in 0..2 {
        nodes.push(NodePlan { lies_one_in: 10, ..NodePlan::seed(200 * KB) });
    }
    nodes.extend((0..40).map(|_| NodePlan::leecher(100 * KB, 400 * KB)));
    let plan = SwarmPlan { verify, ..SwarmPlan::new(geometry(64, 64), nodes, seed) };
    let mut swarm = Swarm::new(plan);
    let outcome = swarm.run(HOUR_US);
    let honest = &outcome.nodes[3..];
    let sum = |of: fn(&super::NodeOutcome) -> u64| honest.iter().map(of).sum::<u64>() as f64;
    let innocent = (3..43).map(|n| swarm.banned_beside(n, &[1, 2])).sum();
    Pollution {
        polluted_nodes: honest.iter().filter(|node| node.polluted > 0).count() as u32,
        polluted_percent: 100.0 * sum(|node| node.polluted.into()) / (40.0 * 64.0),
        bad_percent: 100.0 * sum(|node| node.bad) / sum(|node| node.downloaded),
        banned_by: honest.iter().filter(|node| node.banned > 0).count() as u32,
        innocent,
        mean_s: outcome.mean_finish_s(3..43),
    }
}

/// What asking twice costs and brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duplicates {
    /// Bytes received in vain, in per cent of the file, mean of the leechers.
    pub duplicate_percent: f64,
    /// Mean seconds until a leecher has everything.
    pub mean_s: f64,
    /// Seconds until the last one has.
    pub last_s: f64,
}

/// Why not endgame all along? One seed and 30 leechers, of whom every third is
/// slow.
#[must_use]
pub fn duplicates(endgame: Endgame, seed: u64) -> Duplicates {
    let mut nodes = vec![NodePlan::seed(400 * KB)];
    for n in 0..30 {
        let up = if n % 3 == 0 { 10 * KB } else { 100 * KB };
        let mut node = NodePlan::leecher(up, 400 * KB);
        node.config.endgame = endgame;
        nodes.push(node);
    }
    let geometry = geometry(64, 64);
    let outcome = Swarm::new(SwarmPlan::new(geometry, nodes, seed)).run(HOUR_US);
    duplicates_of(&outcome, geometry.total_len(), 1..31)
}

/// The same of one leecher with a seed of 8 MB/s and one of 40 kB/s.
#[must_use]
pub fn slow_seed(endgame: Endgame, seed: u64) -> Duplicates {
    let mut leecher = NodePlan::leecher(1_000 * KB, 20_000 * KB);
    leecher.config.endgame = endgame;
    let nodes = vec![NodePlan::seed(8_000 * KB), NodePlan::seed(40 * KB), leecher];
    let geometry = geometry(256, 128);
    let outcome = Swarm::new(SwarmPlan::new(geometry, nodes, seed)).run(HOUR_US);
    duplicates_of(&outcome, geometry.total_len(), 2..3)
}

fn duplicates_of(outcome: &Outcome, file: u64, of: core::ops::Range<usize>) -> Duplicates {
    let duplicate: u64 = outcome.nodes[of.clone()].iter().map(|node| node.duplicate).sum();
    let ends = outcome.nodes[of.clone()].iter();
    let last_us = ends.map(|node| node.finished_us.unwrap_or(outcome.end_us)).max().unwrap_or(0);
    Duplicates {
        duplicate_percent: 100.0 * duplicate as f64 / (file * of.len() as u64) as f64,
        mean_s: outcome.mean_finish_s(of),
        last_s: last_us as f64 / 1e6,
    }
}
