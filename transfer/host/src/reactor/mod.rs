//! The event loop: one thread that owns the sockets and drives the sessions.
//!
//! It sleeps until a socket is ready, a piece is written, a command comes or the
//! time of a session has come; there is no pulse. Whatever a session wants is
//! carried out in the turn in which it wants it.

mod commands;
mod effects;
mod links;
mod trackers;
mod web;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use rand_xoshiro::Xoshiro256PlusPlus;
use transfer::mse::TorrentTag;
use transfer::{InfoHash, PeerId};

use crate::bucket::TokenBucket;
use crate::disk::{Disk, Done};
use crate::link::Link;
use crate::pool::BufferPool;
use crate::settings::Settings;
use crate::shared::Mailbox;
use crate::torrent::Torrent;
use crate::web::WebSeeds;

const WAKER: Token = Token(usize::MAX);
/// Listeners have the numbers below the waker's.
const LISTENERS: usize = usize::MAX - 64;
/// Rounds of turns between two looks at the sockets.
const ROUNDS: usize = 4;
/// How often connections that do not come about are looked for.
const SWEEP_US: u64 = 1_000_000;
/// How long the loop sleeps at most; only so that a lost wake-up heals.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The event loop.
pub struct Reactor {
    settings: Settings,
    peer_id: PeerId,
    poll: Poll,
    mailbox: Arc<Mailbox>,
    started: Instant,
    now_us: u64,
    rng: Xoshiro256PlusPlus,
    listeners: Vec<TcpListener>,
    listen_addrs: Vec<SocketAddr>,
    links: Vec<Option<Link>>,
    free_links: Vec<u32>,
    /// Connections that are being opened.
    half_open: usize,
    /// Connections to open when fewer are being opened.
    to_connect: VecDeque<(u32, SocketAddr)>,
    /// Those with something to do, each once.
    ready: VecDeque<u32>,
    /// Those that a rate limit holds back, and when that may end.
    throttled: Vec<u32>,
    throttled_until_us: u64,
    torrents: BTreeMap<u32, Torrent>,
    by_hash: BTreeMap<InfoHash, u32>,
    /// By what names them before the encryption is agreed on.
    by_tag: BTreeMap<TorrentTag, InfoHash>,
    next_torrent: u32,
    webs: WebSeeds,
    disk: Disk,
    done: Vec<Done>,
    pool: BufferPool,
    /// Threads that write fast-resume files.
    saves: Vec<JoinHandle<()>>,
    download: TokenBucket,
    upload: TokenBucket,
    next_sweep_us: u64,
    /// By which trackers know us although our address changes.
    tracker_key: u32,
    /// Torrents whose sessions may want something.
    pending_effects: BTreeSet<u32>,
    scratch: Vec<u8>,
    is_stopping: bool,
}

impl Reactor {
    /// Opens the sockets and starts the hash-and-write thread.
    ///
    /// # Errors
    /// When a socket cannot be had.
    pub fn new(settings: Settings) -> io::Result<(Self, Arc<Mailbox>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&waker)));
        let (listeners, listen_addrs) = listen(&settings.listen, &poll)?;
        let seed = match settings.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(io::Error::other)?,
        };
        let mut rng = commands::generator(seed);
        let reactor = Self {
            peer_id: make_peer_id(&mut rng),
            poll,
            mailbox: Arc::clone(&mailbox),
            started: Instant::now(),
            now_us: 0,
            listeners,
            listen_addrs,
            links: Vec::new(),
            free_links: Vec::new(),
            half_open: 0,
            to_connect: VecDeque::new(),
            ready: VecDeque::new(),
            throttled: Vec::new(),
            throttled_until_us: u64::MAX,
            torrents: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            by_tag: BTreeMap::new(),
            next_torrent: 0,
            webs: WebSeeds::new(),
            disk: Disk::start(waker)?,
            done: Vec::new(),
            saves: Vec::new(),
            pool: BufferPool::new(settings.buffer_bytes),
            download: TokenBucket::new(settings.max_download, 0),
            upload: TokenBucket::new(settings.max_upload, 0),
            next_sweep_us: u64::MAX,
            tracker_key: rand::RngExt::random(&mut rng),
            pending_effects: BTreeSet::new(),
            scratch: Vec::new(),
            is_stopping: false,
            settings,
            rng,
        };
        Ok((reactor, mailbox))
    }

    /// Where connections are accepted.
    pub fn listen_addrs(&self) -> &[SocketAddr] {
        &self.listen_addrs
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When the system no longer tells which sockets are ready.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        while !self.is_stopping {
            self.wait(&mut events)?;
            self.tick();
            let tokens: Vec<_> = events
                .iter()
                .map(|e| {
                    (
                        e.token(),
                        e.is_readable() || e.is_read_closed(),
                        e.is_writable(),
                        e.is_read_closed() || e.is_error(),
                    )
                })
                .collect();
            for (token, readable, writable, closed) in tokens {
                match token {
                    WAKER => {}
                    Token(at) if at >= LISTENERS => self.accept(at - LISTENERS),
                    Token(at) => self.socket_ready(at as u32, readable, writable, closed),
                }
            }
            self.run_commands();
            self.run_timers();
            for _ in 0..ROUNDS {
                self.finish_jobs();
                if !self.take_turns() {
                    self.disk.help();
                    break;
                }
            }
            if self.webs.next_us <= self.now_us {
                self.run_web_seeds();
            }
        }
        self.shut_down();
        Ok(())
    }

    fn tick(&mut self) {
        self.now_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
    }

    /// Sleeps until there is something to do.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let busy = !self.ready.is_empty() || !self.disk.may_sleep();
        let timeout = if busy { Some(Duration::ZERO) } else { self.sleep_time() };
        let polled = self.poll.poll(events, timeout);
        self.disk.woke();
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            other => other,
        }
    }

    fn sleep_time(&self) -> Option<Duration> {
        let sessions = self.torrents.values().filter_map(|t| t.session.as_ref()?.next_wake_us());
        let next_us = sessions
            .chain([self.next_sweep_us, self.throttled_until_us, self.next_announce_us()])
            .chain([self.webs.next_us])
            .min()
            .unwrap_or(u64::MAX);
        let now_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        // The system's timers count whole milliseconds and round down: a sleep
        // that is too short by that much would spin.
        let left_us = next_us.saturating_sub(now_us);
        let left = Duration::from_millis(left_us.div_ceil(1000));
        Some(left.min(LONGEST_SLEEP))
    }

    fn run_timers(&mut self) {
        if self.now_us >= self.throttled_until_us {
            self.throttled_until_us = u64::MAX;
            for id in std::mem::take(&mut self.throttled) {
                if let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) {
                    link.receive_throttled = false;
                    link.send_throttled = false;
                }
                self.make_ready(id);
            }
        }
        let due: Vec<u32> = self
            .torrents
            .iter()
            .filter(|(_, t)| {
                let wake = t.session.as_ref().and_then(|session| session.next_wake_us());
                wake.is_some_and(|wake| wake <= self.now_us)
            })
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            if let Some(session) = self.torrents.get_mut(&key).and_then(|t| t.session.as_mut()) {
                session.wake(self.now_us);
            }
            self.pending_effects.insert(key);
        }
        self.run_pending_effects();
        if self.now_us >= self.next_announce_us() {
            self.announce_due();
        }
        if self.now_us >= self.next_sweep_us {
            self.sweep();
        }
    }

    /// One turn for everybody who has something to do. Returns whether somebody
    /// still has.
    fn take_turns(&mut self) -> bool {
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.pop_front() else { break };
            self.turn(id);
        }
        !self.ready.is_empty()
    }
}

fn listen(addrs: &[SocketAddr], poll: &Poll) -> io::Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let mut listeners = Vec::new();
    let mut bound: Vec<SocketAddr> = Vec::new();
    for addr in addrs {
        let mut addr = *addr;
        if addr.port() == 0
            && let Some(first) = bound.first()
        {
            // All have one port, for peers are told of one only.
            addr.set_port(first.port());
        }
        let mut listener = match links::listen_on(addr) {
            Ok(listener) => listener,
            // A machine without IPv6 is no reason to fail beside IPv4.
            Err(error) if addr.is_ipv6() && !bound.is_empty() => {
                tracing::info!("{addr}: not accepting connections: {error}");
                continue;
            }
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("listening on {addr}: {error}")));
            }
        };
        let token = Token(LISTENERS + listeners.len());
        poll.registry().register(&mut listener, token, Interest::READABLE)?;
        bound.push(listener.local_addr()?);
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

/// A peer id in Azureus style (BEP 20).
fn make_peer_id(rng: &mut Xoshiro256PlusPlus) -> PeerId {
    use rand::RngExt;
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut id = *b"-OL0100-000000000000";
    for byte in &mut id[8..] {
        *byte = DIGITS[rng.random_range(0..DIGITS.len())];
    }
    PeerId(id)
}
