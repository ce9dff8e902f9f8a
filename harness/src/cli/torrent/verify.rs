//! `overlab torrent verify`.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::{Value, json};
use transfer::Metainfo;
use transfer_host::{Verified, VerifyError};

use super::super::args::Common;
use super::super::error::CliError;
use super::{Input, document, harmless, present, watched};

/// Arguments of `torrent verify`.
#[derive(Args, Debug)]
pub struct Verify {
    #[command(flatten)]
    input: Input,
    /// The folder that holds the torrent's file or folder
    #[arg(short, long, env = "OVERLAB_DIR", default_value = ".", value_name = "DIR")]
    dir: PathBuf,
}

/// Checks files against a torrent.
///
/// # Errors
/// When the file is no torrent, data is missing, bad or cannot be read, or the
/// user interrupts.
pub fn run(args: &Verify, common: &Common, interrupted: &AtomicBool) -> Result<(), CliError> {
    let torrent = args.input.read()?;
    if !args.dir.is_dir() {
        return Err(CliError::usage(format!("--dir: {}: no such folder", args.dir.display())));
    }
    let checked = watched("verify", common, interrupted, |watch| {
        transfer_host::verify(&torrent.info, &args.dir, watch)
    });
    let verified = checked.map_err(|error| match error {
        VerifyError::Cancelled => CliError::interrupted(),
        VerifyError::Io { .. } => CliError::failed(error),
    })?;
    let mut document = document(&torrent);
    document["verified"] = summary(&torrent, &verified);
    let pieces = verified.good.len();
    let good = verified.good.count();
    let mut text = format!(
        "{}: {good} of {pieces} pieces are good, {} bad, {} missing\n",
        harmless(torrent.info.name()),
        verified.bad,
        verified.missing
    );
    for (path, has, of) in files(&torrent, &verified).filter(|(_, has, of)| has < of) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {}  {has} of {of} pieces", harmless(path));
    }
    present(&text, &document, common)?;
    match good == pieces {
        true => Ok(()),
        false => Err(CliError::failed(format!(
            "{}: {} of {pieces} pieces are missing or bad; download them again, or name another \
             folder with --dir",
            args.dir.display(),
            pieces - good
        ))),
    }
}

/// Each file with bytes, the good ones of its pieces, and all of them.
fn files<'a>(
    torrent: &'a Metainfo,
    verified: &'a Verified,
) -> impl Iterator<Item = (&'a str, usize, usize)> {
    let layout = torrent.info.layout();
    let files = layout.files().iter().enumerate().filter(|(_, file)| !file.padding && file.len > 0);
    files.map(|(i, file)| {
        let pieces = layout.pieces_of(i);
        let good = pieces.clone().filter(|piece| verified.good.contains(*piece)).count();
        (file.path.as_str(), good, pieces.len())
    })
}

fn summary(torrent: &Metainfo, verified: &Verified) -> Value {
    let layout = torrent.info.layout();
    let good_bytes: u64 =
        verified.good.iter().map(|piece| u64::from(layout.piece_size(piece))).sum();
    let incomplete: Vec<Value> = files(torrent, verified)
        .filter(|(_, has, of)| has < of)
        .map(|(path, has, of)| json!({ "path": path, "good_pieces": has, "pieces": of }))
        .collect();
    json!({
        "good_pieces": verified.good.count(),
        "bad_pieces": verified.bad,
        "missing_pieces": verified.missing,
        "good_bytes": good_bytes,
        "incomplete_files": incomplete,
    })
}
