//! `overlab torrent create`.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use transfer::{HostPort, Metainfo};
use transfer_host::{CreateError, CreateOptions};

use super::super::args::Common;
use super::super::error::CliError;
use super::super::{output, sizes};
use super::{document, present, show, watched};
use crate::report;

/// Arguments of `torrent create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The file or folder
    path: PathBuf,
    /// A tracker; repeatable, each a tier of its own, to be tried before the next; those of one
    /// tier are separated by commas
    #[arg(short, long, env = "OVERLAB_ANNOUNCE", value_name = "URL")]
    announce: Vec<String>,
    /// The length of a piece, a power of two [default: by size, at most 2,048 pieces up to 16MiB]
    #[arg(short = 'l', long, env = "OVERLAB_PIECE_LENGTH", value_name = "SIZE", value_parser = size)]
    piece_length: Option<u64>,
    /// Peers may come from the trackers alone
    #[arg(short, long, env = "OVERLAB_PRIVATE")]
    private: bool,
    /// What to say of it
    #[arg(short, long, value_name = "TEXT")]
    comment: Option<String>,
    /// A URL that serves the files over HTTP or FTP; repeatable
    #[arg(short, long, value_name = "URL")]
    web_seed: Vec<String>,
    /// A node of the DHT to start from; repeatable
    #[arg(long, value_name = "HOST:PORT")]
    node: Vec<HostPort>,
    /// A word that makes another torrent of the same files
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Leave out when and by what it was made, so that the same files make the same bytes
    #[arg(long)]
    no_date: bool,
    /// Where the torrent goes, `-` for standard output [default: NAME.torrent]
    #[arg(short, long, env = "OVERLAB_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
}

/// Makes a torrent.
///
/// # Errors
/// When an option is wrong, something cannot be read or written, or the user
/// interrupts.
pub fn run(args: &Create, common: &Common, interrupted: &AtomicBool) -> Result<(), CliError> {
    let trackers = trackers(&args.announce)?;
    for url in &args.web_seed {
        check_url("--web-seed", url, &["http://", "https://", "ftp://"])?;
    }
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    // Before all is hashed, unless the path shows its name only then, as `.`.
    let name = args.path.file_name().map(|name| format!("{}.torrent", name.to_string_lossy()));
    if let Some(path) = args.output.clone().or(name.map(PathBuf::from)) {
        check_place(&path, args.force)?;
    }
    let options = CreateOptions {
        // One that does not fit is refused below as any other.
        piece_len: args.piece_length.map(|len| u32::try_from(len).unwrap_or(u32::MAX)),
        is_private: args.private,
        source: args.source.clone(),
    };
    let made = watched("hash", common, interrupted, |watch| {
        transfer_host::create(&args.path, &options, watch)
    });
    let info = made.map_err(|error| match error {
        CreateError::Cancelled => CliError::interrupted(),
        CreateError::PieceLen(_) => CliError::usage(format!("--piece-length: {error}")),
        CreateError::Changed(_) | CreateError::Metainfo(_) => CliError::failed(error),
        _ => CliError::usage(error),
    })?;
    let place =
        args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.torrent", info.name())));
    check_place(&place, args.force)?;
    let torrent = Metainfo {
        trackers,
        web_seeds: args.web_seed.clone(),
        nodes: args.node.clone(),
        creation_date_s: if args.no_date { None } else { now_s() },
        created_by: (!args.no_date).then(|| concat!("overlab ", env!("CARGO_PKG_VERSION")).into()),
        comment: args.comment.clone(),
        ..Metainfo::new(info)
    };
    report::write(&place, torrent.encode()).map_err(CliError::failed)?;
    if to_stdout {
        return Ok(());
    }
    present(&show::head(&torrent), &document(&torrent), common)?;
    output::tell(common, &format!("torrent: {}", place.display()));
    Ok(())
}

/// A size, for clap to name the option where it is none.
fn size(text: &str) -> Result<u64, String> {
    sizes::bytes(text).ok_or_else(|| "a size is a number and a unit, such as 256KiB".into())
}

/// The tiers; the trackers of one are separated by commas.
fn trackers(announce: &[String]) -> Result<Vec<Vec<String>>, CliError> {
    let mut tiers = Vec::new();
    for tier in announce {
        let urls: Vec<String> = tier.split(',').map(|url| url.trim().to_string()).collect();
        for url in &urls {
            check_url("--announce", url, &["http://", "https://", "udp://"])?;
        }
        tiers.push(urls);
    }
    Ok(tiers)
}

fn check_url(option: &str, url: &str, schemes: &[&str]) -> Result<(), CliError> {
    let has_host =
        |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '[' || c == '_');
    let is_plain = url.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let mut rests = schemes.iter().filter_map(|scheme| url.strip_prefix(scheme));
    if is_plain && rests.any(has_host) {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "{option}: `{}` is no such URL; it begins with {} and a host",
        super::harmless(url),
        schemes.join(", ")
    )))
}

/// A torrent that is there may be the only copy.
fn check_place(path: &Path, force: bool) -> Result<(), CliError> {
    if path != Path::new("-") && path.exists() && !force {
        return Err(CliError::usage(format!(
            "{}: it is there already; --force replaces it, -o FILE names another",
            path.display()
        )));
    }
    output::check_writable(path)
}

/// Seconds since 1970, unless the clock stands before that.
fn now_s() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}
