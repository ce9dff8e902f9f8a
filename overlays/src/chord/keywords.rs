//! Keyword search on the ring: what the shared organ needs of Chord.

use super::message::{Errand, Message};
use super::request::{Client, Finding};
use super::{Chord, Context, Timer};
use crate::parts::postings::{KeywordHost, KeywordWork, List, Posting, PostingHost, Sift, Sifted};
use crate::{Addr, Cause, Hit, Key, OpId, Outcome};

impl KeywordHost for Chord {
    fn keyword_work(&mut self) -> &mut KeywordWork {
        self.holdings.get_or_insert_default().keywords.get_or_insert_default()
    }

    fn send_sift(&mut self, cx: &mut Context<'_>, sift: Sift, is_own: bool) {
        let key = self.ring_key(sift.key());
        let client = match is_own {
            true => Client::Sift { ticket: sift.ticket, word: sift.word },
            false => Client::Relay,
        };
        self.look_up(cx, key, client, Some(Box::new(Errand::Sift(sift))));
    }

    fn guard_keywords(&mut self, cx: &mut Context<'_>, ticket: u32, words: usize) {
        // The query may go by every word before it is answered.
        let patience = self.config.lookup_timeout * words as u64;
        cx.on_behalf_of(Cause::UPKEEP).wake(patience, Timer::Keywords(ticket));
    }
}

impl PostingHost for Chord {
    fn posting_list(&self, list: Key) -> List<Vec<Hit>> {
        match &self.holdings {
            Some(h) => h.store.list(list, self.config.max_postings),
            None => List { hits: Vec::new(), is_hot: false },
        }
    }

    fn send_sifted(&mut self, cx: &mut Context<'_>, asker: Addr, sifted: Sifted) {
        cx.send(asker, Message::Sifted(Box::new(sifted)));
    }

    fn send_record(&mut self, cx: &mut Context<'_>, op: OpId, posting: Posting, stores: bool) {
        let word = posting.word;
        let errand = if stores { Errand::storing(posting) } else { Errand::removing(&posting) };
        let key = self.ring_key(errand.key());
        self.look_up(cx, key, Client::Record { op, word }, Some(Box::new(errand)));
    }
}

impl Chord {
    /// One record of an operation is through.
    pub(super) fn on_record_through(
        &mut self,
        cx: &mut Context<'_>,
        op: OpId,
        word: u8,
        finding: &Finding,
    ) {
        let outcome = match finding {
            Finding::NotFound => Outcome::NotFound,
            Finding::Failed(reason) => Outcome::Failed(*reason),
            Finding::Done | Finding::Owner(_) | Finding::Hits(_) => Outcome::Done,
        };
        self.on_record(cx, op, word, outcome);
    }
}
