//! Carrying out what sessions want.

use transfer::session::{Banned, Effect, LinkId, Verdict};
use transfer::wire::Message;

use super::Reactor;
use crate::disk::{Done, Job, Outcome};
use crate::resume::Standing;
use crate::shared::{Event, Phase};

impl Reactor {
    /// Carries out all that sessions want now.
    pub(super) fn run_pending_effects(&mut self) {
        while let Some(key) = self.pending_effects.pop_first() {
            self.run_effects(key);
        }
    }

    fn run_effects(&mut self, key: u32) {
        loop {
            let Some(torrent) = self.torrents.get_mut(&key) else { return };
            let Some(effect) = torrent.session.as_mut().and_then(|s| s.poll_effect()) else {
                return;
            };
            self.run_effect(key, effect);
        }
    }

    fn run_effect(&mut self, key: u32, effect: Effect) {
        match effect {
            Effect::Connect(addr) => self.connect(key, addr),
            Effect::Send { link, message } => self.send(key, link, &message),
            Effect::UploadReady { link } => {
                if let Some(link) = self.links.get_mut(link.0 as usize).and_then(Option::as_mut) {
                    link.upload_ready = true;
                }
                self.make_ready(link.0);
            }
            Effect::Close { link, reason } => {
                tracing::debug!("closing connection {}: {reason:?}", link.0);
                self.drop_link(link.0);
                self.drop_web_link(link.0, Some(reason));
            }
            Effect::Check { piece, digests } => self.check_piece(key, piece, digests),
            Effect::Forget { piece } => self.forget_piece(key, piece),
            Effect::MetadataComplete(bytes) => self.metadata_complete(key, &bytes),
            Effect::Finished => self.finished(key),
            Effect::WantPeers => self.want_peers(key),
            Effect::DhtNode(_) => {}
            Effect::Ban(who) => {
                if let Some(torrent) = self.torrents.get(&key) {
                    let who = match who {
                        Banned::Address(ip) => match self.webs.of_addr(key, ip) {
                            Some(seed) => seed.url.to_string(),
                            None => ip.to_string(),
                        },
                        Banned::Port(addr) => addr.to_string(),
                    };
                    tracing::info!("banned: {who}");
                    torrent.shared.tell(&Event::Banned(who));
                }
            }
        }
    }

    fn send(&mut self, key: u32, id: LinkId, message: &Message) {
        if let Message::Request(block) = message
            && let Some(torrent) = self.torrents.get_mut(&key)
            && let Some(geometry) = torrent.session.as_ref().and_then(|s| s.torrent())
        {
            let len = geometry.geometry.piece_size(block.piece) as usize;
            torrent.assemblies.open(block.piece, len);
        }
        let Some(link) = self.links.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            self.send_to_web_seed(id, message);
            return;
        };
        match message {
            Message::Request(block) => link.inbox.expect(*block),
            Message::Cancel(block) => link.inbox.expect_not(*block),
            _ => {}
        }
        link.outbox.push(message, &mut self.scratch);
        self.make_ready(id.0);
    }

    fn check_piece(&mut self, key: u32, piece: u32, digests: bool) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(content) = &torrent.content else { return };
        let (Some(buffer), Some(expected)) =
            (torrent.assemblies.complete(piece), content.info.hash(piece))
        else {
            return;
        };
        self.disk.give(Job {
            torrent: key,
            piece,
            offset: content.info.layout().piece_offset(piece),
            expected: *expected,
            digests,
            buffer,
            store: content.store.clone(),
            is_good: false,
            resumed: torrent.resumed,
        });
    }

    fn forget_piece(&mut self, key: u32, piece: u32) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.assemblies.forget(piece, &mut self.pool);
        for id in &torrent.links {
            if let Some(link) = self.links.get_mut(*id as usize).and_then(Option::as_mut) {
                link.inbox.forget_piece(piece);
            }
        }
    }

    /// Passes on what the hash-and-write thread has done.
    pub(super) fn finish_jobs(&mut self) {
        for id in self.disk.take_fetched() {
            if let Some(link) = self.links.get_mut(id as usize).and_then(Option::as_mut) {
                link.awaits_disk = false;
                self.make_ready(id);
            }
        }
        let mut done = std::mem::take(&mut self.done);
        self.disk.take_done(&mut done);
        for done in done.drain(..) {
            self.finish_job(done);
        }
        self.done = done;
        self.run_pending_effects();
    }

    fn finish_job(&mut self, done: Done) {
        let Done { job, outcome, digests } = done;
        let (key, piece, now_us) = (job.torrent, job.piece, self.now_us);
        let Some(torrent) = self.torrents.get_mut(&key) else {
            return self.pool.give(job.buffer);
        };
        self.pending_effects.insert(key);
        let Some(session) = torrent.session.as_mut() else {
            return self.pool.give(job.buffer);
        };
        match outcome {
            Outcome::Stored => {
                session.piece_checked(piece, Verdict::Good { digests }, now_us);
                session.piece_stored(piece, now_us);
                torrent.is_dirty = true;
                let is_due = now_us >= torrent.next_save_us && !session.is_finished();
                torrent.note_stored(piece);
                self.pool.give(job.buffer);
                if is_due {
                    self.save_resume(key, Standing::Open);
                }
            }
            Outcome::Bad => {
                session.piece_checked(piece, Verdict::Bad { digests }, now_us);
                self.pool.give(job.buffer);
            }
            Outcome::Failed(_) if job.resumed != torrent.resumed => {
                // It was tried before the user said that there is room.
                let resumed = torrent.resumed;
                self.disk.give(Job { resumed, ..job });
            }
            Outcome::Failed(error) => {
                torrent.unwritten.push(job);
                torrent.fail(format!("writing: {error}"));
            }
        }
    }

    fn finished(&mut self, key: u32) {
        if let Some(torrent) = self.torrents.get_mut(&key)
            && !torrent.is_finished
        {
            torrent.is_finished = true;
            if torrent.content.is_some() {
                torrent.announcer.completed(self.now_us);
            }
            torrent.shared.enter(Phase::Seeding);
            torrent.shared.tell(&Event::Finished);
        }
        self.save_resume(key, Standing::Final);
    }

    fn want_peers(&mut self, key: u32) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.announcer.want_peers(self.now_us);
        }
    }
}
