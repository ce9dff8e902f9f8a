//! aria2.

use std::path::Path;
use std::process::Command;

use crate::process::{Process, free_port};

/// Starts aria2 to download what `torrent` describes into `dir`; it ends by
/// itself when it is done.
pub fn leech(torrent: &Path, dir: &Path) -> Process {
    start(torrent, dir, &["--seed-time=0"])
}

/// Starts aria2 to seed what lies in `dir`, and gives its address.
pub fn seed(torrent: &Path, dir: &Path) -> (Process, String) {
    let port = free_port();
    let listen = format!("--listen-port={port}");
    let seed = ["--seed-ratio=0.0", "--check-integrity=true", &listen];
    (start(torrent, dir, &seed), format!("127.0.0.1:{port}"))
}

fn start(torrent: &Path, dir: &Path, options: &[&str]) -> Process {
    let mut command = Command::new("aria2c");
    command.args([
        "--no-conf",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
    ]);
    command.args(["--file-allocation=none", "--allow-overwrite=true", "--summary-interval=0"]);
    command.args(["--bt-max-peers=0", "--console-log-level=warn"]);
    command.args(options).arg(format!("--dir={}", dir.display())).arg(torrent);
    Process::start(command, "apt-get install aria2")
}
