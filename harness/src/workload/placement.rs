//! Which peer shares which items.

use overlays::Rng;

use super::draw;
use super::popularity::Popularity;
use super::sharing::{Concentration, SharingLaw, apportion};
use super::zipf::{MAX_ALPHA, Zipf};

/// How items are spread over peers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacementConfig {
    /// The fraction of peers that share nothing, 0 to below 1. At least one
    /// peer always shares. 0.66 on Gnutella in 2000 (Adar and Huberman).
    pub free_riders: f64,
    /// How unequally the others share; `None`: all equally much.
    pub concentration: Option<Concentration>,
    /// Items shared per peer on average, free riders included. It gives way
    /// where every item could not have a provider, or where peers would have
    /// to share an item twice. 93 on Gnutella in 2000; less by default, since a
    /// catalogue has far fewer items than the Gnutella of those days.
    pub mean_shares: f64,
    /// How strongly copies follow popularity: an item's copies beyond the
    /// first are in proportion to its popularity to this power. 1 is what
    /// comes of peers who keep what they fetched, 0.5 the optimum for random
    /// search (Cohen and Shenker, SIGCOMM 2002), 0 uniform.
    pub replication: f64,
}

impl Default for PlacementConfig {
    fn default() -> Self {
        Self {
            free_riders: 0.66,
            concentration: Some(Concentration::GNUTELLA_2000),
            mean_shares: 10.0,
            replication: 1.0,
        }
    }
}

impl PlacementConfig {
    /// The sharing law of this configuration.
    fn law(&self) -> Result<SharingLaw, String> {
        if !(0.0..1.0).contains(&self.free_riders) {
            return Err(format!(
                "free riders are a fraction from 0 to 0.99, not {}",
                self.free_riders
            ));
        }
        if !(0.0..=1e6).contains(&self.mean_shares) {
            return Err(format!("mean shares lie between 0 and 1000000, not {}", self.mean_shares));
        }
        if !(0.0..=MAX_ALPHA).contains(&self.replication) {
            return Err(format!(
                "the replication exponent lies in 0..=10, not {}",
                self.replication
            ));
        }
        match self.concentration {
            Some(target) => SharingLaw::fit(self.free_riders, target),
            None => Ok(SharingLaw::EQUAL),
        }
    }
}

/// Who shares what, in both directions. Peers and items are indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Items by peer, each list ascending.
    shares: Lists,
    /// Peers by item, each list ascending.
    providers: Lists,
}

/// Measures of a placement, for the report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacementStats {
    /// Peers.
    pub peers: u32,
    /// Items.
    pub items: u32,
    /// Pairs of a peer and an item that it shares.
    pub shares: u64,
    /// The fraction of peers that share nothing.
    pub free_riders: f64,
    /// The fraction of all shares that the top 1 % of peers hold.
    pub top_1_percent: f64,
    /// The fraction of all shares that the top 20 % of peers hold.
    pub top_20_percent: f64,
    /// Most items at one peer.
    pub shares_max: u32,
    /// Providers of an item, on average.
    pub copies_mean: f64,
    /// Most providers of one item.
    pub copies_max: u32,
}

impl Placement {
    /// The most shares that are placed.
    pub const MAX_SHARES: u64 = 100_000_000;

    /// Spreads the items of `popularity` over `peers` peers; `rng` is a
    /// generator of [`overlays::Stream::Peers`].
    ///
    /// How much each sharer has follows the sharing law exactly rather than by
    /// chance, so that small networks show the published concentration too.
    /// Which peers those are, and which items they have, is drawn: every item
    /// gets a first copy somewhere, then each peer fills up with different
    /// items by popularity.
    ///
    /// # Errors
    /// A sentence, when the configuration is out of range, there are no peers,
    /// or more than [`Placement::MAX_SHARES`] shares would be placed.
    pub fn draw(
        popularity: &Popularity,
        peers: u32,
        config: &PlacementConfig,
        rng: &mut Rng,
    ) -> Result<Self, String> {
        let law = config.law()?;
        if peers == 0 {
            return Err("a placement needs at least one peer".to_owned());
        }
        let items = popularity.items();
        let sharers = ((1.0 - config.free_riders) * f64::from(peers)).round().max(1.0) as u32;
        let wanted = (config.mean_shares * f64::from(peers)).round() as u64;
        let total = wanted.max(u64::from(items)).max(u64::from(sharers));
        if total > Self::MAX_SHARES {
            return Err(format!(
                "{total} shares are more than the {} that can be placed: lower the mean",
                Self::MAX_SHARES
            ));
        }
        let counts = apportion(&law.weights(sharers as usize), total, items);
        let mut order: Vec<u32> = (0..peers).collect();
        draw::shuffle(rng, &mut order);
        order.truncate(sharers as usize);
        let mut holdings = first_copies(items, &counts, rng);
        let law = Zipf::new(items, (popularity.alpha() * config.replication).min(MAX_ALPHA));
        let mut filler = Filler { popularity, law, held_by: vec![u32::MAX; items as usize] };
        for (sharer, (holding, count)) in (0..).zip(holdings.iter_mut().zip(&counts)) {
            filler.fill(sharer, holding, *count as usize, rng);
        }
        let mut lists = vec![Vec::new(); peers as usize];
        for (peer, holding) in order.into_iter().zip(holdings) {
            lists[peer as usize] = holding;
        }
        let shares = Lists::new(&lists);
        let providers = shares.transposed(items);
        Ok(Self { shares, providers })
    }

    /// The number of peers.
    pub fn peers(&self) -> u32 {
        self.shares.len()
    }

    /// The number of items.
    pub fn items(&self) -> u32 {
        self.providers.len()
    }

    /// The items that `peer` shares, ascending; none for a free rider or a
    /// peer that does not exist.
    pub fn shares(&self, peer: u32) -> &[u32] {
        self.shares.list(peer)
    }

    /// The peers that share `item`, ascending; never empty for an item that
    /// exists.
    pub fn providers(&self, item: u32) -> &[u32] {
        self.providers.list(item)
    }

    /// The number of shares: pairs of a peer and an item.
    pub fn total(&self) -> u64 {
        self.shares.values.len() as u64
    }

    /// The share in place `place` of all, by peer: (peer, item).
    ///
    /// # Panics
    /// When `place` is not below [`Placement::total`].
    pub fn share(&self, place: u64) -> (u32, u32) {
        let peer = self.shares.starts.partition_point(|start| u64::from(*start) <= place) - 1;
        (peer as u32, self.shares.values[place as usize])
    }

    /// Measures of this placement.
    pub fn stats(&self) -> PlacementStats {
        let peers = self.peers();
        let mut counts: Vec<u32> = (0..peers).map(|p| self.shares(p).len() as u32).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let total = self.total();
        let of_top = |fraction: f64| {
            let top = (f64::from(peers) * fraction).round().max(1.0) as usize;
            counts.iter().take(top).map(|c| f64::from(*c)).sum::<f64>() / total as f64
        };
        PlacementStats {
            peers,
            items: self.items(),
            shares: total,
            free_riders: counts.iter().filter(|c| **c == 0).count() as f64 / f64::from(peers),
            top_1_percent: of_top(0.01),
            top_20_percent: of_top(0.2),
            shares_max: counts[0],
            copies_mean: total as f64 / f64::from(self.items()),
            copies_max: (0..self.items()).map(|i| self.providers(i).len()).max().unwrap_or(0)
                as u32,
        }
    }
}

/// Gives every item to one sharer, who are as likely as they have room.
fn first_copies(items: u32, counts: &[u32], rng: &mut Rng) -> Vec<Vec<u32>> {
    let mut slots: Vec<u32> = Vec::with_capacity(counts.iter().map(|c| *c as usize).sum());
    for (sharer, count) in (0..).zip(counts) {
        slots.extend(core::iter::repeat_n(sharer, *count as usize));
    }
    let mut holdings: Vec<Vec<u32>> =
        counts.iter().map(|count| Vec::with_capacity(*count as usize)).collect();
    for item in 0..items {
        let slot = slots.swap_remove(draw::index(rng, slots.len()));
        holdings[slot as usize].push(item);
    }
    holdings
}

/// Fills holdings with different items by popularity.
struct Filler<'a> {
    popularity: &'a Popularity,
    law: Zipf,
    /// The last sharer who was given each item.
    held_by: Vec<u32>,
}

impl Filler<'_> {
    /// Fills `holding` up to `count` different items and sorts it.
    fn fill(&mut self, sharer: u32, holding: &mut Vec<u32>, count: usize, rng: &mut Rng) {
        for item in &*holding {
            self.held_by[*item as usize] = sharer;
        }
        // Drawing again on a repeat is fast while most draws are new.
        let mut tries = 16 * count.saturating_sub(holding.len());
        while holding.len() < count && tries > 0 {
            tries -= 1;
            let item = self.item(self.law.draw(rng));
            if core::mem::replace(&mut self.held_by[item as usize], sharer) != sharer {
                holding.push(item);
            }
        }
        if holding.len() < count {
            self.complete(sharer, holding, count, rng);
        }
        holding.sort_unstable();
    }

    fn item(&self, rank: u32) -> u32 {
        self.popularity.item(rank).expect("the law has as many ranks as there are items")
    }

    /// Draws the rest in one pass: the items with the earliest of independent
    /// exponential times at rates in proportion to popularity are a weighted
    /// draw without repeats (Efraimidis and Spirakis, IPL 97(5), 2006).
    fn complete(&self, sharer: u32, holding: &mut Vec<u32>, count: usize, rng: &mut Rng) {
        let mut times: Vec<(f64, u32)> = (0..self.law.ranks())
            .map(|rank| (rank, self.item(rank)))
            .filter(|(_, item)| self.held_by[*item as usize] != sharer)
            .map(|(rank, item)| (draw::exponential(rng) / self.law.probability(rank), item))
            .collect();
        times.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let missing = count - holding.len();
        holding.extend(times.into_iter().take(missing).map(|(_, item)| item));
    }
}

/// Many short lists of numbers in two allocations.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lists {
    /// Where each list starts; one more at the end.
    starts: Box<[u32]>,
    values: Box<[u32]>,
}

impl Lists {
    fn new(lists: &[Vec<u32>]) -> Self {
        let mut starts = vec![0_u32];
        let mut values = Vec::with_capacity(lists.iter().map(Vec::len).sum());
        for list in lists {
            values.extend_from_slice(list);
            starts.push(values.len() as u32);
        }
        Self { starts: starts.into(), values: values.into() }
    }

    fn len(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    fn list(&self, i: u32) -> &[u32] {
        let i = i as usize;
        match self.starts.get(i..).and_then(|rest| rest.get(..2)) {
            Some(ends) => &self.values[ends[0] as usize..ends[1] as usize],
            None => &[],
        }
    }

    /// For each of `width` values the lists that contain it.
    fn transposed(&self, width: u32) -> Self {
        let mut starts = vec![0_u32; width as usize + 1];
        for value in &self.values {
            starts[*value as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut values = vec![0; self.values.len()].into_boxed_slice();
        for i in 0..self.len() {
            for value in self.list(i) {
                let place = &mut next[*value as usize];
                values[*place as usize] = i;
                *place += 1;
            }
        }
        Self { starts: starts.into(), values }
    }
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
