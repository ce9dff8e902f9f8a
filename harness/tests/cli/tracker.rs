//! `overlab tracker` as programs run it: port 0, JSON lines, a signal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::tool::Tool;

const HASH: &str = "0123456789abcdefghij";

fn get(url: &str, query: &str) -> String {
    let rest = url.strip_prefix("http://").expect("an HTTP URL");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("it listens");
    write!(stream, "GET /{path}?{query} HTTP/1.0\r\n\r\n").expect("it reads");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("it answers");
    String::from_utf8_lossy(&reply).into_owned()
}

/// Ends a tracker that a failed test leaves behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already if the test has not failed.
        let _ = self.0.kill();
    }
}

fn serve_and_signal(
    arguments: &str,
    signal: &str,
    folder: &str,
    use_it: impl FnOnce(&str),
) -> Value {
    let tool = Tool::new(folder);
    tool.write("torrents", &format!("# ours\n\n{}\n", "30".repeat(20)));
    let child = tool
        .command(&format!("tracker --listen 127.0.0.1:0 --json - {arguments}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let mut child = Running(child);
    let mut lines = BufReader::new(child.0.stdout.take().expect("it is piped")).lines();
    let mut event = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    let listening = event();
    assert_eq!(listening["event"], "listening");
    let url = listening["http"][0].as_str().expect("a URL");
    assert_eq!(listening["udp"][0], url.replace("http:", "udp:"));
    use_it(url);
    let kill = format!("kill -{signal} {}", child.0.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("there is a shell").success());
    let stopped = event();
    assert_eq!(stopped["event"], "stopped");
    assert!(child.0.wait().expect("it ends").success());
    stopped
}

#[test]
fn it_serves_until_it_is_interrupted() {
    let stopped = serve_and_signal("--interval 10min", "INT", "tracker-int", |url| {
        let reply = get(url, &format!("info_hash={HASH}&peer_id={HASH}&port=1&left=0"));
        assert!(reply.contains("8:intervali600e12:min intervali300e"), "{reply}");
        let scrape = get(&url.replace("announce", "scrape"), &format!("info_hash={HASH}"));
        assert!(scrape.contains("8:completei1e"), "{scrape}");
    });
    assert_eq!((&stopped["http_announces"], &stopped["peers"]), (&1.into(), &1.into()));
}

#[test]
fn it_serves_only_the_torrents_of_its_list() {
    let stopped = serve_and_signal("--whitelist torrents", "TERM", "tracker-term", |url| {
        let announce = |hash| get(url, &format!("info_hash={hash}&peer_id={HASH}&port=1&left=0"));
        assert!(announce("00000000000000000000").contains("d8:complete"));
        assert!(announce(HASH).contains("d14:failure reason"));
    });
    assert_eq!((&stopped["refused"], &stopped["torrents"]), (&1.into(), &1.into()));
}

#[test]
fn mistakes_are_named() {
    let tool = Tool::new("tracker-mistakes");
    tool.write("torrents", "\nnothing\n");
    for (arguments, complaint) in [
        ("--interval 2d", "--interval"),
        ("--interval 1min --min-interval 2min", "--min-interval is longer"),
        ("--whitelist torrents", "torrents:2: an info-hash has 40 hexadecimal digits"),
        ("--whitelist absent", "absent: "),
        ("--listen nowhere", "nowhere"),
        ("--max-peers 0", "--max-peers"),
    ] {
        let ran = tool.run(&format!("tracker --listen 127.0.0.1:0 {arguments}"));
        assert_eq!(ran.code, 2, "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains(complaint), "{arguments}: {}", ran.stderr);
    }
}
