//! libtorrent, driven through its Python bindings.

use std::path::Path;
use std::process::Command;

use crate::process::Process;

const INSTALL: &str = "pip install libtorrent (Debian: apt-get install python3-libtorrent)";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/libtorrent_peer.py");

/// A running libtorrent session with one torrent.
pub struct Libtorrent {
    /// The interpreter that runs it.
    pub process: Process,
    /// Where it listens.
    pub addr: String,
}

impl Libtorrent {
    /// Starts one for `source` (a file or a magnet link) in `dir`, with options
    /// of the script beside this file.
    pub fn start(source: &str, dir: &Path, options: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg(SCRIPT).arg(source).arg(dir).args(options);
        let mut process = Process::start(command, INSTALL);
        let port = process.line("libtorrent's port", |line| line["listening"].as_u64());
        Self { process, addr: format!("127.0.0.1:{port}") }
    }

    /// Waits until it has everything.
    pub fn wait_until_done(&mut self) {
        self.process.line("libtorrent's end of the download", |line| line["done"].as_bool());
    }

    /// The latest value of a counter in its status lines.
    pub fn latest(&self, field: &str) -> u64 {
        let values = self.process.values();
        values.iter().rev().find_map(|line| line[field].as_u64()).unwrap_or(0)
    }

    /// The largest value of a counter in its status lines.
    pub fn most(&self, field: &str) -> u64 {
        self.process.values().iter().filter_map(|line| line[field].as_u64()).max().unwrap_or(0)
    }
}

/// The info-hash that libtorrent computes of a `.torrent` file.
pub fn info_hash(torrent: &Path) -> String {
    let program = "import libtorrent, sys; print(libtorrent.torrent_info(sys.argv[1]).info_hash())";
    let output = Command::new("python3").args(["-c", program]).arg(torrent).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start python3: {error}; {INSTALL}"));
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "libtorrent cannot read the torrent: {problem}; to install it: {INSTALL}"
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
