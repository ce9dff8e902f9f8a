//! What `overlab seed` and `overlab get` have in common.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ::transfer::Magnet;
use ::transfer::metainfo::{Limits, Metainfo};
use ::transfer::mse::Encryption;
use ::transfer::session::{PieceOrder, SessionConfig};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use transfer_host::store::Allocation;
use transfer_host::{
    AddTorrent, Checking, Client, Event, Origin, Phase, Place, Selection, Settings, Status,
    TorrentHandle,
};

use super::args::{Common, EncryptionChoice, Transfer};
use super::error::CliError;
use super::{output, scenario, sizes};
use crate::report::figures;

/// What ends a command of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// All that is wanted is written.
    Get,
    /// Others have it.
    Seed,
}

/// What the two commands ask for in different ways.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What ends it.
    pub goal: Goal,
    /// How it is found out what is there.
    pub checking: Checking,
    /// Which files.
    pub selection: Selection,
    /// In order.
    pub sequential: bool,
    /// Take all room at once.
    pub preallocate: bool,
}

/// How often the bar is drawn, and interruptions are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Between two events of progress.
const PROGRESS: Duration = Duration::from_millis(200);
/// The most bytes of a .torrent file.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Runs a transfer to its end.
///
/// # Errors
/// When an argument is wrong, the transfer fails, or the user interrupts.
pub fn run(
    args: &Transfer,
    wish: &Wish,
    common: &Common,
    interrupted: &Arc<AtomicBool>,
) -> Result<(), CliError> {
    let started = Instant::now();
    if let Some(path) = &common.json {
        output::check_writable(path)?;
    }
    let settings = settings(args, common)?;
    let add = add_torrent(args, wish)?;
    let ends = Ends::of(args, wish)?;
    let mut journal = Journal::open(common, wish.goal, started)?;
    let client = Client::start(settings).map_err(CliError::failed)?;
    journal.write(json!({
        "event": "start",
        "schema": "overlab/1",
        "kind": wish.goal.name(),
        "version": env!("CARGO_PKG_VERSION"),
        "info_hash": add.origin.info_hash().to_string(),
    }))?;
    let listen: Vec<String> = client.listen_addrs().iter().map(ToString::to_string).collect();
    tracing::info!("accepting connections on {}", listen.join(", "));
    let (handle, events) = client.add_listening(add).map_err(CliError::failed)?;
    let mut run = Run {
        goal: wish.goal,
        ends,
        handle,
        journal,
        listen,
        bar: Bar::new(common),
        common,
        started,
        finished: None,
        next_progress: started + PROGRESS,
    };
    let outcome = run.watch(&events, interrupted);
    run.bar.finish();
    let status = run.handle.status();
    client.stop();
    run.summary(status.as_ref(), outcome.is_ok())?;
    outcome
}

impl Goal {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Seed => "seed",
        }
    }
}

/// When a transfer ends of itself.
struct Ends {
    when_done: bool,
    ratio: Option<f64>,
    time: Option<Duration>,
}

impl Ends {
    fn of(args: &Transfer, wish: &Wish) -> Result<Self, CliError> {
        let time = match &args.seed_time {
            Some(text) => {
                let span = scenario::span("--seed-time", text)?;
                Some(Duration::from_micros(span.as_us()))
            }
            None => None,
        };
        let ratio = match args.seed_ratio {
            Some(ratio) if !(ratio.is_finite() && ratio > 0.0) => {
                return Err(CliError::usage("--seed-ratio: a number above 0, such as 1.5"));
            }
            None if wish.goal == Goal::Seed && args.exit_when_done => Some(1.0),
            ratio => ratio,
        };
        Ok(Self { when_done: args.exit_when_done, ratio, time })
    }
}

/// A transfer that is watched.
struct Run<'a> {
    goal: Goal,
    ends: Ends,
    handle: TorrentHandle,
    journal: Journal,
    listen: Vec<String>,
    bar: Bar,
    common: &'a Common,
    started: Instant,
    /// When all that is wanted was there.
    finished: Option<Instant>,
    next_progress: Instant,
}

impl Run<'_> {
    fn watch(
        &mut self,
        events: &Receiver<Event>,
        interrupted: &AtomicBool,
    ) -> Result<(), CliError> {
        loop {
            match events.recv_timeout(TICK) {
                Ok(event) => {
                    if self.happened(&event)? {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(CliError::failed("the event loop has ended"));
                }
            }
            if interrupted.load(Ordering::Relaxed) {
                return Err(CliError::interrupted());
            }
            if self.tick()? {
                return Ok(());
            }
        }
    }

    /// Shows an event. Returns whether the goal is reached.
    fn happened(&mut self, event: &Event) -> Result<bool, CliError> {
        self.journal.write(event_json(event))?;
        match event {
            Event::Warning(text) => tracing::warn!("{text}"),
            Event::Banned(peer) => tracing::warn!("banned {peer}"),
            Event::Failed(text) => return Err(CliError::failed(text)),
            Event::Checked { have, pieces, .. } if self.goal == Goal::Seed && have < pieces => {
                return Err(CliError::failed(format!(
                    "{have} of {pieces} pieces are there, and only what is whole can be seeded; \
                     `overlab get` fetches the rest"
                )));
            }
            Event::Checked { .. } => self.listening()?,
            Event::Finished => {
                self.finished.get_or_insert_with(Instant::now);
                return Ok(self.goal == Goal::Get && self.ends.when_done);
            }
            _ => {}
        }
        Ok(false)
    }

    /// Says that peers are taken, and what is there.
    fn listening(&mut self) -> Result<(), CliError> {
        let progress = self.handle.status().map(|status| status.progress).unwrap_or_default();
        let listen = &self.listen;
        self.journal.write(json!({
            "event": "listening",
            "addresses": listen,
            "pieces": progress.pieces,
            "have": progress.have,
            "have_bytes": progress.have_bytes,
        }))
    }

    /// Draws the bar. Returns whether the goal is reached.
    fn tick(&mut self) -> Result<bool, CliError> {
        let now = Instant::now();
        let must_tell = now >= self.next_progress;
        let may_end =
            self.finished.is_some() && (self.ends.ratio.is_some() || self.ends.time.is_some());
        if !must_tell && !self.bar.is_shown() && !may_end {
            return Ok(false);
        }
        let Some(status) = self.handle.status() else { return Ok(false) };
        if must_tell {
            self.next_progress = now + PROGRESS;
            self.journal.write(progress_json(&status))?;
        }
        self.bar.show(&status);
        let Some(finished) = self.finished else { return Ok(false) };
        if self.ends.time.is_some_and(|time| finished.elapsed() >= time) {
            return Ok(true);
        }
        let total = status.progress.have_bytes as f64;
        let is_paid = self.ends.ratio.is_some_and(|r| status.traffic.uploaded as f64 >= r * total);
        let pieces = status.progress.pieces;
        let is_needed = status.peers.iter().any(|peer| peer.have < pieces);
        Ok(is_paid && !is_needed)
    }

    fn summary(&mut self, status: Option<&Status>, is_ok: bool) -> Result<(), CliError> {
        let Some(status) = status else { return Ok(()) };
        let elapsed = self.finished.filter(|_| self.goal == Goal::Get).map_or_else(
            || self.started.elapsed(),
            |finished| finished.duration_since(self.started),
        );
        let (progress, traffic) = (&status.progress, &status.traffic);
        let is_complete = self.finished.is_some();
        self.journal.write(json!({
            "event": "summary",
            "name": status.name,
            "complete": is_complete,
            "pieces": progress.pieces,
            "have": progress.have,
            "stored_bytes": progress.have_bytes,
            "missing_bytes": progress.missing_bytes,
            "downloaded_bytes": traffic.downloaded,
            "uploaded_bytes": traffic.uploaded,
            "duplicate_bytes": traffic.duplicate,
            "bad_bytes": traffic.bad,
            "elapsed_s": elapsed.as_secs_f64(),
        }))?;
        if self.journal.is_stdout() || self.common.quiet {
            return Ok(());
        }
        let seconds = elapsed.as_secs_f64().max(1e-6);
        let state = match (is_ok, is_complete) {
            (_, true) => "complete".to_string(),
            (_, false) => format!("{} of {} pieces", progress.have, progress.pieces),
        };
        output::print(&format!(
            "{}: {state}, {} received in {} ({}/s), {} sent",
            status.name,
            figures::bytes(traffic.downloaded as f64),
            figures::time_ms(seconds * 1e3),
            figures::bytes(traffic.downloaded as f64 / seconds),
            figures::bytes(traffic.uploaded as f64),
        ))
    }
}

fn settings(args: &Transfer, common: &Common) -> Result<Settings, CliError> {
    let mut settings = Settings { seed: common.seed, ..Settings::default() };
    if !args.listen.is_empty() {
        settings.listen.clear();
        for text in &args.listen {
            settings.listen.extend(listen_addrs(text)?);
        }
    }
    settings.encryption = match args.encryption {
        EncryptionChoice::Off => Encryption::Off,
        EncryptionChoice::Allowed => Encryption::Allowed,
        EncryptionChoice::Preferred => Encryption::Preferred,
        EncryptionChoice::Required => Encryption::Required,
    };
    if let Some(text) = &args.max_download {
        settings.max_download = Some(sizes::rate("--max-download", text)?);
    }
    if let Some(text) = &args.max_upload {
        settings.max_upload = Some(sizes::rate("--max-upload", text)?);
    }
    Ok(settings)
}

/// An address, or a port of all addresses, or `none`.
fn listen_addrs(text: &str) -> Result<Vec<SocketAddr>, CliError> {
    if text == "none" {
        return Ok(Vec::new());
    }
    if let Ok(port) = text.parse::<u16>() {
        return Ok(vec![([0, 0, 0, 0], port).into(), ([0_u16; 8], port).into()]);
    }
    let addrs = text.to_socket_addrs().map_err(|error| {
        CliError::usage(format!("--listen {text}: {error}; such as 127.0.0.1:6881, 6881 or none"))
    })?;
    Ok(addrs.collect())
}

fn add_torrent(args: &Transfer, wish: &Wish) -> Result<AddTorrent, CliError> {
    let (origin, mut peers, web_seeds) = origin(&args.torrent)?;
    for text in &args.peers {
        let addrs = text.to_socket_addrs().map_err(|error| {
            CliError::usage(format!("--peer {text}: {error}; such as 192.0.2.1:6881"))
        })?;
        peers.extend(addrs);
    }
    let mut add = AddTorrent::new(origin, Place::Folder(args.dir.clone()));
    add.peers = peers;
    add.web_seeds = web_seeds;
    add.checking = wish.checking;
    add.selection = wish.selection.clone();
    if wish.preallocate {
        add.allocation = Allocation::Full;
    }
    let order = if wish.sequential { PieceOrder::Sequential } else { PieceOrder::default() };
    add.session = SessionConfig { order, ..SessionConfig::default() };
    Ok(add)
}

/// A magnet link, or a file; and the peers and web seeds that a link names.
fn origin(text: &str) -> Result<(Origin, Vec<SocketAddr>, Vec<String>), CliError> {
    if text.starts_with("magnet:") {
        let magnet: Magnet =
            text.parse().map_err(|error| CliError::usage(format!("{text}: {error}")))?;
        let named = magnet.peers.iter();
        let peers = named.filter_map(|peer| (peer.host(), peer.port()).to_socket_addrs().ok());
        let peers = peers.flatten().collect();
        let origin = Origin::Magnet { info_hash: magnet.info_hash, trackers: magnet.trackers };
        return Ok((origin, peers, magnet.web_seeds));
    }
    let path = Path::new(text);
    let cannot =
        |error: &dyn std::fmt::Display| CliError::usage(format!("{}: {error}", path.display()));
    let len = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if len > MAX_FILE_BYTES {
        return Err(cannot(&"longer than 64 MiB, which is no .torrent file"));
    }
    let bytes = std::fs::read(path).map_err(|error| cannot(&error))?;
    let metainfo = Metainfo::decode(&bytes, &Limits::DEFAULT).map_err(|error| cannot(&error))?;
    Ok((Origin::Metainfo(Arc::new(metainfo)), Vec::new(), Vec::new()))
}

fn event_json(event: &Event) -> Value {
    match event {
        Event::Metadata { name } => json!({ "event": "metadata", "name": name }),
        Event::Checked { have, pieces, resumed } => {
            json!({ "event": "checked", "have": have, "pieces": pieces, "resumed": resumed })
        }
        Event::FirstPayload => json!({ "event": "first_payload" }),
        Event::Finished => json!({ "event": "finished" }),
        Event::Banned(peer) => json!({ "event": "banned", "address": peer }),
        Event::Announced { url, peers } => {
            json!({ "event": "announced", "url": url, "peers": peers })
        }
        Event::Warning(text) => json!({ "event": "warning", "message": text }),
        Event::Failed(text) => json!({ "event": "failed", "message": text }),
    }
}

fn progress_json(status: &Status) -> Value {
    json!({
        "event": "progress",
        "phase": phase_name(status.phase),
        "pieces": status.progress.pieces,
        "have": status.progress.have,
        "stored_bytes": status.progress.have_bytes,
        "missing_bytes": status.progress.missing_bytes,
        "downloaded_bytes": status.traffic.downloaded,
        "uploaded_bytes": status.traffic.uploaded,
        "duplicate_bytes": status.traffic.duplicate,
        "download_bytes_s": status.traffic.download_rate,
        "upload_bytes_s": status.traffic.upload_rate,
        "peers": status.progress.links,
        "seeds": status.progress.seeds,
        "availability": status.availability.copies,
    })
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Metadata => "metadata",
        Phase::Checking => "checking",
        Phase::Downloading => "downloading",
        Phase::Seeding => "seeding",
        Phase::Paused => "paused",
        Phase::Stopped => "stopped",
    }
}

/// Where events are written as JSON lines.
struct Journal {
    out: Option<Box<dyn Write>>,
    to_stdout: bool,
    started: Instant,
}

impl Journal {
    fn open(common: &Common, _goal: Goal, started: Instant) -> Result<Self, CliError> {
        let to_stdout = common.json.as_deref() == Some(Path::new("-"));
        let out: Option<Box<dyn Write>> = match &common.json {
            None => None,
            Some(_) if to_stdout => Some(Box::new(std::io::stdout())),
            Some(path) => {
                let file = std::fs::File::create(path)
                    .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
                Some(Box::new(file))
            }
        };
        Ok(Self { out, to_stdout, started })
    }

    fn is_stdout(&self) -> bool {
        self.to_stdout
    }

    /// Writes a line, with the seconds since the start. A reader that has gone
    /// away is no error.
    fn write(&mut self, mut event: Value) -> Result<(), CliError> {
        let Some(out) = &mut self.out else { return Ok(()) };
        if let Value::Object(fields) = &mut event {
            fields.insert("time_s".into(), json!(self.started.elapsed().as_secs_f64()));
        }
        match writeln!(out, "{event}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                self.out = None;
                Ok(())
            }
            other => other.map_err(|error| CliError::failed(format!("writing events: {error}"))),
        }
    }
}

/// Cells of the map of pieces.
const MAP_CELLS: u32 = 24;

/// The bar on a terminal.
struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new(common: &Common) -> Self {
        use std::io::IsTerminal;
        let is_shown = std::io::stderr().is_terminal() && !common.quiet;
        let target =
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{prefix:.bold} [{bar:24}] {percent:>3}% {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
        Self { bar: ProgressBar::with_draw_target(Some(1), target).with_style(style) }
    }

    fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    fn show(&self, status: &Status) {
        if !self.is_shown() {
            return;
        }
        let (progress, traffic) = (&status.progress, &status.traffic);
        self.bar.set_prefix(status.name.chars().take(24).collect::<String>());
        self.bar.set_length((progress.have_bytes + progress.missing_bytes).max(1));
        self.bar.set_position(progress.have_bytes);
        let left = match (progress.missing_bytes, traffic.download_rate) {
            (0, _) => phase_name(status.phase).to_string(),
            (_, 0) => phase_name(status.phase).to_string(),
            (missing, rate) => {
                format!("{} left", figures::time_ms(missing as f64 / rate as f64 * 1e3))
            }
        };
        self.bar.set_message(format!(
            "↓{}/s ↑{}/s {left} · {} peers, {} seeds · {:.1} copies │{}│",
            figures::bytes(traffic.download_rate as f64),
            figures::bytes(traffic.upload_rate as f64),
            progress.links,
            progress.seeds,
            status.availability.copies,
            piece_map(status),
        ));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The pieces from first to last: the fuller a cell, the more of its are there.
fn piece_map(status: &Status) -> String {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let pieces = status.have.len();
    let cells = MAP_CELLS.min(pieces);
    (0..cells)
        .map(|cell| {
            let from = (u64::from(pieces) * u64::from(cell) / u64::from(cells)) as u32;
            let to = (u64::from(pieces) * u64::from(cell + 1) / u64::from(cells)) as u32;
            let there = (from..to).filter(|piece| status.have.contains(*piece)).count();
            SHADES[there * (SHADES.len() - 1) / (to - from).max(1) as usize]
        })
        .collect()
}
