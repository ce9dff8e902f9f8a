//! A complete overlay in one file: the template to copy.
//!
//! **To write your own:** copy this file to `overlays/src/NAME.rs`, add
//! `pub mod NAME;` to `overlays/src/lib.rs` and your type to the list in
//! `harness/src/registry.rs`. The command line, the comparison, the reports and
//! the laws of conformance then cover it; `overlab check -o NAME` tells what is
//! still wrong. Work through the file from top to bottom: each section says
//! what belongs there.
//!
//! # What this one does
//!
//! Rendezvous is a one-hop directory: every node knows all members, and the
//! record of an item lies with the member whose *weight* for the item's key is
//! highest (highest random weight hashing: Thaler and Ravishankar, "Using
//! name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998). A
//! search is one question and one answer. The price is that everyone hears of
//! everyone who comes and goes, which fits hundreds of peers, not millions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use overlays::{
    About, Addr, Cause, Census, Cx, Footprint, Growth, Hit, Item, Key, Machine, OpId, Outcome,
    Overlay, Profile, Query, Reader, Reason, Rng, SearchPower, Span, Target, Theory, Wire,
    WireError, Writer,
};
use rand::RngExt as _;

// ---------------------------------------------------------------------------
// 1. Parameters. Each constant of the protocol has a name, a default and a
//    range; help, command line and reports come from this list.

overlays::parameters! {
    /// The parameters of rendezvous hashing.
    pub struct Config {
        /// How long a request waits for its answer before its addressee is
        /// taken for dead.
        pub request_timeout: Span = Span::from_s(2), in Span::from_ms(1)..=Span::from_s(600);
        /// How often an unanswered request is sent again, to whoever owns the
        /// key then.
        pub retries: u8 = 3, in 0..=100;
        /// Mean time between two exchanges of member lists.
        pub gossip: Span = Span::from_s(10), in Span::from_ms(10)..=Span::from_s(86_400);
        /// Members that a node knows at most.
        pub max_members: usize = 8_192, in 1..=8_192;
        /// Records that a node keeps for others at most.
        pub max_records: usize = 100_000, in 1..=100_000_000;
        /// Requests that a node has open at a time.
        pub max_requests: usize = 4_096, in 1..=65_536;
    }
}

/// The longest list of members in one message.
const MAX_LIST: usize = 8_192;
/// Members that fell silent and are greeted again now and then, so that the
/// halves of a healed partition find each other.
const MAX_LOST: usize = 16;

// ---------------------------------------------------------------------------
// 2. Messages. One enum with all that nodes say to each other. The simulator
//    hands them over as they are; over sockets they cross as bytes.

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Who are the members?
    Ask {
        /// Comes back in the answer, so that nobody else can give it.
        tag: u32,
    },
    /// These are, beside the one who says it.
    Members {
        /// The tag of the question.
        tag: u32,
        /// The members.
        list: Arc<[Addr]>,
    },
    /// I am here: show that you are there by sending the nonce back.
    Hello {
        /// The sender's nonce for the addressee.
        nonce: u64,
    },
    /// I am here, too.
    Welcome {
        /// The nonce of the Hello.
        echo: u64,
        /// The sender's own nonce for the addressee.
        nonce: u64,
    },
    /// And so am I.
    Confirm {
        /// The nonce of the Welcome.
        echo: u64,
    },
    /// I leave, and all that I share with me.
    Bye,
    /// Keep this record.
    Store {
        /// Comes back in the answer; zero belongs to no request.
        tag: u32,
        /// The record.
        hit: Hit,
    },
    /// The record is kept.
    Stored {
        /// The tag of the Store.
        tag: u32,
        /// The key of the item.
        key: Key,
    },
    /// Drop the sender's record of this key.
    Remove {
        /// Comes back in the answer.
        tag: u32,
        /// The key of the item.
        key: Key,
    },
    /// It is dropped.
    Removed {
        /// The tag of the Remove.
        tag: u32,
    },
    /// Which records are there for this key?
    Fetch {
        /// Comes back in the answer.
        tag: u32,
        /// The key asked for.
        key: Key,
        /// How many are enough.
        limit: u16,
    },
    /// These.
    Hits {
        /// The tag of the Fetch.
        tag: u32,
        /// The records.
        hits: Arc<[Hit]>,
    },
}

impl Wire for Message {
    const KINDS: &'static [&'static str] = &[
        "ask", "members", "hello", "welcome", "confirm", "bye", "store", "stored", "remove",
        "removed", "fetch", "hits",
    ];

    fn kind(&self) -> usize {
        match self {
            Self::Ask { .. } => 0,
            Self::Members { .. } => 1,
            Self::Hello { .. } => 2,
            Self::Welcome { .. } => 3,
            Self::Confirm { .. } => 4,
            Self::Bye => 5,
            Self::Store { .. } => 6,
            Self::Stored { .. } => 7,
            Self::Remove { .. } => 8,
            Self::Removed { .. } => 9,
            Self::Fetch { .. } => 10,
            Self::Hits { .. } => 11,
        }
    }

    fn is_reply(&self) -> bool {
        matches!(
            self,
            Self::Members { .. }
                | Self::Welcome { .. }
                | Self::Stored { .. }
                | Self::Removed { .. }
                | Self::Hits { .. }
        )
    }

    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Ask { .. } | Self::Removed { .. } => 4,
            Self::Members { list, .. } => 4 + 2 + list.len() * Addr::BYTES,
            Self::Hello { .. } | Self::Confirm { .. } => 8,
            Self::Welcome { .. } => 16,
            Self::Bye => 0,
            Self::Store { hit, .. } => 4 + hit.encoded_len(),
            Self::Stored { .. } | Self::Remove { .. } => 4 + Key::BYTES,
            Self::Fetch { .. } => 4 + Key::BYTES + 2,
            Self::Hits { hits, .. } => 4 + 2 + hits.iter().map(Hit::encoded_len).sum::<usize>(),
        }
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.kind() as u8);
        match self {
            Self::Ask { tag } | Self::Removed { tag } => w.u32(*tag),
            Self::Members { tag, list } => {
                w.u32(*tag);
                w.count(list.len());
                list.iter().for_each(|addr| w.addr(*addr));
            }
            Self::Hello { nonce } => w.u64(*nonce),
            Self::Welcome { echo, nonce } => {
                w.u64(*echo);
                w.u64(*nonce);
            }
            Self::Confirm { echo } => w.u64(*echo),
            Self::Bye => {}
            Self::Store { tag, hit } => {
                w.u32(*tag);
                hit.encode(w);
            }
            Self::Stored { tag, key } | Self::Remove { tag, key } => {
                w.u32(*tag);
                w.key(*key);
            }
            Self::Fetch { tag, key, limit } => {
                w.u32(*tag);
                w.key(*key);
                w.u16(*limit);
            }
            Self::Hits { tag, hits } => {
                w.u32(*tag);
                w.count(hits.len());
                hits.iter().for_each(|hit| hit.encode(w));
            }
        }
    }

    // Whatever a stranger sends must end in a message or an error: the reader
    // checks every length, and `count` reserves nothing on a stranger's word.
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match r.u8()? {
            0 => Self::Ask { tag: r.u32()? },
            1 => {
                let tag = r.u32()?;
                let n = r.count("members", MAX_LIST, Addr::BYTES)?;
                let list = (0..n).map(|_| r.addr()).collect::<Result<_, _>>()?;
                Self::Members { tag, list }
            }
            2 => Self::Hello { nonce: r.u64()? },
            3 => Self::Welcome { echo: r.u64()?, nonce: r.u64()? },
            4 => Self::Confirm { echo: r.u64()? },
            5 => Self::Bye,
            6 => Self::Store { tag: r.u32()?, hit: Hit::decode(r)? },
            7 => Self::Stored { tag: r.u32()?, key: r.key()? },
            8 => Self::Remove { tag: r.u32()?, key: r.key()? },
            9 => Self::Removed { tag: r.u32()? },
            10 => Self::Fetch { tag: r.u32()?, key: r.key()?, limit: r.u16()? },
            11 => {
                let tag = r.u32()?;
                let n = r.count("hits", usize::from(Query::MAX_LIMIT), 1 + 8 + Addr::BYTES)?;
                let hits = (0..n).map(|_| Hit::decode(r)).collect::<Result<_, _>>()?;
                Self::Hits { tag, hits }
            }
            kind => return Err(r.invalid("message kind", u64::from(kind))),
        })
    }
}

// ---------------------------------------------------------------------------
// 3. State. A node holds what it knows and nothing else: no clock, no socket,
//    no other node. Maps are ordered, or two runs would differ.

/// What a node wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The answer to this request is overdue.
    Request(u32),
    /// This attempt to join has had its time.
    Join(u32),
    /// The next exchange of member lists is due.
    Gossip,
}

/// How far a node is in the network.
#[derive(Debug)]
enum State {
    Outside,
    Joining(Joining),
    Member,
}

/// A join under way.
#[derive(Debug)]
struct Joining {
    op: OpId,
    cause: Cause,
    /// Contacts not asked yet, the next one last.
    contacts: Vec<Addr>,
    /// The tag of the question and of its timer.
    attempt: u32,
    /// Members that were greeted and have not answered; `None` until a contact
    /// has named them.
    greeted: Option<BTreeSet<Addr>>,
}

/// An item that this node shares.
#[derive(Debug)]
struct Share {
    item: Arc<Item>,
    /// Who has confirmed that it keeps the record.
    kept_by: Option<Addr>,
}

/// What the user waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Insert,
    Delete,
    Search { limit: u16 },
}

/// A request to the owner of a key, and the operation that waits for it.
#[derive(Clone, Copy, Debug)]
struct Request {
    op: OpId,
    want: Want,
    key: Key,
    owner: Addr,
    tries: u8,
}

/// A node of the directory.
#[derive(Debug)]
pub struct Rendezvous {
    config: Arc<Config>,
    me: Addr,
    state: State,
    /// Makes nonces that others cannot guess.
    secret: u64,
    /// The other members, each with the number that its weights come from.
    members: BTreeMap<Addr, u64>,
    lost: VecDeque<Addr>,
    /// Whom the last gossip asked, until it answers.
    asked: Option<(Addr, u32)>,
    /// Items that this node shares.
    shares: BTreeMap<Key, Share>,
    /// Records that it keeps for everyone, itself included.
    records: BTreeMap<(Key, Addr), Arc<Item>>,
    requests: BTreeMap<u32, Request>,
    last_tag: u32,
}

type Context<'a> = Cx<'a, Rendezvous>;

/// The number from which the weights of the member at `addr` come.
fn seed_of(addr: Addr) -> u64 {
    addr.key().prefix64()
}

/// The weight of a member for a key: any good mix of both will do
/// (SplitMix64's finaliser: Steele, Lea and Flood, OOPSLA 2014).
const fn weight(seed: u64, key: &Key) -> u64 {
    let mut x = seed ^ key.prefix64();
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Rendezvous {
    /// The member with the highest weight for `key`, as far as this node knows.
    fn owner_of(&self, key: &Key) -> Addr {
        let mine = (weight(seed_of(self.me), key), self.me);
        let others = self.members.iter().map(|(addr, seed)| (weight(*seed, key), *addr));
        others.fold(mine, core::cmp::Ord::max).1
    }

    /// Whether `addr` comes before `other` as the owner of `key`.
    fn outweighs(addr: Addr, other: Addr, key: &Key) -> bool {
        (weight(seed_of(addr), key), addr) > (weight(seed_of(other), key), other)
    }

    /// What `peer` must send back to show that it gets what is sent to it. It
    /// costs no memory, so greetings from forged addresses cannot fill any.
    fn nonce_for(&self, peer: Addr) -> u64 {
        let mut text = [0; 14];
        text[..8].copy_from_slice(&self.secret.to_be_bytes());
        text[8..].copy_from_slice(&peer.to_bytes());
        Key::hash(&text).prefix64()
    }

    const fn next_tag(&mut self) -> u32 {
        // Zero marks what belongs to no request.
        self.last_tag = self.last_tag.wrapping_add(1);
        if self.last_tag == 0 {
            self.last_tag = 1;
        }
        self.last_tag
    }

    const fn is_member(&self) -> bool {
        matches!(self.state, State::Member)
    }

    // -----------------------------------------------------------------------
    // 4. Membership.

    /// Asks the next contact, or gives the join up.
    fn ask_next_contact(&mut self, cx: &mut Context<'_>) {
        let attempt = self.next_tag();
        let State::Joining(joining) = &mut self.state else { return };
        let Some(contact) = joining.contacts.pop() else {
            let op = joining.op;
            self.state = State::Outside;
            return cx.finish(op, Outcome::Failed(Reason::NoContact));
        };
        joining.attempt = attempt;
        joining.greeted = None;
        cx.send(contact, Message::Ask { tag: attempt });
        cx.wake(self.config.request_timeout, Timer::Join(attempt));
    }

    fn on_members(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, list: &[Addr]) {
        let listed = || list.iter().copied().chain([from]).filter(|a| *a != cx.me());
        if let State::Joining(joining) = &mut self.state
            && joining.attempt == tag
            && joining.greeted.is_none()
        {
            let greeted: BTreeSet<Addr> = listed().collect();
            joining.greeted = Some(greeted.clone());
            for peer in greeted {
                cx.send(peer, Message::Hello { nonce: self.nonce_for(peer) });
            }
        } else if self.asked == Some((from, tag)) {
            self.asked = None;
            let unknown: Vec<Addr> =
                listed().filter(|peer| !self.members.contains_key(peer)).collect();
            // Hearsay makes nobody a member: each must answer for itself.
            for peer in unknown {
                cx.send(peer, Message::Hello { nonce: self.nonce_for(peer) });
            }
        }
    }

    /// `peer` has shown that it is there: it is a member from now on.
    fn meet(&mut self, cx: &mut Context<'_>, peer: Addr) {
        if peer == self.me || matches!(self.state, State::Outside) {
            return;
        }
        if self.members.len() >= self.config.max_members && !self.members.contains_key(&peer) {
            return;
        }
        self.members.insert(peer, seed_of(peer));
        self.lost.retain(|lost| *lost != peer);
        self.hand_over(cx, peer);
        // What it keeps for me it may have lost while it took me for dead.
        for (key, share) in &mut self.shares {
            if share.kept_by.is_some_and(|k| k == peer || Self::outweighs(peer, k, key)) {
                share.kept_by = None;
            }
        }
        if self.is_member() {
            self.place_shares(cx);
        }
        let answered = match &mut self.state {
            State::Joining(Joining { greeted: Some(greeted), .. }) => {
                greeted.remove(&peer);
                greeted.is_empty()
            }
            _ => false,
        };
        if answered {
            self.enter(cx);
        }
    }

    /// Gives `peer` the records that it owns from now on.
    fn hand_over(&mut self, cx: &mut Context<'_>, peer: Addr) {
        let me = self.me;
        self.records.retain(|(key, provider), item| {
            let moves = Self::outweighs(peer, me, key);
            if moves {
                let hit = Hit { item: Arc::clone(item), provider: *provider };
                cx.send(peer, Message::Store { tag: 0, hit });
            }
            !moves
        });
    }

    /// The join is over.
    fn enter(&mut self, cx: &mut Context<'_>) {
        let State::Joining(joining) = core::mem::replace(&mut self.state, State::Member) else {
            return;
        };
        self.start_gossip(cx);
        self.place_shares(cx);
        cx.on_behalf_of(joining.cause).finish(joining.op, Outcome::Done);
    }

    /// Takes `peer` for gone, with all that it shared.
    fn forget(&mut self, cx: &mut Context<'_>, peer: Addr) {
        if self.members.remove(&peer).is_none() {
            return;
        }
        self.records.retain(|(_, provider), _| *provider != peer);
        for share in self.shares.values_mut().filter(|share| share.kept_by == Some(peer)) {
            share.kept_by = None;
        }
        self.place_shares(cx);
    }

    /// Takes a silent `peer` for gone, but will greet it again.
    fn lose(&mut self, cx: &mut Context<'_>, peer: Addr) {
        if self.members.contains_key(&peer) {
            self.lost.push_back(peer);
            if self.lost.len() > MAX_LOST {
                self.lost.pop_front();
            }
        }
        self.forget(cx, peer);
    }

    fn start_gossip(&self, cx: &mut Context<'_>) {
        // Spread, or all nodes that started together would speak at once.
        let mean_us = self.config.gossip.as_us();
        let wait_us = cx.rng().random_range(mean_us / 2..=mean_us + mean_us / 2);
        cx.wake_upkeep(Span::from_us(wait_us), Timer::Gossip);
    }

    /// Asks one member for its list. One that has not answered since the last
    /// time is gone.
    fn on_gossip(&mut self, cx: &mut Context<'_>) {
        if !self.is_member() {
            return;
        }
        if let Some((silent, _)) = self.asked.take() {
            self.lose(cx, silent);
        }
        if !self.members.is_empty() {
            let at = cx.rng().random_range(0..self.members.len());
            if let Some((&peer, _)) = self.members.iter().nth(at) {
                let tag = self.next_tag();
                self.asked = Some((peer, tag));
                cx.send(peer, Message::Ask { tag });
            }
        }
        if let Some(lost) = self.lost.pop_front() {
            cx.send(lost, Message::Hello { nonce: self.nonce_for(lost) });
            self.lost.push_back(lost);
        }
        self.place_shares(cx);
        self.start_gossip(cx);
    }

    // -----------------------------------------------------------------------
    // 5. Records and requests.

    /// Sends every share that nobody keeps to its owner. A lost message, a
    /// crash or a newcomer are all mended here.
    fn place_shares(&mut self, cx: &mut Context<'_>) {
        let unkept: Vec<(Key, Arc<Item>)> = self
            .shares
            .iter()
            .filter(|(_, share)| share.kept_by.is_none())
            .map(|(key, share)| (*key, Arc::clone(&share.item)))
            .collect();
        for (key, item) in unkept {
            let owner = self.owner_of(&key);
            let hit = Hit { item, provider: self.me };
            if owner == self.me {
                self.keep(hit);
                self.on_stored(cx, owner, 0, key);
            } else {
                cx.send(owner, Message::Store { tag: 0, hit });
            }
        }
    }

    /// Keeps a record if its provider is a member and there is room.
    fn keep(&mut self, hit: Hit) -> bool {
        let known = hit.provider == self.me || self.members.contains_key(&hit.provider);
        let place = (hit.item.key(), hit.provider);
        let room =
            self.records.len() < self.config.max_records || self.records.contains_key(&place);
        if known && room {
            self.records.insert(place, hit.item);
        }
        known && room
    }

    fn on_stored(&mut self, cx: &mut Context<'_>, from: Addr, tag: u32, key: Key) {
        let is_owner = self.owner_of(&key) == from;
        // A request is also answered by who passed the record on, so only an
        // answer to a placement proves that it is kept.
        if let Some(share) = self.shares.get_mut(&key)
            && is_owner
            && tag == 0
        {
            share.kept_by = Some(from);
        }
        self.answered(cx, from, tag, Want::Insert, Outcome::Done);
    }

    /// The records of `key`, at most `limit`.
    fn lookup(&self, key: Key, limit: u16) -> Vec<Hit> {
        self.records
            .range((key, Addr::from_bytes([0; 6]))..=(key, Addr::from_bytes([0xff; 6])))
            .take(usize::from(limit.min(Query::MAX_LIMIT)))
            .map(|((_, provider), item)| Hit { item: Arc::clone(item), provider: *provider })
            .collect()
    }

    /// Sends what `op` wants to the owner of `key`, or does it at once if that
    /// is this node.
    fn request(&mut self, cx: &mut Context<'_>, op: OpId, want: Want, key: Key, tries: u8) {
        let owner = self.owner_of(&key);
        let item = self.shares.get(&key).map(|share| Arc::clone(&share.item));
        if owner == self.me {
            match want {
                Want::Insert => {
                    self.place_shares(cx);
                    cx.finish(op, Outcome::Done);
                }
                Want::Delete => {
                    self.records.remove(&(key, self.me));
                    cx.finish(op, Outcome::Done);
                }
                Want::Search { limit } => cx.finish_search(op, self.lookup(key, limit)),
            }
            return;
        }
        if self.requests.len() >= self.config.max_requests {
            return cx.finish(op, Outcome::Failed(Reason::Full));
        }
        let tag = self.next_tag();
        let message = match (want, item) {
            (Want::Insert, Some(item)) => {
                Message::Store { tag, hit: Hit { item, provider: self.me } }
            }
            // Withdrawn before it was stored.
            (Want::Insert, None) => return cx.finish(op, Outcome::Failed(Reason::Refused)),
            (Want::Delete, _) => Message::Remove { tag, key },
            (Want::Search { limit }, _) => Message::Fetch { tag, key, limit },
        };
        cx.send(owner, message);
        cx.wake(self.config.request_timeout, Timer::Request(tag));
        self.requests.insert(tag, Request { op, want, key, owner, tries });
    }

    /// Ends the operation that waits for the answer with `tag`, if it is
    /// `from` whose answer it waits for.
    fn answered(
        &mut self,
        cx: &mut Context<'_>,
        from: Addr,
        tag: u32,
        want: Want,
        outcome: Outcome,
    ) {
        let fits = |r: &Request| {
            r.owner == from && core::mem::discriminant(&r.want) == core::mem::discriminant(&want)
        };
        if self.requests.get(&tag).is_some_and(fits)
            && let Some(request) = self.requests.remove(&tag)
        {
            cx.finish(request.op, outcome);
        }
    }

    /// No answer in time: the addressee is dead, someone else owns the key.
    fn on_overdue(&mut self, cx: &mut Context<'_>, tag: u32) {
        let Some(Request { op, want, key, owner, tries }) = self.requests.remove(&tag) else {
            return;
        };
        self.lose(cx, owner);
        if tries >= self.config.retries {
            return cx.finish(op, Outcome::Failed(Reason::Timeout));
        }
        self.request(cx, op, want, key, tries + 1);
    }
}

// ---------------------------------------------------------------------------
// 6. Events: the host calls these.

impl Machine for Rendezvous {
    type Message = Message;
    type Timer = Timer;

    fn on_message(&mut self, cx: &mut Cx<'_, Self>, from: Addr, message: Message) {
        if matches!(self.state, State::Outside) {
            return;
        }
        match message {
            Message::Ask { tag } if self.is_member() => {
                let list = self.members.keys().copied().filter(|a| *a != from).collect();
                cx.send(from, Message::Members { tag, list });
                if !self.members.contains_key(&from) {
                    // Who asks may know me while I have forgotten it.
                    cx.send(from, Message::Hello { nonce: self.nonce_for(from) });
                }
            }
            Message::Ask { .. } => {}
            Message::Members { tag, list } => self.on_members(cx, from, tag, &list),
            Message::Hello { nonce } => {
                cx.send(from, Message::Welcome { echo: nonce, nonce: self.nonce_for(from) });
            }
            Message::Welcome { echo, nonce } if echo == self.nonce_for(from) => {
                cx.send(from, Message::Confirm { echo: nonce });
                self.meet(cx, from);
            }
            Message::Confirm { echo } if echo == self.nonce_for(from) => self.meet(cx, from),
            Message::Welcome { .. } | Message::Confirm { .. } => {}
            Message::Bye => self.forget(cx, from),
            Message::Store { tag, hit } => {
                let (key, owner) = (hit.item.key(), self.owner_of(&hit.item.key()));
                if owner != self.me && owner != from {
                    // The sender does not know the owner yet. Weights only
                    // grow on the way, so this cannot go round in circles.
                    cx.send(owner, Message::Store { tag: 0, hit });
                    if tag == 0 {
                        // That owner may be dead: the sender shall ask again.
                        return;
                    }
                } else if !self.keep(hit) {
                    return;
                }
                cx.send(from, Message::Stored { tag, key });
            }
            Message::Stored { tag, key } => self.on_stored(cx, from, tag, key),
            Message::Remove { tag, key } => {
                self.records.remove(&(key, from));
                cx.send(from, Message::Removed { tag });
            }
            Message::Removed { tag } => {
                self.answered(cx, from, tag, Want::Delete, Outcome::Done);
            }
            Message::Fetch { tag, key, limit } => {
                let hits = self.lookup(key, limit).into();
                cx.send(from, Message::Hits { tag, hits });
            }
            Message::Hits { tag, hits } => {
                let found =
                    if hits.is_empty() { Outcome::NotFound } else { Outcome::Found(hits.to_vec()) };
                self.answered(cx, from, tag, Want::Search { limit: 0 }, found);
            }
        }
    }

    fn on_timer(&mut self, cx: &mut Cx<'_, Self>, timer: Timer) {
        match timer {
            Timer::Request(tag) => self.on_overdue(cx, tag),
            Timer::Gossip => self.on_gossip(cx),
            Timer::Join(attempt) => match &self.state {
                State::Joining(joining) if joining.attempt == attempt => {
                    // Some of those greeted may be dead; one alive is enough.
                    if self.members.is_empty() {
                        self.ask_next_contact(cx);
                    } else {
                        self.enter(cx);
                    }
                }
                _ => {}
            },
        }
    }
}

// ---------------------------------------------------------------------------
// 7. The five verbs, and what the lab wants to know.

impl Overlay for Rendezvous {
    const ABOUT: About = About {
        name: "rendezvous",
        title: "Rendezvous",
        source: "Thaler and Ravishankar, IEEE/ACM ToN 6(1), 1998",
        idea: "Everyone knows everyone; the member with the highest weight for a key keeps it.",
        theory: Theory {
            search_latency: Growth::Constant,
            search_messages: Growth::Constant,
            update_messages: Growth::Constant,
            storage_max: Growth::Linear,
            storage_mean: Growth::Linear,
        },
        caveat: "A join announces itself to everyone, which the table of searches and updates does not show.",
    };

    type Config = Config;
    type Blueprint = Blueprint;

    fn new(config: &Arc<Config>, profile: &Profile) -> Self {
        Self {
            config: Arc::clone(config),
            me: profile.addr,
            state: State::Outside,
            secret: 0,
            members: BTreeMap::new(),
            lost: VecDeque::new(),
            asked: None,
            shares: BTreeMap::new(),
            records: BTreeMap::new(),
            requests: BTreeMap::new(),
            last_tag: 0,
        }
    }

    fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: &[Addr]) {
        match self.state {
            State::Member => return cx.finish(op, Outcome::Done),
            State::Joining(_) => return cx.finish(op, Outcome::Failed(Reason::Refused)),
            State::Outside => {}
        }
        self.secret = cx.rng().random();
        // Tags that cannot be guessed keep strangers from answering.
        self.last_tag = cx.rng().random();
        if via.is_empty() {
            self.state = State::Member;
            self.start_gossip(cx);
            self.place_shares(cx);
            return cx.finish(op, Outcome::Done);
        }
        let me = cx.me();
        let contacts = via.iter().rev().copied().filter(|addr| *addr != me).collect();
        let cause = cx.cause();
        self.state = State::Joining(Joining { op, cause, contacts, attempt: 0, greeted: None });
        self.ask_next_contact(cx);
    }

    fn leave(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        let state = core::mem::replace(&mut self.state, State::Outside);
        if let State::Joining(joining) = state {
            cx.finish(joining.op, Outcome::Failed(Reason::NotJoined));
        }
        for request in core::mem::take(&mut self.requests).into_values() {
            cx.finish(request.op, Outcome::Failed(Reason::NotJoined));
        }
        let members = core::mem::take(&mut self.members);
        for ((key, provider), item) in core::mem::take(&mut self.records) {
            let heir = members.iter().max_by_key(|(addr, seed)| (weight(**seed, &key), **addr));
            if provider != self.me
                && let Some((&heir, _)) = heir
            {
                cx.send(heir, Message::Store { tag: 0, hit: Hit { item, provider } });
            }
        }
        for &member in members.keys() {
            cx.send(member, Message::Bye);
        }
        cx.finish(op, Outcome::Done);
    }

    fn insert(&mut self, cx: &mut Cx<'_, Self>, op: OpId, item: &Arc<Item>) {
        let share = Share { item: Arc::clone(item), kept_by: None };
        self.shares.insert(item.key(), share);
        match self.state {
            State::Member => self.request(cx, op, Want::Insert, item.key(), 0),
            // The join will announce it.
            State::Outside | State::Joining(_) => cx.finish(op, Outcome::Done),
        }
    }

    fn delete(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        if self.shares.remove(key).is_none() {
            return cx.finish(op, Outcome::NotFound);
        }
        match self.state {
            State::Member => self.request(cx, op, Want::Delete, *key, 0),
            State::Outside | State::Joining(_) => cx.finish(op, Outcome::Done),
        }
    }

    fn search(&mut self, cx: &mut Cx<'_, Self>, op: OpId, query: &Query) {
        match (&self.state, &query.target) {
            (_, Target::Keywords(_)) => cx.finish(op, Outcome::Unsupported),
            (State::Member, Target::Exact(key)) => {
                self.request(cx, op, Want::Search { limit: query.limit }, *key, 0);
            }
            _ => cx.finish(op, Outcome::Failed(Reason::NotJoined)),
        }
    }

    fn locate(&mut self, cx: &mut Cx<'_, Self>, op: OpId, key: &Key) {
        let outcome = match self.state {
            State::Member => Outcome::Located(self.owner_of(key)),
            _ => Outcome::Failed(Reason::NotJoined),
        };
        cx.finish(op, outcome);
    }

    fn footprint(&self) -> Footprint {
        let member = size_of::<(Addr, u64)>();
        let record = size_of::<(Key, Addr, Arc<Item>)>();
        let share = size_of::<(Key, Share)>();
        let bytes = size_of::<Self>()
            + self.members.len() * member
            + self.records.len() * record
            + self.shares.len() * share
            + self.requests.len() * size_of::<(u32, Request)>();
        Footprint {
            routing_entries: self.members.len() as u64,
            index_entries: self.records.len() as u64,
            bytes: bytes as u64,
        }
    }

    fn neighbours(&self, visit: &mut dyn FnMut(Addr)) {
        self.members.keys().copied().for_each(visit);
    }

    fn search_power(_: &Config) -> SearchPower {
        SearchPower { exact: true, keywords: false }
    }

    fn blueprint(_: &Config, census: Census, _: &mut Rng) -> Option<Blueprint> {
        Some(Blueprint::new(census))
    }

    fn settle(&mut self, cx: &mut Cx<'_, Self>, blueprint: &Blueprint) {
        self.secret = cx.rng().random();
        self.last_tag = cx.rng().random();
        self.state = State::Member;
        self.members = blueprint.members.clone();
        self.members.remove(&self.me);
        for hit in blueprint.kept.get(&self.me).into_iter().flatten() {
            self.records.insert((hit.item.key(), hit.provider), Arc::clone(&hit.item));
        }
        for item in blueprint.shared.get(&self.me).into_iter().flatten() {
            let kept_by = Self::owner(blueprint, &item.key());
            self.shares.insert(item.key(), Share { item: Arc::clone(item), kept_by });
        }
        self.start_gossip(cx);
    }

    fn owner(blueprint: &Blueprint, key: &Key) -> Option<Addr> {
        blueprint.owner(key)
    }

    /// Every member knows every other, each share is kept by its owner, and
    /// every record has a provider.
    fn audit(nodes: &[(Addr, &Self)]) -> Vec<String> {
        let members: BTreeMap<Addr, &Self> =
            nodes.iter().filter(|(_, node)| node.is_member()).copied().collect();
        let mut broken = Vec::new();
        for (addr, node) in &members {
            let others = members.keys().filter(|other| *other != addr);
            if !node.members.keys().eq(others) {
                broken.push(format!("{addr}: its members are not the members"));
            }
            for key in node.shares.keys() {
                let owner = members.get(&node.owner_of(key));
                if !owner.is_some_and(|o| o.records.contains_key(&(*key, *addr))) {
                    broken.push(format!("{addr}: nobody keeps the record of its item {key}"));
                }
            }
            for (key, provider) in node.records.keys() {
                if !members.get(provider).is_some_and(|p| p.shares.contains_key(key)) {
                    broken.push(format!("{addr}: keeps {key} of {provider}, who lacks it"));
                }
            }
        }
        broken
    }
}

// ---------------------------------------------------------------------------
// 8. A converged start, for large networks: computed once, read by every node.

/// A converged network.
#[derive(Debug)]
pub struct Blueprint {
    members: BTreeMap<Addr, u64>,
    /// The records that each member keeps.
    kept: BTreeMap<Addr, Vec<Hit>>,
    /// The items that each member shares.
    shared: BTreeMap<Addr, Vec<Arc<Item>>>,
}

impl Blueprint {
    fn new(census: Census) -> Self {
        let members = census.peers.iter().map(|m| (m.addr, seed_of(m.addr))).collect();
        let mut blueprint = Self { members, kept: BTreeMap::new(), shared: BTreeMap::new() };
        for holding in census.holdings {
            let Some(owner) = blueprint.owner(&holding.item.key()) else { continue };
            let shared = blueprint.shared.entry(holding.provider).or_default();
            shared.push(Arc::clone(&holding.item));
            let hit = Hit { item: holding.item, provider: holding.provider };
            blueprint.kept.entry(owner).or_default().push(hit);
        }
        blueprint
    }

    fn owner(&self, key: &Key) -> Option<Addr> {
        let weights = self.members.iter().map(|(addr, seed)| (weight(*seed, key), *addr));
        weights.max().map(|(_, addr)| addr)
    }
}
