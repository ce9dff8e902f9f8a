use proptest::prelude::*;

use super::*;
use crate::layout::{FileEntry, Layout, LayoutError};
use crate::path::{FilePath, PathRule};

const LIMITS: Limits = Limits::DEFAULT;

/// An info dictionary of one file of 3 bytes, its entries between `before` and
/// `after` those that it needs.
fn torrent(info: &str) -> Vec<u8> {
    format!("d4:info{info}e").into_bytes()
}

fn refused(info: &str) -> MetainfoError {
    Metainfo::decode(&torrent(info), &LIMITS).expect_err(info)
}

const HASH: &str = "20:aaaaaaaaaaaaaaaaaaaa";

fn single(name: &str, len: &str, piece_len: &str, hashes: &str) -> String {
    let title = format!("{}:{name}", name.len());
    format!("d6:lengthi{len}e4:name{title}12:piece lengthi{piece_len}e6:pieces{hashes}e")
}

fn multi(files: &str) -> String {
    format!("d5:filesl{files}e4:name1:t12:piece lengthi16384e6:pieces{HASH}e")
}

/// An entry of `files` with one byte.
fn entry(path: &[&str]) -> String {
    let path: String = path.iter().map(|part| format!("{}:{part}", part.len())).collect();
    format!("d6:lengthi1e4:pathl{path}ee")
}

/// The .torrent of the reference, with hashes made up: 222 bytes, the hashes
/// and two more.
#[test]
fn ubuntu_8_10_is_read_and_written() {
    let mut bytes = b"d8:announce39:http://torrent.ubuntu.com:6969/announce7:comment29:Ubuntu CD \
        releases.ubuntu.com13:creation datei1225365524e4:infod6:lengthi732766208e4:name28:\
        ubuntu-8.10-desktop-i386.iso12:piece lengthi524288e6:pieces27960:"
        .to_vec();
    assert_eq!(bytes.len(), 222);
    bytes.extend((0..27_960).map(|i| (i / 20) as u8));
    bytes.extend(b"ee");
    assert_eq!(bytes.len(), 28_184);
    let ubuntu = Metainfo::decode(&bytes, &LIMITS).expect("a torrent");
    assert_eq!(ubuntu.trackers, [["http://torrent.ubuntu.com:6969/announce"]]);
    assert_eq!(ubuntu.comment.as_deref(), Some("Ubuntu CD releases.ubuntu.com"));
    assert_eq!(ubuntu.creation_date_s, Some(1_225_365_524));
    let info = &ubuntu.info;
    let layout = info.layout();
    assert_eq!((info.name(), info.is_single_file()), ("ubuntu-8.10-desktop-i386.iso", true));
    assert_eq!((layout.pieces(), layout.piece_size(1397)), (1398, 335_872));
    assert_eq!((info.is_private(), info.version()), (false, Version::V1));
    assert_eq!(info.hash(1397), Some(&[117; 20]));
    assert_eq!((info.hash(1398), info.hashes().len()), (None, 1398));
    // The dictionary from its `d` to its `e`, hashed on its own.
    let start = bytes.windows(9).position(|text| text == b"d6:length").expect("there");
    assert!(info.bytes() == &bytes[start..bytes.len() - 1]);
    assert_eq!(Info::decode(info.bytes(), &LIMITS).as_ref(), Ok(info));
    assert_eq!(ubuntu.encode(), bytes);
}

#[test]
fn everything_around_the_info_is_read_and_written() {
    let info = single("a", "3", "16384", HASH);
    let head = "d8:announce1:x13:announce-listll1:a1:b0:el0:el1:cee7:comment2:hi\
                10:created by2:me13:creation datei5e8:encoding5:UTF-8";
    let tail = "5:nodesll4:hosti6881eel3:::1i1eee5:otherd1:ai1ee8:url-list8:http://we";
    let text = format!("{head}4:info{info}{tail}");
    let read = Metainfo::decode(text.as_bytes(), &LIMITS).expect("a torrent");
    assert_eq!(read.trackers, [vec!["a", "b"], vec!["c"]]);
    assert_eq!(read.web_seeds, ["http://w"]);
    let nodes = ["host:6881", "[::1]:1"].map(|node| node.parse().expect(node));
    assert_eq!(read.nodes, nodes);
    assert_eq!((read.comment.as_deref(), read.created_by.as_deref()), (Some("hi"), Some("me")));
    assert_eq!((read.creation_date_s, read.encoding.as_deref()), (Some(5), Some("UTF-8")));
    assert_eq!(read.other[&b"other"[..]], b"d1:ai1ee");
    assert_eq!(Metainfo::decode(&read.encode(), &LIMITS), Ok(read));

    let lists = format!("d13:announce-listle4:info{info}8:url-listl0:1:u1:vee");
    let read = Metainfo::decode(lists.as_bytes(), &LIMITS).expect("a torrent");
    assert_eq!((read.trackers.len(), read.web_seeds.len()), (0, 2));
    let empty = format!("d8:announce0:4:info{info}8:url-list0:e");
    let read = Metainfo::decode(empty.as_bytes(), &LIMITS).expect("a torrent");
    assert_eq!(read, Metainfo::new(read.info.clone()));
    let latin = [b"d7:comment1:\xe44:info", info.as_bytes(), b"e"].concat();
    let read = Metainfo::decode(&latin, &LIMITS).expect("a comment is for people");
    assert_eq!(read.comment.as_deref(), Some("\u{fffd}"));
}

#[test]
fn several_files_lie_one_behind_the_other() {
    let padding = "d4:attr1:p6:lengthi16381e4:pathl4:.pad5:16381ee";
    let files = format!(
        "d6:lengthi3e4:pathl1:aee{padding}d4:attr1:x6:lengthi0e4:pathl1:d1:bee\
         d6:lengthi5e4:pathl1:?e10:path.utf-8l2:üee{padding}"
    );
    let two = "40:aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb";
    let info = format!(
        "d5:filesl{files}e4:name1:t12:piece lengthi16384e6:pieces{two}7:privatei1e6:source1:se"
    )
    .replace("i16381e4:pathl4:.pad5:16381eee4:name", "i16379e4:pathl4:.pad5:16379eee4:name");
    let read = Metainfo::decode(&torrent(&info), &LIMITS).expect("a torrent").info;
    let files: Vec<_> = read.layout().files().iter().collect();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["t/a", "t/.pad/1", "t/d/b", "t/ü", "t/.pad/4"]);
    let padding: Vec<_> = files.iter().map(|file| file.padding).collect();
    assert_eq!(padding, [false, true, false, false, true]);
    assert_eq!((files[3].offset, read.layout().total_len()), (16_384, 32_768));
    assert!(read.is_private() && !read.is_single_file());
    assert_eq!(read.source(), Some("s"));
    let draft = InfoDraft {
        layout: read.layout().clone(),
        is_single_file: false,
        hashes: read.hashes().to_vec(),
        is_private: true,
        source: Some("s".into()),
    };
    let made = draft.finish().expect("a torrent");
    assert_eq!(made.layout(), read.layout());
    assert_ne!(made.info_hash(), read.info_hash(), "the padding has other paths");
    let unlike = InfoDraft { hashes: vec![[0; 20]], ..draft };
    assert!(matches!(
        unlike.finish(),
        Err(MetainfoError { fault: MetainfoFault::Hashes { .. }, .. })
    ));
}

#[test]
fn hostile_figures_are_refused_by_name() {
    let range = |value, min, max| MetainfoFault::OutOfRange { value, min, max };
    let most = i64::from(LIMITS.piece_len);
    let hashes = |bytes, pieces| MetainfoFault::Hashes { bytes, pieces };
    let huge = (1_u64 << 62).to_string();
    let table = [
        (single("a", "3", "0", HASH), "info.piece length", range(0, 1, most)),
        (single("a", "3", "-1", HASH), "info.piece length", range(-1, 1, most)),
        (single("a", "3", &huge, HASH), "info.piece length", range(1 << 62, 1, most)),
        (single("a", "-3", "16384", HASH), "info.length", range(-3, 0, i64::MAX)),
        (single("a", "16385", "16384", HASH), "info.pieces", hashes(20, 2)),
        (single("a", "3", "16384", "19:aaaaaaaaaaaaaaaaaaa"), "info.pieces", hashes(19, 1)),
        (single("a", "3", "16384", "0:"), "info.pieces", hashes(0, 1)),
        (single("a", "0", "16384", "0:"), "info.length", MetainfoFault::Layout(LayoutError::Empty)),
        (
            single("a", &huge, "1", HASH),
            "info.length",
            MetainfoFault::Layout(LayoutError::TooManyPieces { pieces: 1 << 62 }),
        ),
        (multi(""), "info.files", MetainfoFault::Layout(LayoutError::Empty)),
        (
            multi(&format!("d6:lengthi{max}e4:pathl1:aeed6:lengthi1e4:pathl1:bee", max = i64::MAX)),
            "info.files",
            MetainfoFault::Layout(LayoutError::TotalTooLong),
        ),
        (
            multi("d6:lengthi5e4:pathl1:aeed6:lengthi-5e4:pathl1:bee"),
            "info.files[1].length",
            range(-5, 0, i64::MAX),
        ),
    ];
    for (info, field, fault) in table {
        let error = refused(&info);
        assert_eq!((error.field.as_str(), &error.fault), (field, &fault), "{info}");
        assert!(error.to_string().contains(field), "{error}");
        let key = field.rsplit('.').next().expect("a key");
        let before = &torrent(&info)[..error.offset];
        assert!(before.ends_with(key.split('[').next().unwrap().as_bytes()), "{error}");
    }
}

#[test]
fn fields_that_lack_or_are_something_else_are_named() {
    let table = [
        ("d4:name1:a12:piece lengthi1e6:pieces0:e", "info.length", MetainfoFault::Missing),
        ("d6:lengthi1e12:piece lengthi1e6:pieces0:e", "info.name", MetainfoFault::Missing),
        ("d6:lengthi1e4:name1:ae", "info.piece length", MetainfoFault::Missing),
        ("d6:lengthi1e4:name1:a12:piece lengthi1ee", "info.pieces", MetainfoFault::Missing),
        ("d6:length1:x4:name1:a12:piece lengthi1ee", "info.length", MetainfoFault::Not("a number")),
        ("le", "info", MetainfoFault::Not("a dictionary")),
        ("d6:lengthi1e4:namei1e12:piece lengthi1ee", "info.name", MetainfoFault::Not("a string")),
        (
            "d5:filesle6:lengthi1e4:name1:a12:piece lengthi1ee",
            "info.files",
            MetainfoFault::Both("length", "files"),
        ),
        (
            "d5:filesli5ee4:name1:t12:piece lengthi1ee",
            "info.files[0]",
            MetainfoFault::Not("a dictionary"),
        ),
        (
            "d5:filesld6:lengthi1eee4:name1:t12:piece lengthi1ee",
            "info.files[0].path",
            MetainfoFault::Missing,
        ),
        (
            "d5:filesld6:lengthi1e4:pathli5eeee4:name1:t12:piece lengthi1ee",
            "info.files[0].path[0]",
            MetainfoFault::Not("a string"),
        ),
        (
            "d5:filesld4:attr1:l6:lengthi0e4:pathl1:ae12:symlink pathl2:..eee4:name1:t12:piece lengthi1ee",
            "info.files[0].attr",
            MetainfoFault::Link,
        ),
        (
            "d9:file treede12:meta versioni2e4:name1:a12:piece lengthi16384ee",
            "info.meta version",
            MetainfoFault::OnlyV2,
        ),
    ];
    for (info, field, fault) in table {
        let error = refused(info);
        assert_eq!((error.field.as_str(), error.fault), (field, fault), "{info}");
    }
    assert!(matches!(
        Metainfo::decode(b"de", &LIMITS),
        Err(MetainfoError { fault: MetainfoFault::Missing, .. })
    ));
    let hybrid = format!(
        "d9:file treede6:lengthi3e12:meta versioni2e4:name1:a12:piece lengthi16384e6:pieces{HASH}e"
    );
    let hybrid = Metainfo::decode(&torrent(&hybrid), &LIMITS).expect("its first part");
    assert_eq!(hybrid.info.version(), Version::Hybrid);
    let info = single("a", "3", "16384", HASH);
    for (around, field) in [
        ("d8:announcei1e4:infoXe", "announce"),
        ("d13:announce-listl1:ae4:infoXe", "announce-list[0]"),
        ("d13:announce-listlli1eee4:infoXe", "announce-list[0][0]"),
        ("d13:creation date1:x4:infoXe", "creation date"),
        ("d4:infoX5:nodesl1:aee", "nodes[0]"),
        ("d4:infoX5:nodesll1:ai0eeee", "nodes[0][1]"),
        ("d4:infoX5:nodesll2:/ai1eeee", "nodes[0]"),
        ("d4:infoX8:url-listi1ee", "url-list"),
    ] {
        let text = around.replace('X', &info);
        let error = Metainfo::decode(text.as_bytes(), &LIMITS).expect_err(around);
        assert_eq!(error.field, field, "{around}");
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused_by_name() {
    let table: [(&[&str], PathRule); 8] = [
        (&[".."], PathRule::Dots),
        (&["a", "..", "..", "b"], PathRule::Dots),
        (&["", "etc", "passwd"], PathRule::Empty),
        (&["/etc/passwd"], PathRule::Separator),
        (&["..\\..\\x"], PathRule::Separator),
        (&["a\0"], PathRule::Control),
        (&["NUL"], PathRule::Device),
        (&[], PathRule::Empty),
    ];
    for (path, rule) in table {
        let error = refused(&multi(&format!("{}{}", entry(&["good"]), entry(path))));
        assert_eq!(error.field, "info.files[1].path");
        let MetainfoFault::Path(error) = error.fault else { panic!("{error}") };
        assert_eq!(error.rule, rule, "{path:?}");
        assert!(path.is_empty() || error.path == format!("t/{}", path.join("/")), "{error}");
    }
    for name in ["..", "/", "a/b", "con", ""] {
        let error = refused(&single(name, "3", "16384", HASH));
        assert_eq!(error.field, "info.name", "{name}");
        assert!(matches!(error.fault, MetainfoFault::Path(_)), "{error}");
    }
    let latin = single("X", "3", "16384", HASH);
    let latin: Vec<u8> =
        torrent(&latin).iter().map(|b| if *b == b'X' { 0xe4 } else { *b }).collect();
    let error = Metainfo::decode(&latin, &LIMITS).expect_err("not UTF-8");
    assert!(error.to_string().contains("not UTF-8"), "{error}");
    let twice = refused(&multi(&(entry(&["a"]) + &entry(&["A"]))));
    assert!(matches!(twice.fault, MetainfoFault::Layout(LayoutError::Duplicate { .. })));
    let through = refused(&multi(&(entry(&["a"]) + &entry(&["a", "b"]))));
    assert!(matches!(through.fault, MetainfoFault::Layout(LayoutError::FileIsFolder { .. })));
}

#[test]
fn limits_hold() {
    let info = single("a", "3", "16384", HASH);
    let file = torrent(&info);
    let decode = |limits: Limits| Metainfo::decode(&file, &limits).map_err(|error| error.fault);
    assert!(decode(Limits { size: file.len(), ..LIMITS }).is_ok());
    assert!(matches!(
        decode(Limits { size: file.len() - 1, ..LIMITS }),
        Err(MetainfoFault::Bencode(_))
    ));
    assert!(decode(Limits { piece_len: 16_383, ..LIMITS }).is_err());
    let files = torrent(&multi(&(entry(&["a"]) + &entry(&["b"]))));
    let error = Metainfo::decode(&files, &Limits { files: 1, ..LIMITS }).map_err(|e| e.fault);
    assert_eq!(error, Err(MetainfoFault::TooMany { limit: 1 }));
    let urls = format!("d13:announce-listll1:a1:bel1:cee4:info{info}e");
    let with = |urls_limit| {
        Metainfo::decode(urls.as_bytes(), &Limits { urls: urls_limit, ..LIMITS }).is_ok()
    };
    assert!(with(3) && !with(2));
    let unsorted = format!("d4:info{info}7:comment1:ae");
    assert!(Metainfo::decode(unsorted.as_bytes(), &LIMITS).is_err());
    let any = Limits { key_order: KeyOrder::Any, ..LIMITS };
    assert!(Metainfo::decode(unsorted.as_bytes(), &any).is_ok());
    assert!(Metainfo::decode(&[b'l'; 20_000], &LIMITS).is_err());
    let nested = torrent(&"d1:a".repeat(5_000));
    let error = Metainfo::decode(&nested, &LIMITS).expect_err("nested");
    assert_eq!(
        error.to_string(),
        "not bencoded: byte 403: lists or dictionaries nest deeper than 100"
    );
}

proptest! {
    #[test]
    fn what_is_made_reads_back(
        piece_len in 1_u32..100,
        lens in proptest::collection::vec(0_u64..300, 1..6),
        is_private in any::<bool>(),
        source in proptest::option::of("[a-z]{0,5}"),
        trackers in proptest::collection::vec(proptest::collection::vec("[a-z]{1,5}", 1..3), 0..3),
    ) {
        let files = lens.iter().enumerate().map(|(i, len)| {
            let name = format!("file {i}");
            let path = FilePath::new(["name", &name]).unwrap();
            FileEntry { len: *len, path, padding: i % 3 == 2 }
        });
        let Ok(layout) = Layout::new(piece_len, files.collect()) else { return Ok(()) };
        let hashes: Vec<_> = (0..layout.pieces()).map(|i| [i as u8; 20]).collect();
        let draft = InfoDraft { layout, is_single_file: false, hashes, is_private, source };
        let info = draft.finish();
        prop_assert!(info.is_ok(), "{:?}", info);
        let made = Metainfo { trackers, ..Metainfo::new(info.unwrap()) };
        let read = Metainfo::decode(&made.encode(), &LIMITS).unwrap();
        prop_assert_eq!(read.info.hashes(), &draft.hashes[..]);
        prop_assert_eq!(read.info.is_private(), draft.is_private);
        prop_assert_eq!(read.info.source(), draft.source.as_deref());
        let lens_read: Vec<_> = read.info.layout().files().iter().map(|file| file.len).collect();
        prop_assert_eq!(lens_read, lens);
        prop_assert_eq!(read, made);
    }

    /// A torrent with any of its bytes changed is read or refused.
    #[test]
    fn no_change_makes_the_reader_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = torrent(&multi(&(entry(&["a"]) + &entry(&["b", "c"]))));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Metainfo::decode(&bytes, &LIMITS) {
            prop_assert_eq!(Metainfo::decode(&read.encode(), &LIMITS), Ok(read));
        }
    }
}
