//! Bad input gives exit code 2, says what is wrong, where, and what to do, and
//! leaves standard output empty.

use super::tool::Tool;

/// Runs each line and expects exit code 2 and all these words on stderr.
fn refused(tool: &Tool, cases: &[(&str, &[&str])]) {
    for (arguments, words) in cases {
        let ran = tool.run(arguments);
        assert_eq!(ran.code, 2, "{arguments}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments}");
        for word in *words {
            assert!(ran.stderr.contains(word), "{arguments}: no `{word}` in {}", ran.stderr);
        }
    }
}

#[test]
fn unknown_names_suggest_the_nearest() {
    refused(
        &Tool::new("names"),
        &[
            ("sim chrod", &["`chrod`", "did you mean chord?", "napster, gnutella, gnutella06"]),
            ("compare -o gnutela", &["`gnutela`", "did you mean gnutella?"]),
            ("live napstr", &["did you mean napster?"]),
            ("check -o cord", &["did you mean chord?"]),
            ("compare --set cord.ttl=3", &["did you mean chord?"]),
            ("compare --set chord.sucessors=3", &["`sucessors`", "did you mean successors?"]),
            ("compare --latency kin", &["--latency", "`kin`", "did you mean `king`?"]),
            ("explain chrd", &["`chrd`", "did you mean chord?"]),
            ("explain nothing-at-all", &["`nothing-at-all`", "exit-codes"]),
            ("comparre", &["comparre", "compare"]),
            ("compare --serches 3", &["--serches", "--searches"]),
            ("sim chord --scenario w2", &["w2", "built-in scenario: w1"]),
        ],
    );
}

#[test]
fn values_out_of_range_are_named() {
    refused(
        &Tool::new("values"),
        &[
            ("compare -n 0", &["--nodes 0", "at least one peer"]),
            ("sim chord -n 0", &["--nodes 0", "at least one peer"]),
            ("live chord -n 0", &["'0'", "--nodes"]),
            ("sim chord -n 4000000000", &["--nodes 4000000000", "at most"]),
            ("sim chord -n -3", &["-3"]),
            ("compare --loss 1.5", &["--loss", "1.5", "0 to 1"]),
            ("compare --loss NaN", &["--loss", "0 to 1"]),
            ("compare --loss=-0.1", &["--loss", "0 to 1"]),
            ("sim chord --kill 2", &["--kill 2", "0.3"]),
            ("sim chord --kill NaN", &["--kill"]),
            ("sim chord --churn often", &["--churn", "`often`", "exp:60min"]),
            ("sim chord --kill-servers all", &["--kill-servers", "chord has no servers"]),
            ("sim napster --kill-servers 2", &["--kill-servers 2", "napster", "only one"]),
            ("sim napster --kill-servers 0", &["--kill-servers", "`0`", "all, a number from 1"]),
            ("sim napster --kill-servers tracker", &["tracker", "there are: server"]),
            (
                "compare -o chord -o bittorrent --kill-servers server",
                &["bittorrent", "there are: index, tracker"],
            ),
            ("sim chord --kill-wait soon", &["--kill-wait", "soon"]),
            ("compare --seeds 0", &["--seeds", "'0'"]),
            ("compare --set chord.successors=0", &["`0`", "successors", "from 1 to 64"]),
            ("compare --set chord.successors", &["chord.successors", "overlay.parameter=value"]),
            ("compare --set successors=3", &["successors=3", "overlay.parameter=value"]),
            ("compare --latency constant:soon", &["--latency", "soon"]),
            ("compare -o chord -o chord", &["chord", "twice"]),
            ("sim chord --graph ring.png", &["ring.png", ".dot or .graphml"]),
            ("live chord --loss 0.1", &["--loss", "simulated"]),
            ("sim gnutella --scenario w1", &["chord", "gnutella"]),
        ],
    );
}

#[test]
fn broken_files_are_named_with_line_and_field() {
    let tool = Tool::new("files");
    tool.write("broken.csv", "name,size_bytes,section,description\na,1,x,y\nb,many,x,y\n");
    tool.write("short.csv", "name,size_bytes,section,description\na,1,x,y\nb\n");
    tool.write("empty.csv", "");
    tool.write("field.toml", "nodes = 20\nserches = 5\n");
    tool.write("type.toml", "nodes = 20\n\nsearches = \"many\"\n");
    tool.write("syntax.toml", "nodes = 20\nsearches = = 1\n");
    tool.write("coords.csv", "x_ms,y_ms,height_ms\n1,2,3\n1,far,3\n");
    refused(
        &tool,
        &[
            ("compare --catalog broken.csv", &["broken.csv:3", "size_bytes", "`many`"]),
            ("compare --catalog short.csv", &["short.csv:3"]),
            ("compare --catalog empty.csv", &["empty.csv"]),
            ("compare --catalog absent.csv", &["absent.csv", "cannot be read"]),
            ("compare --catalog .", &["cannot be read"]),
            ("sim chord --scenario field.toml", &["field.toml:2", "`serches`", "`searches`"]),
            ("sim chord --scenario type.toml", &["type.toml:3"]),
            ("sim chord --scenario syntax.toml", &["syntax.toml:2"]),
            ("sim chord --scenario absent.toml", &["absent.toml", "w1"]),
            ("sim chord --latency coords:coords.csv", &["coords.csv", "line 3", "y_ms", "`far`"]),
        ],
    );
}

/// The size would take hours: who sees the error sees it before the run.
#[test]
fn what_cannot_be_written_is_noticed_before_the_run() {
    let tool = Tool::new("unwritable");
    tool.write("file", "");
    refused(
        &tool,
        &[
            ("compare --seeds 10000 --out file", &["--out file"]),
            ("compare --seeds 10000 --out file/below", &["--out file/below"]),
            ("compare --seeds 10000 --json absent/x.json", &["absent/x.json", "folder"]),
            ("compare --seeds 10000 --json .", &["folder"]),
            ("sim chord -n 1000000 --json file/x.json", &["file/x.json"]),
            ("sim chord -n 1000000 --trace absent/trace.jsonl", &["absent/trace.jsonl"]),
            ("sim chord -n 1000000 --graph absent/ring.dot", &["absent/ring.dot"]),
            ("sim chord -n 1000000 --html absent/page.html", &["absent/page.html"]),
        ],
    );
}

#[test]
fn a_threshold_that_is_not_met_gives_3() {
    let tool = Tool::new("thresholds");
    let run = |bounds: &str| {
        tool.write(
            "scenario.toml",
            &format!("nodes = 20\nsearches = 20\n[[thresholds]]\n{bounds}\n"),
        );
        tool.run("sim chord --scenario scenario.toml")
    };
    let met = run("figure = \"search.correct_fraction\"\nmin = 1.0");
    assert_eq!((met.code, met.stderr.as_str()), (0, ""));
    let broken = run("figure = \"search.hops.mean\"\nmax = 0.01");
    assert_eq!(broken.code, 3, "{}", broken.stderr);
    assert!(broken.stderr.contains("chord: search.hops.mean is"), "{}", broken.stderr);
    assert!(broken.stdout.contains("exact search"), "the results are shown all the same");
    let unknown = run("figure = \"search.happiness\"\nmin = 1.0");
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("`search.happiness`"), "{}", unknown.stderr);
}
