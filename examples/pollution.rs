//! Pollution: some sharers of a song hand out a file that is noise between the
//! places where FastTrack's hash looks. How many downloads are spoilt, and how
//! does that change with a hash over the whole file?
//!
//! `cargo run --release --example pollution`

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::network::{Latency, LatencySpec, Network};
use harness::sim::{Driver, Request, Settings, Sim};
use overlays::fasttrack::{Config, FastTrack, UuHash, covered};
use overlays::{Addr, Hit, Item, Key, OpId, Outcome, Profile, Query, Rng, Span, Stream};
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

/// Bytes of the song: four minutes at 128 kb/s.
const SONG_BYTES: usize = 3_840_000;
/// How a download is divided among its sources.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES: usize = SONG_BYTES.div_ceil(PIECE_BYTES);
/// Peers of the network.
const PEERS: u32 = 300;
/// Who shares the song at the start, polluters among them.
const SHARERS: u32 = 20;
/// Who downloads it, one after the other, and then shares it too.
const DOWNLOADERS: u32 = 100;
/// Sources of a download.
const SOURCES: usize = 4;
/// How often a user tries again after a download that does not verify.
const TRIES: u32 = 10;

/// How a downloader checks what came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// MD5 of the beginning, a CRC of samples.
    UuHash,
    /// SHA-1 of everything.
    Full,
}

/// The song and the polluted file, which have the same UUHash.
struct Files {
    song: Vec<u8>,
    noise: Vec<u8>,
}

impl Files {
    fn new(rng: &mut Rng) -> Self {
        let song: Vec<u8> = (0..SONG_BYTES).map(|_| rng.random()).collect();
        let mut noise = song.clone();
        let mut last = 0;
        for part in covered(SONG_BYTES as u64) {
            for byte in &mut noise[last..part.start as usize] {
                *byte = rng.random();
            }
            last = part.end as usize;
        }
        Self { song, noise }
    }

    /// The file of somebody whose pieces are noise where `noisy` says so.
    fn with(&self, noisy: &[bool]) -> Vec<u8> {
        let pieces = self.song.chunks(PIECE_BYTES).zip(self.noise.chunks(PIECE_BYTES));
        pieces
            .zip(noisy)
            .flat_map(|((song, noise), bad)| if *bad { noise } else { song })
            .copied()
            .collect()
    }

    fn verifies(&self, check: Check, file: &[u8]) -> bool {
        match check {
            Check::UuHash => UuHash::of(file) == UuHash::of(&self.song),
            Check::Full => Key::hash(file) == Key::hash(&self.song),
        }
    }
}

/// Keeps how operations ended.
#[derive(Default)]
struct Log(BTreeMap<OpId, Outcome>);

impl Driver<FastTrack> for Log {
    fn ended(&mut self, _sim: &mut Sim<FastTrack>, op: OpId, outcome: &Outcome) {
        self.0.insert(op, outcome.clone());
    }
}

/// What came of all downloads.
#[derive(Debug, Default)]
struct Tally {
    clean: u32,
    spoilt: u32,
    given_up: u32,
    tries: u32,
}

/// A FastTrack network in which `SHARERS` peers share the song.
fn network(seed: u64, item: &Arc<Item>) -> Sim<FastTrack> {
    let latency = Latency::build(&LatencySpec::King, &mut Stream::Topology.rng(seed));
    let latency = latency.expect("the model reads no file");
    let network = Network::new(latency, 0.0).expect("no loss is possible");
    let settings = Settings { seed, ..Settings::default() };
    let mut sim = Sim::new(Arc::new(Config::default()), network, settings);
    sim.add_node(Profile::server(Addr::from_index(0)));
    for _ in 0..PEERS {
        sim.add_peer();
    }
    let shares: Vec<_> = (1..=SHARERS).map(|peer| (peer, Arc::clone(item))).collect();
    sim.settle(&shares).expect("there is a list server");
    sim
}

/// Asks the network, and waits for the end.
fn ask(sim: &mut Sim<FastTrack>, node: u32, request: &Request) -> Outcome {
    let mut log = Log::default();
    let op = sim.start(node, request, 0);
    sim.run_operations(sim.now() + Span::from_s(600), &mut log);
    log.0.remove(&op).expect("every operation ends")
}

/// Lets `DOWNLOADERS` peers fetch the song; `polluters` of the first sharers
/// have the noise. Whoever accepts a file shares it.
fn downloads(seed: u64, polluters: u32, check: Check) -> Tally {
    let mut rng = Stream::Workload.rng(seed);
    let files = Files::new(&mut rng);
    let item = Arc::new(Item::new("the hit of the summer.mp3", SONG_BYTES as u64));
    let mut sim = network(seed, &item);
    let mut copies: BTreeMap<Addr, Vec<bool>> = (1..=SHARERS)
        .map(|peer| (Addr::from_index(peer), vec![peer <= polluters; PIECES]))
        .collect();
    let mut tally = Tally::default();
    for peer in SHARERS + 1..=SHARERS + DOWNLOADERS {
        let mut accepted = None;
        for _ in 0..TRIES {
            tally.tries += 1;
            let query = Query::keywords("hit summer");
            let Outcome::Found(hits) = ask(&mut sim, peer, &Request::Search(query)) else {
                continue;
            };
            let noisy = fetch(&hits, &copies, &mut rng);
            if files.verifies(check, &files.with(&noisy)) {
                accepted = Some(noisy);
                break;
            }
        }
        match accepted {
            Some(noisy) => {
                let is_clean = files.with(&noisy) == files.song;
                tally.clean += u32::from(is_clean);
                tally.spoilt += u32::from(!is_clean);
                copies.insert(Addr::from_index(peer), noisy);
                ask(&mut sim, peer, &Request::Insert(Arc::clone(&item)));
            }
            None => tally.given_up += 1,
        }
    }
    tally
}

/// The pieces, each from one of a few sources: which of them are noise.
fn fetch(hits: &[Hit], copies: &BTreeMap<Addr, Vec<bool>>, rng: &mut Rng) -> Vec<bool> {
    let mut sources: Vec<Addr> = hits.iter().map(|hit| hit.provider).collect();
    sources.shuffle(rng);
    sources.truncate(SOURCES);
    let piece = |at: usize| copies[&sources[at % sources.len()]][at];
    (0..PIECES).map(piece).collect()
}

fn main() {
    println!("{DOWNLOADERS} downloads of a song from {SOURCES} sources each\n");
    println!(
        "{:>10}{:>18}{:>18}{:>22}",
        "polluters", "spoilt, UUHash", "spoilt, SHA-1", "tries each, SHA-1"
    );
    for polluters in [0, 1, 2, 5, 10] {
        let sampled = downloads(1, polluters, Check::UuHash);
        let full = downloads(1, polluters, Check::Full);
        let tries = f64::from(full.tries) / f64::from(DOWNLOADERS);
        let share = f64::from(polluters) / f64::from(SHARERS) * 100.0;
        println!("{share:>8.0} %{:>18}{:>18}{tries:>22.1}", sampled.spoilt, full.spoilt);
    }
    println!("\nThe sampled hash accepts everything, and whoever accepts noise spreads it. A hash");
    println!("over the whole file accepts no noise, but says only at the end that there was some:");
    println!("hence hashes of pieces.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sampled_hash_lets_noise_spread() {
        let sampled = downloads(1, 5, Check::UuHash);
        assert!(sampled.spoilt > 60 && sampled.given_up == 0, "{sampled:?}");
        assert_eq!(sampled.tries, DOWNLOADERS, "nobody notices anything");
        let full = downloads(1, 5, Check::Full);
        assert_eq!(full.spoilt, 0, "{full:?}");
        assert!(full.tries > DOWNLOADERS && full.clean > 90, "{full:?}");
        let honest = downloads(1, 0, Check::UuHash);
        assert_eq!((honest.clean, honest.spoilt), (DOWNLOADERS, 0));
    }

    #[test]
    fn most_of_the_polluted_file_is_noise() {
        let files = Files::new(&mut Stream::Workload.rng(3));
        let differing = files.song.iter().zip(&files.noise).filter(|(a, b)| a != b).count();
        assert!(differing > SONG_BYTES / 2, "{differing} of {SONG_BYTES}");
        assert!(files.verifies(Check::UuHash, &files.noise));
        assert!(!files.verifies(Check::Full, &files.noise));
    }
}
