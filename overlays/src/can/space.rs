//! A node's place in one reality: its zones and its neighbours.

use std::sync::Arc;

use super::arrival::Arrival;
use super::config::Weighting;
use super::message::{Claim, Contact, MAX_CLAIMS, MAX_CONTACTS, State};
use super::records::Store;
use super::replicas::Erasures;
use super::zone::{Destination, Point, Zone};
use crate::{Addr, Time};

/// The most neighbours of a node; far more than zones of a sound network have.
const MAX_NEIGHBOURS: usize = 512;

/// The most peers of one zone that a node keeps; more than may share one.
const MAX_MATES: usize = 32;

/// What a node knows of a neighbour.
#[derive(Clone, Debug)]
pub(super) struct Neighbour {
    pub(super) addr: Addr,
    /// Messages in a row that it did not acknowledge.
    pub(super) silent: u8,
    /// The measured round-trip time in microseconds; 0 before the first.
    pub(super) rtt_us: u32,
    /// When it was last heard of.
    pub(super) heard: Time,
    /// When it was last sent an update.
    pub(super) told: Time,
    /// Its zones and neighbours, as it told.
    pub(super) state: Arc<State>,
}

impl Neighbour {
    /// Messages in a row without acknowledgement after which nothing is sent
    /// through it any more.
    pub(super) const DOUBTFUL: u8 = 2;

    pub(super) fn zones(&self) -> impl Iterator<Item = Zone> + '_ {
        self.state.claims.iter().map(|c| c.zone)
    }

    pub(super) fn holds(&self, zone: Zone) -> bool {
        self.state.claims.iter().any(|c| c.zone == zone)
    }

    /// Whether messages can be expected to reach it.
    pub(super) fn is_responsive(&self) -> bool {
        self.silent < Self::DOUBTFUL
    }
}

/// How a node came to know of another.
#[derive(Clone, Copy, Debug)]
pub(super) enum News {
    /// Somebody else told.
    Hearsay,
    /// It told itself.
    Heard {
        /// The measured round-trip time in microseconds, if it was.
        rtt_us: Option<u32>,
        /// A live neighbour would have been heard of since then.
        since: Time,
    },
}

/// Another peer of one of a node's zones (§3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mate {
    pub(super) addr: Addr,
    /// The zone that the two share.
    pub(super) zone: Zone,
    /// When it was last heard of.
    pub(super) heard: Time,
    /// Whether it was given copies of the zone's records and has taken what was
    /// stored since.
    pub(super) copied: bool,
}

/// Half of a zone, or of zones with several peers all of one, that was given to
/// a joiner, until it says that it is there.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) to: Addr,
    pub(super) request: u32,
    pub(super) claim: Claim,
    pub(super) number: u16,
}

/// A neighbour that fell silent and whose zones are to be taken over.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) addr: Addr,
    pub(super) number: u16,
    pub(super) state: Arc<State>,
    /// Who was told of the takeover.
    pub(super) told: Vec<Addr>,
    /// How many agreed.
    pub(super) agreed: u16,
    /// Whether those who live around it, or in it, were looked for first.
    pub(super) searched: bool,
}

impl Failing {
    /// Whether too few of its neighbours are known to live for a takeover:
    /// fewer than half of those told agreed, or nobody ever heard of it who its
    /// neighbours are.
    pub(super) fn is_little_known(&self) -> bool {
        usize::from(self.agreed) * 2 < self.told.len() || self.state.contacts.is_empty()
    }
}

/// A node's place in one reality.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// What it holds: one zone, or several for a while.
    pub(super) claims: Vec<Claim>,
    /// By address; of zones that several peers share, one each.
    pub(super) neighbours: Vec<Neighbour>,
    /// The other peers of its zones.
    pub(super) mates: Vec<Mate>,
    pub(super) store: Store,
    /// What the neighbours are told; rebuilt when something has changed.
    state: Option<Arc<State>>,
    pub(super) aside: Option<Box<Trouble>>,
}

/// What most places have nothing of.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    pub(super) grant: Option<Grant>,
    pub(super) failing: Vec<Failing>,
    /// Nodes that fell silent.
    pub(super) lost: Vec<Addr>,
    /// Probes that await their update.
    pub(super) probes: Vec<(Addr, u32)>,
    /// Strangers that were told of this node since the last update.
    pub(super) introduced: Vec<Addr>,
    /// Rounds for which a side has been without a neighbour.
    pub(super) gap_rounds: u8,
    /// Who holds this node's place, if it lost it, or was its last neighbour, if
    /// it has none.
    pub(super) refuge: Option<Addr>,
    /// Zones that came lately.
    pub(super) arrivals: Vec<Arrival>,
    /// Whom this node has offered to take a zone, and which.
    pub(super) offered: Option<(Addr, Zone)>,
    /// What was withdrawn lately.
    pub(super) erasures: Erasures,
}

/// The half of the parents that both halves in a list make up is put in their
/// place, until there are no such halves.
fn merge(claims: &mut Vec<Claim>) {
    claims.sort_unstable_by_key(|c| c.zone.first());
    let mut at = 1;
    while at < claims.len() {
        let (a, b) = (claims[at - 1], claims[at]);
        match (a.zone.sibling() == Some(b.zone), a.zone.parent()) {
            (true, Some(zone)) => {
                claims[at - 1] = Claim { zone, firm: a.firm && b.firm };
                claims.remove(at);
                at = at.saturating_sub(1).max(1);
            }
            _ => at += 1,
        }
    }
}

impl Space {
    /// Whether the node has a place here.
    pub(super) fn is_placed(&self) -> bool {
        !self.claims.is_empty()
    }

    pub(super) fn zones(&self) -> impl Iterator<Item = Zone> + '_ {
        self.claims.iter().map(|c| c.zone)
    }

    /// Whether a point lies in one of its zones.
    #[inline]
    pub(super) fn owns(&self, point: Point) -> bool {
        self.claims.iter().any(|c| c.zone.contains(point))
    }

    /// The volume of all its zones; [`u64::MAX`] for the whole space.
    pub(super) fn volume(&self) -> u64 {
        self.zones().fold(0, |sum, zone| sum.saturating_add(zone.volume()))
    }

    pub(super) fn aside(&mut self) -> &mut Trouble {
        self.aside.get_or_insert_default()
    }

    pub(super) fn grant(&self) -> Option<&Grant> {
        self.aside.as_ref()?.grant.as_ref()
    }

    fn place_of(&self, addr: Addr) -> Result<usize, usize> {
        self.neighbours.binary_search_by_key(&addr, |n| n.addr)
    }

    pub(super) fn neighbour(&self, addr: Addr) -> Option<&Neighbour> {
        self.place_of(addr).ok().map(|at| &self.neighbours[at])
    }

    pub(super) fn neighbour_mut(&mut self, addr: Addr) -> Option<&mut Neighbour> {
        self.place_of(addr).ok().map(|at| &mut self.neighbours[at])
    }

    /// Whether a node is a neighbour, or as far as one knows another peer of the
    /// neighbour's zone.
    pub(super) fn stands_for(&self, addr: Addr, zone: Zone) -> bool {
        let contact = Contact { addr, zone };
        let mut holders = self.neighbours.iter().filter(|n| n.holds(zone));
        self.neighbour(addr).is_some() || holders.any(|n| n.state.contacts.contains(&contact))
    }

    /// Adds zones to what it holds, without what it holds already, and merges
    /// siblings.
    pub(super) fn acquire(&mut self, claims: impl IntoIterator<Item = Claim>) {
        for claim in claims {
            let mut fresh = vec![claim.zone];
            for held in &self.claims {
                fresh = fresh.iter().flat_map(|zone| zone.without(held.zone)).collect();
            }
            let room = MAX_CLAIMS.saturating_sub(self.claims.len());
            let fresh = fresh.into_iter().take(room);
            self.claims.extend(fresh.map(|zone| Claim { zone, firm: claim.firm }));
        }
        merge(&mut self.claims);
        self.touch();
    }

    /// Gives up what lies in `zone`.
    pub(super) fn release(&mut self, zone: Zone) {
        let split = |c: &Claim| {
            let firm = c.firm;
            c.zone.without(zone).into_iter().map(move |zone| Claim { zone, firm })
        };
        self.claims = self.claims.iter().flat_map(split).collect();
        merge(&mut self.claims);
        self.touch();
    }

    /// Whether a node with these zones is a neighbour.
    pub(super) fn adjoins(&self, zone: Zone, dimensions: u32) -> bool {
        self.zones().any(|own| own.is_neighbour(zone, dimensions))
    }

    /// Whether a node is another peer of one of its zones.
    pub(super) fn is_mate(&self, addr: Addr) -> bool {
        self.mates.iter().any(|m| m.addr == addr)
    }

    pub(super) fn has_room_for_mates(&self) -> bool {
        self.mates.len() < MAX_MATES
    }

    /// What it knows of another peer of one of its zones.
    pub(super) fn mate_mut(&mut self, addr: Addr) -> Option<&mut Mate> {
        self.mates.iter_mut().find(|m| m.addr == addr)
    }

    /// Notes that another node holds one of its zones too.
    pub(super) fn note_mate(&mut self, addr: Addr, zone: Zone, now: Time) {
        self.forget(addr);
        if let Some(mate) = self.mate_mut(addr) {
            mate.heard = now;
            if mate.zone != zone {
                mate.copied &= mate.zone.covers(zone);
                mate.zone = zone;
                self.touch();
            }
        } else if self.has_room_for_mates() {
            self.mates.push(Mate { addr, zone, heard: now, copied: false });
            self.touch();
        }
    }

    /// Drops mates that `keep` does not agree to.
    pub(super) fn keep_mates(&mut self, keep: impl FnMut(&Mate) -> bool) {
        let before = self.mates.len();
        self.mates.retain(keep);
        if self.mates.len() != before {
            self.touch();
        }
    }

    /// Whether a zone beside its own has a peer that messages can be expected to
    /// reach among its neighbours.
    pub(super) fn is_represented(&self, zone: Zone) -> bool {
        let mut live = self.neighbours.iter().filter(|n| n.is_responsive());
        live.any(|n| n.holds(zone))
    }

    /// Of several peers of a zone beside its own only the nearest is kept, and
    /// none that has been silent for long: whether a stranger with these zones
    /// is, and if so, those before are dropped.
    pub(super) fn is_nearest(&mut self, state: &State, news: News, dimensions: u32) -> bool {
        let zones: Vec<Zone> = state.claims.iter().map(|c| c.zone).collect();
        let shares = |n: &&Neighbour| n.zones().any(|z| zones.contains(&z));
        let rivals = self.neighbours.iter().filter(shares);
        let (rtt_us, since) = match news {
            News::Hearsay => return rivals.count() == 0,
            News::Heard { rtt_us, since } => (rtt_us, since),
        };
        let farther = |n: &Neighbour| n.heard < since || rtt_us.is_some_and(|rtt| n.rtt_us > rtt);
        let nearer = rivals.clone().all(|n| farther(n) || !n.is_responsive());
        if nearer {
            let worse = rivals.filter(|n| n.zones().all(|z| zones.contains(&z)));
            let worse: Vec<Addr> = worse.map(|n| n.addr).collect();
            for addr in worse {
                self.forget(addr);
            }
        }
        let missing = |z: &Zone| self.adjoins(*z, dimensions) && !self.is_represented(*z);
        nearer || zones.iter().any(missing)
    }

    /// Drops neighbours for all of whose zones another one stands that is nearer,
    /// or as near and has a lower address.
    pub(super) fn keep_nearest(&mut self, dimensions: u32) {
        let mut farthest: Vec<(u32, Addr)> =
            self.neighbours.iter().map(|n| (n.rtt_us, n.addr)).collect();
        farthest.sort_unstable_by(|a, b| b.cmp(a));
        for (_, addr) in farthest {
            if self.neighbour(addr).is_some_and(|n| self.is_redundant(n, dimensions)) {
                self.forget(addr);
            }
        }
    }

    fn is_redundant(&self, one: &Neighbour, dimensions: u32) -> bool {
        let nearer = |n: &&Neighbour| {
            n.is_responsive() && n.rtt_us > 0 && (n.rtt_us, n.addr) < (one.rtt_us, one.addr)
        };
        let mut beside = one.zones().filter(|zone| self.adjoins(*zone, dimensions));
        beside.all(|zone| self.neighbours.iter().filter(nearer).any(|n| n.holds(zone)))
    }

    /// Makes neighbours of those with whom it shares no zone any more.
    pub(super) fn part_from_mates(&mut self, now: Time, dimensions: u32) {
        let apart = |m: &Mate| !self.zones().any(|z| z.overlaps(m.zone));
        let former: Vec<Mate> = self.mates.iter().filter(|m| apart(m)).copied().collect();
        self.keep_mates(|m| !former.contains(m));
        for Mate { addr, zone, .. } in former {
            if !self.is_represented(zone) {
                let claims = vec![Claim { zone, firm: true }];
                let state = State { claims, contacts: Arc::default() };
                self.note(addr, Arc::new(state), now, dimensions);
            }
        }
    }

    /// Notes what a node said of itself; one that is no neighbour is dropped.
    /// Returns whether it is new.
    pub(super) fn note(
        &mut self,
        addr: Addr,
        state: Arc<State>,
        now: Time,
        dimensions: u32,
    ) -> bool {
        let adjoins = state.claims.iter().any(|c| self.adjoins(c.zone, dimensions));
        match self.place_of(addr) {
            Ok(at) if !adjoins => {
                self.neighbours.remove(at);
                self.note_isolation(Some(addr));
                self.touch();
            }
            Ok(at) => {
                let neighbour = &mut self.neighbours[at];
                neighbour.heard = now;
                neighbour.silent = 0;
                if neighbour.state.claims != state.claims {
                    self.state = None;
                }
                self.neighbours[at].state = state;
            }
            Err(at) if adjoins && self.neighbours.len() < MAX_NEIGHBOURS => {
                self.insert(at, addr, state, now);
                return true;
            }
            Err(_) => {}
        }
        false
    }

    fn insert(&mut self, at: usize, addr: Addr, state: Arc<State>, now: Time) {
        if self.neighbours.len() == self.neighbours.capacity() {
            self.neighbours.reserve_exact(2);
        }
        let neighbour =
            Neighbour { addr, silent: 0, rtt_us: 0, heard: now, told: Time::ZERO, state };
        self.neighbours.insert(at, neighbour);
        self.touch();
    }

    /// Notes neighbours from what another node told of them.
    pub(super) fn note_contacts(
        &mut self,
        contacts: &[Contact],
        me: Addr,
        now: Time,
        dimensions: u32,
    ) {
        let mut contacts: Vec<Contact> =
            contacts.iter().filter(|c| c.addr != me).copied().collect();
        contacts.sort_by_key(|c| c.addr);
        for group in contacts.chunk_by(|a, b| a.addr == b.addr) {
            if self.neighbour(group[0].addr).is_some() {
                continue;
            }
            let claims = group.iter().map(|c| Claim { zone: c.zone, firm: true });
            let claims = claims.take(MAX_CLAIMS).collect();
            let state = State { claims, contacts: Arc::default() };
            if !self.is_nearest(&state, News::Hearsay, dimensions) {
                continue;
            }
            self.note(group[0].addr, Arc::new(state), now, dimensions);
        }
    }

    /// Drops neighbours that its zones no longer adjoin, and leaves the zones of
    /// failed ones to those that are still beside them.
    pub(super) fn prune(&mut self, dimensions: u32) {
        let mut neighbours = core::mem::take(&mut self.neighbours);
        let former = neighbours.first().map(|n| n.addr);
        neighbours.retain(|n| n.zones().any(|zone| self.adjoins(zone, dimensions)));
        self.neighbours = neighbours;
        self.note_isolation(former);
        if let Some(mut aside) = self.aside.take() {
            let beside =
                |f: &Failing| f.state.claims.iter().any(|c| self.adjoins(c.zone, dimensions));
            aside.failing.retain(beside);
            self.aside = Some(aside);
        }
        self.touch();
    }

    /// Keeps the address of a former neighbour if no neighbour is left: nobody
    /// else can lead a node back that has lost touch with those around it.
    fn note_isolation(&mut self, former: Option<Addr>) {
        if self.neighbours.is_empty() && former.is_some() {
            self.aside().refuge = former;
        }
    }

    /// Gives up the place with all that concerns it; records stay until somebody
    /// has taken them.
    pub(super) fn vacate(&mut self) {
        self.claims.clear();
        self.neighbours.clear();
        self.mates.clear();
        if let Some(aside) = &mut self.aside {
            aside.grant = None;
            aside.failing.clear();
            aside.arrivals.clear();
            aside.offered = None;
            aside.gap_rounds = 0;
        }
        self.touch();
    }

    pub(super) fn forget(&mut self, addr: Addr) -> Option<Neighbour> {
        let at = self.place_of(addr).ok()?;
        self.touch();
        Some(self.neighbours.remove(at))
    }

    /// Something changed that neighbours are told.
    pub(super) fn touch(&mut self) {
        self.state = None;
    }

    /// What its neighbours are told.
    pub(super) fn state(&mut self) -> Arc<State> {
        if let Some(state) = &self.state {
            return state.clone();
        }
        let contacts = self.neighbours.iter().flat_map(|n| {
            let addr = n.addr;
            n.zones().map(move |zone| Contact { addr, zone })
        });
        let mates = self.mates.iter().map(|m| Contact { addr: m.addr, zone: m.zone });
        let state = Arc::new(State {
            claims: self.claims.clone(),
            contacts: contacts.chain(mates).take(MAX_CONTACTS).collect(),
        });
        self.state = Some(state.clone());
        state
    }

    /// Takes over what was told already, for a converged start.
    pub(super) fn settle(&mut self, state: Arc<State>) {
        self.claims.clone_from(&state.claims);
        self.state = Some(state);
    }

    /// Takes over its neighbours with what they told and their round-trip
    /// times, by address, and the other peers of its zone, for a converged
    /// start.
    pub(super) fn settle_neighbours(
        &mut self,
        known: impl Iterator<Item = (Addr, Arc<State>, u32)>,
        mates: impl Iterator<Item = Contact>,
        now: Time,
    ) {
        let mate = |Contact { addr, zone }| Mate { addr, zone, heard: now, copied: true };
        self.mates = mates.map(mate).collect();
        let neighbour = |(addr, state, rtt_us)| Neighbour {
            addr,
            silent: 0,
            rtt_us,
            heard: now,
            told: Time::ZERO,
            state,
        };
        self.neighbours = known.map(neighbour).collect();
    }

    /// The square of its own distance to a destination.
    pub(super) fn distance_squared(&self, destination: &Destination) -> u128 {
        let distances = self.zones().map(|zone| destination.distance_squared(zone));
        distances.min().unwrap_or(u128::MAX)
    }

    /// The neighbour to forward to, but for those in `avoid`: nearer to the
    /// destination than this node, and the best of those.
    pub(super) fn next_hop(
        &self,
        destination: &Destination,
        weighting: Weighting,
        avoid: &[Addr],
    ) -> Option<(Addr, u128)> {
        let own = self.distance_squared(destination);
        let usable =
            self.neighbours.iter().filter(|n| n.is_responsive() && !avoid.contains(&n.addr));
        best_hop(
            own,
            usable.flat_map(|n| n.zones().map(|zone| (n.addr, zone, n.rtt_us))),
            destination,
            weighting,
        )
    }

    /// What none of its neighbours holds of some zones.
    pub(super) fn without_held(&self, mut zones: Vec<Zone>) -> Vec<Zone> {
        for held in self.neighbours.iter().flat_map(Neighbour::zones) {
            zones = zones.iter().flat_map(|zone| zone.without(held)).collect();
        }
        zones
    }

    /// Whether it would know somebody beside the zones that are left if it gave
    /// this one away. Else the zone is what connects it to the others.
    pub(super) fn can_spare(&self, zone: Zone, dimensions: u32) -> bool {
        let live = self.neighbours.iter().filter(|n| n.is_responsive());
        let mut others = live.flat_map(Neighbour::zones).chain([zone]);
        let is_left = |own: Zone, other| own != zone && own.is_neighbour(other, dimensions);
        others.any(|other| self.zones().any(|own| is_left(own, other)))
    }

    /// A part of the space beside one of its zones that nobody is known to
    /// hold.
    pub(super) fn gap(&self, dimensions: u32) -> Option<Zone> {
        let known: Vec<Zone> =
            self.zones().chain(self.neighbours.iter().flat_map(Neighbour::zones)).collect();
        for zone in self.zones() {
            for axis in 0..dimensions {
                for larger in [false, true] {
                    let gap = zone
                        .beside(axis, larger, dimensions)
                        .and_then(|cell| uncovered(cell, zone, &known, dimensions));
                    if gap.is_some() {
                        return gap;
                    }
                }
            }
        }
        None
    }

    /// Bytes on the heap, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        let state = |s: &State| {
            size_of::<State>() + s.claims.len() * size_of::<Claim>() + size_of_val(&*s.contacts)
        };
        self.claims.capacity() * size_of::<Claim>()
            + self.neighbours.capacity() * size_of::<Neighbour>()
            + self.neighbours.iter().map(|n| state(&n.state)).sum::<usize>()
            + self.state.as_ref().map_or(0, |s| state(s))
            + self.aside.as_ref().map_or(0, |_| size_of::<Trouble>())
            + self.store.heap_bytes()
    }
}

/// The first part of `cell` that touches `zone` and is covered by none of
/// `known`.
fn uncovered(cell: Zone, zone: Zone, known: &[Zone], dimensions: u32) -> Option<Zone> {
    if !cell.is_neighbour(zone, dimensions) || known.iter().any(|k| k.covers(cell)) {
        return None;
    }
    if !known.iter().any(|k| cell.covers(*k)) {
        return Some(cell);
    }
    let (lower, upper) = cell.halves()?;
    uncovered(lower, zone, known, dimensions).or_else(|| uncovered(upper, zone, known, dimensions))
}

/// Of some nodes' zones, each with a round-trip time in microseconds, the one
/// to forward to from a distance of `own`: nearer to the destination, and the
/// nearest, or the one with the most progress per time. Returns its holder and
/// the square of its distance.
pub(super) fn best_hop(
    own: u128,
    zones: impl Iterator<Item = (Addr, Zone, u32)>,
    destination: &Destination,
    weighting: Weighting,
) -> Option<(Addr, u128)> {
    let nearer = zones
        .map(|(addr, zone, rtt_us)| (addr, destination.distance_squared(zone), rtt_us))
        .filter(|(_, distance, _)| *distance < own);
    match weighting {
        Weighting::Distance => nearer.min_by_key(|(_, distance, rtt_us)| (*distance, *rtt_us)),
        Weighting::Rtt => {
            let root = (own as f64).sqrt();
            let merit = |distance: u128, rtt_us: u32| {
                (root - (distance as f64).sqrt()) / f64::from(rtt_us.max(1))
            };
            nearer.max_by(|a, b| merit(a.1, a.2).total_cmp(&merit(b.1, b.2)))
        }
    }
    .map(|(addr, distance, _)| (addr, distance))
}
