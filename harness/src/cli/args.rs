//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Run, watch, measure and compare peer-to-peer overlays.
#[derive(Debug, Parser)]
#[command(name = "overlab", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Exit codes: 0 ok, 1 the run failed, 2 usage or bad input file, 3 a threshold of the scenario is \
not met, 4 an invariant broke or two runs differed, 130 interrupted (partial results are written).
Every option can also be given in the environment as OVERLAB_NAME, such as OVERLAB_SEED.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// The seed of all random numbers [default: 1]
    #[arg(long, global = true, env = "OVERLAB_SEED", value_name = "N")]
    pub seed: Option<u64>,
    /// Write the result as JSON to a file, or to standard output with `-`
    #[arg(long, global = true, env = "OVERLAB_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Set a parameter of an overlay; repeatable (`overlab explain NAME` lists them)
    #[arg(
        long = "set",
        global = true,
        env = "OVERLAB_SET",
        value_delimiter = ',',
        value_name = "OVERLAY.PARAMETER=VALUE"
    )]
    pub set: Vec<String>,
    /// Delays: constant:50ms, uniform:10ms..90ms, king, coords:FILE, transit-stub or
    /// access:5ms..45ms [default: king]
    #[arg(long, global = true, env = "OVERLAB_LATENCY", value_name = "MODEL")]
    pub latency: Option<String>,
    /// The fraction of packets that are lost, 0 to 1; streams send theirs again [default: 0]
    #[arg(long, global = true, env = "OVERLAB_LOSS", value_name = "F")]
    pub loss: Option<f64>,
    /// Print nothing but results and errors
    #[arg(short, long, global = true, env = "OVERLAB_QUIET")]
    pub quiet: bool,
    /// Say more on standard error; repeat for yet more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, env = "OVERLAB_COLOR", default_value = "auto", value_name = "WHEN")]
    pub color: ColorChoice,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compare overlays on the same peers, items, latencies and queries
    Compare(Compare),
    /// Simulate one overlay and show the run in detail
    Sim(Sim),
    /// Run a mini-network of one overlay over real sockets on this machine
    Live(Live),
    /// Download a torrent, from its file or a magnet link
    Get(Get),
    /// Seed a torrent
    Seed(Seed),
    /// Run a BitTorrent tracker for HTTP and UDP, until interrupted
    Tracker(Tracker),
    /// Check every law and invariant, and that a run repeats to the bit
    Check(Check),
    /// Make, show and check torrents
    Torrent(super::torrent::Torrent),
    /// List overlays, latency models and scenarios
    List,
    /// Explain an overlay, its parameters and its theory
    Explain(Explain),
    /// Print shell completions
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What peers share and do; of `compare` and `sim`.
#[derive(Args, Clone, Debug, Default)]
pub struct Workload {
    /// Peers [default: 1000]
    #[arg(short, long, env = "OVERLAB_NODES", value_name = "N")]
    pub nodes: Option<u32>,
    /// Searches of each kind, exact and by keywords [default: 1000]
    #[arg(long, env = "OVERLAB_SEARCHES", value_name = "N")]
    pub searches: Option<u32>,
    /// Peers come and go during the searches: SESSION[/GAP[/CRASHES]], such as
    /// exp:60min/exp:30min/22%
    #[arg(long, env = "OVERLAB_CHURN", value_name = "MODEL")]
    pub churn: Option<String>,
    /// Whoever finds an item downloads it and then shares its copy too
    #[arg(long, env = "OVERLAB_DOWNLOADS")]
    pub downloads: bool,
    /// What is shared: CSV with name,size_bytes,section,description [default: embedded]
    #[arg(long, env = "OVERLAB_CATALOG", value_name = "FILE")]
    pub catalog: Option<PathBuf>,
    /// Start converged instead of joining one by one
    #[arg(long, env = "OVERLAB_SETTLE")]
    pub settle: bool,
    /// Kill this fraction of the peers at once before the searches
    #[arg(long, env = "OVERLAB_KILL", value_name = "F")]
    pub kill: Option<f64>,
    /// Kill servers at once before the searches: all, the first N, or those of a kind, such as
    /// tracker or tracker:1
    #[arg(long, env = "OVERLAB_KILL_SERVERS", value_name = "all|N|KIND[:N]")]
    pub kill_servers: Option<String>,
    /// Simulated time between the kill and the searches [default: 60s]
    #[arg(long, env = "OVERLAB_KILL_WAIT", value_name = "SPAN")]
    pub kill_wait: Option<String>,
    /// Periodic upkeep: on or off [default: on]
    #[arg(long, env = "OVERLAB_MAINTENANCE", value_name = "on|off")]
    pub maintenance: Option<Switch>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Arguments of `compare`.
#[derive(Args, Debug)]
pub struct Compare {
    /// An overlay to compare; repeatable [default: all]
    #[arg(short, long = "overlay", value_name = "NAME")]
    pub overlays: Vec<String>,
    /// Runs with consecutive seeds, for confidence intervals
    #[arg(long, env = "OVERLAB_SEEDS", default_value_t = 5, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub seeds: u32,
    /// Leave out the runs at growing network size
    #[arg(long, env = "OVERLAB_NO_GROWTH")]
    pub no_growth: bool,
    /// Where the report goes
    #[arg(long, env = "OVERLAB_OUT", default_value = "overlab-out", value_name = "DIR")]
    pub out: PathBuf,
    /// What peers share and do.
    #[command(flatten)]
    pub workload: Workload,
}

/// Arguments of `sim`.
#[derive(Args, Debug)]
pub struct Sim {
    /// The overlay
    pub overlay: String,
    /// A scenario: the name of a built-in one, or a file
    #[arg(long, env = "OVERLAB_SCENARIO", value_name = "NAME|FILE")]
    pub scenario: Option<String>,
    /// Record every event as JSON lines
    #[arg(long, env = "OVERLAB_TRACE", value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Write the overlay graph, as .dot or .graphml
    #[arg(long, env = "OVERLAB_GRAPH", value_name = "FILE")]
    pub graph: Option<PathBuf>,
    /// Write an HTML report
    #[arg(long, env = "OVERLAB_HTML", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// What peers share and do.
    #[command(flatten)]
    pub workload: Workload,
}

/// Arguments of `live`.
#[derive(Args, Debug)]
pub struct Live {
    /// The overlay
    pub overlay: String,
    /// Peers, each with real sockets
    #[arg(short, long, env = "OVERLAB_NODES", default_value_t = 16, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=500))]
    pub nodes: u32,
    /// Searches of each kind
    #[arg(long, env = "OVERLAB_SEARCHES", default_value_t = 50, value_name = "N")]
    pub searches: u32,
    /// What is shared: CSV with name,size_bytes,section,description [default: embedded]
    #[arg(long, env = "OVERLAB_CATALOG", value_name = "FILE")]
    pub catalog: Option<PathBuf>,
}

/// Arguments of `tracker`.
#[derive(Args, Debug)]
pub struct Tracker {
    /// Where to listen, for HTTP and UDP; repeatable; port 0 takes a free one
    /// [default: 0.0.0.0:6969 and [::]:6969]
    #[arg(long, env = "OVERLAB_LISTEN", value_delimiter = ',', value_name = "ADDR")]
    pub listen: Vec<SocketAddr>,
    /// How long clients wait between announces, such as 30min; a peer is dropped after one and a
    /// half times as long
    #[arg(long, env = "OVERLAB_INTERVAL", default_value = "30min", value_name = "SPAN")]
    pub interval: String,
    /// How long they wait at least [default: 5min, or the interval if that is shorter]
    #[arg(long, env = "OVERLAB_MIN_INTERVAL", value_name = "SPAN")]
    pub min_interval: Option<String>,
    /// Peers in all
    #[arg(long, env = "OVERLAB_MAX_PEERS", default_value_t = 8_000_000, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub max_peers: u32,
    /// Torrents in all
    #[arg(long, env = "OVERLAB_MAX_TORRENTS", default_value_t = 2_000_000, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub max_torrents: u32,
    /// Peers of one address, or of one IPv6 /64, per torrent
    #[arg(long, env = "OVERLAB_MAX_PEERS_PER_ADDRESS", default_value_t = 128, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub max_peers_per_address: u32,
    /// Track only the torrents of this file: an info-hash in hexadecimal per line
    #[arg(long, env = "OVERLAB_WHITELIST", value_name = "FILE")]
    pub whitelist: Option<PathBuf>,
    /// Believe clients that announce another address than they send from (`ip=`)
    #[arg(long, env = "OVERLAB_TRUST_IP")]
    pub trust_ip: bool,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// An overlay to check; repeatable [default: all]
    #[arg(short, long = "overlay", value_name = "NAME")]
    pub overlays: Vec<String>,
    /// How many seeds
    #[arg(long, env = "OVERLAB_SEEDS", default_value_t = 2, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub seeds: u32,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct Explain {
    /// An overlay, or `latency`, `json`, `exit-codes`
    pub topic: String,
}

/// Arguments of `get`.
#[derive(Args, Debug)]
pub struct Get {
    /// What is transferred, and with whom.
    #[command(flatten)]
    pub transfer: Transfer,
    /// Fetch only these files: their numbers from 1 or patterns such as `*.txt`; repeatable
    #[arg(long, env = "OVERLAB_SELECT", value_delimiter = ',', value_name = "FILE")]
    pub select: Vec<String>,
    /// Fetch the pieces in their order instead of the rarest first
    #[arg(long, env = "OVERLAB_SEQUENTIAL")]
    pub sequential: bool,
    /// Take all room on the disk at the start
    #[arg(long, env = "OVERLAB_PREALLOCATE")]
    pub preallocate: bool,
    /// Hash what is there even if the fast-resume file says what it is
    #[arg(long, env = "OVERLAB_RECHECK")]
    pub recheck: bool,
}

/// Arguments of `seed`.
#[derive(Args, Debug)]
pub struct Seed {
    /// What is transferred, and with whom.
    #[command(flatten)]
    pub transfer: Transfer,
    /// Do not hash the files before they are offered
    #[arg(long, env = "OVERLAB_NO_VERIFY")]
    pub no_verify: bool,
}

/// Who wants encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EncryptionChoice {
    /// Nobody: it is refused.
    Off,
    /// Others may have it.
    Allowed,
    /// We try it first.
    Preferred,
    /// No byte in plain.
    Required,
}

/// Arguments of `get` and `seed`.
#[derive(Args, Debug)]
pub struct Transfer {
    /// A .torrent file or a magnet link
    #[arg(value_name = "TORRENT")]
    pub torrent: String,
    /// The folder that the files are in
    #[arg(long, env = "OVERLAB_DIR", default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Accept connections here: an address, a port of all addresses, or none; repeatable [default: a
    /// free port of all addresses]
    #[arg(long, env = "OVERLAB_LISTEN", value_delimiter = ',', value_name = "ADDR")]
    pub listen: Vec<String>,
    /// A peer to begin with; repeatable
    #[arg(long = "peer", env = "OVERLAB_PEER", value_delimiter = ',', value_name = "ADDR")]
    pub peers: Vec<String>,
    /// Hide the connections from gateways: off, allowed, preferred or required
    #[arg(long, env = "OVERLAB_ENCRYPTION", default_value = "allowed", value_name = "WHEN")]
    pub encryption: EncryptionChoice,
    /// Send no faster than this, such as 500kB/s or 2MiB/s
    #[arg(long, env = "OVERLAB_MAX_UPLOAD", value_name = "RATE")]
    pub max_upload: Option<String>,
    /// Receive no faster than this
    #[arg(long, env = "OVERLAB_MAX_DOWNLOAD", value_name = "RATE")]
    pub max_download: Option<String>,
    /// End when all is fetched and written; a seed, when others have got it
    #[arg(long, env = "OVERLAB_EXIT_WHEN_DONE")]
    pub exit_when_done: bool,
    /// End when all is there and this many copies were sent
    #[arg(long, env = "OVERLAB_SEED_RATIO", value_name = "X")]
    pub seed_ratio: Option<f64>,
    /// End when all has been there for so long
    #[arg(long, env = "OVERLAB_SEED_TIME", value_name = "SPAN")]
    pub seed_time: Option<String>,
}
