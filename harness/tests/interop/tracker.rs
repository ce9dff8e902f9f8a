//! The two trackers: opentracker and ours.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::content::Place;
use crate::process::{Process, free_port, wait_for};

/// Which tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// opentracker, as Debian builds it.
    Opentracker,
    /// `overlab tracker`.
    Ours,
}

/// A running tracker.
pub struct Tracker {
    process: Process,
    port: u16,
    list: PathBuf,
    kind: Kind,
}

impl Tracker {
    /// Starts one on a free port.
    pub fn start(kind: Kind, place: &Place) -> Self {
        let port = free_port();
        let dir = place.dir("tracker");
        let list = dir.join("white-list");
        fs::write(&list, "").expect("writable");
        let process = match kind {
            Kind::Opentracker => Self::opentracker(port, &dir, &list),
            Kind::Ours => Self::ours(port),
        };
        let tracker = Self { process, port, list, kind };
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait_for("the tracker", answers, || tracker.process.output());
        tracker
    }

    /// Debian's build refuses all torrents but those in a list, which it reads
    /// again on SIGHUP. As root it makes `dir` its root directory first, so
    /// the list's path is one below that.
    fn opentracker(port: u16, dir: &std::path::Path, list: &std::path::Path) -> Process {
        let id = Command::new("id").arg("-u").output().expect("every Unix has id");
        let root = id.stdout.starts_with(b"0\n");
        let mut command = Command::new("opentracker");
        command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-P", &port.to_string()]);
        command.arg("-d").arg(dir).arg("-w");
        if root {
            command.arg("/white-list");
        } else {
            command.arg(list);
        }
        Process::start(command, "apt-get install opentracker")
    }

    fn ours(port: u16) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overlab"));
        command.args(["tracker", "--listen", &format!("127.0.0.1:{port}"), "--json", "-"]);
        Process::start(command, "cargo build")
    }

    /// Lets it serve this torrent.
    pub fn allow(&self, info_hash: &str) {
        if self.kind == Kind::Opentracker {
            fs::write(&self.list, format!("{info_hash}\n")).expect("writable");
            let reread = self.process.signal("HUP");
            assert!(reread, "cannot signal the tracker");
        }
    }

    /// Waits until a leecher of this torrent has announced itself.
    pub fn wait_for_a_leecher(&self, info_hash: &str) {
        let known =
            || self.scrape(info_hash).is_some_and(|reply| reply.contains("10:incompletei1e"));
        wait_for("an announce at the tracker", known, || self.process.output());
    }

    /// What it says of a torrent (BEP 48).
    fn scrape(&self, info_hash: &str) -> Option<String> {
        let escaped: String =
            info_hash.as_bytes().chunks(2).fold(String::new(), |mut url, digits| {
                url.push('%');
                url.extend(digits.iter().map(|digit| char::from(*digit)));
                url
            });
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let request =
            format!("GET /scrape?info_hash={escaped} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).ok()?;
        Some(String::from_utf8_lossy(&reply).into_owned())
    }

    /// Its announce URL over HTTP.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}/announce", self.port)
    }

    /// Its announce URL over UDP.
    pub fn udp(&self) -> String {
        format!("udp://127.0.0.1:{}/announce", self.port)
    }
}
