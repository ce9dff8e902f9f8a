//! Keyword search on the tree: what the shared organ needs of Kademlia.
//!
//! A query looks up the key of its word, and is then handed to the closest
//! node. That one may be a newcomer which has not been given the list yet, so
//! an empty list is believed only when the next closest have none either.

use super::contact::Contact;
use super::dialect::Dialect;
use super::message::{Body, Transaction};
use super::work::{Lookup, Purpose};
use super::{Context, Node, Timer, seconds};
use crate::parts::postings::{KeywordHost, KeywordWork, List, Sift, Sifted, Step};
use crate::{Addr, Cause, Hit, Time};

/// Nodes that a query asks until one has something.
const HOLDERS: usize = 3;
/// Waits for an answer that a lookup and the handing over may take in all; far
/// more than they do.
const WAITS: u64 = 16;

/// A query on its way to a posting list.
#[derive(Debug)]
pub(super) struct Sifting {
    sift: Sift,
    /// Whether this node's user asks.
    is_own: bool,
    /// The nodes that should have the list, the closest first.
    holders: Vec<Contact>,
    /// How many of them were asked.
    tried: usize,
    /// What one of them said; an empty list stands until another has more.
    answer: Option<Sifted>,
    /// Whether nobody else needs to be asked.
    is_settled: bool,
}

impl Sifting {
    /// A holder answered.
    pub(super) fn on_reply(&mut self, body: Body) {
        match body {
            Body::Sifted(sifted) => self.take(*sifted),
            // It was passed on, and the answer comes from there.
            Body::Ack => self.is_settled = true,
            _ => {}
        }
    }

    fn take(&mut self, sifted: Sifted) {
        self.is_settled = !sifted.hits.is_empty() || sifted.is_hot;
        self.answer = Some(sifted);
    }
}

impl<D: Dialect> KeywordHost for Node<D> {
    fn keyword_work(&mut self) -> &mut KeywordWork {
        self.keywords.get_or_insert_default()
    }

    fn send_sift(&mut self, cx: &mut Context<'_, D>, sift: Sift, is_own: bool) {
        let key = self.place(sift.key());
        let (holders, answer) = (Vec::new(), None);
        let sifting = Sifting { sift, is_own, holders, tried: 0, answer, is_settled: false };
        self.look_up(cx, key, Purpose::Sift(Box::new(sifting)));
    }

    fn guard_keywords(&mut self, cx: &mut Context<'_, D>, ticket: u32, words: usize) {
        // The query may go by every word before it is answered.
        let tries = u64::from(self.config.retries) + 1;
        let patience = self.config.request_timeout * (WAITS * tries * words as u64);
        cx.on_behalf_of(Cause::UPKEEP).wake(patience, Timer::Keywords(ticket));
    }
}

impl<D: Dialect> Node<D> {
    /// Whether word searches go by the shared organ.
    pub(super) fn sifts(&self) -> bool {
        D::SIFTS && Self::files_words(&self.config)
    }

    /// The list of a query's word: the records kept for others, and what this
    /// node shares itself, for which it needs none.
    fn list_here(&self, sift: &Sift, now: Time) -> List<Vec<Hit>> {
        let place = self.place(sift.key());
        let List { mut hits, is_hot } = self.records.list(place, seconds(now), &self.config);
        let word = sift.words.words().nth(usize::from(sift.word)).unwrap_or_default();
        let own = self.shares.values().map(|share| &share.item);
        let own = own.filter(|item| item.keywords().words().any(|w| w == word));
        hits.extend(own.map(|item| Hit { item: item.clone(), provider: self.me.addr }));
        List { hits, is_hot }
    }

    /// A query has come here.
    pub(super) fn on_sift(&mut self, cx: &mut Context<'_, D>, from: Addr, sift: Sift) -> Body {
        let asker = sift.asker;
        match self.meet(cx, sift) {
            Some(sifted) if asker == from => return Body::Sifted(Box::new(sifted)),
            Some(sifted) => self.tell(cx, asker, sifted),
            None => {}
        }
        Body::Ack
    }

    /// Meets the list here: what it answers, unless the query goes on.
    fn meet(&mut self, cx: &mut Context<'_, D>, sift: Sift) -> Option<Sifted> {
        let List { hits, is_hot } = self.list_here(&sift, cx.now());
        match sift.meet(List { hits: hits.into_iter(), is_hot }) {
            Step::Answer(sifted) => Some(sifted),
            Step::On(sift) => {
                self.send_sift(cx, sift, false);
                None
            }
        }
    }

    /// Tells the asker what a query found.
    fn tell(&mut self, cx: &mut Context<'_, D>, asker: Addr, sifted: Sifted) {
        if asker == self.me.addr {
            return self.on_sifted(cx, sifted);
        }
        let number = self.work.number();
        let body = Body::Sifted(Box::new(sifted));
        let message = self.message(Transaction::numbered(number), body);
        cx.send(asker, message);
    }

    /// The closest nodes are known: they are asked in this order.
    pub(super) fn line_holders_up(&self, lookup: &mut Lookup) {
        let target = lookup.list.target();
        let Purpose::Sift(sifting) = &mut lookup.purpose else { return };
        sifting.holders = lookup.list.closest(HOLDERS).map(|c| c.contact).collect();
        if !self.is_read_only {
            sifting.holders.push(self.me);
            sifting.holders.sort_by_key(|c| c.distance(target));
            sifting.holders.truncate(HOLDERS);
        }
    }

    /// Hands a query to the next holder, if it needs one.
    pub(super) fn ask_holder(&mut self, cx: &mut Context<'_, D>, lookup: &mut Lookup) {
        while !lookup.walking && lookup.open == 0 {
            let Purpose::Sift(sifting) = &mut lookup.purpose else { return };
            if sifting.is_settled {
                return;
            }
            let Some(to) = sifting.holders.get(sifting.tried).copied() else { return };
            sifting.tried += 1;
            let sift = sifting.sift.clone();
            if to != self.me {
                return self.deliver(cx, lookup, to, Body::Sift(Box::new(sift)));
            }
            match self.meet(cx, sift) {
                Some(sifted) => sifting.take(sifted),
                None => sifting.is_settled = true,
            }
        }
    }

    /// A query has been where it could go.
    pub(super) fn sifting_over(&mut self, cx: &mut Context<'_, D>, sifting: Sifting) {
        let Sifting { sift, is_own, answer, is_settled, .. } = sifting;
        match answer {
            Some(sifted) => self.tell(cx, sift.asker, sifted),
            None if is_own && !is_settled => self.on_unreachable(cx, sift.ticket, sift.word),
            None => {}
        }
    }
}
