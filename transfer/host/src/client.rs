//! The library's front: clients, and handles of torrents.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

use transfer::{Info, InfoHash, PieceSet};

use crate::reactor::Reactor;
use crate::settings::{AddTorrent, Settings};
use crate::shared::{Command, Event, Mailbox, Phase, Status, TorrentShared, lock};
use crate::store::Store;

/// Downloads and seeds torrents until it is stopped or dropped.
///
/// All of them are driven by one thread, and hashed and written by another.
#[derive(Debug)]
pub struct Client {
    mailbox: Arc<Mailbox>,
    listen_addrs: Vec<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts a client.
    ///
    /// # Errors
    /// When a socket or a thread cannot be had.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let (reactor, mailbox) = Reactor::new(settings)?;
        let listen_addrs = reactor.listen_addrs().to_vec();
        let thread = std::thread::Builder::new().name("event-loop".into()).spawn(move || {
            if let Err(error) = reactor.run() {
                tracing::error!("the event loop ended: {error}");
            }
        })?;
        Ok(Self { mailbox, listen_addrs, thread: Some(thread) })
    }

    /// Where connections are accepted, with the ports that were taken.
    pub fn listen_addrs(&self) -> &[SocketAddr] {
        &self.listen_addrs
    }

    /// Adds a torrent. It begins at once: what is there is checked, the rest is
    /// fetched.
    ///
    /// # Errors
    /// When it was added before, or the client has ended.
    pub fn add(&self, torrent: AddTorrent) -> io::Result<TorrentHandle> {
        self.add_listening(torrent).map(|(handle, _)| handle)
    }

    /// Adds a torrent, with a receiver of all that happens to it.
    ///
    /// # Errors
    /// As [`Client::add`].
    pub fn add_listening(
        &self,
        torrent: AddTorrent,
    ) -> io::Result<(TorrentHandle, Receiver<Event>)> {
        let (events, listener) = mpsc::channel();
        let info_hash = torrent.origin.info_hash();
        let shared = Arc::new(TorrentShared::new(info_hash, Phase::Checking, Some(events)));
        let (reply, answer) = mpsc::channel();
        self.mailbox.send(Command::Add(Box::new(torrent), Arc::clone(&shared), reply));
        let key = answer.recv().map_err(|_| io::Error::other("the event loop has ended"))??;
        let handle = TorrentHandle { key, shared, mailbox: Arc::clone(&self.mailbox) };
        Ok((handle, listener))
    }

    /// Stops all torrents: what was received is written, trackers are told, and
    /// connections are closed. Dropping the client does the same.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.mailbox.send(Command::Stop);
            if thread.join().is_err() {
                tracing::error!("the event loop panicked");
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}

/// A torrent of a client.
#[derive(Clone, Debug)]
pub struct TorrentHandle {
    pub(crate) key: u32,
    pub(crate) shared: Arc<TorrentShared>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl TorrentHandle {
    /// What names it.
    pub fn info_hash(&self) -> InfoHash {
        self.shared.info_hash
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        lock(&self.shared.state).phase
    }

    /// What is shared, once it is known.
    pub fn info(&self) -> Option<Arc<Info>> {
        lock(&self.shared.state).info.clone()
    }

    /// Where it is kept, once it is known.
    pub fn store(&self) -> Option<Arc<dyn Store>> {
        lock(&self.shared.state).store.clone()
    }

    /// The pieces that are there.
    pub fn have(&self) -> PieceSet {
        lock(&self.shared.state).have.clone()
    }

    /// How it is doing; none if it was taken out.
    pub fn status(&self) -> Option<Status> {
        let (reply, answer) = mpsc::channel();
        self.mailbox.send(Command::Status(self.key, reply));
        answer.recv().ok()
    }

    /// Waits until all that is wanted is there and written.
    ///
    /// # Errors
    /// When the torrent cannot go on, was taken out, or the time is over.
    pub fn wait_finished(&self, timeout: Option<Duration>) -> io::Result<()> {
        let ended = self.shared.wait(timeout, |state| match state.phase {
            Phase::Seeding => Some(Ok(())),
            Phase::Paused => {
                let text = state.failure.clone().unwrap_or_else(|| "it is paused".into());
                Some(Err(io::Error::other(text)))
            }
            Phase::Stopped => Some(Err(io::Error::other("it was taken out"))),
            Phase::Metadata | Phase::Checking | Phase::Downloading => None,
        });
        ended.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Tells it of a peer.
    pub fn add_peer(&self, addr: SocketAddr) {
        self.mailbox.send(Command::AddPeer(self.key, addr));
    }

    /// Limits its rates, in bytes per second.
    pub fn set_limits(&self, max_download: Option<u64>, max_upload: Option<u64>) {
        self.mailbox.send(Command::SetLimits(self.key, max_download, max_upload));
    }

    /// Fetches a file too that was not selected.
    pub fn want_file(&self, file: usize) {
        self.mailbox.send(Command::Want(self.key, file));
    }

    /// Goes on after a failure, such as a full disk that has room again.
    pub fn resume(&self) {
        {
            let mut state = lock(&self.shared.state);
            state.resumes += 1;
            if state.phase == Phase::Paused {
                state.phase = Phase::Downloading;
                state.failure = None;
            }
        }
        self.mailbox.send(Command::Resume(self.key));
    }

    /// Takes it out of the client. The files stay.
    pub fn remove(&self) {
        self.mailbox.send(Command::Remove(self.key));
    }

    pub(crate) fn set_window(&self, pieces: Range<u32>) {
        self.mailbox.send(Command::Window(self.key, pieces));
    }
}
