//! Web seeds: HTTP servers that have the files of a torrent (BEP 19).
//!
//! To the session a web seed is a peer that has everything, chokes nobody and
//! wants nothing. What is requested of it goes to a thread, which asks for
//! ranges of bytes; the blocks come back as commands of the event loop. Their
//! pieces are hashed as all are, and who sends bad ones is banned as all are.

mod fetch;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use transfer::{BLOCK_LEN, Block, Info, PeerId};

pub use fetch::{Failure, serve};

/// Web seeds of one torrent that are used. More are left alone.
pub const MAX_WEB_SEEDS: usize = 8;
/// The most blocks that are asked for at once (1 MiB).
const RUN: usize = 64;
/// After a failure, at first; it doubles with each.
const FIRST_RETRY_US: u64 = 2_000_000;
/// A web seed that failed this often in a row is not tried again.
const MAX_FAILURES: u32 = 10;

/// Which web seed: the torrent, and its number there.
pub type WebKey = (u32, u32);

/// What the thread is asked for: consecutive blocks of one torrent.
#[derive(Debug)]
pub struct Order {
    /// The connection, as the session knows it.
    pub link: u32,
    /// The blocks; each begins where the one before it ends.
    pub blocks: Vec<Block>,
}

/// What the thread says.
#[derive(Debug)]
pub enum News {
    /// A block that was ordered.
    Block(Block, Vec<u8>),
    /// All of the order came.
    Done,
    /// The rest of it does not come.
    Failed(Failure),
}

/// A web seed.
#[derive(Debug)]
pub struct WebSeed {
    /// Where it is.
    pub url: Arc<str>,
    /// The number of its connection while the session knows of it.
    pub link: Option<u32>,
    /// What the session requested, in its order.
    pub queue: VecDeque<Block>,
    /// Whether the thread works on an order.
    pub is_busy: bool,
    /// The way to its thread, once it has one.
    pub orders: Option<Sender<Order>>,
    /// When it may be connected to.
    pub next_us: u64,
    /// Whether it is given up.
    pub is_retired: bool,
    failures: u32,
}

impl WebSeed {
    /// One that was not tried.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            link: None,
            queue: VecDeque::new(),
            is_busy: false,
            orders: None,
            next_us: 0,
            is_retired: false,
            failures: 0,
        }
    }

    /// It failed: it is tried again later, unless that is of no use.
    pub fn failed(&mut self, is_final: bool, now_us: u64) {
        self.failures += 1;
        self.is_retired |= is_final || self.failures >= MAX_FAILURES;
        self.next_us = now_us + (FIRST_RETRY_US << (self.failures - 1).min(MAX_FAILURES));
    }

    /// It did what was asked.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The blocks to ask for next: those at the front that lie one behind the
    /// other, about as many as the `allowed` bytes hold.
    pub fn next_run(&mut self, info: &Info, allowed: u64) -> Vec<Block> {
        let place =
            |block: &Block| info.layout().piece_offset(block.piece) + u64::from(block.begin);
        let pairs = self.queue.iter().zip(self.queue.iter().skip(1));
        let joined =
            pairs.take_while(|(one, next)| place(one) + u64::from(one.len) == place(next)).count();
        let most = (allowed / u64::from(BLOCK_LEN)).clamp(1, RUN as u64) as usize;
        let run = (joined + 1).min(most).min(self.queue.len());
        self.queue.drain(..run).collect()
    }
}

/// All web seeds of a process.
#[derive(Debug)]
pub struct WebSeeds {
    /// Those of all torrents.
    pub seeds: BTreeMap<WebKey, WebSeed>,
    /// By their connections.
    pub by_link: BTreeMap<u32, WebKey>,
    /// When one of them has to be looked after.
    pub next_us: u64,
}

impl WebSeeds {
    /// None.
    pub fn new() -> Self {
        Self { seeds: BTreeMap::new(), by_link: BTreeMap::new(), next_us: u64::MAX }
    }

    /// The web seed that a connection is one to.
    pub fn of_link(&mut self, link: u32) -> Option<&mut WebSeed> {
        self.seeds.get_mut(self.by_link.get(&link)?)
    }

    /// The web seed of a torrent that the session knows by this address.
    pub fn of_addr(&self, torrent: u32, addr: std::net::IpAddr) -> Option<&WebSeed> {
        let mut seeds = self.seeds.range((torrent, 0)..=(torrent, u32::MAX));
        seeds.find(|((_, number), _)| address(*number).ip() == addr).map(|(_, seed)| seed)
    }
}

/// Under which address a session knows a web seed: one of those that nobody has
/// (RFC 6666), since its own may be shared by any number of servers.
pub fn address(number: u32) -> SocketAddr {
    let [high, low] = [(number >> 16) as u16, number as u16];
    SocketAddr::from((Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, high, low), 80))
}

/// Under which name.
pub fn name(number: u32) -> PeerId {
    let mut name = *b"-OLWEB0-web seed    ";
    name[16..].copy_from_slice(&number.to_be_bytes());
    PeerId(name)
}

#[cfg(test)]
mod tests {
    use transfer::metainfo::InfoDraft;
    use transfer::{FileEntry, FilePath, Layout};

    use super::*;

    #[test]
    fn runs_are_of_blocks_in_a_row() {
        let path = FilePath::new(["f"]).unwrap();
        let entry = FileEntry { len: 32 << 20, path, padding: false };
        let layout = Layout::new(32_768, vec![entry]).unwrap();
        let hashes = vec![[0; 20]; 1024];
        let draft =
            InfoDraft { layout, is_single_file: true, hashes, is_private: false, source: None };
        let info = draft.finish().unwrap();
        let block = |n: u32| Block { piece: n / 2, begin: n % 2 * 16_384, len: 16_384 };
        let mut seed = WebSeed::new("http://w");
        seed.queue.extend([3, 4, 5, 9].map(block));
        assert_eq!(seed.next_run(&info, u64::MAX), [3, 4, 5].map(block));
        assert_eq!(seed.next_run(&info, 5), [block(9)]);
        assert_eq!(seed.next_run(&info, 5), []);
        seed.queue.extend((0..100).map(block));
        assert_eq!(seed.next_run(&info, 40_000), [0, 1].map(block));
        assert_eq!(seed.next_run(&info, u64::MAX).len(), RUN);
    }

    #[test]
    fn who_fails_again_and_again_is_given_up() {
        let mut seed = WebSeed::new("http://w");
        for _ in 0..3 {
            for failure in 1..MAX_FAILURES {
                seed.failed(false, 7);
                assert_eq!(seed.next_us, 7 + (FIRST_RETRY_US << (failure - 1)));
            }
            assert!(!seed.is_retired);
            seed.succeeded();
        }
        (0..MAX_FAILURES).for_each(|_| seed.failed(false, 7));
        assert!(seed.is_retired);
        let mut gone = WebSeed::new("http://w");
        gone.failed(true, 0);
        assert!(gone.is_retired);
    }
}
