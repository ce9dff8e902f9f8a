//! `overlab get`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::args::{Common, Get};
use super::error::CliError;
use super::transfer::{self, Goal, Wish};
use transfer_host::{Checking, Selection};

/// Downloads a torrent, then seeds it until the goal is reached or the user
/// interrupts.
///
/// # Errors
/// When the torrent cannot be read, or the download cannot go on.
pub fn run(args: &Get, common: &Common, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    let wish = Wish {
        goal: Goal::Get,
        checking: if args.recheck { Checking::Always } else { Checking::Auto },
        selection: match args.select.as_slice() {
            [] => Selection::All,
            patterns => Selection::Matching(patterns.to_vec()),
        },
        sequential: args.sequential,
        preallocate: args.preallocate,
    };
    transfer::run(&args.transfer, &wish, common, interrupted)
}
