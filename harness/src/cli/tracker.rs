//! `overlab tracker`.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use transfer::InfoHash;
use transfer_host::tracker::{Options, Server, Status};

use super::args::{Common, Tracker};
use super::error::CliError;
use super::output;
use super::scenario::span;

/// How often the status line and the wish to stop are looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// A peer that missed one announce is still listed: it is dropped after one
/// and a half intervals.
const fn peer_timeout_s(interval_s: u32) -> u32 {
    interval_s.saturating_add(interval_s / 2).saturating_add(1)
}

/// Serves until it is interrupted, which is its proper end.
///
/// # Errors
/// When the arguments are wrong or a socket cannot be had.
pub fn run(args: &Tracker, common: &Common, interrupted: &Arc<AtomicBool>) -> Result<(), CliError> {
    let mut events = Events::open(common.json.as_deref())?;
    let server = bind(args)?;
    let addresses = server.local_addresses().map_err(CliError::failed)?;
    tell_addresses(&addresses, common, &mut events)?;
    let (stop, watch) = (server.stop_handle(), server.watch());
    let thread = thread::spawn(move || server.run());
    let line = StatusLine::new(common);
    while !interrupted.load(Ordering::Relaxed) && !thread.is_finished() {
        thread::sleep(GLANCE);
        line.show(&watch.status());
    }
    line.clear();
    stop.stop();
    let ended = thread.join().map_err(|_| CliError::failed("the tracker's thread failed"))?;
    let status = ended.map_err(CliError::failed)?;
    events.write(&stopped(&status))?;
    output::tell(common, &format!("overlab: {}", summary(&status)));
    Ok(())
}

fn bind(args: &Tracker) -> Result<Server, CliError> {
    let mut options = Options::default();
    let config = &mut options.config;
    config.interval_s = seconds("--interval", &args.interval)?;
    config.min_interval_s = match &args.min_interval {
        Some(text) => seconds("--min-interval", text)?,
        None => config.min_interval_s.min(config.interval_s),
    };
    if config.min_interval_s > config.interval_s {
        return Err(CliError::usage("--min-interval is longer than --interval"));
    }
    config.peer_timeout_s = peer_timeout_s(config.interval_s);
    config.max_peers = args.max_peers;
    config.max_torrents = args.max_torrents;
    config.max_peers_per_address = args.max_peers_per_address;
    config.allowed = args.whitelist.as_deref().map(read_whitelist).transpose()?;
    options.trusts_addresses = args.trust_ip;
    if !args.listen.is_empty() {
        options.listen.clone_from(&args.listen);
        return Server::bind(&options).map_err(CliError::failed);
    }
    // A system without IPv6 is no reason to serve nobody.
    Server::bind(&options).or_else(|error| {
        options.listen.retain(SocketAddr::is_ipv4);
        let server = Server::bind(&options).map_err(|_| CliError::failed(&error))?;
        tracing::warn!("only IPv4 is served: {error}");
        Ok(server)
    })
}

/// A span of whole seconds, from one to a day.
fn seconds(option: &str, text: &str) -> Result<u32, CliError> {
    let seconds = span(option, text)?.as_us() / 1_000_000;
    u32::try_from(seconds).ok().filter(|seconds| (1..=86_400).contains(seconds)).ok_or_else(|| {
        CliError::usage(format!("{option} {text} is not between a second and a day"))
    })
}

/// A hash in hexadecimal per line, as opentracker has them; empty lines and
/// such with `#` are skipped.
fn read_whitelist(path: &Path) -> Result<std::collections::BTreeSet<InfoHash>, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
    let lines = text.lines().map(str::trim).enumerate();
    let hashes = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    hashes
        .map(|(number, line)| {
            info_hash(line).ok_or_else(|| {
                CliError::usage(format!(
                    "{}:{}: an info-hash has 40 hexadecimal digits",
                    path.display(),
                    number + 1
                ))
            })
        })
        .collect()
}

fn info_hash(text: &str) -> Option<InfoHash> {
    let mut hash = [0; 20];
    if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(InfoHash(hash))
}

/// An address that clients on this machine can use: the listening one, but for
/// one that stands for all.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn tell_addresses(
    addresses: &[SocketAddr],
    common: &Common,
    events: &mut Events,
) -> Result<(), CliError> {
    let urls = |scheme: &str| -> Vec<String> {
        let url = |&address| format!("{scheme}://{}/announce", reachable(address));
        addresses.iter().map(url).collect()
    };
    events.write(&json!({
        "event": "listening",
        "addresses": addresses,
        "http": urls("http"),
        "udp": urls("udp"),
    }))?;
    if !events.is_stdout() {
        for (address, (http, udp)) in addresses.iter().zip(urls("http").iter().zip(urls("udp"))) {
            output::print(&format!("listening on {address}: {http} and {udp}"))?;
        }
    }
    output::tell(common, "overlab: serving until interrupted; /metrics tells Prometheus");
    Ok(())
}

fn stopped(status: &Status) -> Value {
    let Status { figures, counters, .. } = status;
    json!({
        "event": "stopped",
        "http_announces": counters.http_announces,
        "udp_announces": counters.udp_announces,
        "http_scrapes": counters.http_scrapes,
        "udp_scrapes": counters.udp_scrapes,
        "refused": counters.refused,
        "malformed": counters.http_malformed + counters.udp_malformed,
        "torrents": figures.torrents,
        "peers": figures.peers_v4 + figures.peers_v6,
    })
}

fn summary(status: &Status) -> String {
    let Status { figures, counters, .. } = status;
    format!(
        "{} announces ({} HTTP, {} UDP), {} torrents, {} peers",
        counters.announces(),
        counters.http_announces,
        counters.udp_announces,
        figures.torrents,
        figures.peers_v4 + figures.peers_v6
    )
}

/// Where `--json` sends what happens, a line each.
enum Events {
    Nowhere,
    Stdout,
    File(File),
}

impl Events {
    fn open(path: Option<&Path>) -> Result<Self, CliError> {
        match path {
            None => Ok(Self::Nowhere),
            Some(path) if path == Path::new("-") => Ok(Self::Stdout),
            Some(path) => File::create(path)
                .map(Self::File)
                .map_err(|error| CliError::usage(format!("{}: {error}", path.display()))),
        }
    }

    fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }

    fn write(&mut self, event: &Value) -> Result<(), CliError> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => output::print(&event.to_string()),
            Self::File(file) => writeln!(file, "{event}").map_err(CliError::failed),
        }
    }
}

/// How the tracker does, on a terminal.
struct StatusLine {
    bar: ProgressBar,
    start: Instant,
}

impl StatusLine {
    fn new(common: &Common) -> Self {
        let is_shown = io::stderr().is_terminal() && !common.quiet;
        let target = match is_shown {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, start: Instant::now() }
    }

    fn show(&self, status: &Status) {
        let seconds = self.start.elapsed().as_secs_f64().max(1.0);
        let rate = status.counters.announces() as f64 / seconds;
        self.bar.set_message(format!(
            "{}, {} connections, {rate:.0} announces/s on average",
            summary(status),
            status.connections
        ));
        self.bar.tick();
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whitelist_has_a_hash_per_line() {
        assert_eq!(info_hash(&"0a".repeat(20)), Some(InfoHash([10; 20])));
        for bad in ["", "0a", &"0g".repeat(20), &"+a".repeat(20), &"é".repeat(20)] {
            assert_eq!(info_hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_stands_for_all_addresses_is_none_to_dial() {
        for (bound, dialled) in [
            ("0.0.0.0:6969", "127.0.0.1:6969"),
            ("[::]:6969", "[::1]:6969"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            let bound: SocketAddr = bound.parse().unwrap();
            assert_eq!(reachable(bound).to_string(), dialled);
        }
    }
}
