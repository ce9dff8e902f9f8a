//! What a DHT node does for keyword searches, whatever its geometry.

use std::sync::Arc;

use super::publications::Publications;
use super::searches::{Progress, Searches};
use super::sift::{List, Sift, Sifted, Step};
use super::{Intersect, Posting};
use crate::seam::{Addr, Cx, Hit, Key, Keywords, Machine, OpId, Outcome};

/// What a node has under way for the keyword index.
#[derive(Debug, Default)]
pub struct KeywordWork {
    searches: Searches,
    publications: Publications,
}

impl KeywordWork {
    /// Memory taken, roughly.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.searches.bytes() + self.publications.bytes()
    }
}

/// A node of a DHT with a keyword index that searches by words. The DHT says how
/// a query gets to the owner of a key; the rest is the same for all.
pub trait KeywordHost: Machine {
    /// What it has under way.
    fn keyword_work(&mut self) -> &mut KeywordWork;

    /// Sends a query to the owner of its word: one of this node's own, so that
    /// it calls [`KeywordHost::on_unreachable`] if the owner cannot be found,
    /// or one that is passed on for another.
    fn send_sift(&mut self, cx: &mut Cx<'_, Self>, sift: Sift, is_own: bool);

    /// Asks to be woken, on nobody's account, to call
    /// [`KeywordHost::on_keywords_overdue`] when a search of so many words
    /// has had its time.
    fn guard_keywords(&mut self, cx: &mut Cx<'_, Self>, ticket: u32, words: usize);

    /// Searches by words.
    fn search_words(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        words: &Arc<Keywords>,
        limit: u16,
        way: Intersect,
    ) {
        let asker = (cx.me(), op, cx.cause());
        match self.keyword_work().searches.start(asker, words, limit, way) {
            Err(outcome) => cx.finish(op, outcome),
            Ok((ticket, sifts)) => {
                self.guard_keywords(cx, ticket, words.words().len());
                self.go_on(cx, Progress::Send(sifts));
            }
        }
    }

    /// Does what a search needs next.
    fn go_on(&mut self, cx: &mut Cx<'_, Self>, progress: Progress) {
        match progress {
            Progress::Wait => {}
            Progress::Send(sifts) => {
                for sift in sifts {
                    self.send_sift(cx, sift, true);
                }
            }
            Progress::End(ended) => {
                // What an answer led to ends where the answer's chain is; what
                // a timer led to, where the search began.
                let is_own = cx.cause().op == ended.cause.op;
                let cause = if is_own { cx.cause() } else { ended.cause };
                cx.on_behalf_of(cause).finish(ended.op, ended.outcome);
            }
        }
    }

    /// The owner of a word answered.
    fn on_sifted(&mut self, cx: &mut Cx<'_, Self>, sifted: Sifted) {
        let progress = self.keyword_work().searches.on_sifted(cx.me(), sifted);
        self.go_on(cx, progress);
    }

    /// The owner of a word could not be found.
    fn on_unreachable(&mut self, cx: &mut Cx<'_, Self>, ticket: u32, word: u8) {
        let progress = self.keyword_work().searches.on_unreachable(cx.me(), ticket, word);
        self.go_on(cx, progress);
    }

    /// A search has had its time.
    fn on_keywords_overdue(&mut self, cx: &mut Cx<'_, Self>, ticket: u32) {
        let progress = self.keyword_work().searches.on_overdue(ticket);
        self.go_on(cx, progress);
    }
}

/// A node of a DHT that hands its records to the owners of their keys one by
/// one, those under words like all others.
pub trait PostingHost: KeywordHost {
    /// What it keeps under the key of a word.
    fn posting_list(&self, list: Key) -> List<Vec<Hit>>;

    /// Tells another node what its query found.
    fn send_sifted(&mut self, cx: &mut Cx<'_, Self>, asker: Addr, sifted: Sifted);

    /// Sends a record of an insert or delete to the owner of its key, and
    /// calls [`PostingHost::on_record`] when it is through.
    fn send_record(&mut self, cx: &mut Cx<'_, Self>, op: OpId, posting: Posting, stores: bool);

    /// Stores or removes a hit under its own key and under all of its words,
    /// on behalf of one operation.
    fn send_records(&mut self, cx: &mut Cx<'_, Self>, op: OpId, hit: &Hit, stores: bool) {
        let postings: Vec<Posting> = Posting::all(hit, true).collect();
        self.keyword_work().publications.start(op, postings.len());
        for posting in postings {
            self.send_record(cx, op, posting, stores);
        }
    }

    /// A record of an operation is through, the one under word number `word`.
    fn on_record(&mut self, cx: &mut Cx<'_, Self>, op: OpId, word: u8, outcome: Outcome) {
        if let Some(outcome) = self.keyword_work().publications.on_record(op, word, outcome) {
            cx.finish(op, outcome);
        }
    }

    /// A query has come to the list of one of its words.
    fn meet_list(&mut self, cx: &mut Cx<'_, Self>, sift: Sift) {
        let asker = sift.asker;
        let List { hits, is_hot } = self.posting_list(sift.key());
        match sift.meet(List { hits: hits.into_iter(), is_hot }) {
            Step::On(sift) => self.send_sift(cx, sift, false),
            Step::Answer(sifted) if asker == cx.me() => self.on_sifted(cx, sifted),
            Step::Answer(sifted) => self.send_sifted(cx, asker, sifted),
        }
    }
}
