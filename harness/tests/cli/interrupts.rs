//! Ctrl-C in the middle of a run: partial results, exit code 130.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::tool::{Ran, Tool, ran};

/// Far more than any machine needs; the tests fail rather than hang.
const PATIENCE: Duration = Duration::from_secs(300);

fn wait_for(child: &mut Child, what: &str, mut is_there: impl FnMut(&mut Child) -> bool) {
    let began = Instant::now();
    while !is_there(child) {
        if began.elapsed() > PATIENCE {
            child.kill().expect("the process can be ended");
            panic!("{what} did not happen");
        }
        sleep(Duration::from_millis(20));
    }
}

/// Starts a run that would take hours, interrupts it once the file `sign` is
/// there and not empty, and waits for its end.
fn interrupt(tool: &Tool, arguments: &str, sign: &Path) -> Ran {
    let mut child = tool
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    wait_for(&mut child, "the sign of a start", |_| sign.metadata().is_ok_and(|m| m.len() > 0));
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("there is a shell").success());
    wait_for(&mut child, "the end", |child| child.try_wait().expect("it can be asked").is_some());
    ran(&child.wait_with_output().expect("its output can be read"))
}

#[test]
fn an_interrupted_simulation_writes_what_it_has() {
    let tool = Tool::new("interrupted-sim");
    let sign = tool.folder.join("trace.jsonl");
    let ran = interrupt(
        &tool,
        "sim chord -n 200 --searches 1000000 --trace trace.jsonl --json result.json",
        &sign,
    );
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("partial"), "{}", ran.stderr);
    assert!(ran.stdout.contains("Chord"), "{}", ran.stdout);
    let text = std::fs::read_to_string(tool.folder.join("result.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["partial"], true);
    // Every line that was written is whole.
    for line in std::fs::read_to_string(sign).unwrap().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn an_interrupted_comparison_writes_what_it_has() {
    let tool = Tool::new("interrupted-compare");
    let folder = tool.folder.join("overlab-out");
    let ran = interrupt(
        &tool,
        "compare -n 100 --searches 100 --seeds 10000 --no-growth --json result.json",
        &folder,
    );
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("partial"), "{}", ran.stderr);
    let text = std::fs::read_to_string(tool.folder.join("result.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["partial"], &json["kind"]), (&true.into(), &"compare".into()));
    assert!(std::fs::read_to_string(folder.join("report.html")).unwrap().contains("Chord"));
}
