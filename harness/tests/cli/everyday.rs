//! What works: sizes down to one peer, settings and their precedence, output
//! for people, for pipes and for shells.

use std::process::Stdio;

use harness::registry;

use super::snapshot;
use super::tool::{Tool, ran};

#[test]
fn one_peer_is_a_network() {
    let tool = Tool::new("one-peer");
    let ran = tool.run("compare -n 1 --searches 5 --seeds 2 --no-growth");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for entry in registry::all() {
        let name = entry.about().name;
        let alone = tool.run(&format!("sim {name} -n 1 --searches 5"));
        assert_eq!(alone.code, 0, "{name}: {}", alone.stderr);
        assert!(alone.stdout.contains("1 peer ·"), "{name}: {}", alone.stdout);
    }
}

/// The whole screen of a small comparison, kept in a file.
#[test]
fn a_small_comparison_prints_this() {
    let tool = Tool::new("snapshot");
    let ran = tool.run("compare -n 64 --searches 50 --seeds 2 --no-growth");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("report: overlab-out"), "{}", ran.stderr);
    let page = std::fs::read_to_string(tool.folder.join("overlab-out/report.html")).unwrap();
    for entry in registry::all() {
        assert!(page.contains(entry.about().title), "{}", entry.about().title);
    }
    snapshot::check("snapshots/cli_compare.txt", &ran.stdout);
}

#[test]
fn flags_go_before_the_environment_and_that_before_scenarios_and_defaults() {
    let tool = Tool::new("precedence");
    tool.write("scenario.toml", "nodes = 8\nsearches = 5\nseed = 5\n");
    let seed = |arguments: &str, environment: Option<&str>| {
        let mut command = tool.command(arguments);
        if let Some(value) = environment {
            command.env("OVERLAB_SEED", value);
        }
        let ran = ran(&command.output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        (json["seed"].as_u64().unwrap(), json["command"].as_str().unwrap().to_string())
    };
    let plain = "sim napster -n 8 --searches 5 --json -";
    let scenario = "sim napster --scenario scenario.toml --json -";
    assert_eq!(seed(plain, None).0, 1);
    assert_eq!(seed(scenario, None).0, 5);
    assert_eq!(seed(&format!("{scenario} --seed 3"), Some("7")).0, 3);
    let (seven, command) = seed(scenario, Some("7"));
    assert_eq!(seven, 7);
    assert_eq!(command, format!("OVERLAB_SEED=7 overlab {scenario}"), "it must repeat the run");
}

#[test]
fn colours_come_when_asked_for() {
    let tool = Tool::new("colours");
    let run = |arguments: &str, no_color: bool| {
        let mut command =
            tool.command(&format!("compare -n 8 --searches 5 --seeds 1 --no-growth {arguments}"));
        if no_color {
            command.env("NO_COLOR", "1");
        }
        ran(&command.output().unwrap()).stdout.contains('\x1b')
    };
    assert!(!run("", false), "a pipe gets none");
    assert!(!run("--color never", false));
    assert!(run("--color always", false));
    assert!(!run("", true));
    assert!(run("--color always", true), "the flag is nearer than the environment");
}

#[test]
fn quiet_runs_say_nothing_beside_the_result() {
    let tool = Tool::new("quiet");
    let ran = tool.run("compare -n 8 --searches 5 --seeds 1 --no-growth -q");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.contains("Chord"));
}

#[test]
fn every_topic_is_explained_and_listed() {
    let tool = Tool::new("topics");
    let list = tool.run("list");
    assert_eq!(list.code, 0);
    for word in ["king", "transit-stub", "w1"] {
        assert!(list.stdout.contains(word), "{word}");
    }
    for entry in registry::all() {
        let about = entry.about();
        assert!(list.stdout.contains(about.name), "{}", about.name);
        let page = tool.run(&format!("explain {}", about.name));
        assert_eq!(page.code, 0, "{}", page.stderr);
        assert!(page.stdout.contains(about.title) && page.stdout.contains(about.source));
        for parameter in entry.parameters(&[]).unwrap() {
            assert!(page.stdout.contains(parameter.name), "{}", parameter.name);
        }
    }
    for topic in ["latency", "json", "exit-codes"] {
        let page = tool.run(&format!("explain {topic}"));
        assert_eq!((page.code, page.stderr.as_str()), (0, ""), "{topic}");
        assert!(!page.stdout.is_empty());
    }
}

#[test]
fn shells_get_completions() {
    let tool = Tool::new("completions");
    for shell in ["bash", "zsh", "fish"] {
        let ran = tool.run(&format!("completions {shell}"));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for word in ["compare", "explain", "seeds"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    let unknown = tool.run("completions cmd");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("bash"), "{}", unknown.stderr);
}

/// As `overlab ... | head` leaves it.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let tool = Tool::new("pipe");
    for arguments in
        ["sim chord -n 8 --searches 5", "sim chord -n 8 --json -", "list", "completions zsh"]
    {
        let mut child =
            tool.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = ran(&child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments}");
    }
}

/// What was not done is told, not left for the reader to count.
#[test]
fn searches_of_absent_peers_and_failed_joins_are_told() {
    let tool = Tool::new("absent");
    let churn = tool.run("sim chord -n 60 --searches 40 --churn exp:10min");
    assert_eq!(churn.code, 0, "{}", churn.stderr);
    assert!(churn.stdout.contains("searches were not asked"), "{}", churn.stdout);
    let lost = tool.run("sim chord -n 20 --searches 10 --loss 1");
    assert_eq!(lost.code, 0, "{}", lost.stderr);
    assert!(lost.stdout.contains("joins failed"), "{}", lost.stdout);
    let killed = tool.run("sim chord -n 20 --searches 10 --kill 0.99");
    assert_eq!(killed.code, 0, "{}", killed.stderr);
    assert!(killed.stdout.contains("exact search"), "somebody is left: {}", killed.stdout);
}

#[test]
fn a_run_leaves_trace_graph_and_page() {
    let tool = Tool::new("side-files");
    let ran = tool.run(
        "sim chord -n 12 --searches 10 --trace trace.jsonl --graph ring.dot --html page.html \
         --json result.json --kill 0.2 --churn exp:60min --loss 0.02",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let read = |name: &str| std::fs::read_to_string(tool.folder.join(name)).unwrap();
    let trace = read("trace.jsonl");
    assert!(trace.lines().count() > 100);
    for line in trace.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object(), "{line}");
    }
    assert!(read("ring.dot").contains("graph"));
    assert!(read("page.html").contains("Chord"));
    assert!(read("result.json").contains("\"overlab/1\""));
}

/// The index site, the tracker, or both: each death takes something else away.
#[test]
fn servers_can_be_killed_by_number_and_by_kind() {
    let tool = Tool::new("kill-servers");
    tool.write(
        "dead.toml",
        "nodes = 12\nsearches = 6\noverlay = \"napster\"\nkill_servers = \"all\"\n",
    );
    let failed = |arguments: &str| {
        let ran = tool.run(&format!("{arguments} --json -"));
        assert_eq!(ran.code, 0, "{arguments}: {}", ran.stderr);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let operations = &json["overlays"][0]["operations"];
        ["search", "keyword_search"].map(|verb| {
            let operation = &operations[verb];
            assert_eq!(operation["count"], 6, "{arguments}");
            operation["failed"].as_u64().unwrap()
        })
    };
    let run = "sim bittorrent -n 12 --searches 6 --settle";
    assert_eq!(failed(run), [0, 0]);
    assert_eq!(failed(&format!("{run} --kill-servers 1")), [0, 6], "the index site");
    assert_eq!(failed(&format!("{run} --kill-servers tracker")), [6, 6]);
    assert_eq!(failed("sim napster --scenario dead.toml"), [6, 6]);
    let both = "compare -o chord -o napster -n 8 --searches 4 --seeds 1 --no-growth";
    let ran = tool.run(&format!("{both} --kill-servers all --json -"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("No servers to kill: chord."), "{}", ran.stdout);
}
