//! Keyword search on the torus: what the shared organ needs of CAN.

use super::lookup::Client;
use super::message::{Errand, Message};
use super::zone::Point;
use super::{Can, Context, Timer};
use crate::parts::postings::{KeywordHost, KeywordWork, List, Posting, PostingHost, Sift, Sifted};
use crate::{Addr, Cause, Hit, Key, OpId};

impl KeywordHost for Can {
    fn keyword_work(&mut self) -> &mut KeywordWork {
        self.shares.get_or_insert_default().keywords.get_or_insert_default()
    }

    fn send_sift(&mut self, cx: &mut Context<'_>, sift: Sift, is_own: bool) {
        let key = sift.key();
        let client = match is_own {
            true => Client::Sift { ticket: sift.ticket, word: sift.word },
            false => Client::Relay,
        };
        self.look_up(cx, client, key, Errand::Sift(Box::new(sift)));
    }

    fn guard_keywords(&mut self, cx: &mut Context<'_>, ticket: u32, words: usize) {
        // The query may go by every word before it is answered.
        let patience = self.lookup_wait() * words as u64;
        cx.on_behalf_of(Cause::UPKEEP).wake(patience, Timer::Keywords(ticket));
    }
}

impl PostingHost for Can {
    /// A list is kept at the key's point in every reality; a query meets it in
    /// the first in which this node owns the point.
    fn posting_list(&self, list: Key) -> List<Vec<Hit>> {
        let point = Point::of_key(list, 0);
        match self.spaces.iter().find(|space| space.owns(point)) {
            Some(space) => space.store.list(point, list, self.config.max_postings),
            None => List { hits: Vec::new(), is_hot: false },
        }
    }

    fn send_sifted(&mut self, cx: &mut Context<'_>, asker: Addr, sifted: Sifted) {
        cx.send(asker, Message::Sifted(Box::new(sifted)));
    }

    fn send_record(&mut self, cx: &mut Context<'_>, op: OpId, posting: Posting, stores: bool) {
        let (key, word) = (posting.key(), posting.word);
        let errand = if stores { Errand::storing(posting) } else { Errand::removing(&posting) };
        self.look_up(cx, Client::Record { op, word }, key, errand);
    }
}
