use overlays::{Key, Stream, Writer};
use proptest::prelude::*;

use super::*;
use crate::workload::{Catalog, CatalogIndex, Churn, PlacementConfig, Popularity, QueryMix};

struct World {
    catalog: Catalog,
    index: CatalogIndex,
    popularity: Popularity,
    placement: Placement,
}

impl World {
    fn new(peers: u32) -> Self {
        let catalog = Catalog::embedded().thinned(300);
        let index = CatalogIndex::new(&catalog);
        let popularity = Popularity::new(300, 0.8, &mut Stream::Workload.rng(1));
        let config = PlacementConfig::default();
        let mut rng = Stream::Peers.rng(1);
        let placement = Placement::draw(&popularity, peers, &config, &mut rng).unwrap();
        Self { catalog, index, popularity, placement }
    }

    fn questions(&self) -> Questions<'_> {
        let mix = QueryMix::default();
        Questions::new(&self.catalog, &self.index, &self.popularity, mix).unwrap()
    }
}

const EVERYTHING: OperationMix =
    OperationMix { search: 4.0, insert: 2.0, delete: 2.0, join: 1.0, leave: 1.0 };

#[test]
fn kinds_come_in_proportion_and_make_sense() {
    let world = World::new(100);
    let questions = world.questions();
    let plan = Plan { mix: EVERYTHING, ..Plan::searches(Rate::PerPeer(0.5)) };
    let schedule =
        Schedule::new(&plan, &questions, &world.placement, Stream::Workload.rng(2)).unwrap();
    let mut counts = [0_u32; 5];
    let mut had_already = 0;
    for arrival in schedule.take(50_000) {
        let shares = world.placement.shares(arrival.peer);
        let kind = match arrival.operation {
            Operation::Search(question) => {
                had_already += u32::from(shares.contains(&question.wanted.unwrap()));
                0
            }
            Operation::Insert(item) => {
                had_already += u32::from(shares.contains(&item));
                1
            }
            Operation::Delete(item) => {
                assert!(shares.contains(&item));
                2
            }
            Operation::Join => 3,
            Operation::Leave => 4,
        };
        counts[kind] += 1;
    }
    for (count, weight) in counts.into_iter().zip(EVERYTHING.weights()) {
        assert!((f64::from(count) / (weight * 5_000.0) - 1.0).abs() < 0.05, "{counts:?}");
    }
    // Only peers that share nearly everything want what they have.
    assert!(had_already < (counts[0] + counts[1]) / 50, "{had_already}");
}

#[test]
fn the_rate_holds_even_at_many_arrivals_per_microsecond() {
    let world = World::new(10);
    let questions = world.questions();
    for rate in [3.0, 1e4, 1e6, 4e6] {
        let plan = Plan::searches(Rate::Total(rate));
        let schedule =
            Schedule::new(&plan, &questions, &world.placement, Stream::Workload.rng(3)).unwrap();
        let last = schedule.take(40_000).last().unwrap();
        let measured = 40_000.0 / (last.at.as_us() as f64 / 1e6);
        assert!((measured / rate - 1.0).abs() < 0.02, "{rate} came as {measured}");
    }
}

/// The workload of a seed is part of every published number: it must come out
/// the same on every machine and in every version.
#[test]
fn the_workload_of_seed_one_never_changes() {
    let world = World::new(1_000);
    let questions = world.questions();
    let plan = Plan { mix: EVERYTHING, ..Plan::searches(Rate::PerPeer(0.01)) };
    let rng = Stream::Workload.rng_of(1, 1);
    let schedule = Schedule::new(&plan, &questions, &world.placement, rng).unwrap();
    let mut log = Writer::new();
    for arrival in schedule.take(2_000) {
        log.u64(arrival.at.as_us());
        log.u32(arrival.peer);
        match arrival.operation {
            Operation::Search(question) => question.query.encode(&mut log),
            Operation::Insert(item) | Operation::Delete(item) => log.u32(item),
            Operation::Join => log.u8(1),
            Operation::Leave => log.u8(2),
        }
    }
    assert_eq!(Key::hash(log.as_bytes()).prefix64(), 0x2416_5603_5475_4409);

    let churn = Churn::parse("weibull:0.5,1h/lognormal:1.2,1h/50%").unwrap();
    let mut log = Writer::new();
    for (at, turn) in churn.presence(Time::ZERO, Stream::Churn.rng_of(1, 0)).take(2_000) {
        log.u64(at.as_us());
        log.u8(turn as u8);
    }
    assert_eq!(Key::hash(log.as_bytes()).prefix64(), 0x8a68_dcf5_281c_8262);
}

#[test]
fn gaps_are_exponential() {
    let world = World::new(10);
    let questions = world.questions();
    let plan = Plan::searches(Rate::Total(1.0));
    let schedule =
        Schedule::new(&plan, &questions, &world.placement, Stream::Workload.rng(4)).unwrap();
    let times: Vec<u64> = schedule.take(40_001).map(|a| a.at.as_us()).collect();
    let gaps: Vec<f64> = times.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
    for x in [0.1, 0.5, 1.0, 2.0, 4.0_f64] {
        let longer = gaps.iter().filter(|g| **g > x).count() as f64 / gaps.len() as f64;
        assert!((longer - (-x).exp()).abs() < 0.01, "{x}: {longer}");
    }
}

#[test]
fn what_cannot_be_scheduled_is_refused() {
    let world = World::new(10);
    let questions = world.questions();
    let good = Plan::searches(Rate::Total(1.0));
    let none = OperationMix { search: 0.0, ..OperationMix::SEARCHES };
    let negative = OperationMix { leave: -1.0, ..OperationMix::SEARCHES };
    for (plan, part) in [
        (Plan { rate: Rate::Total(0.0), ..good }, "0 operations per second"),
        (Plan { rate: Rate::PerPeer(f64::NAN), ..good }, "NaN operations per second"),
        (Plan { rate: Rate::PerPeer(1e9), ..good }, "at most 1000000000"),
        (Plan { mix: none, ..good }, "not all zero"),
        (Plan { mix: negative, ..good }, "not negative"),
    ] {
        let rng = Stream::Workload.rng(1);
        let error = Schedule::new(&plan, &questions, &world.placement, rng).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let other = Popularity::new(7, 0.8, &mut Stream::Workload.rng(1));
    let config = PlacementConfig::default();
    let placement = Placement::draw(&other, 10, &config, &mut Stream::Peers.rng(1)).unwrap();
    let error = Schedule::new(&good, &questions, &placement, Stream::Workload.rng(1)).unwrap_err();
    assert_eq!(error, "7 items are placed but 300 can be asked for");
    assert!(Periodic::new(Span::ZERO).is_err());
}

#[test]
fn phases_fill_the_period_evenly() {
    let periodic = Periodic::new(Span::from_s(10)).unwrap();
    let start = Time::from_us(7);
    let mut rng = Stream::Workload.rng(5);
    let mut by_second = [0_u32; 10];
    for _ in 0..20_000 {
        let phase = periodic.first(start, &mut rng).since(start);
        by_second[(phase.as_us() / 1_000_000) as usize] += 1;
    }
    assert!(by_second.iter().all(|n| (1_800..2_200).contains(n)), "{by_second:?}");
    assert_eq!(periodic.after(start), Time::from_us(10_000_007));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn times_rise_within_the_plan_and_the_seed_decides(
        seed: u64,
        rate in 0.5..500.0,
        start in 0_u64..10_000_000,
        length in 0_u64..10_000_000,
    ) {
        let world = World::new(20);
        let questions = world.questions();
        let (start, end) = (Time::from_us(start), Time::from_us(start + length));
        let plan = Plan { rate: Rate::Total(rate), mix: EVERYTHING, start, end };
        let arrivals = || {
            let rng = Stream::Workload.rng(seed);
            Schedule::new(&plan, &questions, &world.placement, rng).unwrap().collect::<Vec<_>>()
        };
        let run = arrivals();
        prop_assert!(run.iter().all(|a| a.at >= start && a.at < end && a.peer < 20));
        prop_assert!(run.is_sorted_by_key(|a| a.at));
        let expected = rate * length as f64 / 1e6;
        prop_assert!((run.len() as f64 - expected).abs() <= 6.0 * expected.sqrt() + 6.0);
        prop_assert_eq!(run, arrivals());
    }
}
