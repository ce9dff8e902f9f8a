//! The reference workload W1, whose message counts three independent engines
//! agree on (docs/reference/performance.md). The presets of the command line
//! must meet them within 1 %.

use std::process::Command;

use serde_json::Value;

/// Messages of a run of `nodes` peers, and mean hops and latency of a lookup.
fn figures(nodes: u32) -> (f64, f64, f64) {
    let output = Command::new(env!("CARGO_BIN_EXE_overlab"))
        .args(["sim", "chord", "--scenario", "w1", "--seed", "1", "--json", "-"])
        .args(["--nodes", &nodes.to_string()])
        .output()
        .expect("the binary can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let row = &json["overlays"][0];
    let figure = |value: &Value| value.as_f64().expect("a number");
    let locate = &row["operations"]["locate"];
    assert_eq!(locate["count"], 10 * nodes, "each peer looks up each 10 s for 100 s");
    assert_eq!(locate["count"], locate["correct"]);
    (
        figure(&row["engine"]["messages"]),
        figure(&locate["hops"]["mean"]),
        figure(&locate["latency_ms"]["mean"]),
    )
}

/// `actual` is within 1 % of the range.
fn near(actual: f64, low: f64, high: f64, what: &str) {
    assert!(actual >= low * 0.99 && actual <= high * 1.01, "{what}: {actual}, not {low}..{high}");
}

#[test]
fn a_thousand_peers_send_as_many_messages_as_elsewhere() {
    let (messages, forwards, latency_ms) = figures(1000);
    near(messages, 75_100.0, 75_300.0, "messages");
    near(forwards, 4.84, 4.86, "forwards");
    near(latency_ms, 288.0, 294.0, "latency");
}

#[test]
fn ten_thousand_peers_send_as_many_messages_as_elsewhere() {
    let (messages, forwards, latency_ms) = figures(10_000);
    near(messages, 916_000.0, 919_000.0, "messages");
    near(forwards, 6.49, 6.52, "forwards");
    near(latency_ms, 372.0, 379.0, "latency");
}
