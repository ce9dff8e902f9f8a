//! Deaths that nobody announces, and how soon they are noticed.

use rand::RngExt;

use super::bench::Bench;
use crate::can::Config;
use crate::{Key, Outcome, Span};

const NODES: u32 = 150;

/// The share of lookups that end at a live owner while one node in `NODES`
/// crashes every 24 s, as when each stays for an hour, and another joins.
fn located_under_churn(config: Config, minutes: u32) -> f64 {
    let (mut bench, _) = Bench::settled(config, NODES, &[]);
    let (mut right, mut asked) = (0, 0);
    for (newcomer, turn) in (NODES..).zip(0..minutes * 60 / 24) {
        let live: Vec<u32> = bench.nodes.keys().map(|addr| addr.index()).collect();
        let pick = |bench: &mut Bench| live[bench.rng.random_range(0..live.len())];
        let (victim, asker) = (pick(&mut bench), pick(&mut bench));
        let via = live.iter().copied().find(|n| *n != victim && *n != newcomer - 1);
        bench.crash(victim);
        bench.enlist(newcomer);
        bench.join(newcomer, via.unwrap());
        bench.run(24);
        if bench.nodes.contains_key(&Bench::addr(asker)) {
            asked += 1;
            let owner = bench.locate(asker, Key::hash(&turn.to_be_bytes()));
            right += u32::from(matches!(owner, Some(Outcome::Located(_))));
        }
    }
    f64::from(right) / f64::from(asked)
}

#[test]
fn lookups_arrive_under_ordinary_churn() {
    let located = located_under_churn(Config::default(), 60);
    assert!(located > 0.95, "{located}");
}

/// Where messages pass, deaths are noticed by those that they do not reach, and
/// not only when updates fail to come.
#[test]
fn slow_updates_do_not_stop_lookups() {
    let config = Config { update: Span::from_s(600), ..Config::default() };
    let located = located_under_churn(config, 120);
    assert!(located > 0.9, "{located}");
}

#[test]
fn a_neighbour_that_does_not_answer_is_taken_over_long_before_its_updates_are_due() {
    let config = Config { update: Span::from_s(3600), ..Config::default() };
    let (mut bench, blueprint) = Bench::settled(config, 64, &[]);
    let key = Key::hash(b"in the dead zone");
    let owner = blueprint.owner(key).unwrap();
    bench.crash(owner.index());
    let asker = if owner.index() == 0 { 1 } else { 0 };
    match bench.locate(asker, key) {
        Some(Outcome::Located(heir)) => assert_ne!(heir, owner),
        other => panic!("{other:?}"),
    }
    assert!(bench.now.as_us() < 120_000_000, "found after {}", bench.now.as_us());
}
