//! What the event loop and the threads that use it share.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::Waker;
use transfer::session::{Availability, PeerRow, Progress, Traffic};
use transfer::{Info, InfoHash, PieceSet};

use crate::check::Found;
use crate::settings::AddTorrent;
use crate::store::Store;
use crate::web::{News, WebKey};

/// A lock whose holder panicked has left nothing half done in what is shared here.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far a torrent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its metadata is being fetched (BEP 9).
    Metadata,
    /// What is there is being hashed.
    Checking,
    /// It is being fetched.
    Downloading,
    /// All that is wanted is there and written.
    Seeding,
    /// It could not go on; it waits for [`resume`](crate::TorrentHandle::resume).
    Paused,
    /// It was taken out.
    Stopped,
}

/// What happened to a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The metadata is there.
    Metadata {
        /// The name of the file or folder.
        name: String,
    },
    /// It was found out which pieces are there.
    Checked {
        /// How many are there.
        have: u32,
        /// Of how many.
        pieces: u32,
        /// Whether the fast-resume file said so, without hashing.
        resumed: bool,
    },
    /// The first bytes of a block came.
    FirstPayload,
    /// All that is wanted is there and written.
    Finished,
    /// A peer is banned.
    Banned(String),
    /// A tracker answered.
    Announced {
        /// Which.
        url: String,
        /// How many peers it named.
        peers: usize,
    },
    /// Something is wrong, but it goes on.
    Warning(String),
    /// It cannot go on.
    Failed(String),
}

/// How a torrent is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// How far it is.
    pub phase: Phase,
    /// The name of the file or folder, or the info-hash.
    pub name: String,
    /// How far the session is.
    pub progress: Progress,
    /// What went over the connections.
    pub traffic: Traffic,
    /// How well it is spread.
    pub availability: Availability,
    /// The connections.
    pub peers: Vec<PeerRow>,
    /// The pieces that are there.
    pub have: PieceSet,
}

/// What the handle of a torrent and the event loop share.
#[derive(Debug)]
pub struct TorrentShared {
    pub info_hash: InfoHash,
    pub state: Mutex<TorrentState>,
    /// Called whenever the phase changes, something failed, or a piece came that
    /// a stream waits for.
    pub changed: Condvar,
}

/// What can be seen of a torrent without asking the event loop.
#[derive(Debug)]
pub struct TorrentState {
    pub phase: Phase,
    /// How often it was told to go on.
    pub resumes: u32,
    /// What went wrong last.
    pub failure: Option<String>,
    pub info: Option<Arc<Info>>,
    pub store: Option<Arc<dyn Store>>,
    /// The pieces that are there; kept up for streams.
    pub have: PieceSet,
    /// Streams that are open.
    pub streams: usize,
    /// Who is told what happens.
    pub listeners: Vec<Sender<Event>>,
}

impl TorrentShared {
    pub fn new(info_hash: InfoHash, phase: Phase, listener: Option<Sender<Event>>) -> Self {
        let state = TorrentState {
            phase,
            resumes: 0,
            failure: None,
            info: None,
            store: None,
            have: PieceSet::empty(0),
            streams: 0,
            listeners: listener.into_iter().collect(),
        };
        Self { info_hash, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Sets the phase.
    pub fn enter(&self, phase: Phase) {
        lock(&self.state).phase = phase;
        self.changed.notify_all();
    }

    /// Tells the listeners. Those who have gone are forgotten.
    pub fn tell(&self, event: &Event) {
        lock(&self.state).listeners.retain(|to| to.send(event.clone()).is_ok());
    }

    /// Waits until `ready` says so, or the time is over; then none.
    pub fn wait<T>(
        &self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(&TorrentState) -> Option<T>,
    ) -> Option<T> {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = lock(&self.state);
        loop {
            if let Some(value) = ready(&state) {
                return Some(value);
            }
            state = match end {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let left = end.checked_duration_since(Instant::now())?;
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// What the event loop is told.
pub enum Command {
    /// Add a torrent; the answer is its number.
    Add(Box<AddTorrent>, Arc<TorrentShared>, Sender<io::Result<u32>>),
    /// It was found out what is there of a torrent.
    Found(u32, io::Result<Found>),
    /// What a tracker said.
    Announced(crate::announce::Answer),
    /// There may be a peer.
    AddPeer(u32, SocketAddr),
    /// How is it doing?
    Status(u32, Sender<Status>),
    /// Limit the rates of one torrent.
    SetLimits(u32, Option<u64>, Option<u64>),
    /// Fetch this file too.
    Want(u32, usize),
    /// A stream reads these pieces next; an empty range ends it.
    Window(u32, std::ops::Range<u32>),
    /// There is room again.
    Resume(u32),
    /// What the thread of a web seed says of an order that was given on this
    /// connection.
    Web(WebKey, u32, News),
    /// Take a torrent out.
    Remove(u32),
    /// Stop.
    Stop,
}

/// The way to the event loop.
#[derive(Debug)]
pub struct Mailbox {
    commands: Mutex<Vec<Command>>,
    waker: Arc<Waker>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Mailbox {
    pub fn new(waker: Arc<Waker>) -> Self {
        Self { commands: Mutex::default(), waker }
    }

    /// Sends a command. It is lost if the event loop has ended.
    pub fn send(&self, command: Command) {
        lock(&self.commands).push(command);
        if let Err(error) = self.waker.wake() {
            tracing::warn!("the event loop cannot be woken: {error}");
        }
    }

    /// Takes all commands.
    pub fn take(&self) -> Vec<Command> {
        std::mem::take(&mut lock(&self.commands))
    }
}
