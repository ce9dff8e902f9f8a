//! What the tests of BitTorrent ask of a network.

use std::collections::BTreeSet;
use std::sync::Arc;

use harness::sim::Request;
use overlays::bittorrent::{BitTorrent, Message};
use overlays::{Addr, Item, Outcome, Overlay as _, Query, Wire as _};

/// A network under test.
pub type Lab = crate::baseline_lab::Lab<BitTorrent>;

/// The index site.
pub const INDEX: u32 = 0;
/// The first tracker, where there is one.
pub const TRACKER: u32 = 1;

/// An item that many share.
pub fn hit(number: u32) -> Arc<Item> {
    Arc::new(Item::new(&format!("hit parade {number}.mp3"), 3_000_000))
}

/// Messages of this kind sent so far.
pub fn sent(lab: &Lab, kind: &str) -> u64 {
    let at = Message::KINDS.iter().position(|k| *k == kind).expect("a kind of message");
    lab.sim.traffic().sent_by_kind[at]
}

/// Whom `node` knows: a client its servers and the peers that it is connected
/// to, a tracker the members of its swarms.
pub fn known(lab: &Lab, node: u32) -> BTreeSet<u32> {
    let mut known = BTreeSet::new();
    lab.sim.machine(node).neighbours(&mut |addr| _ = known.insert(addr.index()));
    known
}

/// The peers that `node` is connected to.
pub fn connected(lab: &Lab, node: u32) -> BTreeSet<u32> {
    known(lab, node).into_iter().filter(|other| lab.peers().contains(other)).collect()
}

/// How many places its swarms have in the books of a tracker.
pub fn listed(lab: &Lab, tracker: u32) -> u64 {
    lab.sim.machine(tracker).footprint().index_entries
}

/// How a search by key ends.
pub fn exact(lab: &mut Lab, node: u32, item: &Item) -> Outcome {
    lab.run(node, Request::Search(Query::exact(item.key()))).0
}

/// How a search by words ends.
pub fn by_words(lab: &mut Lab, node: u32, words: &str) -> Outcome {
    lab.run(node, Request::Search(Query::keywords(words))).0
}

/// The providers that a search names; none when it fails.
pub fn providers(outcome: &Outcome) -> BTreeSet<u32> {
    match outcome {
        Outcome::Found(hits) => hits.iter().map(|hit| hit.provider.index()).collect(),
        _ => BTreeSet::new(),
    }
}

/// Starts a server that died anew, with nothing of what it knew.
pub fn start_again(lab: &mut Lab, server: u32) {
    lab.sim.restart(server);
    lab.done(server, Request::Join((0..server).map(Addr::from_index).collect()));
}
