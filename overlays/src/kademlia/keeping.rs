//! Records: storing, answering for, renewing and withdrawing them (§2.3, §2.5).

use std::sync::Arc;

use super::config::Settings;
use super::contact::Contact;
use super::dialect::Dialect;
use super::message::{Announce, Body, MAX_RECORDS, Message, Record, Store, Values, Wanted};
use super::records::{Keep, RecordId, tag};
use super::shortlist::Closest;
use super::work::{Errand, Lookup, Purpose};
use super::{Context, Node, Phase, seconds};
use crate::{Addr, Item, Key, Note, Query, Span, Target};
use rand::Rng as _;

/// BEP 5's code for a protocol error, such as a bad token.
const PROTOCOL_ERROR: i64 = 203;
/// BEP 5's code for a failure of the server.
const SERVER_ERROR: i64 = 202;
/// BEP 5's code for an unknown method.
const METHOD_UNKNOWN: i64 = 204;

const fn whole_seconds(span: Span) -> u32 {
    (span.as_us() / 1_000_000) as u32
}

fn error(code: i64, text: &str) -> Body {
    Body::Error(Box::new((code, text.into())))
}

impl<D: Dialect> Node<D> {
    /// A request came in.
    pub(super) fn on_query(&mut self, cx: &mut Context<'_, D>, from: Addr, message: Message<D>) {
        let answer = match message.body {
            // A node whose table nobody reads still has its user's files.
            Body::WhatIs(key) => Body::Metadata(self.shares.get(&key).map(|s| s.item.clone())),
            _ if self.is_read_only => return,
            Body::Ping => Body::Ack,
            Body::FindNode(target) => Body::Nodes(self.nodes_for(target, from)),
            Body::FindValue(wanted) => self.on_find_value(cx, from, &wanted),
            Body::Store(store) => self.on_store(cx, *store),
            Body::Announce(announce) => self.on_announce(cx, from, &announce),
            Body::Withdraw { key, item } => {
                self.forget(cx, RecordId { key, item, provider: from });
                Body::Ack
            }
            Body::Sift(sift) if self.sifts() => self.on_sift(cx, from, *sift),
            Body::Unknown(_) | Body::Sift(_) => error(METHOD_UNKNOWN, "Method Unknown"),
            Body::Ack
            | Body::Nodes(_)
            | Body::Values(_)
            | Body::Metadata(_)
            | Body::Sifted(_)
            | Body::Error(_) => return,
        };
        let reply = self.message(message.transaction, answer);
        cx.send(from, reply);
    }

    /// The closest contacts to `target`, but for who asks.
    fn nodes_for(&self, target: Key, asker: Addr) -> Box<[Contact]> {
        let k = self.config.k;
        let mut nodes = self.table.closest(target, k + 1, true, &self.config);
        nodes.retain(|c| c.addr != asker);
        nodes.truncate(k);
        Box::from(&*nodes)
    }

    fn on_find_value(&mut self, cx: &mut Context<'_, D>, from: Addr, wanted: &Wanted) -> Body {
        let limit = usize::from(wanted.limit).clamp(1, MAX_RECORDS);
        let start = cx.rng().next_u32();
        let words = wanted.words.as_deref();
        let now_s = seconds(cx.now());
        let mut records = self.own_records(wanted.key, words, limit);
        let others = self.records.get(wanted.key, words, limit - records.len(), start, now_s);
        records.extend(others.into_iter().filter(|r| r.provider != self.me.addr));
        // Whoever has enough needs to ask nobody else (§2.3); an announcer
        // does, whatever there is.
        let nodes = if records.len() >= limit && !self.takes_tokens() {
            Box::default()
        } else {
            self.nodes_for(wanted.key, from)
        };
        let token = self.takes_tokens().then(|| self.tokens.give(from, cx.now()));
        Body::Values(Box::new(Values { token, records, nodes }))
    }

    /// What this node shares itself under `key`.
    fn own_records(&self, key: Key, words: Option<&crate::Keywords>, limit: usize) -> Vec<Record> {
        let bits = self.config.bits();
        let record = |item: &Arc<Item>| Record {
            item: Some(item.clone()).filter(|_| D::NAMES_ITEMS),
            provider: self.me.addr,
        };
        match words {
            None => {
                let from = self.shares.range(key..).take_while(|(k, _)| k.truncated(bits) == key);
                from.map(|(_, share)| record(&share.item)).take(limit).collect()
            }
            Some(words) => {
                let items = self.shares.values().map(|s| &s.item);
                items.filter(|i| i.keywords().contains_all(words)).map(record).take(limit).collect()
            }
        }
    }

    /// What this node itself has in answer to its user's query.
    pub(super) fn local_records(&self, cx: &mut Context<'_, D>, query: &Query) -> Vec<Record> {
        let (key, words) = match &query.target {
            Target::Exact(key) => (self.place(*key), None),
            Target::Keywords(words) => (self.keyword_place(words), Some(&**words)),
        };
        let start = cx.rng().next_u32();
        self.records.get(key, words, usize::from(query.limit), start, seconds(cx.now()))
    }

    /// An item's place among the identifiers.
    pub(super) fn place(&self, key: Key) -> Key {
        key.truncated(self.config.bits())
    }

    /// Where a keyword search begins: at the longest of its words, which is
    /// rare if any is.
    pub(super) fn keyword_place(&self, words: &crate::Keywords) -> Key {
        let longest = words.words().max_by_key(|w| w.len()).unwrap_or_default();
        self.word_place(longest)
    }

    fn word_place(&self, word: &str) -> Key {
        self.place(D::word_key(word))
    }

    /// All places where an item is published: its own, and its words'.
    pub(super) fn places(&self, key: Key, item: &Item) -> Vec<Key> {
        let mut places = vec![self.place(key)];
        if Self::files_words(&self.config) {
            places.extend(item.keywords().words().map(|word| self.word_place(word)));
        }
        places
    }

    /// How long a record under `key` is kept.
    fn lifetime_s(&self, key: Key, item: Option<&Item>) -> u32 {
        let is_keyword = item.is_some_and(|i| self.place(i.key()) != key);
        whole_seconds(if is_keyword { self.config.keyword_expire } else { self.config.expire })
    }

    fn on_store(&mut self, cx: &mut Context<'_, D>, store: Store) -> Body {
        let Store { key, item, provider, lifetime_s } = store;
        let key = self.place(key);
        if provider == self.me.addr {
            // This node knows best what it shares.
            return Body::Ack;
        }
        let id = RecordId { key, item: tag(item.key()), provider };
        let lifetime_s = lifetime_s.min(self.lifetime_s(key, Some(&item)));
        if self.keep(cx, id, Some(item), lifetime_s) {
            Body::Ack
        } else {
            error(SERVER_ERROR, "No Room")
        }
    }

    fn on_announce(&mut self, cx: &mut Context<'_, D>, from: Addr, announce: &Announce) -> Body {
        if self.takes_tokens() && !self.tokens.accept(&announce.token, from, cx.now()) {
            return error(PROTOCOL_ERROR, "Bad Token");
        }
        let mut bytes = from.to_bytes();
        if !announce.implied_port {
            bytes[4..].copy_from_slice(&announce.port.to_be_bytes());
        }
        let key = self.place(announce.info_hash);
        let id = RecordId { key, item: 0, provider: Addr::from_bytes(bytes) };
        let lifetime_s = self.lifetime_s(key, None);
        if self.keep(cx, id, None, lifetime_s) { Body::Ack } else { error(SERVER_ERROR, "No Room") }
    }

    /// Keeps a record, if it may be kept here and there is room.
    fn keep(
        &mut self,
        cx: &mut Context<'_, D>,
        id: RecordId,
        item: Option<Arc<Item>>,
        lifetime_s: u32,
    ) -> bool {
        let k = self.config.k;
        let is_close = self.table.closer(id.key, k, &self.config) < k;
        let tolerated = self.config.tolerance_bits;
        if !is_close && id.key.common_prefix_bits(self.me.id) < tolerated {
            return false;
        }
        // What comes to a node that is not among the closest is a copy on the
        // path; it is left to expire.
        let replicates = is_close && self.config.replicate > Span::ZERO;
        let replicate_after_s = replicates.then(|| whole_seconds(self.config.replicate));
        let keep = Keep { id, item, lifetime_s, replicate_after_s };
        let kept = self.records.put(keep, seconds(cx.now()), &self.config);
        if kept {
            cx.note(|| Note::Store { key: id.key, provider: id.provider, stored: true });
        }
        kept
    }

    fn forget(&mut self, cx: &mut Context<'_, D>, id: RecordId) {
        let id = RecordId { key: self.place(id.key), ..id };
        if self.records.remove(&id) {
            cx.note(|| Note::Store { key: id.key, provider: id.provider, stored: false });
        }
    }

    /// A lookup has found the closest nodes: an errand is carried out there.
    pub(super) fn arrive(&mut self, cx: &mut Context<'_, D>, lookup: &mut Lookup) {
        let errand = match &lookup.purpose {
            Purpose::Errand { errand, .. } => errand.clone(),
            Purpose::Sift(_) => return self.line_holders_up(lookup),
            Purpose::Enter(_) | Purpose::Locate(_) | Purpose::Search(_) => return,
        };
        if matches!(errand, Errand::Refresh(_)) {
            return;
        }
        let key = errand.key();
        let n = self.config.replicas;
        let mut closest: Vec<Closest> = lookup.list.closest(n).collect();
        let own = self.me.distance(key);
        let rank = closest.iter().filter(|c| c.contact.distance(key) < own).count();
        let here = !self.is_read_only && rank < n;
        if here && closest.len() == n {
            closest.pop();
        }
        let now_s = seconds(cx.now());
        match errand {
            Errand::Refresh(_) => {}
            Errand::Publish { items, .. } => {
                // What this node shares it answers for without a record.
                lookup.delivered += usize::from(here);
                for to in closest {
                    for item in &items {
                        if let Some(body) = self.announcement(key, item, to.token.as_deref()) {
                            self.deliver(cx, lookup, to.contact, body);
                        }
                    }
                }
            }
            Errand::Withdraw { item, .. } => {
                lookup.delivered += usize::from(here);
                self.forget(cx, RecordId { key, item, provider: self.me.addr });
                for to in closest {
                    self.deliver(cx, lookup, to.contact, Body::Withdraw { key, item });
                }
            }
            Errand::Replicate(_) if !here => self.records.release(key),
            Errand::Replicate(_) => {
                let again_s = whole_seconds(self.config.replicate);
                for (item, provider, lifetime_s) in self.records.take_due(key, now_s, again_s) {
                    for to in &closest {
                        let store = Store { key, item: item.clone(), provider, lifetime_s };
                        self.deliver(cx, lookup, to.contact, Body::Store(Box::new(store)));
                    }
                }
            }
        }
    }

    /// What tells a node to keep that this one provides `item`; nothing can be
    /// said to a node that gave no token where one is needed.
    fn announcement(&self, key: Key, item: &Arc<Item>, token: Option<&[u8]>) -> Option<Body> {
        if !D::NAMES_ITEMS {
            let token = if self.takes_tokens() { Box::from(token?) } else { Box::default() };
            let (port, implied_port) = (self.me.addr.port(), true);
            let announce = Announce { info_hash: key, port, implied_port, token };
            return Some(Body::Announce(Box::new(announce)));
        }
        let lifetime_s = self.lifetime_s(key, Some(item));
        let store = Store { key, item: item.clone(), provider: self.me.addr, lifetime_s };
        Some(Body::Store(Box::new(store)))
    }

    /// Where an item shared under `key` is to be announced; its own place comes
    /// first, then those of its words.
    pub(super) fn announced(
        &self,
        key: Key,
        item: &Arc<Item>,
    ) -> impl Iterator<Item = (Key, Arc<Item>)> + use<D> {
        let item = item.clone();
        self.places(key, &item).into_iter().map(move |place| (place, item.clone()))
    }

    /// The errands that withdraw an item shared under `key`.
    pub(super) fn withdrawal(&self, key: Key, item: &Item) -> Vec<Errand> {
        if !self.config.withdraw || !D::NAMES_ITEMS {
            return Vec::new();
        }
        let item_tag = tag(item.key());
        let withdraw = |place| Errand::Withdraw { key: place, item: item_tag };
        self.places(key, item).into_iter().map(withdraw).collect()
    }

    /// Whether storing takes a token.
    pub(super) fn takes_tokens(&self) -> bool {
        self.config.tokens && !D::NAMES_ITEMS
    }

    /// Whether items are filed under their words too.
    pub(super) fn files_words(config: &Settings) -> bool {
        config.keywords && D::NAMES_ITEMS
    }

    /// Whether the node takes part, so that it can be asked to do things.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member | Phase::Leaving)
    }
}
