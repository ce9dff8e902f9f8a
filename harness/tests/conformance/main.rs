//! Every registered overlay keeps the laws.

mod faulty;

use harness::registry;

/// The seeds of the test; `overlab check` takes any.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

#[test]
fn every_overlay_keeps_the_laws() {
    let reports: Vec<_> = std::thread::scope(|scope| {
        let trials: Vec<_> = registry::all()
            .iter()
            .map(|entry| {
                scope.spawn(move || (entry.about().name, entry.laws(&[], &SEEDS).unwrap()))
            })
            .collect();
        trials.into_iter().map(|trial| trial.join().unwrap()).collect()
    });
    assert!(!reports.is_empty());
    let mut broken = 0;
    for (overlay, reports) in &reports {
        for report in reports {
            println!("{overlay:<12}{report}");
            broken += usize::from(report.is_broken());
        }
    }
    assert_eq!(broken, 0, "laws were broken, see above");
}
