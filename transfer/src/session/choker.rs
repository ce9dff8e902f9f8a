//! Who may download from us (BEP 3; Cohen 2003; Legout et al. 2006).

use core::cmp::Reverse;

use rand_xoshiro::Xoshiro256PlusPlus;

use super::config::{LeechChoking, SeedChoking, SessionConfig};
use super::draw;
use super::effect::LinkId;

/// What the choker knows of a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suitor {
    pub(super) link: LinkId,
    pub(super) interested: bool,
    /// Bytes per second it gives us.
    pub(super) gives: u64,
    /// Bytes per second it takes from us.
    pub(super) takes: u64,
    /// It gives nothing, although we ask (anti-snubbing).
    pub(super) snubs: bool,
    /// It is unchoked now.
    pub(super) unchoked: bool,
    /// When it was last unchoked; `None` if never: a newcomer.
    pub(super) unchoked_us: Option<u64>,
    /// It needs no slot.
    pub(super) beside: bool,
}

/// The optimistic unchoke, and when what is decided anew.
#[derive(Debug)]
pub(super) struct Choker {
    optimistic: Option<LinkId>,
    pub(super) next_us: u64,
    next_optimistic_us: u64,
}

/// A newcomer is as likely as this many others to be the optimistic unchoke.
const NEWCOMER_WEIGHT: u32 = 3;

impl Choker {
    pub(super) fn new(config: &SessionConfig, now_us: u64) -> Self {
        Self {
            optimistic: None,
            next_us: now_us + config.choke_interval_us,
            next_optimistic_us: now_us,
        }
    }

    /// The peers that are to be unchoked now, in order of their links.
    pub(super) fn decide(
        &mut self,
        suitors: &[Suitor],
        seeding: bool,
        config: &SessionConfig,
        rng: &mut Xoshiro256PlusPlus,
        now_us: u64,
    ) -> Vec<LinkId> {
        self.next_us = now_us + config.choke_interval_us;
        if config.leech_choking == LeechChoking::FreeRider {
            return Vec::new();
        }
        let beside = suitors.iter().filter(|suitor| suitor.beside && suitor.interested);
        let mut unchoked: Vec<LinkId> = beside.map(|suitor| suitor.link).collect();
        let mut rest: Vec<Suitor> = suitors.iter().filter(|s| !s.beside).copied().collect();
        // Ties are broken at random.
        for place in (1..rest.len()).rev() {
            rest.swap(place, draw::below(rng, place as u32 + 1) as usize);
        }
        match (seeding, config.seed_choking) {
            (false, _) => rest.sort_by_key(|suitor| Reverse(suitor.gives)),
            (true, SeedChoking::FastestReceivers) => {
                rest.sort_by_key(|suitor| Reverse(suitor.takes));
            }
            (true, SeedChoking::RoundRobin) => {
                rest.sort_by_key(|suitor| Reverse(suitor.unchoked_us));
                self.next_optimistic_us = self.next_optimistic_us.min(now_us);
            }
        }
        let slots = usize::from(config.upload_slots);
        let mut taken = 0;
        let mut uninterested = 0;
        for suitor in &rest {
            if taken + 1 >= slots {
                break;
            }
            if suitor.interested && (seeding || !suitor.snubs) {
                unchoked.push(suitor.link);
                taken += 1;
            } else if !suitor.interested && !seeding && suitor.gives > 0 && uninterested < slots {
                // Better peers stay unchoked while they want nothing: once they
                // do, they are served without waiting (BEP 3).
                unchoked.push(suitor.link);
                uninterested += 1;
            }
        }
        rest.retain(|suitor| suitor.interested && !unchoked.contains(&suitor.link));
        self.choose_optimistic(&mut rest, slots.saturating_sub(taken), config, rng, now_us)
            .for_each(|link| unchoked.push(link));
        unchoked.sort_unstable();
        unchoked
    }

    /// The optimistic unchoke, and as many more as slots are left.
    fn choose_optimistic<'a>(
        &mut self,
        rest: &'a mut Vec<Suitor>,
        slots: usize,
        config: &SessionConfig,
        rng: &'a mut Xoshiro256PlusPlus,
        now_us: u64,
    ) -> impl Iterator<Item = LinkId> + use<'a> {
        let stays = rest.iter().position(|suitor| Some(suitor.link) == self.optimistic);
        let first = match stays {
            Some(place) if now_us < self.next_optimistic_us => Some(place),
            _ => {
                self.next_optimistic_us = now_us + config.optimistic_interval_us;
                weighted(rest, rng)
            }
        };
        let first = first.map(|place| rest.swap_remove(place).link);
        self.optimistic = first;
        let more = slots.saturating_sub(1);
        let others = core::iter::from_fn(move || {
            weighted(rest, rng).map(|place| rest.swap_remove(place).link)
        });
        first.into_iter().chain(others.take(more)).take(slots)
    }

    /// Whom to give a slot that has become free, before the next decision.
    pub(super) fn fill(
        &self,
        suitors: &[Suitor],
        config: &SessionConfig,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Option<LinkId> {
        let taken = suitors.iter().filter(|s| s.unchoked && s.interested && !s.beside).count();
        if config.leech_choking == LeechChoking::FreeRider
            || taken >= usize::from(config.upload_slots)
        {
            return None;
        }
        let waiting = |suitor: &&Suitor| suitor.interested && !suitor.unchoked && !suitor.beside;
        let waiting: Vec<Suitor> = suitors.iter().filter(waiting).copied().collect();
        weighted(&waiting, rng).map(|place| waiting[place].link)
    }

    /// Who loses a slot before the next decision because a better peer, who was
    /// unchoked and wanted nothing, wants something again.
    pub(super) fn excess(
        &self,
        suitors: &[Suitor],
        seeding: bool,
        config: &SessionConfig,
    ) -> Vec<LinkId> {
        let served = |suitor: &&Suitor| suitor.unchoked && suitor.interested && !suitor.beside;
        let mut served: Vec<&Suitor> = suitors.iter().filter(served).collect();
        let excess = served.len().saturating_sub(usize::from(config.upload_slots));
        served.retain(|suitor| Some(suitor.link) != self.optimistic);
        served.sort_by_key(|suitor| if seeding { suitor.takes } else { suitor.gives });
        served.iter().take(excess).map(|suitor| suitor.link).collect()
    }
}

/// The place of one of them, newcomers being more likely.
fn weighted(suitors: &[Suitor], rng: &mut Xoshiro256PlusPlus) -> Option<usize> {
    let weight = |suitor: &Suitor| match suitor.unchoked_us {
        None => NEWCOMER_WEIGHT,
        Some(_) => 1,
    };
    let sum: u32 = suitors.iter().map(weight).sum();
    if sum == 0 {
        return None;
    }
    let mut drawn = draw::below(rng, sum);
    suitors.iter().position(|suitor| {
        let hit = drawn < weight(suitor);
        drawn = drawn.saturating_sub(weight(suitor));
        hit
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn suitor(link: u32, gives: u64) -> Suitor {
        Suitor {
            link: LinkId(link),
            interested: true,
            gives,
            takes: gives,
            snubs: false,
            unchoked: false,
            unchoked_us: Some(0),
            beside: false,
        }
    }

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(1)
    }

    #[test]
    fn the_best_three_and_one_optimistic() {
        let config = SessionConfig::default();
        let mut choker = Choker::new(&config, 0);
        let suitors: Vec<Suitor> = (0..20).map(|n| suitor(n, u64::from(n) * 1_000)).collect();
        let mut rng = rng();
        let mut seen = std::collections::BTreeSet::new();
        for round in 0..60 {
            let now = round * config.choke_interval_us;
            let unchoked = choker.decide(&suitors, false, &config, &mut rng, now);
            assert_eq!(unchoked.len(), 4);
            assert_eq!(unchoked[1..], [LinkId(17), LinkId(18), LinkId(19)]);
            seen.insert((round / 3, unchoked[0]));
        }
        assert_eq!(seen.len(), 20, "the optimistic one stays for three rounds");
    }

    #[test]
    fn newcomers_are_three_times_as_likely() {
        let config = SessionConfig { upload_slots: 1, ..SessionConfig::default() };
        let mut suitors: Vec<Suitor> = (0..8).map(|n| suitor(n, 0)).collect();
        suitors[0].unchoked_us = None;
        let mut rng = rng();
        let hits = (0..10_000)
            .filter(|_| {
                let mut choker = Choker::new(&config, 0);
                choker.decide(&suitors, false, &config, &mut rng, 0) == [LinkId(0)]
            })
            .count();
        assert!((2_850..=3_150).contains(&hits), "{hits} of 10,000, not 3 in 10");
    }

    #[test]
    fn who_snubs_us_or_wants_nothing_takes_no_slot() {
        let config = SessionConfig::default();
        let mut suitors: Vec<Suitor> = (0..6).map(|n| suitor(n, u64::from(n) * 1_000)).collect();
        suitors[5].interested = false;
        suitors[4].snubs = true;
        let mut choker = Choker::new(&config, 0);
        let unchoked = choker.decide(&suitors, false, &config, &mut rng(), 0);
        let [LinkId(1), LinkId(2), LinkId(3)] = unchoked[unchoked.len() - 4..unchoked.len() - 1]
        else {
            // The optimistic one is 0 or 4.
            let without: Vec<u32> =
                unchoked.iter().map(|l| l.0).filter(|l| !matches!(l, 0 | 4)).collect();
            assert_eq!(without, [1, 2, 3, 5]);
            return;
        };
    }

    #[test]
    fn round_robin_serves_everybody_in_turn() {
        let config =
            SessionConfig { seed_choking: SeedChoking::RoundRobin, ..SessionConfig::default() };
        let mut suitors: Vec<Suitor> = (0..12).map(|n| suitor(n, u64::from(n))).collect();
        suitors.iter_mut().for_each(|s| s.unchoked_us = None);
        let mut choker = Choker::new(&config, 0);
        let mut rng = rng();
        let mut rounds = [0; 12];
        for round in 0..600 {
            let now = round * config.choke_interval_us;
            let unchoked = choker.decide(&suitors, true, &config, &mut rng, now);
            assert_eq!(unchoked.len(), 4);
            for suitor in &mut suitors {
                let on = unchoked.contains(&suitor.link);
                if on && !suitor.unchoked {
                    suitor.unchoked_us = Some(now);
                }
                suitor.unchoked = on;
                rounds[suitor.link.0 as usize] += u32::from(on);
            }
        }
        assert!(rounds.iter().all(|n| (130..=270).contains(n)), "200 each, but {rounds:?}");
    }

    #[test]
    fn who_filled_a_slot_loses_it_when_a_better_peer_is_back() {
        let config = SessionConfig::default();
        let mut suitors: Vec<Suitor> = (0..5).map(|n| suitor(n, u64::from(n) * 1_000)).collect();
        suitors.iter_mut().for_each(|suitor| suitor.unchoked = true);
        let mut choker = Choker::new(&config, 0);
        assert_eq!(choker.excess(&suitors, false, &config), [LinkId(0)]);
        choker.optimistic = Some(LinkId(0));
        assert_eq!(choker.excess(&suitors, false, &config), [LinkId(1)]);
        suitors[3].interested = false;
        assert_eq!(choker.excess(&suitors, false, &config), []);
    }

    #[test]
    fn a_free_rider_serves_nobody() {
        let config =
            SessionConfig { leech_choking: LeechChoking::FreeRider, ..SessionConfig::default() };
        let mut choker = Choker::new(&config, 0);
        let suitors = [suitor(0, 1)];
        assert!(choker.decide(&suitors, false, &config, &mut rng(), 0).is_empty());
        assert!(choker.decide(&suitors, true, &config, &mut rng(), 0).is_empty());
        assert_eq!(choker.fill(&suitors, &config, &mut rng()), None);
    }
}
