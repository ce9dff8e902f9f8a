//! The `overlab` command.

mod args;
mod chapter;
mod check;
mod compare;
mod error;
mod explain;
mod get;
mod list;
mod live;
mod output;
mod progress;
mod scenario;
mod seed;
mod settings;
mod sim;
mod sizes;
mod torrent;
mod tracker;
mod transfer;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory, Parser};

use args::{Cli, Command, Common};
use error::CliError;

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli.common);
    if matches!(cli.command, Command::Compare(_) | Command::Sim(_)) {
        take_large_pages();
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    watch_interrupts(&interrupted);
    match run(&cli, &interrupted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("overlab: {error}"));
            error.exit_code()
        }
    }
}

/// Starts this program anew with large pages under the heap, unless its user has
/// said how memory is to be had: glibc reads that at the start of a process only.
///
/// Simulations of much state wait for the translation of addresses: full
/// replication takes a fifth less time so. Clients and trackers gain nothing,
/// and would need more memory.
fn take_large_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt as _;
        const TUNABLES: &str = "GLIBC_TUNABLES";
        if std::env::var_os(TUNABLES).is_some() {
            return;
        }
        let Ok(program) = std::env::current_exe() else { return };
        let error = std::process::Command::new(program)
            .args(std::env::args_os().skip(1))
            .env(TUNABLES, "glibc.malloc.hugetlb=1")
            .exec();
        tracing::debug!("without large pages: {error}");
    }
}

fn run(cli: &Cli, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    let common = &cli.common;
    match &cli.command {
        Command::Compare(args) => compare::run(args, common, interrupted),
        Command::Sim(args) => sim::run(args, common, interrupted),
        Command::Live(args) => live::run(args, common, interrupted),
        Command::Get(args) => get::run(args, common, interrupted),
        Command::Seed(args) => seed::run(args, common, interrupted),
        Command::Tracker(args) => tracker::run(args, common, interrupted),
        Command::Check(args) => check::run(args, common, interrupted),
        Command::Torrent(args) => torrent::run(args, common, interrupted),
        Command::List => list::run(),
        Command::Explain(args) => explain::run(&args.topic, common),
        Command::Completions { shell } => {
            // Into memory first: the generator panics where it cannot write.
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "overlab", &mut text);
            output::print(&String::from_utf8_lossy(&text))
        }
    }
}

/// Sets the flag at the first interruption; a second one ends the process.
fn watch_interrupts(interrupted: &Arc<AtomicBool>) {
    let flag = Arc::clone(interrupted);
    let set = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        output::complain("\noverlab: stopping (once more to stop at once)");
    });
    if let Err(error) = set {
        tracing::warn!("interruptions will end the run without results: {error}");
    }
}

fn start_log(common: &Common) {
    use tracing::level_filters::LevelFilter;
    let level = match (common.quiet, common.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(output::has_colour(common, &std::io::stderr()))
        .with_target(false)
        .init();
}
