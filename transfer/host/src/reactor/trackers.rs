//! Telling trackers of torrents, and torrents of peers.

use std::sync::Arc;
use std::thread::JoinHandle;

use rand::RngExt;
use transfer::session::Source;
use transfer::tracker_wire::{Announce, Event as TrackerEvent};

use super::Reactor;
use crate::announce::{Answer, Question, Refusal, ask};
use crate::shared::{Command, Event};

/// What is said to lack while nobody knows how much it is: a tracker wants to
/// hear whether it is anything.
const UNKNOWN_LEFT: u64 = 16 * 1024;
/// How many peers are asked for.
const NUM_WANT: u32 = 100;

impl Reactor {
    /// Asks all trackers whose time has come.
    pub(super) fn announce_due(&mut self) {
        let now_us = self.now_us;
        let questions: Vec<Question> = self
            .torrents
            .iter_mut()
            .filter(|(_, torrent)| torrent.session.is_some())
            .filter_map(|(key, torrent)| torrent.announcer.question(*key, now_us))
            .collect();
        for question in questions {
            let answer_to = question.clone();
            if let Err(error) = self.ask(question) {
                let reason = error.to_string();
                let outcome = Err(Refusal { reason, never: false });
                self.announced(&Answer { question: answer_to, outcome });
            }
        }
    }

    /// When the next tracker is to be asked.
    pub(super) fn next_announce_us(&self) -> u64 {
        let begun = self.torrents.values().filter(|torrent| torrent.session.is_some());
        begun.map(|torrent| torrent.announcer.next_us()).min().unwrap_or(u64::MAX)
    }

    fn ask(&mut self, question: Question) -> std::io::Result<JoinHandle<()>> {
        let announce = self.announce_for(&question);
        let salt = self.rng.random();
        let mailbox = Arc::clone(&self.mailbox);
        std::thread::Builder::new().name("announce".into()).spawn(move || {
            let outcome = ask(&question, announce, salt);
            mailbox.send(Command::Announced(Answer { question, outcome }));
        })
    }

    fn announce_for(&self, question: &Question) -> Announce {
        let torrent = self.torrents.get(&question.torrent);
        let session = torrent.and_then(|torrent| torrent.session.as_ref());
        let traffic = session.map(|session| session.traffic(self.now_us)).unwrap_or_default();
        let left = match session {
            Some(session) if session.torrent().is_some() => {
                let progress = session.progress();
                let total = session.torrent().map_or(0, |torrent| torrent.geometry.total_len());
                total.saturating_sub(progress.have_bytes)
            }
            _ => UNKNOWN_LEFT,
        };
        let is_leaving = question.event == TrackerEvent::Stopped;
        Announce {
            info_hash: torrent.map_or(transfer::InfoHash([0; 20]), |t| t.shared.info_hash),
            peer_id: self.peer_id,
            port: self.listen_addrs.first().map_or(0, |addr| addr.port()),
            uploaded: traffic.uploaded,
            downloaded: traffic.downloaded,
            left,
            event: question.event,
            num_want: Some(if is_leaving { 0 } else { NUM_WANT }),
            key: Some(self.tracker_key),
            ip: None,
        }
    }

    pub(super) fn announced(&mut self, answer: &Answer) {
        let key = answer.question.torrent;
        let now_us = self.now_us;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.announcer.answered(answer, now_us);
        let url = answer.question.url.clone();
        match &answer.outcome {
            Ok(peers) => {
                if let Some(warning) = &peers.warning {
                    torrent.shared.tell(&Event::Warning(format!("{url}: {warning}")));
                }
                torrent.shared.tell(&Event::Announced { url, peers: peers.peers.len() });
                if let Some(session) = torrent.session.as_mut() {
                    for addr in &peers.peers {
                        session.peer_found(*addr, Source::Tracker, now_us);
                    }
                }
                self.pending_effects.insert(key);
            }
            Err(refusal) => {
                tracing::info!("{url}: {}", refusal.reason);
                torrent.shared.tell(&Event::Warning(format!("{url}: {}", refusal.reason)));
            }
        }
    }

    /// Tells all trackers that know of the torrent that it leaves; the threads
    /// that do it end soon, answered or not.
    pub(super) fn say_farewell(&mut self, key: u32) -> Vec<JoinHandle<()>> {
        let Some(torrent) = self.torrents.get(&key) else { return Vec::new() };
        let questions = torrent.announcer.farewells(key);
        questions.into_iter().filter_map(|question| self.ask(question).ok()).collect()
    }
}
