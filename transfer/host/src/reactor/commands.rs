//! What the event loop is told from outside.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use transfer::metainfo::Limits as MetainfoLimits;
use transfer::mse::TorrentTag;
use transfer::session::{Geometry, Session, SessionConfig, Source, Torrent as SessionTorrent};
use transfer::{Info, PieceSet};

use super::Reactor;
use crate::announce::Announcer;
use crate::check::{self, Found};
use crate::disk::Job;
use crate::resume::{self, Standing};
use crate::select;
use crate::settings::AddTorrent;
use crate::shared::{Command, Event, Phase, TorrentShared, lock};
use crate::torrent::{Content, Torrent};

/// Priorities of pieces, see [`Session::set_priority`].
const UNWANTED: u8 = 0;
const WANTED: u8 = 4;

impl Reactor {
    pub(super) fn run_commands(&mut self) {
        for command in self.mailbox.take() {
            self.run_command(command);
        }
        self.run_pending_effects();
    }

    fn run_command(&mut self, command: Command) {
        match command {
            Command::Add(setup, shared, reply) => self.add(*setup, shared, &reply),
            Command::Found(key, found) => self.found(key, found),
            Command::Announced(answer) => self.announced(&answer),
            Command::AddPeer(key, addr) => self.add_peer(key, addr, Source::User),
            Command::Status(key, reply) => {
                if let Some(torrent) = self.torrents.get(&key) {
                    // Whoever asked may have gone.
                    let _ = reply.send(torrent.status(self.now_us));
                }
            }
            Command::SetLimits(key, download, upload) => {
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.download.set_rate(download, self.now_us);
                    torrent.upload.set_rate(upload, self.now_us);
                }
            }
            Command::Want(key, file) => self.want(key, file),
            Command::Window(key, pieces) => self.set_window(key, pieces),
            Command::Resume(key) => self.resume(key),
            Command::Web(key, link, news) => self.web_news(key, link, news),
            Command::Remove(key) => {
                // The threads go on without us.
                drop(self.say_farewell(key));
                self.save_resume(key, Standing::Final);
                self.remove(key);
            }
            Command::Stop => self.is_stopping = true,
        }
    }

    fn add(
        &mut self,
        setup: AddTorrent,
        shared: Arc<TorrentShared>,
        reply: &Sender<io::Result<u32>>,
    ) {
        let info_hash = shared.info_hash;
        if self.by_hash.contains_key(&info_hash) {
            let twice = io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("torrent {info_hash} was added before"),
            );
            // Whoever asked may have gone.
            let _ = reply.send(Err(twice));
            return;
        }
        let key = self.next_torrent;
        self.next_torrent += 1;
        self.by_hash.insert(info_hash, key);
        self.by_tag.insert(TorrentTag::of(info_hash), info_hash);
        let announcer = Announcer::new(setup.origin.trackers(), &mut self.rng);
        let mut torrent = Torrent::new(setup, shared, announcer, self.now_us);
        let info = torrent.setup.origin.info();
        if info.is_none() {
            let config = self.session_config(&torrent.setup);
            let rng = self.next_rng();
            torrent.session = Some(Session::from_magnet(config, info_hash, rng, self.now_us));
        }
        self.torrents.insert(key, torrent);
        let _ = reply.send(Ok(key));
        match info {
            Some(info) => self.look_for(key, info),
            None => self.began(key),
        }
    }

    /// The sessions of a process draw from streams of their own.
    fn next_rng(&mut self) -> Xoshiro256PlusPlus {
        let rng = self.rng.clone();
        self.rng.jump();
        rng
    }

    fn session_config(&self, setup: &AddTorrent) -> SessionConfig {
        SessionConfig {
            peer_id: self.peer_id,
            listen_port: self.listen_addrs.first().map_or(0, |addr| addr.port()),
            open_bytes: self.settings.buffer_bytes as u64,
            ..setup.session.clone()
        }
    }

    /// Has a thread find out which pieces are there.
    fn look_for(&mut self, key: u32, info: Arc<Info>) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        torrent.shared.enter(Phase::Checking);
        let setup = torrent.setup.clone();
        let mailbox = Arc::clone(&self.mailbox);
        let spawned = std::thread::Builder::new().name("check".into()).spawn(move || {
            let found = check::look_for(&setup, info);
            mailbox.send(Command::Found(key, found));
        });
        if let Err(error) = spawned {
            self.run_command(Command::Found(key, Err(error)));
        }
    }

    fn found(&mut self, key: u32, found: io::Result<Found>) {
        let rng = self.next_rng();
        let Some(torrent) = self.torrents.get(&key) else { return };
        let config = self.session_config(&torrent.setup);
        let now_us = self.now_us;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let found = match found {
            Ok(found) => found,
            Err(error) => return torrent.fail(error.to_string()),
        };
        let Some(described) = describe(&found.info) else {
            return torrent.fail("its pieces are too long or too many".into());
        };
        torrent.limits = torrent.limits.with_pieces(found.info.layout().pieces());
        {
            let mut state = lock(&torrent.shared.state);
            state.info = Some(Arc::clone(&found.info));
            state.store = Some(Arc::clone(&found.store));
            state.have = found.have.clone();
        }
        torrent.shared.tell(&Event::Checked {
            have: found.have.count(),
            pieces: found.have.len(),
            resumed: found.resumed,
        });
        let have: PieceSet = found.have.clone();
        let was_magnet = torrent.session.is_some();
        match torrent.session.as_mut() {
            Some(session) => session.metadata_accepted(described, have, now_us),
            None => {
                torrent.session = Some(Session::new(config, described, have, rng, now_us));
            }
        }
        let unwanted = select::unwanted_pieces(found.info.layout(), &found.wanted);
        if let Some(session) = torrent.session.as_mut() {
            session.set_priority(unwanted.into_iter(), UNWANTED, now_us);
            torrent.is_finished = session.is_finished();
            torrent.was_complete = torrent.is_finished;
        }
        torrent.content = Some(Content {
            info: found.info,
            store: found.store,
            files: found.files,
            wanted: found.wanted,
        });
        torrent.enter_session_phase();
        if torrent.is_finished {
            torrent.shared.tell(&Event::Finished);
        }
        self.pending_effects.insert(key);
        self.add_web_seeds(key);
        self.webs.next_us = self.now_us;
        self.greet_waiting();
        if !was_magnet {
            self.began(key);
        }
    }

    /// The session has begun: it gets its first peers.
    fn began(&mut self, key: u32) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        torrent.enter_session_phase();
        for addr in torrent.setup.peers.clone() {
            self.add_peer(key, addr, Source::User);
        }
    }

    fn add_peer(&mut self, key: u32, addr: std::net::SocketAddr, source: Source) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        match torrent.session.as_mut() {
            Some(session) => {
                session.peer_found(addr, source, self.now_us);
                self.pending_effects.insert(key);
            }
            None => torrent.setup.peers.push(addr),
        }
    }

    pub(super) fn metadata_complete(&mut self, key: u32, bytes: &[u8]) {
        match Info::decode(bytes, &MetainfoLimits::DEFAULT) {
            Ok(info) => {
                if let Some(torrent) = self.torrents.get(&key) {
                    torrent.shared.tell(&Event::Metadata { name: info.name().to_string() });
                }
                self.look_for(key, Arc::new(info));
            }
            Err(error) => {
                let now_us = self.now_us;
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    if let Some(session) = torrent.session.as_mut() {
                        session.metadata_refused(now_us);
                    }
                    torrent.fail(format!("the metadata that its peers have: {error}"));
                }
            }
        }
    }

    fn resume(&mut self, key: u32) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.is_paused = false;
        torrent.resumed = lock(&torrent.shared.state).resumes;
        if let Some(session) = torrent.session.as_mut() {
            session.resume(self.now_us);
        }
        for job in std::mem::take(&mut torrent.unwritten) {
            self.disk.give(Job { resumed: torrent.resumed, ..job });
        }
        torrent.enter_session_phase();
        self.pending_effects.insert(key);
        self.webs.next_us = self.now_us;
    }

    fn want(&mut self, key: u32, file: usize) {
        let now_us = self.now_us;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let (Some(content), Some(session)) = (&mut torrent.content, torrent.session.as_mut())
        else {
            return;
        };
        let Some(wanted) = content.wanted.get_mut(file) else { return };
        if let Some(files) = &content.files
            && let Err(error) = files.want(file)
        {
            return torrent.fail(format!("making a file: {error}"));
        }
        *wanted = true;
        session.set_priority(content.info.layout().pieces_of(file), WANTED, now_us);
        torrent.is_finished = session.is_finished();
        torrent.enter_session_phase();
        self.pending_effects.insert(key);
        self.add_web_seeds(key);
        self.webs.next_us = now_us;
    }

    fn set_window(&mut self, key: u32, pieces: std::ops::Range<u32>) {
        let now_us = self.now_us;
        if let Some(session) = self.torrents.get_mut(&key).and_then(|t| t.session.as_mut()) {
            session.set_window(pieces, now_us);
            self.pending_effects.insert(key);
        }
    }

    /// Has a thread write the fast-resume file: to make the files safe on the
    /// disk may take long.
    pub(super) fn save_resume(&mut self, key: u32, standing: Standing) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let is_news = torrent.is_dirty || (standing == Standing::Final && torrent.is_claim_open);
        let files = torrent.content.as_ref().and_then(|content| content.files.clone());
        let have = torrent.session.as_ref().and_then(|session| session.have().cloned());
        let (Some(files), Some(have), true) = (files, have, is_news) else { return };
        torrent.is_dirty = false;
        torrent.is_claim_open = standing == Standing::Open;
        // Whatever is stored after a last claim makes it worthless.
        torrent.next_save_us = match standing {
            Standing::Open => self.now_us + resume::SAVE_INTERVAL_US,
            Standing::Final => 0,
        };
        torrent.claims += 1;
        let (number, written) = (torrent.claims, Arc::clone(&torrent.written_claim));
        let info_hash = torrent.shared.info_hash;
        let spawned = std::thread::Builder::new().name("save".into()).spawn(move || {
            let mut written = lock(&written);
            if *written > number {
                return;
            }
            match resume::save(&files, info_hash, &have, standing) {
                Ok(()) => *written = number,
                Err(error) => tracing::warn!("the fast-resume file: {error}"),
            }
        });
        self.saves.retain(|save| !save.is_finished());
        self.saves.extend(spawned);
    }

    /// Takes a torrent out, whose trackers have been told.
    fn remove(&mut self, key: u32) {
        let now_us = self.now_us;
        if let Some(session) = self.torrents.get_mut(&key).and_then(|t| t.session.as_mut()) {
            session.stop(now_us);
        }
        self.pending_effects.insert(key);
        self.run_pending_effects();
        self.remove_web_seeds(key);
        let Some(mut torrent) = self.torrents.remove(&key) else { return };
        for id in std::mem::take(&mut torrent.links) {
            self.drop_link(id);
        }
        torrent.assemblies.clear(&mut self.pool);
        for job in std::mem::take(&mut torrent.unwritten) {
            self.pool.give(job.buffer);
        }
        self.by_hash.remove(&torrent.shared.info_hash);
        self.by_tag.remove(&TorrentTag::of(torrent.shared.info_hash));
        torrent.shared.enter(Phase::Stopped);
    }

    /// Ends all: what has been received whole is still written.
    pub(super) fn shut_down(&mut self) {
        self.disk.finish();
        self.finish_jobs();
        let keys: Vec<u32> = self.torrents.keys().copied().collect();
        for key in &keys {
            self.save_resume(*key, Standing::Final);
        }
        let farewells: Vec<_> = keys.iter().flat_map(|key| self.say_farewell(*key)).collect();
        for key in keys {
            self.remove(key);
        }
        for farewell in farewells {
            // It only ends in a panic by a bug, which has been printed then.
            let _ = farewell.join();
        }
        for save in std::mem::take(&mut self.saves) {
            let _ = save.join();
        }
    }
}

fn describe(info: &Info) -> Option<SessionTorrent> {
    let layout = info.layout();
    Some(SessionTorrent {
        info_hash: info.info_hash(),
        geometry: Geometry::new(layout.piece_len(), layout.total_len())?,
        private: info.is_private(),
        info: info.bytes().into(),
    })
}

/// A generator of its own for the event loop.
pub(super) fn generator(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}
