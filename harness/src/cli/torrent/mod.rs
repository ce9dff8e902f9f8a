//! `overlab torrent`: torrents made, shown and checked.

mod create;
mod show;
mod verify;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use transfer::Metainfo;
use transfer::bencode::KeyOrder;
use transfer::metainfo::{Limits, MetainfoFault};
use transfer_host::Watch;

use super::args::Common;
use super::error::CliError;
use super::output;
use super::progress::Bars;
use crate::document::SCHEMA;
use crate::report::{self, figures};

/// Arguments of `torrent`.
#[derive(Args, Debug)]
pub struct Torrent {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a torrent of a file or a folder
    Create(create::Create),
    /// Show what a torrent says
    Show(show::Show),
    /// Check files against a torrent: exit code 1 if data is missing or bad
    Verify(verify::Verify),
}

/// The torrent that a command reads.
#[derive(Args, Debug)]
struct Input {
    /// The .torrent file
    file: PathBuf,
    /// Read torrents whose keys are out of order too, as some programs write them
    #[arg(long)]
    any_order: bool,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or written, or is no torrent; when data is
/// missing or bad.
pub fn run(args: &Torrent, common: &Common, interrupted: &AtomicBool) -> Result<(), CliError> {
    match &args.command {
        Command::Create(args) => create::run(args, common, interrupted),
        Command::Show(args) => show::run(args, common),
        Command::Verify(args) => verify::run(args, common, interrupted),
    }
}

impl Input {
    /// Reads the torrent.
    fn read(&self) -> Result<Metainfo, CliError> {
        let name = self.file.display();
        let key_order = if self.any_order { KeyOrder::Any } else { KeyOrder::Sorted };
        let limits = Limits { key_order, ..Limits::DEFAULT };
        let bytes = read_at_most(&self.file, limits.size + 1)
            .map_err(|error| CliError::usage(format!("{name}: {error}; name a .torrent file")))?;
        Metainfo::decode(&bytes, &limits).map_err(|error| {
            let advice = match &error.fault {
                MetainfoFault::Bencode(error) if error.fault == transfer::bencode::Fault::Order => {
                    "--any-order reads it all the same"
                }
                MetainfoFault::Bencode(_) => "is it a .torrent file, and whole?",
                _ => "whoever made the torrent must make it anew",
            };
            CliError::usage(format!("{name}: {error}; {advice}"))
        })
    }
}

fn read_at_most(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Runs `work` under a bar with its rate.
fn watched<T>(
    what: &str,
    common: &Common,
    cancelled: &AtomicBool,
    work: impl FnOnce(&mut Watch<'_>) -> T,
) -> T {
    let bars = Bars::new(&[what], common);
    let start = Instant::now();
    let mut progress = |done: u64, total: u64| {
        let rate = done as f64 / start.elapsed().as_secs_f64();
        bars.set(0, done as f64 / total as f64, &format!("{}/s", figures::bytes(rate)));
    };
    let outcome = work(&mut Watch { cancelled, progress: &mut progress });
    bars.finish();
    outcome
}

/// What a torrent says, as JSON.
fn document(torrent: &Metainfo) -> Value {
    let info = &torrent.info;
    let layout = info.layout();
    let files: Vec<Value> = layout
        .files()
        .iter()
        .map(|file| json!({ "path": file.path.as_str(), "size_bytes": file.len, "padding": file.padding }))
        .collect();
    json!({
        "schema": SCHEMA,
        "kind": "torrent",
        "version": env!("CARGO_PKG_VERSION"),
        "command": output::command_line(),
        "name": info.name(),
        "info_hash": info.info_hash().to_string(),
        "magnet": show::magnet(torrent).to_string(),
        "size_bytes": layout.total_len(),
        "piece_length_bytes": layout.piece_len(),
        "pieces": layout.pieces(),
        "single_file": info.is_single_file(),
        "private": info.is_private(),
        "source": info.source(),
        "trackers": torrent.trackers,
        "web_seeds": torrent.web_seeds,
        "nodes": torrent.nodes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "created_by": torrent.created_by,
        "creation_date_s": torrent.creation_date_s,
        "comment": torrent.comment,
        "files": files,
    })
}

/// Shows a result: `text` for people, or the JSON alone with `--json -`.
fn present(text: &str, document: &Value, common: &Common) -> Result<(), CliError> {
    let mut json = format!("{document:#}");
    json.push('\n');
    match &common.json {
        Some(path) if path == Path::new("-") => output::print(&json),
        Some(path) => {
            output::print(text)?;
            report::write(path, json).map_err(CliError::failed)
        }
        None => output::print(text),
    }
}

/// A text from a stranger, made harmless for a terminal: control characters and
/// those that turn the direction of writing are shown by their numbers.
fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_harmful(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn texts_of_strangers_do_not_steer_the_terminal() {
        assert_eq!(harmless("naïve 中文 a-b"), "naïve 中文 a-b");
        assert_eq!(
            harmless("\x1b[2J\n\u{9b}x\u{202e}gpj.exe"),
            "\\u{1b}[2J\\n\\u{9b}x\\u{202e}gpj.exe"
        );
    }
}
