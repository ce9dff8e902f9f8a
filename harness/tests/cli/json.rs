//! `--json -` prints the document of the contract, and nothing else.

use serde_json::Value;

use super::tool::Tool;

const STAT: [&str; 9] = ["mean", "sd", "min", "p1", "p50", "p90", "p99", "max", "ci95"];

fn parse(tool: &Tool, arguments: &str) -> Value {
    let ran = tool.run(arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("standard output is one JSON document")
}

/// All `fields` of `value` are there.
fn has(value: &Value, fields: &[&str], place: &str) {
    for field in fields {
        assert!(!value[field].is_null(), "{place}.{field} is missing");
    }
}

fn is_stat(value: &Value, place: &str) {
    has(value, &STAT, place);
    assert_eq!(value["ci95"].as_array().map(Vec::len), Some(2), "{place}.ci95");
}

fn is_operation(op: &Value, place: &str) {
    has(op, &["count", "correct", "incomplete", "wrong", "failed", "unsupported"], place);
    if op["count"] == op["unsupported"] {
        return;
    }
    for measure in ["hops", "latency_ms", "messages", "bytes", "timeouts"] {
        is_stat(&op[measure], &format!("{place}.{measure}"));
    }
    assert!(op["messages"]["histogram"][0][1].is_u64(), "{place}.messages.histogram");
}

fn is_row(row: &Value) {
    let name = row["overlay"].as_str().expect("a row names its overlay");
    has(row, &["nodes", "parameters", "operations", "upkeep", "storage"], name);
    has(row, &["messages_by_type", "engine", "trace_hash"], name);
    for verb in ["search", "keyword_search", "insert", "delete", "join", "leave"] {
        is_operation(&row["operations"][verb], &format!("{name}.{verb}"));
    }
    has(&row["upkeep"], &["messages_per_node_s", "bytes_per_node_s"], name);
    for part in ["routing_entries", "index_entries", "bytes"] {
        is_stat(&row["storage"][part], &format!("{name}.storage.{part}"));
    }
    has(&row["engine"], &["events", "messages", "wall_s", "messages_per_s"], name);
    let by_type = row["messages_by_type"].as_object().expect("messages by type");
    assert!(by_type.values().all(Value::is_u64));
    if name == "gnutella" {
        is_stat(&row["reach"]["distinct_nodes"], "reach.distinct_nodes");
        is_stat(&row["reach"]["duplicate_messages"], "reach.duplicate_messages");
    } else {
        assert!(row["reach"].is_null(), "{name} does not flood");
    }
}

fn is_document(document: &Value, kind: &str) {
    has(document, &["schema", "kind", "version", "command", "seed", "seeds", "nodes"], "document");
    has(document, &["overlays"], "document");
    assert_eq!((&document["schema"], &document["kind"]), (&"overlab/1".into(), &kind.into()));
    assert!(document["command"].as_str().is_some_and(|c| c.starts_with("overlab ")));
    document["overlays"].as_array().expect("a list of overlays").iter().for_each(is_row);
}

#[test]
fn a_comparison_is_the_document_of_the_contract() {
    let tool = Tool::new("json-compare");
    let arguments =
        "compare -o napster -o gnutella -o chord -n 40 --searches 20 --seeds 2 --json - -q";
    let document = parse(&tool, arguments);
    is_document(&document, "compare");
    assert_eq!((&document["seeds"], &document["nodes"]), (&2.into(), &40.into()));
    let names: Vec<&str> = document["overlays"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|o| o["overlay"].as_str())
        .collect();
    assert_eq!(names, ["napster", "gnutella", "chord"]);
    let chord = &document["overlays"][2];
    let keywords = &chord["operations"]["keyword_search"];
    assert_eq!(keywords["count"], keywords["unsupported"], "Chord answers no keywords");
    for row in document["overlays"].as_array().unwrap() {
        for measure in
            ["search_latency", "search_messages", "update_messages", "storage_max", "storage_mean"]
        {
            let fit = &row["growth"][measure];
            has(fit, &["class", "coefficient", "r2", "theory", "agrees"], measure);
            assert!(fit["agrees"].is_boolean(), "{measure}");
        }
    }
    let hash = document["trace_hash"].as_str().unwrap();
    assert!(hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()), "{hash}");
    let again = parse(&tool, &format!("{arguments} --no-growth"));
    assert_eq!(again["trace_hash"], hash, "the same seed, the same trace");
}

#[test]
fn simulated_and_live_runs_are_documents_too() {
    let tool = Tool::new("json-sim");
    for overlay in ["napster", "gnutella", "chord"] {
        is_document(&parse(&tool, &format!("sim {overlay} -n 40 --searches 20 --json -")), "sim");
    }
    let live = parse(&tool, "live chord -n 8 --searches 10 --json -");
    assert_eq!((&live["kind"], &live["nodes"]), (&"live".into(), &8.into()));
    is_operation(&live["overlays"][0]["operations"]["search"], "live.search");
}
