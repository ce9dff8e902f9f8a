//! `overlab seed`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::args::{Common, Seed};
use super::error::CliError;
use super::transfer::{self, Goal, Wish};
use transfer_host::{Checking, Selection};

/// Seeds a torrent until the goal is reached or the user interrupts.
///
/// # Errors
/// When the torrent cannot be read or is not all there.
pub fn run(args: &Seed, common: &Common, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    let wish = Wish {
        goal: Goal::Seed,
        checking: if args.no_verify { Checking::TrustAll } else { Checking::Auto },
        selection: Selection::All,
        sequential: false,
        preallocate: false,
    };
    transfer::run(&args.transfer, &wish, common, interrupted)
}
