//! Pollution: FastTrack knows a file by its UUHash, which sees only samples of
//! it. Peers who share copies with noise between the samples poison downloads,
//! and nobody can tell before listening. How many downloads, and what would a
//! hash over the whole file have changed?
//!
//! `cargo run --release --example pollution`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, Request, Settings, Sim};
use overlays::fasttrack::{Config, FastTrack, UuHash, covered};
use overlays::{Addr, Hit, Item, Key, OpId, Outcome, Profile, Query, Rng, Span, Stream, Target};
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

/// Bytes of a song.
const SONG_BYTES: usize = 2_000_000;
/// Parts that a download fetches from as many sources.
const PARTS: usize = 4;
/// Downloads of one song after which a user gives up.
const MAX_TRIES: u32 = 20;

/// Which parts of a copy are altered: one bit a part.
type Noise = u8;

/// The song, as recorded.
fn song(number: usize) -> Vec<u8> {
    let mut state = number as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..SONG_BYTES).map(|_| next()).collect()
}

/// The song with noise in these parts, wherever UUHash does not look.
fn copy(number: usize, noise: Noise) -> Vec<u8> {
    let mut bytes = song(number);
    let altered = |at: usize| noise >> (at * PARTS / SONG_BYTES) & 1 == 1;
    let mut seen_to = 0;
    for part in covered(SONG_BYTES as u64) {
        for at in (seen_to..part.start as usize).filter(|at| altered(*at)) {
            bytes[at] = 0xff;
        }
        seen_to = part.end as usize;
    }
    bytes
}

/// What the network knows a file by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    /// FastTrack's own.
    UuHash,
    /// SHA-1 over the whole file.
    Full,
}

impl Hash {
    fn of(self, contents: &[u8]) -> [u8; 20] {
        match self {
            Self::UuHash => UuHash::of(contents).0,
            Self::Full => Key::hash(contents).to_bytes(),
        }
    }
}

/// The experiment.
#[derive(Clone, Copy)]
struct Trial {
    peers: u32,
    songs: usize,
    /// Peers in per cent who share altered copies of all songs, as what they
    /// are not.
    polluters_percent: u32,
    downloads: u32,
    hash: Hash,
    /// Sources that a download fetches its parts from.
    sources: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Findings {
    /// Altered copies among those shared at the start.
    altered_at_start: f64,
    /// Downloads that users keep although they are altered.
    polluted: f64,
    /// Files fetched for each one kept.
    fetched: f64,
    /// Searches that found nobody, or downloads given up.
    failed: f64,
}

/// Keeps how searches ended.
#[derive(Default)]
struct Log(BTreeMap<OpId, Outcome>);

impl Driver<FastTrack> for Log {
    fn ended(&mut self, _: &mut Sim<FastTrack>, op: OpId, outcome: &Outcome) {
        self.0.insert(op, outcome.clone());
    }
}

/// Whether a copy passes for the song, by hash, song and altered parts. Hashing
/// takes longer than all else here, so trials share it.
type Verdicts = BTreeMap<(Hash, usize, Noise), bool>;

/// A network in which peers share songs, and what they really have.
struct World<'a> {
    trial: Trial,
    sim: Sim<FastTrack>,
    log: Log,
    /// The songs as the network knows them: the hash stands in the name, as in
    /// the links that users passed around.
    items: Vec<Arc<Item>>,
    /// The altered parts of each peer's copy of each song.
    held: BTreeMap<(u32, usize), Noise>,
    polluters: BTreeSet<u32>,
    verdicts: &'a mut Verdicts,
    rng: Rng,
}

impl<'a> World<'a> {
    fn new(trial: Trial, seed: u64, verdicts: &'a mut Verdicts) -> Self {
        let mut rng = Stream::Workload.rng(seed);
        let latency = Latency::build(&LatencySpec::King, &mut Stream::Topology.rng(seed));
        let network = Network::new(latency.expect("King reads no file"), 0.0);
        let settings = Settings { seed, maintenance: false, ..Settings::default() };
        let config = Config { children_split: 40, callbacks: 0, ..Config::default() };
        let mut sim = Sim::new(Arc::new(config), network.expect("no loss"), settings);
        sim.add_node(Profile::server(Addr::from_index(0)));
        for peer in 1..=trial.peers {
            let profile = Profile::peer(Addr::from_index(peer));
            sim.add_node(Profile { upload_bps: 5_000_000, ..profile });
        }
        let items = (0..trial.songs).map(|number| item(trial.hash, number)).collect();
        let mut everyone: Vec<u32> = (1..=trial.peers).collect();
        everyone.shuffle(&mut rng);
        let polluters: BTreeSet<u32> =
            everyone.split_off((trial.peers - trial.polluters()) as usize).into_iter().collect();
        let mut held = BTreeMap::new();
        for number in 0..trial.songs {
            // Every tenth honest peer has a good copy.
            for &peer in everyone.sample(&mut rng, everyone.len() / 10) {
                held.insert((peer, number), 0);
            }
            held.extend(polluters.iter().map(|&peer| ((peer, number), Noise::MAX >> (8 - PARTS))));
        }
        let log = Log::default();
        Self { trial, sim, log, items, held, polluters, verdicts, rng }
    }

    fn run(mut self) -> Findings {
        let altered = self.held.values().filter(|noise| **noise != 0).count();
        let altered_at_start = altered as f64 / self.held.len() as f64;
        let shares: Vec<(u32, Arc<Item>)> =
            self.held.keys().map(|&(peer, song)| (peer, self.items[song].clone())).collect();
        self.sim.settle(&shares).expect("FastTrack can start converged");
        let (mut kept, mut polluted, mut fetched) = (0, 0, 0);
        for _ in 0..self.trial.downloads {
            let (noise, tries) = self.download();
            fetched += tries;
            if let Some(noise) = noise {
                kept += 1;
                polluted += u32::from(noise != 0);
            }
        }
        let share = |part: u32, of: u32| f64::from(part) / f64::from(of.max(1));
        Findings {
            altered_at_start,
            polluted: share(polluted, kept),
            fetched: share(fetched, kept),
            failed: share(self.trial.downloads - kept, self.trial.downloads),
        }
    }

    /// An honest peer that lacks a song fetches it and shares what it keeps.
    /// Popular songs are asked for more often. Returns the altered parts of
    /// what it keeps and how many files it fetched.
    fn download(&mut self) -> (Option<Noise>, u32) {
        let (peer, number) = loop {
            let peer = self.rng.random_range(1..=self.trial.peers);
            // Zipf's law with exponent 1, near enough.
            let rank: f64 = self.rng.random_range(0.0..1.0);
            let number = (self.trial.songs as f64 + 1.0).powf(rank) as usize - 1;
            if !self.polluters.contains(&peer) && !self.held.contains_key(&(peer, number)) {
                break (peer, number);
            }
        };
        let mut sources = self.search(peer, number);
        sources.retain(|source| *source != peer);
        for tries in 1..=MAX_TRIES {
            if sources.is_empty() {
                return (None, tries - 1);
            }
            let from: Vec<u32> = (0..self.trial.sources)
                .map(|_| sources[self.rng.random_range(0..sources.len())])
                .collect();
            let noise = (0..PARTS).fold(0, |noise, part| {
                let source = from[part % from.len()];
                noise | self.held[&(source, number)] & 1 << part
            });
            if self.passes(number, noise) {
                self.held.insert((peer, number), noise);
                let request = Request::Insert(self.items[number].clone());
                self.sim.start(peer, &request, 0);
                return (Some(noise), tries);
            }
            // With one source, the user knows whom not to ask again.
            if self.trial.sources == 1 {
                sources.retain(|source| *source != from[0]);
            }
        }
        (None, MAX_TRIES)
    }

    /// Who says that they have the song.
    fn search(&mut self, peer: u32, number: usize) -> Vec<u32> {
        let target = Target::Exact(self.items[number].key());
        let query = Query { target, limit: Query::MAX_LIMIT };
        let op = self.sim.start(peer, &Request::Search(query), 0);
        let until = self.sim.now() + Span::from_s(120);
        self.sim.run_operations(until, &mut self.log);
        match self.log.0.remove(&op) {
            Some(Outcome::Found(hits)) => {
                hits.iter().map(|hit: &Hit| hit.provider.index()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether the bytes of such a copy have the hash that was asked for.
    fn passes(&mut self, number: usize, noise: Noise) -> bool {
        let hash = self.trial.hash;
        *self
            .verdicts
            .entry((hash, number, noise))
            .or_insert_with(|| hash.of(&copy(number, noise)) == hash.of(&song(number)))
    }
}

impl Trial {
    fn polluters(&self) -> u32 {
        self.peers * self.polluters_percent / 100
    }
}

/// The song as it is shared. Who shares an altered copy says the same of it.
fn item(hash: Hash, number: usize) -> Arc<Item> {
    let hex: String = hash.of(&song(number)).iter().map(|byte| format!("{byte:02x}")).collect();
    Arc::new(Item::new(&format!("song{number} {hex}.mp3"), SONG_BYTES as u64))
}

fn main() {
    let (good, bad) = (song(1), copy(1, Noise::MAX));
    let changed = good.iter().zip(&bad).filter(|(a, b)| a != b).count();
    println!("a song of {SONG_BYTES} bytes, {changed} of them replaced by noise:");
    for (name, hash) in [("UUHash", Hash::UuHash), ("SHA-1", Hash::Full)] {
        let verdict = if hash.of(&good) == hash.of(&bad) { "the same" } else { "another" };
        println!("{name:<8}{verdict}");
    }
    println!("\n400 peers, 10 songs, 1,000 downloads; polluters share all songs, altered\n");
    let mut verdicts = Verdicts::new();
    println!(
        "{:<10}{:>11}{:>28}{:>30}",
        "", "altered", "polluted, UUHash", "full hash: polluted, fetched"
    );
    println!(
        "{:<10}{:>11}{:>14}{:>14}{:>15}{:>15}",
        "polluters", "at start", "one source", "four sources", "one source", "four sources"
    );
    for polluters_percent in [0, 1, 2, 5, 10] {
        let mut run = |hash, sources| {
            let (peers, songs, downloads) = (400, 10, 1_000);
            let trial = Trial { peers, songs, polluters_percent, downloads, hash, sources };
            World::new(trial, 1, &mut verdicts).run()
        };
        let [uu, uu4] = [1, PARTS].map(|sources| run(Hash::UuHash, sources));
        let [full, full4] = [1, PARTS].map(|sources| run(Hash::Full, sources));
        let percent = |x: f64| format!("{:.1} %", x * 100.0);
        let cost = |f: Findings| format!("{}, {:.2}", percent(f.polluted), f.fetched);
        println!(
            "{:<10}{:>11}{:>14}{:>14}{:>15}{:>15}",
            format!("{polluters_percent} %"),
            percent(uu.altered_at_start),
            percent(uu.polluted),
            percent(uu4.polluted),
            cost(full),
            cost(full4)
        );
        for f in [uu, uu4, full, full4].iter().filter(|f| f.failed > 0.001) {
            println!("{:<10}of these, {} failed", "", percent(f.failed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(polluters_percent: u32, hash: Hash, sources: usize) -> Findings {
        let (peers, songs, downloads) = (200, 3, 300);
        let trial = Trial { peers, songs, polluters_percent, downloads, hash, sources };
        World::new(trial, 1, &mut Verdicts::new()).run()
    }

    #[test]
    fn only_the_full_hash_sees_noise_between_the_samples() {
        let good = song(1);
        for noise in [0b0001, 0b0110, 0b1111] {
            let bad = copy(1, noise);
            assert_ne!(good, bad);
            assert_eq!(Hash::UuHash.of(&good), Hash::UuHash.of(&bad));
            assert_ne!(Hash::Full.of(&good), Hash::Full.of(&bad));
        }
        assert_eq!(good, copy(1, 0));
    }

    #[test]
    fn a_few_polluters_spoil_many_downloads_under_uuhash_alone() {
        let clean = run(0, Hash::UuHash, 1);
        assert!(clean.polluted == 0.0 && clean.failed == 0.0 && clean.fetched == 1.0, "{clean:?}");
        let single = run(5, Hash::UuHash, 1);
        let several = run(5, Hash::UuHash, PARTS);
        // Twenty peers' copies of a song, on average, and ten polluters'.
        assert!(single.altered_at_start > 0.25, "{single:?}");
        assert!(
            single.polluted > 0.15 && several.polluted > single.polluted,
            "{single:?} {several:?}"
        );
        let full = run(5, Hash::Full, 1);
        assert!(full.polluted == 0.0 && full.fetched > 1.1, "{full:?}");
    }
}
