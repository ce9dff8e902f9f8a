//! A torrent in the event loop.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use transfer::session::{Progress, Session, Traffic};
use transfer::wire::Limits;
use transfer::{Info, PieceSet};

use crate::announce::Announcer;
use crate::assembly::Assemblies;
use crate::bucket::TokenBucket;
use crate::disk::Job;
use crate::settings::AddTorrent;
use crate::shared::{Event, Phase, Status, TorrentShared, lock};
use crate::store::{FileStore, Store};

/// What is shared and where it is kept, once both are known.
#[derive(Clone, Debug)]
pub struct Content {
    pub info: Arc<Info>,
    pub store: Arc<dyn Store>,
    pub files: Option<Arc<FileStore>>,
    /// Which files are fetched.
    pub wanted: Vec<bool>,
}

/// A torrent in the event loop.
#[derive(Debug)]
pub struct Torrent {
    pub setup: AddTorrent,
    pub shared: Arc<TorrentShared>,
    pub content: Option<Content>,
    /// None while it is being found out which pieces are there, unless the
    /// session had to fetch the metadata first.
    pub session: Option<Session>,
    pub announcer: Announcer,
    pub assemblies: Assemblies,
    /// Its connections.
    pub links: BTreeSet<u32>,
    pub download: TokenBucket,
    pub upload: TokenBucket,
    pub limits: Limits,
    /// Whether a block has come.
    pub has_payload: bool,
    /// Whether all that is wanted is there.
    pub is_finished: bool,
    /// Whether a store failed.
    pub is_paused: bool,
    /// Good pieces that could not be written, to be written when there is room.
    /// They count as begun, so that soon nothing more is requested.
    pub unwritten: Vec<Job>,
    /// How often it was resumed.
    pub resumed: u32,
    /// Whether pieces were stored since the fast-resume file was written.
    pub is_dirty: bool,
    /// When the next stored piece has the fast-resume file written.
    pub next_save_us: u64,
    /// Whether the last claim of the fast-resume file says that more is to come.
    pub is_claim_open: bool,
    /// How many claims were made, and the newest that is written: they are
    /// written one at a time, and never an older one over a newer.
    pub claims: u32,
    pub written_claim: Arc<Mutex<u32>>,
    /// Whether all was there at the start: then `completed` is never announced.
    pub was_complete: bool,
}

impl Torrent {
    pub fn new(
        setup: AddTorrent,
        shared: Arc<TorrentShared>,
        announcer: Announcer,
        now_us: u64,
    ) -> Self {
        let download = TokenBucket::new(setup.max_download, now_us);
        let upload = TokenBucket::new(setup.max_upload, now_us);
        Self {
            setup,
            shared,
            content: None,
            session: None,
            announcer,
            assemblies: Assemblies::default(),
            links: BTreeSet::new(),
            download,
            upload,
            limits: Limits::default(),
            has_payload: false,
            is_finished: false,
            is_paused: false,
            unwritten: Vec::new(),
            resumed: 0,
            is_dirty: false,
            next_save_us: 0,
            is_claim_open: false,
            claims: 0,
            written_claim: Arc::default(),
            was_complete: false,
        }
    }

    /// Sets the phase that the session is in.
    pub fn enter_session_phase(&self) {
        let phase = if self.is_paused {
            Phase::Paused
        } else if self.content.is_none() {
            Phase::Metadata
        } else if self.is_finished {
            Phase::Seeding
        } else {
            Phase::Downloading
        };
        self.shared.enter(phase);
    }

    /// Says that it cannot go on; unless it was just told to, after which it
    /// will try again.
    pub fn fail(&mut self, text: String) {
        self.is_paused = true;
        {
            let mut state = lock(&self.shared.state);
            if state.resumes != self.resumed {
                return;
            }
            state.phase = Phase::Paused;
            state.failure = Some(text.clone());
        }
        self.shared.changed.notify_all();
        self.shared.tell(&Event::Failed(text));
    }

    /// Notes that bytes of a block have come, and tells of the first.
    pub fn note_payload(&mut self) {
        let has = || self.session.as_ref().is_some_and(|session| session.traffic(0).downloaded > 0);
        if !self.has_payload && has() {
            self.has_payload = true;
            self.shared.tell(&Event::FirstPayload);
        }
    }

    /// Notes for streams that a piece is there.
    pub fn note_stored(&self, piece: u32) {
        let wake = {
            let mut state = lock(&self.shared.state);
            state.have.insert(piece);
            state.streams > 0
        };
        if wake {
            self.shared.changed.notify_all();
        }
    }

    /// How it is doing.
    pub fn status(&self, now_us: u64) -> Status {
        let name = match &self.content {
            Some(content) => content.info.name().to_string(),
            None => self.shared.info_hash.to_string(),
        };
        let phase = lock(&self.shared.state).phase;
        match &self.session {
            None => Status {
                phase,
                name,
                progress: Progress::default(),
                traffic: Traffic::default(),
                availability: Default::default(),
                peers: Vec::new(),
                have: PieceSet::empty(0),
            },
            Some(session) => Status {
                phase,
                name,
                progress: session.progress(),
                traffic: session.traffic(now_us),
                availability: session.availability(),
                peers: session.peer_rows(now_us).collect(),
                have: session.have().cloned().unwrap_or_else(|| PieceSet::empty(0)),
            },
        }
    }
}
