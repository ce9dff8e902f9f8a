//! Swarm questions: why rarest first, why tit for tat, why a hash for each
//! piece, and why not endgame all along? Each is measured in a small swarm of
//! the transfer layer's own sessions.
//!
//! `cargo run --release --example swarm_questions`
//!
//! With `-- sweep` it shows instead how much the first two answers depend on
//! where one looks: on when the seed leaves, and on the seed of the run.

use harness::swarm::Swarm;
use harness::swarm::questions::{
    Duplicates, duplicates, fairness, flash_crowd, pollution, slow_seed, survival,
};
use transfer::session::{Endgame, PieceOrder, SECOND_US};

const SEED: u64 = 1;

fn main() {
    match std::env::args().nth(1).as_deref() {
        None => questions(),
        Some("sweep") => sweep(),
        Some(other) => {
            eprintln!("{other}: give nothing, or sweep");
            std::process::exit(2);
        }
    }
}

/// Least copies and lost pieces by order and by when the seed leaves, and the
/// free riders' delay, for three seeds.
fn sweep() {
    println!("Least copies (pieces lost) when the seed has sent so many copies, seeds 1, 2, 3:");
    for copies in [1.5, 2.0, 2.5, 3.0, 4.0] {
        for order in [PieceOrder::RarestFirst, PieceOrder::Random, PieceOrder::MostFrequentFirst] {
            let left = [1, 2, 3].map(|seed| {
                let left = survival(order, copies, seed);
                format!("{} ({})", left.least_copies, left.lost)
            });
            println!("{copies:<6}{:<22}{}", format!("{order:?}"), left.join("   "));
        }
    }
    println!("\nFree riders, of 40 leechers 10:");
    for seed in 1..=5 {
        let fair = fairness(seed);
        let slower = fair.free_riders_s / fair.contributors_s;
        println!("seed {seed}: {slower:.2} times as long as contributors");
    }
}

fn questions() {
    println!("seed {SEED}\n\nThe seed leaves after sending 2.5 copies to 40 leechers:");
    println!("{:<22}{:>13}{:>13}{:>18}", "order", "least copies", "pieces lost", "leechers served");
    for order in [PieceOrder::RarestFirst, PieceOrder::Random, PieceOrder::MostFrequentFirst] {
        let left = survival(order, 2.5, SEED);
        let name = format!("{order:?}");
        println!("{name:<22}{:>13}{:>13}{:>18}", left.least_copies, left.lost, left.finished);
    }

    let fairness = fairness(SEED);
    println!("\nEvery two seconds a leecher comes, and every fourth sends nothing:");
    println!(
        "contributors need {:.0} s, free riders {:.0} s",
        fairness.contributors_s, fairness.free_riders_s
    );

    println!("\nTwo of three who begin with everything corrupt every tenth block:");
    println!(
        "{:<22}{:>13}{:>13}{:>18}{:>9}",
        "", "nodes bad", "pieces bad", "received in vain", "mean"
    );
    for (name, verify) in [("hashes checked", true), ("not checked", false)] {
        let bad = pollution(verify, SEED);
        println!(
            "{name:<22}{:>10}/40{:>11.1} %{:>16.1} %{:>7.0} s",
            bad.polluted_nodes, bad.polluted_percent, bad.bad_percent, bad.mean_s
        );
    }

    let modes = [Endgame::Off, Endgame::WhenAllRequested, Endgame::Always];
    table("30 leechers, every third slow:", modes, |mode| duplicates(mode, SEED));
    table("A seed of 8 MB/s and one of 40 kB/s, 32 MiB:", modes, |mode| slow_seed(mode, SEED));

    let crowd = Swarm::new(flash_crowd(SEED)).run(3_600 * SECOND_US);
    println!("\nA flash crowd of 200: {} of 201 have everything,", crowd.finished());
    println!(
        "after {:.0} s in the mean, trace {}",
        crowd.mean_finish_s(1..201),
        crowd.trace.to_hex()
    );
}

fn table(title: &str, modes: [Endgame; 3], of: impl Fn(Endgame) -> Duplicates) {
    println!("\n{title}\n{:<22}{:>13}{:>13}{:>13}", "endgame", "duplicates", "mean", "last");
    for mode in modes {
        let of = of(mode);
        let (mean, last) = (of.mean_s, of.last_s);
        let name = format!("{mode:?}");
        println!("{name:<22}{:>11.1} %{mean:>11.1} s{last:>11.1} s", of.duplicate_percent);
    }
}
