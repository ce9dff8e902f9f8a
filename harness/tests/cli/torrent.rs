//! `overlab torrent`: made, shown and checked as a user does it.

use std::fs;

use super::tool::Tool;

/// A folder `t` with three files.
fn tool(test: &str) -> Tool {
    let tool = Tool::new(test);
    fs::create_dir_all(tool.folder.join("t/b")).expect("a folder of ours");
    tool.write("t/a.txt", &"a".repeat(40_000));
    tool.write("t/b/c", &"c".repeat(20_000));
    tool.write("t/b/d", "");
    tool
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect(text)
}

#[test]
fn a_torrent_is_made_shown_and_checked() {
    let tool = tool("torrent");
    let made = tool.run(
        "torrent create t --announce http://a/announce,http://b/announce --announce udp://c:80 \
         --piece-length 16KiB --private --comment hello --web-seed http://w/ --no-date",
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(made.stderr, "torrent: t.torrent\n");
    let shown = tool.run("torrent show t.torrent");
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    let expected = "\
t
  size         58.6 KiB (60000 bytes) in 3 files
  pieces       4 pieces of 16 KiB
  info-hash    INFO_HASH
  magnet       magnet:?xt=urn:btih:INFO_HASH&dn=t&tr=http%3A%2F%2Fa%2Fannounce&tr=http%3A%2F%2Fb%2Fannounce&tr=udp%3A%2F%2Fc%3A80&ws=http%3A%2F%2Fw%2F
  private      peers may come from its trackers alone
  trackers     http://a/announce, http://b/announce
  then         udp://c:80
  web seeds    http://w/
  comment      hello
  files
    t/
      a.txt                                       39.1 KiB
      b/
        c                                         19.5 KiB
        d                                         0 B
";
    let document = json(&tool.run("torrent show t.torrent --json -").stdout);
    let hash = document["info_hash"].as_str().expect("a hash");
    assert_eq!(shown.stdout, expected.replace("INFO_HASH", hash));
    assert!(shown.stdout.starts_with(&made.stdout), "{}", made.stdout);
    assert_eq!((&document["kind"], &document["pieces"]), (&"torrent".into(), &4.into()));
    assert_eq!(document["files"][1]["path"], "t/b/c");
    assert_eq!(document["trackers"][1][0], "udp://c:80");

    let whole = tool.run("torrent verify t.torrent");
    assert_eq!((whole.code, whole.stderr.as_str()), (0, ""));
    assert_eq!(whole.stdout, "t: 4 of 4 pieces are good, 0 bad, 0 missing\n");
    tool.write("t/a.txt", &"b".repeat(40_000));
    fs::remove_file(tool.folder.join("t/b/c")).expect("it was made above");
    let wrong = tool.run("torrent verify t.torrent --dir . --json verified.json");
    assert_eq!(wrong.code, 1, "{}", wrong.stdout);
    assert!(wrong.stdout.contains("0 of 4 pieces are good, 2 bad, 2 missing"), "{}", wrong.stdout);
    assert!(wrong.stdout.contains("t/b/c  0 of 2 pieces"), "{}", wrong.stdout);
    assert!(wrong.stderr.contains("--dir"), "{}", wrong.stderr);
    let text = fs::read_to_string(tool.folder.join("verified.json")).expect("just written");
    assert_eq!(json(&text)["verified"]["missing_pieces"], 2);
}

#[test]
fn the_same_files_make_the_same_bytes() {
    let tool = tool("torrent-same");
    for name in ["x.torrent", "y.torrent"] {
        let made = tool.run(&format!("torrent create t --no-date -o {name} -q"));
        assert_eq!((made.code, made.stderr.as_str()), (0, ""));
    }
    let read = |name: &str| fs::read(tool.folder.join(name)).expect("just written");
    assert_eq!(read("x.torrent"), read("y.torrent"));
    let again = tool.run("torrent create t -o x.torrent");
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    let forced = tool.run("torrent create t -o x.torrent --force --source s");
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert!(forced.stdout.contains("created by   overlab "), "{}", forced.stdout);
    assert_ne!(read("x.torrent"), read("y.torrent"));
}

#[test]
fn bad_torrents_and_options_are_refused_with_advice() {
    let tool = tool("torrent-bad");
    tool.write("text.torrent", "no torrent");
    tool.write("torn.torrent", "d4:info");
    tool.write("order.torrent", "d4:infod6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae7:comment1:xe");
    tool.write(
        "up.torrent",
        "d4:infod6:lengthi3e4:name2:..12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
    );
    tool.write("zero.torrent", "d4:infod6:lengthi3e4:name1:a12:piece lengthi0e6:pieces0:ee");
    for (arguments, words) in [
        ("show nowhere.torrent", &["nowhere.torrent", ".torrent file"][..]),
        ("show text.torrent", &["text.torrent", "byte 0", "is it a .torrent file"]),
        ("verify torn.torrent", &["byte 7", "whole"]),
        ("show order.torrent", &["out of order", "--any-order"]),
        ("show up.torrent", &["`info.name` at byte 25", "`..` is refused", "anew"]),
        ("verify zero.torrent", &["`info.piece length`", "0 is not between 1 and"]),
        ("verify t.torrent", &["t.torrent"]),
        ("create nowhere", &["nowhere"]),
        ("create t --piece-length 17KiB", &["--piece-length", "power of two"]),
        ("create t --piece-length 5parsec", &["--piece-length", "such as 256KiB"]),
        ("create t --announce a/announce", &["--announce", "`a/announce`", "http://"]),
        ("create t --web-seed udp://x", &["--web-seed", "ftp://"]),
        ("create t --node x", &["--node", "HOST:PORT"]),
        ("create t -o nowhere/t.torrent", &["nowhere/t.torrent", "folder does not exist"]),
        ("create t/b/d", &["not one byte"]),
    ] {
        let ran = tool.run(&format!("torrent {arguments}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{arguments}: no `{word}` in {}", ran.stderr);
        }
    }
    let any = tool.run("torrent show order.torrent --any-order");
    assert_eq!(any.code, 0, "{}", any.stderr);
    assert!(!tool.folder.join("t.torrent").exists(), "what was refused leaves nothing behind");
}
