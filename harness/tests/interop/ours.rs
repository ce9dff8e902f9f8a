//! Our own `overlab seed` and `overlab get`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{Process, free_port};

/// A running `overlab seed` or `overlab get`.
pub struct Ours {
    /// The running command.
    pub process: Process,
    /// Where it listens.
    pub addr: String,
}

impl Ours {
    /// Seeds `torrent` from `dir`.
    pub fn seed(torrent: &Path, dir: &Path, options: &[&str]) -> Self {
        Self::start("seed", &torrent.to_string_lossy(), dir, options)
    }

    /// Downloads `source`, a file or a magnet link, into `dir`, and ends when
    /// it is done.
    pub fn get(source: &str, dir: &Path, options: &[&str]) -> Self {
        let options: Vec<_> = ["--exit-when-done"].iter().chain(options).copied().collect();
        Self::start("get", source, dir, &options)
    }

    /// Downloads `source` into `dir` and stays to share it.
    pub fn stay(source: &str, dir: &Path, options: &[&str]) -> Self {
        Self::start("get", source, dir, options)
    }

    fn start(verb: &str, source: &str, dir: &Path, options: &[&str]) -> Self {
        let addr = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_overlab"));
        command.args([verb, source, "--json", "-", "--listen", &addr, "--dir"]);
        command.arg(dir).args(options);
        Self { process: Process::start(command, "cargo build"), addr }
    }

    /// Waits until it is reached at its address: the files are checked and it
    /// takes peers.
    pub fn wait_until_ready(&mut self) {
        self.process
            .line("the address it listens on", |line| (line["event"] == "listening").then_some(()));
    }

    /// Waits for its end and fails unless all went well.
    pub fn wait_until_done(&mut self) {
        assert_eq!(self.process.code(), 0, "{}", self.process.output());
    }

    /// All events of a kind that it told of so far.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let values = self.process.values();
        values.into_iter().filter(|line| line["event"] == kind).collect()
    }
}
