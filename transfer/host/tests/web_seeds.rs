//! Downloads from HTTP servers (BEP 19).
//!
//! The server is a few lines here, since it must also do what real ones never
//! would: lie, serve no ranges, hang up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha1::{Digest, Sha1};
use transfer::metainfo::InfoDraft;
use transfer::{FileEntry, FilePath, Layout, Metainfo};
use transfer_host::store::{Store, SyntheticStore};
use transfer_host::{AddTorrent, Client, Event, Held, Origin, Phase, Place, Selection, Settings};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a server does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Corrupts all.
    Lies,
    /// Sends whole files, whatever is asked for.
    NoRanges,
    /// Closes the connection in the middle of its first answer.
    HangsUp,
}

/// An HTTP server of some files, by their paths.
struct Server {
    addr: SocketAddr,
    sent: Arc<AtomicU64>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(files: BTreeMap<String, Vec<u8>>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let addr = listener.local_addr().expect("it is bound");
        let (sent, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (files, counted, seen) = (Arc::new(files), Arc::clone(&sent), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, counted, seen) =
                    (Arc::clone(&files), Arc::clone(&counted), Arc::clone(&seen));
                // A client that hangs up ends it.
                std::thread::spawn(move || answer(stream, &files, manner, &counted, &seen));
            }
        });
        Self { addr, sent, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.addr)
    }
}

fn answer(
    mut stream: TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    manner: Manner,
    sent: &AtomicU64,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut path = String::new();
        let mut range = None;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(rest) = line.strip_prefix("GET ") {
                path = rest.split(' ').next().unwrap_or_default().to_owned();
            }
            if let Some(rest) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                let (from, to) = rest.trim().split_once('-').expect("both ends");
                range = Some((
                    from.parse::<usize>().expect("a number"),
                    to.parse::<usize>().expect("a number"),
                ));
            }
            if line == "\r\n" {
                break;
            }
        }
        let number = {
            let mut asked = asked.lock().expect("no thread panicked");
            asked.push(path.clone());
            asked.len()
        };
        let Some(file) = files.get(&path) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let (head, mut body) = match range.filter(|_| manner != Manner::NoRanges) {
            Some((from, to)) => (
                format!("206 Partial Content\r\nContent-Range: bytes {from}-{to}/{}", file.len()),
                file[from..=to].to_vec(),
            ),
            None => ("200 OK".to_owned(), file.clone()),
        };
        if manner == Manner::Lies {
            body.iter_mut().for_each(|byte| *byte ^= 1);
        }
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes())?;
        if manner == Manner::HangsUp && number == 1 {
            stream.write_all(&body[..body.len() / 2])?;
            return Ok(());
        }
        stream.write_all(&body)?;
        sent.fetch_add(body.len() as u64, Ordering::Relaxed);
    }
}

/// A torrent, its content, and its files as a server has them.
struct Content {
    metainfo: Metainfo,
    store: SyntheticStore,
    files: BTreeMap<String, Vec<u8>>,
}

fn content(piece_len: u32, files: &[(&str, u64, bool)]) -> Content {
    let entry = |(path, len, padding): &(&str, u64, bool)| FileEntry {
        len: *len,
        path: FilePath::new(path.split('/')).expect("a good path"),
        padding: *padding,
    };
    let layout = Layout::new(piece_len, files.iter().map(entry).collect()).expect("a good layout");
    let store = SyntheticStore::new(5, layout.total_len());
    let mut all = vec![0; layout.total_len() as usize];
    store.read_at(0, &mut all).expect("synthetic content");
    let mut served = BTreeMap::new();
    for span in layout.files() {
        let bytes = &mut all[span.offset as usize..(span.offset + span.len) as usize];
        if span.padding {
            bytes.fill(0);
        } else {
            served.insert(format!("/{}", span.path.as_str()), bytes.to_vec());
        }
    }
    let hashes = all.chunks(piece_len as usize).map(|piece| Sha1::digest(piece).into()).collect();
    let is_single_file = files.len() == 1 && !files[0].0.contains('/');
    let draft = InfoDraft { layout, is_single_file, hashes, is_private: false, source: None };
    Content {
        metainfo: Metainfo::new(draft.finish().expect("good metainfo")),
        store,
        files: served,
    }
}

fn client() -> Client {
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    Client::start(Settings { listen, ..Settings::default() }).expect("loopback can be bound")
}

fn assert_files(folder: &std::path::Path, content: &Content, but: &[&str]) {
    for (path, bytes) in &content.files {
        if !but.contains(&path.as_str()) {
            let found = std::fs::read(folder.join(&path[1..])).expect("the file is there");
            assert!(found == *bytes, "{path} differs");
        }
    }
}

#[test]
fn a_file_comes_from_a_web_seed_alone() {
    let mut content = content(65_536, &[("a film.bin", 3_000_001, false)]);
    let file = content.files.remove("/a film.bin").unwrap();
    content.files.insert("/a%20film.bin".into(), file.clone());
    let server = Server::start(content.files.clone(), Manner::Honest);
    for url in [server.url("a%20film.bin"), server.url("")] {
        content.metainfo.web_seeds = vec![url];
        let (client, place) = (client(), tempfile::tempdir().unwrap());
        let add = AddTorrent::metainfo(content.metainfo.clone(), place.path());
        let (handle, events) = client.add_listening(add).unwrap();
        handle.wait_finished(Some(PATIENCE)).unwrap();
        assert!(std::fs::read(place.path().join("a film.bin")).unwrap() == file);
        assert_eq!(handle.status().unwrap().traffic.downloaded, 3_000_001);
        assert!(events.try_iter().any(|event| event == Event::FirstPayload));
    }
    assert_eq!(server.sent.load(Ordering::Relaxed), 2 * 3_000_001, "nothing came twice");
}

#[test]
fn a_folder_comes_from_a_web_seed() {
    let files = [
        ("t/a", 100_000, false),
        ("t/.pad/1", 31_072, true),
        ("t/empty", 0, false),
        ("t/d/b", 1_500_000, false),
        ("t/d/c", 7, false),
        ("t/unwanted", 400_000, false),
    ];
    let mut content = content(65_536, &files);
    let server = Server::start(content.files.clone(), Manner::Honest);
    content.metainfo.web_seeds = vec![server.url("")];
    let (client, place) = (client(), tempfile::tempdir().unwrap());
    let mut add = AddTorrent::metainfo(content.metainfo.clone(), place.path());
    add.selection = Selection::Matching(vec!["1".into(), "3".into(), "4".into(), "5".into()]);
    client.add(add).unwrap().wait_finished(Some(PATIENCE)).unwrap();
    assert_files(place.path(), &content, &["/t/unwanted"]);
    let asked = server.asked.lock().unwrap();
    assert!(asked.iter().all(|path| path != "/t/.pad/1" && path != "/t/empty"), "{asked:?}");
}

#[test]
fn a_lying_web_seed_is_banned_and_peers_do_the_rest() {
    let mut content = content(65_536, &[("file", 2_000_000, false)]);
    let server = Server::start(content.files.clone(), Manner::Lies);
    content.metainfo.web_seeds = vec![server.url("file")];
    let (seeder, leecher, place) = (client(), client(), tempfile::tempdir().unwrap());
    let add = AddTorrent::metainfo(content.metainfo.clone(), place.path());
    let (handle, events) = leecher.add_listening(add).unwrap();
    // The web seed is alone first, and found out.
    let banned = std::iter::from_fn(|| events.recv_timeout(PATIENCE).ok())
        .find(|event| matches!(event, Event::Banned(_)));
    assert_eq!(banned, Some(Event::Banned(server.url("file"))));
    let origin = Origin::Metainfo(Arc::new(content.metainfo.clone()));
    let store = Place::Store(Arc::new(content.store), Held::All);
    seeder.add(AddTorrent::new(origin, store)).unwrap();
    handle.add_peer(seeder.listen_addrs()[0]);
    handle.wait_finished(Some(PATIENCE)).unwrap();
    assert_files(place.path(), &content, &[]);
    let status = handle.status().unwrap();
    assert_eq!(status.phase, Phase::Seeding);
    assert!(status.traffic.bad > 0, "{:?}", status.traffic);
}

#[test]
fn web_seeds_that_are_none_are_said_so() {
    let mut content = content(65_536, &[("file", 2_000_000, false)]);
    let whole = Server::start(content.files.clone(), Manner::NoRanges);
    let missing = Server::start(BTreeMap::new(), Manner::Honest);
    content.metainfo.web_seeds =
        vec![whole.url("file"), missing.url("file"), "ftp://127.0.0.1/file".into()];
    let (client, place) = (client(), tempfile::tempdir().unwrap());
    let add = AddTorrent::metainfo(content.metainfo.clone(), place.path());
    let (_handle, events) = client.add_listening(add).unwrap();
    let mut said = Vec::new();
    while said.len() < 3
        && let Ok(event) = events.recv_timeout(PATIENCE)
    {
        if let Event::Warning(text) = event {
            said.push(text);
        }
    }
    for reason in ["no ranges", "404", "neither http nor https"] {
        assert!(said.iter().any(|text| text.contains(reason)), "{reason}: {said:?}");
    }
}

#[test]
fn a_web_seed_that_hangs_up_is_tried_again() {
    let mut content = content(65_536, &[("file", 800_000, false)]);
    let server = Server::start(content.files.clone(), Manner::HangsUp);
    content.metainfo.web_seeds = vec![server.url("file")];
    let (client, place) = (client(), tempfile::tempdir().unwrap());
    let add = AddTorrent::metainfo(content.metainfo.clone(), place.path());
    client.add(add).unwrap().wait_finished(Some(PATIENCE)).unwrap();
    assert_files(place.path(), &content, &[]);
}

#[test]
fn a_rate_limit_holds_for_web_seeds() {
    let mut content = content(65_536, &[("file", 600_000, false)]);
    let server = Server::start(content.files.clone(), Manner::Honest);
    content.metainfo.web_seeds = vec![server.url("file")];
    let (client, place) = (client(), tempfile::tempdir().unwrap());
    let mut add = AddTorrent::metainfo(content.metainfo.clone(), place.path());
    add.max_download = Some(400_000);
    let began = std::time::Instant::now();
    client.add(add).unwrap().wait_finished(Some(PATIENCE)).unwrap();
    assert_files(place.path(), &content, &[]);
    // Without a limit it takes milliseconds; the bucket's first second is free.
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
}
