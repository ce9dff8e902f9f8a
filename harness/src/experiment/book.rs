//! The driver of experiments: starts what is planned, grades what ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use overlays::{Addr, Hit, Item, Key, OpId, Outcome, Overlay, Query, Rng, Span, Stream, Time};

use super::contacts::Contacts;
use super::measures::Measures;
use crate::oracle::{Grade, Truth, grade_effect};
use crate::sim::{Driver, Operation, Request, Sim};
use crate::workload::{Catalog, CatalogIndex, Presence, Turn};

/// Something planned for a certain time.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A peer asks for something, if it is up and joined by then.
    Ask(u32, Request),
    /// A peer that is up but not joined enters the network.
    Join(u32),
    /// A stopped peer starts afresh and joins, bringing what it shared.
    Return(u32),
    /// A peer leaves politely.
    Leave(u32),
    /// A peer's presence changes as its churn says, and will change again.
    Churn(u32, Turn),
    /// A peer has downloaded an item from another, and shares it from now on.
    Share(Download),
}

/// A copy on its way.
#[derive(Clone, Debug)]
pub(super) struct Download {
    peer: u32,
    provider: u32,
    item: Arc<Item>,
}

/// An operation under way, as the truth sees it.
#[derive(Clone, Debug)]
struct Open {
    what: What,
    /// Whether it counts for the measures.
    measured: bool,
}

#[derive(Clone, Debug)]
enum What {
    Insert(Key),
    /// An insert before the join: it takes effect with the join.
    Bring,
    Delete(Key),
    Search(Query),
    Locate(Key),
    Join,
    Leave,
}

/// The book of an experiment: what is planned, what is under way, what is true
/// and what was measured.
pub(super) struct Book<O: Overlay> {
    pub measures: Measures,
    pub truth: Truth,
    pub contacts: Contacts,
    /// The converged network, to judge locates by.
    pub blueprint: Option<O::Blueprint>,
    /// The further turns of the peers that come and go, by peer.
    presence: BTreeMap<u32, Presence>,
    agenda: Vec<Option<Action>>,
    /// What each peer shares, so that it can bring it along when it returns.
    shares: BTreeMap<u32, Vec<Arc<Item>>>,
    catalog: Arc<Catalog>,
    index: Arc<CatalogIndex>,
    open: BTreeMap<OpId, Open>,
    measure_reach: bool,
    /// Whether whoever finds an item downloads and shares it.
    pub downloads: bool,
    rng: Rng,
}

impl<O: Overlay> Book<O> {
    pub fn new(catalog: Arc<Catalog>, servers: u32, seed: u64, measure_reach: bool) -> Self {
        Self {
            measures: Measures { seed, servers, ..Measures::default() },
            truth: Truth::default(),
            contacts: Contacts::new(servers),
            blueprint: None,
            presence: BTreeMap::new(),
            agenda: Vec::new(),
            shares: BTreeMap::new(),
            index: Arc::new(CatalogIndex::new(&catalog)),
            catalog,
            open: BTreeMap::new(),
            measure_reach,
            downloads: false,
            rng: Stream::Churn.rng(seed),
        }
    }

    /// The index over the catalogue.
    pub fn index(&self) -> Arc<CatalogIndex> {
        Arc::clone(&self.index)
    }

    /// Plans `action` for time `at`.
    pub fn plan(&mut self, sim: &mut Sim<O>, at: Time, action: Action) {
        let cue = u32::try_from(self.agenda.len()).expect("fewer than 2^32 planned actions");
        self.agenda.push(Some(action));
        sim.cue(at, cue);
    }

    /// What `peer` shares, as the experiment wants it.
    pub fn shares_of(&self, peer: u32) -> &[Arc<Item>] {
        self.shares.get(&peer).map_or(&[], Vec::as_slice)
    }

    /// Notes that `peer` shares `item` from the start, without an operation.
    pub fn shares_from_start(&mut self, peer: u32, item: &Arc<Item>, now: Time) {
        self.truth.insert_starts(item.key(), peer, now);
        self.truth.insert_ends(item.key(), peer, now);
        self.shares.entry(peer).or_default().push(Arc::clone(item));
    }

    /// Starts an operation and tells the truth of it.
    pub fn ask(&mut self, sim: &mut Sim<O>, node: u32, request: &Request, measured: bool) -> OpId {
        let now = sim.now();
        let what = match request {
            Request::Insert(item) => {
                self.truth.insert_starts(item.key(), node, now);
                let shares = self.shares.entry(node).or_default();
                if !shares.iter().any(|i| i.key() == item.key()) {
                    shares.push(Arc::clone(item));
                }
                if self.contacts.is_joined(node) { What::Insert(item.key()) } else { What::Bring }
            }
            Request::Delete(key) => {
                self.truth.delete_starts(*key, node, now);
                if let Some(shares) = self.shares.get_mut(&node) {
                    shares.retain(|i| i.key() != *key);
                }
                What::Delete(*key)
            }
            Request::Search(query) => What::Search(query.clone()),
            Request::Locate(key) => What::Locate(*key),
            Request::Join(_) => What::Join,
            Request::Leave => {
                // Once it starts to leave, nobody need find what it shares.
                for item in self.shares.get(&node).into_iter().flatten() {
                    self.truth.delete_starts(item.key(), node, now);
                }
                self.contacts.set_joined(node, false);
                What::Leave
            }
        };
        let op = sim.start(node, request, 0);
        self.open.insert(op, Open { what, measured });
        op
    }

    /// A peer that is up enters the network.
    pub fn join(&mut self, sim: &mut Sim<O>, peer: u32, measured: bool) {
        let reachable = |node| !sim.profile(node).firewalled;
        let via = self.contacts.draw(peer, reachable, &mut self.rng);
        self.ask(sim, peer, &Request::Join(via), measured);
    }

    /// A stopped peer starts afresh with what it shared before.
    fn bring_back(&mut self, sim: &mut Sim<O>, peer: u32) {
        if sim.is_up(peer) {
            return;
        }
        sim.restart(peer);
        for item in self.shares_of(peer).to_vec() {
            self.ask(sim, peer, &Request::Insert(item), false);
        }
        self.join(sim, peer, true);
    }

    fn leave(&mut self, sim: &mut Sim<O>, peer: u32) {
        if sim.is_up(peer) && self.contacts.is_joined(peer) {
            self.ask(sim, peer, &Request::Leave, true);
        }
    }

    /// Lets a peer come and go from now on.
    pub fn start_churn(&mut self, sim: &mut Sim<O>, peer: u32, mut presence: Presence) {
        if !presence.online_at_start() {
            self.crash(sim, peer);
        }
        if let Some((at, turn)) = presence.next() {
            self.presence.insert(peer, presence);
            self.plan(sim, at, Action::Churn(peer, turn));
        }
    }

    fn next_turn(&mut self, sim: &mut Sim<O>, peer: u32) {
        if let Some((at, turn)) = self.presence.get_mut(&peer).and_then(Iterator::next) {
            self.plan(sim, at, Action::Churn(peer, turn));
        }
    }

    /// Ends all coming and going.
    pub fn stop_churn(&mut self) {
        self.presence.clear();
        for action in &mut self.agenda {
            if matches!(action, Some(Action::Churn(..))) {
                *action = None;
            }
        }
    }

    /// A peer stops without a word.
    pub fn crash(&mut self, sim: &mut Sim<O>, peer: u32) {
        self.truth.node_stops(peer, sim.now());
        self.contacts.set_joined(peer, false);
        sim.crash(peer);
    }

    /// A search found something: its peer downloads the first item that it does
    /// not have, at the rate of the slower of the two lines. Overlays find
    /// providers; that many may load one line at a time is not modelled here.
    fn download(&mut self, sim: &mut Sim<O>, peer: u32, hits: &[Hit]) {
        let is_new = |hit: &&Hit| !self.shares_of(peer).iter().any(|i| i.key() == hit.item.key());
        let Some(hit) = hits.iter().find(|h| h.provider.index() != peer && is_new(h)) else {
            return;
        };
        let provider = hit.provider.index();
        if provider as usize >= sim.len() {
            return;
        }
        let bps = sim.profile(provider).upload_bps.min(sim.profile(peer).download_bps).max(1);
        let takes = Span::from_s_f64(hit.item.size_bytes() as f64 * 8.0 / bps as f64);
        let item = Arc::clone(&hit.item);
        let at = sim.now() + takes;
        self.plan(sim, at, Action::Share(Download { peer, provider, item }));
    }

    /// A download is complete if both sides are still there.
    fn share_download(&mut self, sim: &mut Sim<O>, download: Download) {
        let Download { peer, provider, item } = download;
        let has = |node, item: &Item| self.shares_of(node).iter().any(|i| i.key() == item.key());
        let is_there = sim.is_up(peer) && self.contacts.is_joined(peer) && sim.is_up(provider);
        if is_there && has(provider, &item) && !has(peer, &item) {
            self.ask(sim, peer, &Request::Insert(item), true);
        }
    }

    fn grade(&mut self, sim: &Sim<O>, op: OpId, what: What, outcome: &Outcome) -> Grade {
        let now = sim.now();
        let Some(operation) = sim.operation(op) else { return Grade::Failed };
        let (node, since) = (operation.node, operation.started);
        let done = *outcome == Outcome::Done;
        match what {
            What::Insert(key) if done => self.truth.insert_ends(key, node, now),
            What::Delete(key) if done => self.truth.delete_ends(key, node, now),
            What::Join if done => {
                self.contacts.set_joined(node, true);
                for item in self.shares.get(&node).into_iter().flatten() {
                    self.truth.insert_ends(item.key(), node, now);
                }
            }
            What::Leave if done => self.truth.node_stops(node, now),
            What::Search(query) => {
                let matching: Vec<Key> = self
                    .index
                    .matching(&query)
                    .into_iter()
                    .map(|i| self.catalog.item(i).key())
                    .collect();
                let truth = &self.truth;
                let verdict = truth.grade_search(&query, &matching, node, since, now, outcome);
                if verdict.grade != Grade::Unsupported {
                    let measures = self.measures.operations.entry(operation.verb).or_default();
                    measures.found += verdict.found;
                    measures.wanted += verdict.wanted;
                }
                return verdict.grade;
            }
            What::Locate(key) => {
                if let (Outcome::Located(found), Some(blueprint)) = (outcome, &self.blueprint) {
                    let is_owner = O::owner(blueprint, &key).is_none_or(|owner| owner == *found);
                    return if is_owner { Grade::Correct } else { Grade::Wrong };
                }
                if matches!(outcome, Outcome::Located(_)) {
                    return Grade::Correct;
                }
            }
            _ => {}
        }
        grade_effect(outcome)
    }

    /// The address list of the servers and peers that are up and joined.
    pub fn live_peers(&self, sim: &Sim<O>) -> Vec<u32> {
        self.contacts.joined().filter(|&n| sim.is_up(n)).collect()
    }

    /// Grades what never ended and counts it as broken.
    pub fn close(&mut self, sim: &mut Sim<O>) {
        let left = sim.drain_operations();
        self.measures.broken_operations = sim.surplus_ends();
        for operation in left {
            if operation.ends == 0 && !self.measures.interrupted {
                self.measures.broken_operations += 1;
            }
            if operation.ends > 0 {
                self.closed(operation);
            }
        }
    }
}

/// The mark of an operation that was graded but does not count.
const UNMEASURED: u64 = 0;

const GRADES: [Grade; 5] =
    [Grade::Correct, Grade::Incomplete, Grade::Wrong, Grade::Failed, Grade::Unsupported];

impl<O: Overlay> Driver<O> for Book<O> {
    fn cue(&mut self, sim: &mut Sim<O>, cue: u32) {
        let Some(action) = self.agenda.get_mut(cue as usize).and_then(Option::take) else { return };
        match action {
            Action::Ask(node, request) => {
                if sim.is_up(node) && self.contacts.is_joined(node) {
                    self.ask(sim, node, &request, true);
                } else if matches!(request, Request::Search(_)) {
                    self.measures.unasked_searches += 1;
                }
            }
            Action::Join(peer) => self.join(sim, peer, true),
            Action::Return(peer) => self.bring_back(sim, peer),
            Action::Leave(peer) => self.leave(sim, peer),
            Action::Churn(peer, turn) => {
                match turn {
                    Turn::Join => self.bring_back(sim, peer),
                    Turn::Leave => self.leave(sim, peer),
                    Turn::Crash => self.crash(sim, peer),
                }
                self.next_turn(sim, peer);
            }
            Action::Share(download) => self.share_download(sim, download),
        }
    }

    fn ended(&mut self, sim: &mut Sim<O>, op: OpId, outcome: &Outcome) {
        let Some(Open { what, measured }) = self.open.remove(&op) else { return };
        let is_measured = measured && !matches!(what, What::Bring);
        let is_search = matches!(what, What::Search(_));
        let grade = self.grade(sim, op, what, outcome);
        let mark = GRADES.iter().position(|g| *g == grade).unwrap_or(0) as u64 + 1;
        sim.set_tag(op, if is_measured { mark } else { UNMEASURED });
        let asker = sim.operation(op).map(|operation| operation.node);
        if let (true, true, Some(peer), Outcome::Found(hits)) =
            (self.downloads, is_search, asker, outcome)
        {
            self.download(sim, peer, hits);
        }
    }

    fn closed(&mut self, operation: Operation) {
        if operation.tag != UNMEASURED
            && let Some(grade) = GRADES.get(operation.tag as usize - 1)
        {
            self.measures.record(&operation, *grade, self.measure_reach);
        }
    }
}

/// The addresses of the nodes with these indexes.
pub(super) fn addrs(nodes: impl Iterator<Item = u32>) -> Vec<Addr> {
    nodes.map(Addr::from_index).collect()
}
