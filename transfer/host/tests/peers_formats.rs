//! Torrents of other programs read here, and ours read by them: mktorrent,
//! transmission and libtorrent, which must be there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use transfer::metainfo::{Limits, Version};
use transfer::{Info, Metainfo};
use transfer_host::{CreateOptions, Watch, create, verify};

const ANNOUNCE: &str = "http://tracker.example/announce";

/// Runs a program and returns what it printed. One that is not there fails the
/// test with the way to install it.
fn run(program: &str, arguments: &[&str]) -> String {
    let install = match program {
        "mktorrent" => "apt-get install mktorrent",
        "python3" => "apt-get install python3-pip && pip install libtorrent",
        _ => "apt-get install transmission-cli",
    };
    let output = match Command::new(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => panic!("{program}: {error}; install it: {install}"),
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?} (needs: {install}): {text}{complaint}"
    );
    text
}

fn python(script: &str, arguments: &[&str]) -> String {
    let script = format!("import sys, libtorrent as lt\n{script}");
    run("python3", &[&["-W", "ignore", "-c", &script], arguments].concat())
}

/// What libtorrent says of a torrent: hash, pieces, then a line for each file.
fn libtorrent_reads(torrent: &Path) -> String {
    python(
        "t = lt.torrent_info(sys.argv[1])\n\
         print(t.info_hashes().v1, t.piece_length(), t.num_pieces(), t.name(), t.priv())\n\
         f = t.files()\n\
         for i in range(f.num_files()): print(f.file_size(i), f.file_path(i))",
        &[torrent.to_str().expect("a path in UTF-8")],
    )
}

/// The same as we say it.
fn we_read(info: &Info) -> String {
    let layout = info.layout();
    let mut text = format!(
        "{} {} {} {} {}\n",
        info.info_hash(),
        layout.piece_len(),
        layout.pieces(),
        info.name(),
        if info.is_private() { "True" } else { "False" }
    );
    for file in layout.files() {
        text.push_str(&format!("{} {}\n", file.len, file.path));
    }
    text
}

fn transmission_hash(torrent: &Path) -> String {
    let shown = run("transmission-show", &[torrent.to_str().expect("a path in UTF-8")]);
    let line = shown.lines().find_map(|line| line.trim().strip_prefix("Hash:"));
    line.unwrap_or_else(|| panic!("no hash in {shown}")).trim().to_string()
}

fn decode(torrent: &Path) -> Metainfo {
    let bytes = fs::read(torrent).expect("it was just made");
    let read = Metainfo::decode(&bytes, &Limits::DEFAULT);
    let read = read.unwrap_or_else(|error| panic!("{}: {error}", torrent.display()));
    let again = Metainfo::decode(&read.encode(), &Limits::DEFAULT);
    assert_eq!(again.as_ref(), Ok(&read), "written again, it is the same torrent");
    read
}

fn is_whole(info: &Info, folder: &Path) {
    let cancelled = AtomicBool::new(false);
    let mut watch = Watch { cancelled: &cancelled, progress: &mut |_, _| {} };
    let verified = verify(info, folder, &mut watch).expect("files of ours can be read");
    assert!(verified.good.is_full(), "{verified:?}");
}

/// A folder with files of 0 to 700,000 bytes, and names of several kinds.
fn shared() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path().join("shared things");
    let files = [
        ("a", 100_000),
        ("b/deep/x.bin", 700_000),
        ("b/naïve ünïcode.txt", 5),
        ("empty", 0),
        ("foo... bar", 33_333),
    ];
    for (name, len) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder of ours");
        let bytes: Vec<u8> = (0..len).map(|i: u32| (i % 251) as u8 ^ (i >> 12) as u8).collect();
        fs::write(path, bytes).expect("a folder of ours");
    }
    (folder, root)
}

#[test]
fn torrents_of_mktorrent_are_read_as_others_read_them() {
    let (folder, root) = shared();
    let out = folder.path().join("mk.torrent");
    run(
        "mktorrent",
        &[
            "-l",
            "15",
            "-p",
            "-a",
            &format!("{ANNOUNCE},http://b/announce"),
            "-a",
            "udp://c:80/announce",
            "-c",
            "a comment",
            "-s",
            "somewhere",
            "-w",
            "http://seed/",
            "-o",
            out.to_str().unwrap(),
            root.to_str().unwrap(),
        ],
    );
    let read = decode(&out);
    assert_eq!(we_read(&read.info), libtorrent_reads(&out));
    assert_eq!(read.info.info_hash().to_string(), transmission_hash(&out));
    assert!(read.info.is_private());
    assert_eq!(read.info.source(), Some("somewhere"));
    assert_eq!(read.comment.as_deref(), Some("a comment"));
    assert_eq!(read.web_seeds, ["http://seed/"]);
    assert_eq!(read.trackers, [vec![ANNOUNCE, "http://b/announce"], vec!["udp://c:80/announce"]]);
    is_whole(&read.info, folder.path());
}

#[test]
fn torrents_of_transmission_are_read_as_others_read_them() {
    let (folder, root) = shared();
    for (name, path) in [("folder", root.clone()), ("file", root.join("b/deep/x.bin"))] {
        let out = folder.path().join(format!("{name}.torrent"));
        run(
            "transmission-create",
            &["-s", "32", "-t", ANNOUNCE, "-o", out.to_str().unwrap(), path.to_str().unwrap()],
        );
        let read = decode(&out);
        assert_eq!(we_read(&read.info), libtorrent_reads(&out));
        assert_eq!(read.info.info_hash().to_string(), transmission_hash(&out));
        assert_eq!(read.trackers, [[ANNOUNCE]]);
        assert_eq!(read.info.is_single_file(), name == "file");
        is_whole(&read.info, path.parent().unwrap());
    }
}

#[test]
fn torrents_of_libtorrent_are_read_hybrids_by_their_first_part() {
    let (folder, root) = shared();
    let made = |flags: &str, name: &str| {
        let out = folder.path().join(name);
        python(
            "import os\n\
             path, out, flags = sys.argv[1], sys.argv[2], int(sys.argv[3])\n\
             files = lt.file_storage()\n\
             lt.add_files(files, path)\n\
             t = lt.create_torrent(files, 32768, flags)\n\
             t.add_tracker(sys.argv[4])\n\
             lt.set_piece_hashes(t, os.path.dirname(path))\n\
             open(out, 'wb').write(lt.bencode(t.generate()))",
            &[root.to_str().unwrap(), out.to_str().unwrap(), flags, ANNOUNCE],
        );
        out
    };
    // The flags of its create_torrent: version 1 alone, both, version 2 alone.
    let v1 = made("64", "v1.torrent");
    let read = decode(&v1);
    assert_eq!((we_read(&read.info), read.info.version()), (libtorrent_reads(&v1), Version::V1));
    assert_eq!(read.info.info_hash().to_string(), transmission_hash(&v1));
    is_whole(&read.info, folder.path());

    let hybrid = made("0", "hybrid.torrent");
    let read = decode(&hybrid);
    assert_eq!(read.info.version(), Version::Hybrid);
    // Transmission 3.00 reads no hybrids.
    assert!(libtorrent_reads(&hybrid).starts_with(&read.info.info_hash().to_string()));
    assert!(read.info.layout().files().iter().any(|file| file.padding));
    is_whole(&read.info, folder.path());

    let v2 = fs::read(made("32", "v2.torrent")).unwrap();
    let error = Metainfo::decode(&v2, &Limits::DEFAULT).expect_err("version 2 alone");
    assert!(error.to_string().contains("version 2 alone"), "{error}");
}

#[test]
fn others_read_ours_as_we_do() {
    let (folder, root) = shared();
    for path in [root.clone(), root.join("a")] {
        let cancelled = AtomicBool::new(false);
        let mut watch = Watch { cancelled: &cancelled, progress: &mut |_, _| {} };
        let options = CreateOptions { is_private: true, ..CreateOptions::default() };
        let info = create(&path, &options, &mut watch).unwrap();
        let made = Metainfo {
            trackers: vec![vec![ANNOUNCE.into()], vec!["udp://c:80/announce".into()]],
            web_seeds: vec!["http://seed/".into()],
            nodes: vec!["dht.example:6881".parse().unwrap()],
            creation_date_s: Some(1_225_365_524),
            created_by: Some("overlab".into()),
            comment: Some("a comment".into()),
            ..Metainfo::new(info)
        };
        let out = folder.path().join("ours.torrent");
        fs::write(&out, made.encode()).unwrap();
        assert_eq!(libtorrent_reads(&out), we_read(&made.info));
        assert_eq!(transmission_hash(&out), made.info.info_hash().to_string());
        let shown = run("transmission-show", &[out.to_str().unwrap()]);
        for word in [ANNOUNCE, "udp://c:80/announce", "a comment", "Private torrent", "Oct 30"] {
            assert!(shown.contains(word), "no `{word}` in {shown}");
        }
        let said = python(
            "t = lt.torrent_info(sys.argv[1])\n\
             print(t.comment(), t.creator(), t.creation_date(), [x.url for x in t.trackers()],\n\
                   [s['url'] for s in t.web_seeds()], t.nodes())\n\
             p = lt.parse_magnet_uri(sys.argv[2])\n\
             print(p.info_hashes.v1, p.name, p.trackers)",
            &[
                out.to_str().unwrap(),
                &transfer::Magnet {
                    name: Some(made.info.name().into()),
                    trackers: vec![ANNOUNCE.into()],
                    ..transfer::Magnet::new(made.info.info_hash())
                }
                .to_string(),
            ],
        );
        let expected = format!(
            "a comment overlab 1225365524 ['{ANNOUNCE}', 'udp://c:80/announce'] ['http://seed/'] \
             [('dht.example', 6881)]\n{} {} ['{ANNOUNCE}']\n",
            made.info.info_hash(),
            made.info.name()
        );
        assert_eq!(said, expected);
    }
}
