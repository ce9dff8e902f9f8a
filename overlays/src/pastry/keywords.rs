//! Keyword search on the circle: what the shared organ needs of Pastry.

use super::keeping::errand_for;
use super::message::{Errand, Message};
use super::request::{Client, Requests, What};
use super::{Context, Pastry, Timer};
use crate::parts::postings::{
    KeywordHost, KeywordWork, List, Posting, PostingHost, Sift, Sifted, Way,
};
use crate::{Addr, Cause, Hit, Key, OpId};

impl KeywordHost for Pastry {
    fn keyword_work(&mut self) -> &mut KeywordWork {
        self.holdings.get_or_insert_default().keywords.get_or_insert_default()
    }

    fn send_sift(&mut self, cx: &mut Context<'_>, sift: Sift, is_own: bool) {
        let key = sift.key();
        let (ticket, word) = (sift.ticket, sift.word);
        let errand = Errand::Sift { sift: Box::new(sift), passed_on: false };
        if is_own {
            return self.ask(cx, key, Client::Sift { ticket, word }, Some(errand));
        }
        // The answer goes to the asker, so that nothing waits for it here.
        let (request, origin, ttl) = (self.requests.number(), cx.me(), self.config.ttl);
        let errand = Some(Box::new(errand));
        self.route(cx, Message::Route { request, origin, key, ttl, ack: false, errand });
    }

    fn guard_keywords(&mut self, cx: &mut Context<'_>, ticket: u32, words: usize) {
        // The query may go by every word before it is answered, and each way
        // may have to be gone again.
        let tries = u64::from(self.config.retries) + 1;
        let patience = self.config.lookup_timeout * (words as u64 * tries);
        cx.on_behalf_of(Cause::UPKEEP).wake(patience, Timer::Keywords(ticket));
    }
}

impl PostingHost for Pastry {
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
        let (key, errand) = errand_for(posting, stores);
        self.ask(cx, key, Client::Record { op, word }, Some(errand));
    }
}

impl Pastry {
    /// A query has come to a holder of its word's list.
    pub(super) fn sift_here(&mut self, cx: &mut Context<'_>, sift: Sift) {
        if !self.config.keywords {
            return;
        }
        if sift.asker == cx.me() {
            self.requests.settle_sift(sift.ticket, sift.word);
        }
        self.meet_list(cx, sift);
    }

    /// Another node answers a query of this one.
    pub(super) fn on_sifted_message(&mut self, cx: &mut Context<'_>, sifted: Sifted) {
        if self.config.keywords {
            self.requests.settle_sift(sifted.ticket, sifted.word);
            self.on_sifted(cx, sifted);
        }
    }
}

impl Requests {
    /// The query with this ticket for this word needs no repeating: its list
    /// has been met. One along the path may be answered by any word's holder.
    fn settle_sift(&mut self, ticket: u32, word: u8) {
        let is_path = |what: &What| match what {
            What::Routed { errand: Some(errand), .. } => match &**errand {
                Errand::Sift { sift, .. } => matches!(sift.way, Way::Path { .. }),
                _ => false,
            },
            _ => false,
        };
        let settled = self.iter().find_map(|r| match r.client {
            Client::Sift { ticket: t, word: w } => {
                (t == ticket && (w == word || is_path(&r.what))).then_some(r.id)
            }
            _ => None,
        });
        if let Some(id) = settled {
            self.take(id);
        }
    }
}
