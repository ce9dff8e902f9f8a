//! The host cache: other servents heard of, for dialling and for answering
//! pings.

use rand::RngExt as _;

use super::descriptor::PongHost;
use crate::seam::{Addr, Rng, Time};

/// Distances that a pong can have come from, for spreading an answer.
const DISTANCES: usize = 33;

#[derive(Clone, Copy, Debug)]
struct Host {
    pong: PongHost,
    /// Hops that its pong came; 1 for a neighbour's own.
    hops: u8,
    /// Until when its pong may be passed on. Hosts known by hearsay alone
    /// start expired: they may be dialled but not vouched for.
    fit_until: Time,
    /// Not to be dialled before.
    retry_at: Time,
}

/// A bounded cache of hosts. When it is full, a new host takes the place of
/// the one that came first.
#[derive(Debug)]
pub struct HostCache {
    hosts: Vec<Host>,
    capacity: usize,
    next: usize,
}

impl HostCache {
    /// An empty cache for `capacity` hosts, at least one.
    pub fn new(capacity: usize) -> Self {
        Self { hosts: Vec::new(), capacity: capacity.max(1), next: 0 }
    }

    /// Takes note of a pong that came `hops` hops and may be passed on until
    /// `fit_until`.
    ///
    /// Among pongs of one host the nearer wins while it is fit: otherwise two
    /// servents could keep a dead host alive between them.
    pub fn learn_pong(&mut self, pong: PongHost, hops: u8, fit_until: Time, now: Time) {
        let fresh = Host { pong, hops, fit_until, retry_at: Time::ZERO };
        match self.hosts.iter_mut().find(|h| h.pong.addr == pong.addr) {
            Some(known) if hops <= known.hops || known.fit_until < now => {
                *known = Host { retry_at: known.retry_at, ..fresh };
            }
            Some(_) => {}
            None => self.place(fresh),
        }
    }

    /// Takes note of the pong of a leaf, while there is room.
    pub fn learn_leaf(&mut self, pong: PongHost, hops: u8, fit_until: Time, now: Time) {
        let known = self.hosts.iter().any(|h| h.pong.addr == pong.addr);
        if known || self.hosts.len() < self.capacity {
            self.learn_pong(pong, hops, fit_until, now);
        }
    }

    /// Whether a pong says that this host is no ultrapeer (Gnutella 0.6).
    pub fn is_leaf(&self, addr: Addr) -> bool {
        let says_so = |h: &Host| h.hops != u8::MAX && !h.pong.is_of_ultrapeer();
        self.hosts.iter().any(|h| h.pong.addr == addr && says_so(h))
    }

    /// Takes note of a host that was only named.
    pub fn learn(&mut self, addr: Addr) {
        if !self.hosts.iter().any(|h| h.pong.addr == addr) {
            let pong = PongHost { addr, files: 0, kilobytes: 0 };
            let never = Time::ZERO;
            self.place(Host { pong, hops: u8::MAX, fit_until: never, retry_at: never });
        }
    }

    /// Takes note of a host that was named in passing, such as the provider in
    /// a hit, while there is room: what pongs tell is worth more.
    pub fn learn_in_passing(&mut self, addr: Addr) {
        if self.hosts.len() < self.capacity {
            self.learn(addr);
        }
    }

    fn place(&mut self, host: Host) {
        if self.hosts.len() < self.capacity {
            self.hosts.push(host);
        } else {
            self.next = (self.next + 1) % self.capacity;
            self.hosts[self.next] = host;
        }
    }

    /// Strikes a host off.
    pub fn forget(&mut self, addr: Addr) {
        self.hosts.retain(|h| h.pong.addr != addr);
    }

    /// Does not offer this host for dialling before `retry_at`.
    pub fn defer(&mut self, addr: Addr, retry_at: Time) {
        if let Some(host) = self.hosts.iter_mut().find(|h| h.pong.addr == addr) {
            host.retry_at = retry_at;
        }
    }

    /// A random host for dialling among those that `fits`.
    pub fn pick(&self, rng: &mut Rng, now: Time, fits: impl Fn(Addr) -> bool) -> Option<Addr> {
        let eligible = || {
            let ready = self.hosts.iter().filter(|h| h.retry_at <= now);
            ready.map(|h| h.pong.addr).filter(|a| fits(*a))
        };
        match eligible().count() {
            0 => None,
            n => eligible().nth(rng.random_range(0..n)),
        }
    }

    /// Up to `n` hosts from a random place on, for a refusal to name.
    pub fn sample(&self, rng: &mut Rng, n: usize, fits: impl Fn(Addr) -> bool) -> Vec<Addr> {
        if self.hosts.is_empty() {
            return Vec::new();
        }
        let start = rng.random_range(0..self.hosts.len());
        let turned = self.hosts[start..].iter().chain(&self.hosts[..start]);
        turned.map(|h| h.pong.addr).filter(|a| fits(*a)).take(n).collect()
    }

    /// Up to `n` fit pongs from at most `max_hops` away with their distances,
    /// spread over the distances: first one of each, then a second, and so on.
    pub fn spread(
        &self,
        rng: &mut Rng,
        now: Time,
        n: usize,
        max_hops: u8,
        fits: impl Fn(Addr) -> bool,
    ) -> Vec<(PongHost, u8)> {
        let mut chosen = Vec::new();
        if self.hosts.is_empty() {
            return chosen;
        }
        let start = rng.random_range(0..self.hosts.len());
        let turned = self.hosts[start..].iter().chain(&self.hosts[..start]);
        let fit: Vec<&Host> = turned
            .filter(|h| h.fit_until >= now && h.hops <= max_hops && fits(h.pong.addr))
            .collect();
        let mut taken = [0_usize; DISTANCES];
        let rank = |h: &Host, taken: &mut [usize; DISTANCES]| {
            let place = &mut taken[usize::from(h.hops).min(DISTANCES - 1)];
            *place += 1;
            *place
        };
        let mut ranked: Vec<(usize, &Host)> =
            fit.iter().map(|h| (rank(h, &mut taken), *h)).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        chosen.extend(ranked.iter().take(n).map(|(_, h)| (h.pong, h.hops)));
        chosen
    }

    /// All hosts in it.
    pub fn addrs(&self) -> impl Iterator<Item = Addr> {
        self.hosts.iter().map(|h| h.pong.addr)
    }

    /// Hosts in it, and those among `others` that are not.
    pub fn count_with(&self, others: impl Iterator<Item = Addr>) -> usize {
        let unknown = others.filter(|other| !self.hosts.iter().any(|h| h.pong.addr == *other));
        self.hosts.len() + unknown.count()
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.hosts.capacity() * size_of::<Host>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::Span;
    use rand::SeedableRng;

    fn pong(n: u32) -> PongHost {
        PongHost { addr: Addr::from_index(n), files: n, kilobytes: 0 }
    }

    fn at(s: u64) -> Time {
        Time::ZERO + Span::from_s(s)
    }

    #[test]
    fn holds_no_more_than_its_capacity_and_forgets_the_first() {
        let mut cache = HostCache::new(3);
        for n in 0..100 {
            cache.learn(Addr::from_index(n));
            assert!(cache.addrs().count() <= 3);
        }
        let mut held: Vec<u32> = cache.addrs().map(Addr::index).collect();
        held.sort_unstable();
        assert_eq!(held, [97, 98, 99]);
        cache.learn_in_passing(Addr::from_index(7));
        assert!(cache.addrs().all(|a| a.index() != 7));
        cache.forget(Addr::from_index(98));
        cache.learn_in_passing(Addr::from_index(7));
        assert!(cache.addrs().any(|a| a.index() == 7));
    }

    #[test]
    fn answers_spread_over_distances() {
        let mut cache = HostCache::new(50);
        for n in 0..20 {
            cache.learn_pong(pong(n), 1, at(90), at(0));
        }
        for (n, hops) in [(100, 2), (101, 3), (102, 4), (103, 9)] {
            cache.learn_pong(pong(n), hops, at(90), at(0));
        }
        cache.learn(Addr::from_index(200));
        let mut rng = Rng::seed_from_u64(1);
        let answer = cache.spread(&mut rng, at(1), 10, 6, |_| true);
        let count = |hops| answer.iter().filter(|(_, h)| *h == hops).count();
        assert_eq!((count(1), count(2), count(3), count(4), count(9)), (7, 1, 1, 1, 0));
        assert_eq!(cache.spread(&mut rng, at(91), 10, 6, |_| true), []);
    }

    #[test]
    fn a_farther_pong_does_not_refresh_a_nearer_one() {
        let mut cache = HostCache::new(50);
        let mut rng = Rng::seed_from_u64(1);
        cache.learn_pong(pong(1), 2, at(90), at(0));
        cache.learn_pong(pong(1), 3, at(150), at(60));
        assert!(cache.spread(&mut rng, at(91), 10, 6, |_| true).is_empty());
        cache.learn_pong(pong(1), 3, at(190), at(100));
        assert_eq!(cache.spread(&mut rng, at(101), 10, 6, |_| true), [(pong(1), 3)]);
    }

    #[test]
    fn deferred_hosts_wait_and_forgotten_ones_are_gone() {
        let mut cache = HostCache::new(50);
        let mut rng = Rng::seed_from_u64(1);
        cache.learn(Addr::from_index(1));
        cache.defer(Addr::from_index(1), at(30));
        assert_eq!(cache.pick(&mut rng, at(29), |_| true), None);
        assert_eq!(cache.pick(&mut rng, at(30), |_| true), Some(Addr::from_index(1)));
        assert_eq!(cache.pick(&mut rng, at(30), |_| false), None);
        cache.forget(Addr::from_index(1));
        assert_eq!(cache.pick(&mut rng, at(30), |_| true), None);
    }
}
