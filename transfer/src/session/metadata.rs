//! Fetching and giving the `info` dictionary (BEP 9).

use sha1::{Digest as _, Sha1};

use super::contributors::ContributorId;
use super::effect::{Effect, LinkId, Violation};
use super::{SECOND_US, Session};
use crate::identity::InfoHash;
use crate::wire::extended::{Extension, METADATA_BLOCK_LEN, Metadata};

/// A block that did not come for this long is asked of another peer.
const PATIENCE_US: u64 = 10 * SECOND_US;
/// Blocks that one peer is asked for at a time.
const MOST_ASKED: usize = 4;

/// A block of the dictionary.
#[derive(Debug)]
enum Part {
    Free,
    Asked(LinkId, u64),
    Here(Vec<u8>, ContributorId),
}

impl Part {
    fn is_asked_of(&self, link: LinkId) -> bool {
        matches!(self, Self::Asked(other, _) if *other == link)
    }
}

/// One try to get the whole dictionary.
#[derive(Debug)]
struct Attempt {
    len: u32,
    parts: Vec<Part>,
    /// The only peer that is asked.
    only: Option<LinkId>,
}

/// How far the fetching of the dictionary is.
#[derive(Debug, Default)]
pub(super) struct MetadataFetch {
    attempt: Option<Attempt>,
    /// Blocks of several peers did not fit together: from now on all come from
    /// one.
    one_by_one: bool,
    complete: bool,
}

/// Whether these bytes are the `info` dictionary of that name.
#[must_use]
pub(super) fn is_info(bytes: &[u8], info_hash: InfoHash) -> bool {
    <[u8; 20]>::from(Sha1::digest(bytes)) == info_hash.0
}

impl Session {
    /// Asks for blocks of the dictionary, if it is missing and somebody has it.
    pub(super) fn fetch_metadata(&mut self, now_us: u64) {
        if self.picker.is_some() || self.metadata.complete || self.stopped {
            return;
        }
        let givers: Vec<(LinkId, u32)> = self
            .peers()
            .filter(|(_, peer)| !peer.extension.metadata_refused)
            .filter(|(_, peer)| peer.extension.numbers.get(Extension::Metadata).is_some())
            .filter_map(|(link, peer)| Some((link, peer.extension.metadata_len?)))
            .collect();
        if self.metadata.attempt.is_none() {
            let Some(&(link, len)) = givers.first() else { return };
            let parts = (0..Metadata::blocks(len)).map(|_| Part::Free).collect();
            let only = self.metadata.one_by_one.then_some(link);
            self.metadata.attempt = Some(Attempt { len, parts, only });
        }
        let Some(attempt) = &mut self.metadata.attempt else { return };
        let mut asked = Vec::new();
        for (link, len) in givers {
            if len != attempt.len || attempt.only.is_some_and(|only| only != link) {
                continue;
            }
            let of_link = |part: &&Part| part.is_asked_of(link);
            let mut room = MOST_ASKED.saturating_sub(attempt.parts.iter().filter(of_link).count());
            for (n, part) in attempt.parts.iter_mut().enumerate() {
                if room > 0 && matches!(part, Part::Free) {
                    *part = Part::Asked(link, now_us);
                    asked.push((link, n as u32));
                    room -= 1;
                }
            }
        }
        for (link, piece) in asked {
            let request = Metadata::Request { piece };
            self.send_extended(link, Extension::Metadata, request.encode(), now_us);
        }
    }

    pub(super) fn on_metadata(&mut self, link: LinkId, message: Metadata, now_us: u64) {
        match message {
            Metadata::Request { piece } => self.give_metadata(link, piece, now_us),
            Metadata::Reject { .. } => {
                self.chatter(link, now_us);
                if let Some(peer) = self.peer_mut(link) {
                    peer.extension.metadata_refused = true;
                }
                self.metadata_link_gone(link, now_us);
            }
            Metadata::Data { piece, total_size, bytes } => {
                self.take_metadata(link, piece, total_size, bytes, now_us);
            }
        }
    }

    fn give_metadata(&mut self, link: LinkId, piece: u32, now_us: u64) {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        let info = self.torrent.as_ref().map_or(&[][..], |torrent| &torrent.info[..]);
        let total_size = info.len() as u32;
        let len = Metadata::block_len(piece, total_size);
        // Nobody needs it more than a few times.
        let answer =
            if len == 0 || peer.extension.metadata_served > 4 * Metadata::blocks(total_size) {
                Metadata::Reject { piece }
            } else {
                peer.extension.metadata_served += 1;
                let begin = (piece * METADATA_BLOCK_LEN) as usize;
                let bytes = info[begin..begin + len as usize].to_vec();
                Metadata::Data { piece, total_size, bytes }
            };
        let rejects = matches!(answer, Metadata::Reject { .. });
        self.send_extended(link, Extension::Metadata, answer.encode(), now_us);
        if rejects {
            self.chatter(link, now_us);
        }
    }

    fn take_metadata(
        &mut self,
        link: LinkId,
        piece: u32,
        total_size: u32,
        bytes: Vec<u8>,
        now_us: u64,
    ) {
        let by = self.peer(link).map(|peer| peer.contributor);
        let place = match (&mut self.metadata.attempt, by) {
            (Some(attempt), Some(by)) if attempt.len == total_size => {
                attempt.parts.get_mut(piece as usize).map(|part| (part, by))
            }
            _ => None,
        };
        match place {
            Some((part, by)) if part.is_asked_of(link) => {
                *part = Part::Here(bytes, by);
                self.contributors.hold(by);
            }
            // It was asked for in vain before, or not at all.
            _ => return self.chatter(link, now_us),
        }
        self.finish_metadata(now_us);
        self.fetch_metadata(now_us);
    }

    /// Puts the dictionary together once all blocks are here.
    fn finish_metadata(&mut self, now_us: u64) {
        let whole =
            |attempt: &mut Attempt| attempt.parts.iter().all(|part| matches!(part, Part::Here(..)));
        let Some(attempt) = self.metadata.attempt.take_if(whole) else { return };
        let mut info = Vec::with_capacity(attempt.len as usize);
        let mut by = Vec::new();
        for part in attempt.parts {
            if let Part::Here(bytes, from) = part {
                info.extend(bytes);
                by.push(from);
            }
        }
        if is_info(&info, self.info_hash) {
            self.metadata.complete = true;
            self.effects.push_back(Effect::MetadataComplete(info));
        } else if by.iter().all(|from| *from == by[0]) {
            self.throw_out(by[0], Violation::BadMetadata, now_us);
        } else {
            self.metadata.one_by_one = true;
        }
        by.iter().for_each(|&from| self.contributors.release(from));
    }

    /// A peer is gone or refuses: its blocks are asked of others.
    pub(super) fn metadata_link_gone(&mut self, link: LinkId, now_us: u64) {
        let Some(attempt) = &mut self.metadata.attempt else { return };
        for part in &mut attempt.parts {
            if part.is_asked_of(link) {
                *part = Part::Free;
            }
        }
        // Without anybody who says the same of the length, it may be a lie.
        let len = attempt.len;
        let only = attempt.only;
        let others = self.peers().any(|(other, peer)| {
            peer.extension.metadata_len == Some(len)
                && !peer.extension.metadata_refused
                && only.is_none_or(|only| only == other)
        });
        if !others {
            self.drop_attempt();
        }
        self.fetch_metadata(now_us);
    }

    fn drop_attempt(&mut self) {
        let Some(attempt) = self.metadata.attempt.take() else { return };
        for part in attempt.parts {
            if let Part::Here(_, by) = part {
                self.contributors.release(by);
            }
        }
    }

    /// Gives up on peers who did not send what they were asked for.
    pub(super) fn metadata_tick(&mut self, now_us: u64) {
        let Some(attempt) = &self.metadata.attempt else { return };
        let mut slow: Vec<LinkId> = Vec::new();
        for part in &attempt.parts {
            match *part {
                Part::Asked(link, at_us) if now_us >= at_us + PATIENCE_US => slow.push(link),
                _ => {}
            }
        }
        slow.dedup();
        for link in slow {
            if let Some(peer) = self.peer_mut(link) {
                peer.extension.metadata_refused = true;
            }
            self.metadata_link_gone(link, now_us);
        }
    }
}
