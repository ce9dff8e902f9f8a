//! Clients of ours exchange torrents over loopback, with real files.

use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};
use transfer::metainfo::InfoDraft;
use transfer::mse::Encryption;
use transfer::{FileEntry, FilePath, Info, Layout, Metainfo};
use transfer_host::store::{MemoryStore, Store, SyntheticStore};
use transfer_host::{
    AddTorrent, Checking, Client, Event, Held, Origin, Phase, Place, Selection, Settings, Stream,
    TorrentHandle,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn client() -> Client {
    client_with(Settings::default())
}

fn client_with(settings: Settings) -> Client {
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    Client::start(Settings { listen, ..settings }).expect("loopback can be bound")
}

/// Metainfo of files, of content that follows from a seed.
fn metainfo(seed: u64, piece_len: u32, files: &[(&str, u64)]) -> (Metainfo, SyntheticStore) {
    let entry = |(path, len): &(&str, u64)| FileEntry {
        len: *len,
        path: FilePath::new(path.split('/')).expect("a good path"),
        padding: false,
    };
    let layout = Layout::new(piece_len, files.iter().map(entry).collect()).expect("a good layout");
    let store = SyntheticStore::new(seed, layout.total_len());
    let hash = |piece| {
        let mut bytes = vec![0; layout.piece_size(piece) as usize];
        store.read_at(layout.piece_offset(piece), &mut bytes).expect("synthetic content");
        <[u8; 20]>::from(Sha1::digest(&bytes))
    };
    let hashes = (0..layout.pieces()).map(hash).collect();
    let is_single_file = files.len() == 1 && !files[0].0.contains('/');
    let draft = InfoDraft { layout, is_single_file, hashes, is_private: false, source: None };
    (Metainfo::new(draft.finish().expect("good metainfo")), store)
}

fn seed(client: &Client, metainfo: &Metainfo, store: SyntheticStore) -> TorrentHandle {
    let place = Place::Store(Arc::new(store), Held::All);
    let origin = Origin::Metainfo(Arc::new(metainfo.clone()));
    client.add(AddTorrent::new(origin, place)).expect("added once")
}

fn leech(metainfo: &Metainfo, folder: &Path, from: &Client) -> AddTorrent {
    let mut add = AddTorrent::metainfo(metainfo.clone(), folder);
    add.peers.push(from.listen_addrs()[0]);
    add
}

/// Compares a file with what the store has at its place.
fn assert_file(folder: &Path, info: &Info, file: usize, store: &SyntheticStore) {
    let span = &info.layout().files()[file];
    let bytes = std::fs::read(folder.join(span.path.as_str())).expect("the file is there");
    let mut expected = vec![0; span.len as usize];
    store.read_at(span.offset, &mut expected).expect("synthetic content");
    assert!(bytes == expected, "{} differs", span.path.as_str());
}

#[test]
fn a_folder_of_files_is_fetched() {
    let files = [("t/a", 100_000), ("t/empty", 0), ("t/d/b", 1_500_000), ("t/d/c", 7)];
    let (metainfo, store) = metainfo(1, 32_768, &files);
    let (seeder, leecher) = (client(), client());
    seed(&seeder, &metainfo, store);
    let place = tempfile::tempdir().unwrap();
    let (handle, events) = leecher.add_listening(leech(&metainfo, place.path(), &seeder)).unwrap();
    handle.wait_finished(Some(PATIENCE)).unwrap();
    for file in 0..files.len() {
        assert_file(place.path(), &metainfo.info, file, &store);
    }
    let status = handle.status().unwrap();
    assert_eq!(status.phase, Phase::Seeding);
    assert_eq!(status.traffic.downloaded, 1_600_007);
    assert_eq!(status.progress.missing, 0);
    let events: Vec<Event> = events.try_iter().collect();
    assert!(matches!(events[0], Event::Checked { have: 0, resumed: false, .. }), "{events:?}");
    assert!(events.contains(&Event::FirstPayload) && events.contains(&Event::Finished));
    seeder.stop();
    leecher.stop();
}

/// Also when we connect in plain first, since encryption is merely allowed.
#[test]
fn encryption_is_agreed_on() {
    let (metainfo, store) = metainfo(11, 32_768, &[("file", 1_000_003)]);
    for (ours, theirs, encrypted) in [
        (Encryption::Required, Encryption::Required, true),
        (Encryption::Preferred, Encryption::Preferred, true),
        (Encryption::Allowed, Encryption::Required, true),
        (Encryption::Preferred, Encryption::Off, false),
        (Encryption::Allowed, Encryption::Allowed, false),
    ] {
        let seeder = client_with(Settings { encryption: theirs, ..Settings::default() });
        let leecher = client_with(Settings { encryption: ours, ..Settings::default() });
        let seeding = seed(&seeder, &metainfo, store);
        let place = tempfile::tempdir().unwrap();
        let handle = leecher.add(leech(&metainfo, place.path(), &seeder)).unwrap();
        handle.wait_finished(Some(PATIENCE)).unwrap();
        assert_file(place.path(), &metainfo.info, 0, &store);
        let peers = seeding.status().unwrap().peers;
        assert!(peers.iter().all(|peer| peer.encrypted == encrypted), "{ours:?} {theirs:?}");
    }
}

#[test]
fn a_magnet_link_needs_a_peer_only() {
    // An info dictionary of more than one metadata block (BEP 9).
    let (metainfo, store) = metainfo(2, 16_384, &[("film", 16_384 * 1000 + 5)]);
    assert!(metainfo.info.bytes().len() > 16_384);
    let (seeder, leecher) = (client(), client());
    seed(&seeder, &metainfo, store);
    let place = tempfile::tempdir().unwrap();
    let info_hash = metainfo.info.info_hash();
    let origin = Origin::Magnet { info_hash, trackers: Vec::new() };
    let mut add = AddTorrent::new(origin, Place::Folder(place.path().into()));
    add.peers.push(seeder.listen_addrs()[0]);
    let handle = leecher.add(add).unwrap();
    handle.wait_finished(Some(PATIENCE)).unwrap();
    assert_file(place.path(), &metainfo.info, 0, &store);
}

#[test]
fn selected_files_come_alone_and_others_later() {
    let files = [("t/a", 50_000), ("t/b", 50_000), ("t/c", 50_000)];
    let (metainfo, store) = metainfo(3, 32_768, &files);
    let (seeder, leecher) = (client(), client());
    let mut whole = AddTorrent::new(
        Origin::Metainfo(Arc::new(metainfo.clone())),
        Place::Store(Arc::new(store), Held::All),
    );
    whole.session.close_between_seeds = false;
    seeder.add(whole).unwrap();
    let place = tempfile::tempdir().unwrap();
    let mut add = leech(&metainfo, place.path(), &seeder);
    add.selection = Selection::Matching(vec!["b".into()]);
    // Else they part when neither needs anything, and meet again after a while.
    add.session.close_between_seeds = false;
    let handle = leecher.add(add).unwrap();
    handle.wait_finished(Some(PATIENCE)).unwrap();
    assert_file(place.path(), &metainfo.info, 1, &store);
    assert!(!place.path().join("t/a").exists());
    assert!(!place.path().join("t/c").exists());
    // Its first piece is shared with `a`, whose part waits in the part file.
    let before = handle.status().unwrap().traffic.downloaded;
    handle.want_file(0);
    let end = Instant::now() + PATIENCE;
    while handle.status().unwrap().progress.missing > 0 || !place.path().join("t/a").exists() {
        assert!(Instant::now() < end, "the second file never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_file(place.path(), &metainfo.info, 0, &store);
    let after = handle.status().unwrap().traffic.downloaded;
    assert_eq!(after - before, 32_768, "only the piece that was missing");
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let (metainfo, store) = metainfo(4, 16_384, &[("file", 1_000_000)]);
    let place = tempfile::tempdir().unwrap();
    let mut half = vec![0; 500_000];
    store.read_at(0, &mut half).unwrap();
    half[100_000] ^= 1;
    std::fs::write(place.path().join("file"), &half).unwrap();
    let (seeder, leecher) = (client(), client());
    seed(&seeder, &metainfo, store);
    let (handle, events) = leecher.add_listening(leech(&metainfo, place.path(), &seeder)).unwrap();
    handle.wait_finished(Some(PATIENCE)).unwrap();
    assert_file(place.path(), &metainfo.info, 0, &store);
    // 30 whole pieces were there, one of them with a wrong bit.
    let checked = events.iter().next();
    assert_eq!(checked, Some(Event::Checked { have: 29, pieces: 62, resumed: false }));
    let downloaded = handle.status().unwrap().traffic.downloaded;
    assert_eq!(downloaded, 1_000_000 - 29 * 16_384);
}

#[test]
fn a_clean_stop_needs_no_hashing_and_a_touched_file_does() {
    let (metainfo, store) = metainfo(12, 16_384, &[("t/a", 300_000), ("t/b", 100_000)]);
    let place = tempfile::tempdir().unwrap();
    let seeder = client_with(Settings { max_upload: Some(600_000), ..Settings::default() });
    seed(&seeder, &metainfo, store);
    let leecher = client();
    let handle = leecher.add(leech(&metainfo, place.path(), &seeder)).unwrap();
    let end = Instant::now() + PATIENCE;
    while handle.have().count() < 5 {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(2));
    }
    leecher.stop();
    let had = handle.have().count();
    assert!(had < 25, "it was to be stopped on its way");
    let add = || AddTorrent::metainfo(metainfo.clone(), place.path());
    let first_event = |client: &Client| {
        let (_, events) = client.add_listening(add()).unwrap();
        events.recv_timeout(PATIENCE).unwrap()
    };
    let again = client();
    let event = first_event(&again);
    assert_eq!(event, Event::Checked { have: had, pieces: 25, resumed: true });
    again.stop();
    // As after a run that was killed when it had written more.
    let path = place.path().join("t/a");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() + Duration::from_secs(3)).unwrap();
    let killed = client();
    let event = first_event(&killed);
    assert_eq!(event, Event::Checked { have: had, pieces: 25, resumed: false });
}

#[test]
fn a_seed_hashes_its_files_once() {
    let (metainfo, store) = metainfo(12, 32_768, &[("t/a", 300_000), ("t/b", 50_000)]);
    let place = tempfile::tempdir().unwrap();
    let mut all = vec![0; 350_000];
    store.read_at(0, &mut all).unwrap();
    std::fs::create_dir(place.path().join("t")).unwrap();
    // Not changed in the last second, else it is hashed again.
    let before = std::time::SystemTime::now() - Duration::from_secs(5);
    for (path, bytes) in [("t/a", &all[..300_000]), ("t/b", &all[300_000..])] {
        std::fs::write(place.path().join(path), bytes).unwrap();
        let file = std::fs::File::options().write(true).open(place.path().join(path)).unwrap();
        file.set_modified(before).unwrap();
    }
    let checked = |checking| {
        let add = AddTorrent { checking, ..AddTorrent::metainfo(metainfo.clone(), place.path()) };
        let client = client();
        let (_, events) = client.add_listening(add).unwrap();
        let mut all = std::iter::from_fn(|| events.recv_timeout(PATIENCE).ok());
        all.find(|event| matches!(event, Event::Checked { .. }))
    };
    let full = |resumed| Some(Event::Checked { have: 11, pieces: 11, resumed });
    assert_eq!(checked(Checking::Auto), full(false));
    assert_eq!(checked(Checking::Auto), full(true));
    assert_eq!(checked(Checking::Always), full(false));
    std::fs::write(place.path().join("t/b"), [1; 50_000]).unwrap();
    let changed = Event::Checked { have: 9, pieces: 11, resumed: false };
    assert_eq!(checked(Checking::Auto), Some(changed));
}

/// A store of which nothing is in memory until it has been read.
#[derive(Debug)]
struct ColdStore {
    content: SyntheticStore,
    /// Where it was read, and by which thread.
    reads: std::sync::Mutex<Vec<(u64, String)>>,
}

impl ColdStore {
    fn note(&self, offset: u64) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        self.reads.lock().expect("no thread panicked").push((offset, thread));
    }
}

impl Store for ColdStore {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.note(offset);
        self.content.read_at(offset, into)
    }

    fn read_cached_at(&self, _: u64, _: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<bool> {
        Ok(false)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.content.write_at(offset, bytes)
    }
}

#[test]
fn the_event_loop_never_reads_first() {
    let (metainfo, content) = metainfo(13, 65_536, &[("file", 3_000_000)]);
    let store = Arc::new(ColdStore { content, reads: Default::default() });
    let (seeder, leecher) = (client(), client());
    let origin = Origin::Metainfo(Arc::new(metainfo.clone()));
    seeder.add(AddTorrent::new(origin, Place::Store(store.clone(), Held::All))).unwrap();
    let place = tempfile::tempdir().unwrap();
    let handle = leecher.add(leech(&metainfo, place.path(), &seeder)).unwrap();
    handle.wait_finished(Some(PATIENCE)).unwrap();
    assert_file(place.path(), &metainfo.info, 0, &content);
    let reads = store.reads.lock().unwrap();
    let first = |offset: u64| reads.iter().find(|(at, _)| *at == offset).map(|(_, thread)| thread);
    for block in 0..3_000_000_u64.div_ceil(16_384) {
        let thread = first(block * 16_384);
        assert_eq!(thread.map(String::as_str), Some("hash-and-write"), "block {block}");
    }
}

#[test]
fn rates_are_limited_on_either_side() {
    let (metainfo, store) = metainfo(5, 65_536, &[("file", 3_000_000)]);
    for on_seed in [true, false] {
        let limit = Some(2_000_000);
        let (up, down) = if on_seed { (limit, None) } else { (None, limit) };
        let seeder = client_with(Settings { max_upload: up, ..Settings::default() });
        let leecher = client_with(Settings { max_download: down, ..Settings::default() });
        seed(&seeder, &metainfo, store);
        let place = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let handle = leecher.add(leech(&metainfo, place.path(), &seeder)).unwrap();
        handle.wait_finished(Some(PATIENCE)).unwrap();
        // All but the first burst, which is a tenth of a second's, and what a
        // slow machine adds.
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1300), "{took:?}, limit on the seed: {on_seed}");
    }
}

#[test]
fn a_full_disk_pauses_and_goes_on() {
    let (metainfo, synthetic) = metainfo(6, 16_384, &[("file", 400_000)]);
    let (seeder, leecher) = (client(), client());
    seed(&seeder, &metainfo, synthetic);
    let store = Arc::new(MemoryStore::full_at(400_000, 200_000));
    let origin = Origin::Metainfo(Arc::new(metainfo));
    let mut add = AddTorrent::new(origin, Place::Store(store.clone(), Held::Nothing));
    add.peers.push(seeder.listen_addrs()[0]);
    let handle = leecher.add(add).unwrap();
    let error = handle.wait_finished(Some(PATIENCE)).unwrap_err();
    assert!(error.to_string().contains("full") || error.to_string().contains("storage"), "{error}");
    assert_eq!(handle.phase(), Phase::Paused);
    let have = handle.have();
    store.make_room();
    handle.resume();
    handle.wait_finished(Some(PATIENCE)).unwrap();
    assert!(have.iter().all(|piece| handle.have().contains(piece)));
    let mut expected = vec![0; 400_000];
    synthetic.read_at(0, &mut expected).unwrap();
    assert!(store.content() == expected);
}

#[test]
fn a_stream_reads_in_order_while_it_is_fetched() {
    let (metainfo, store) = metainfo(7, 32_768, &[("t/other", 300_000), ("t/film", 2_000_000)]);
    let (seeder, leecher) = (client(), client());
    seed(&seeder, &metainfo, store);
    let place = tempfile::tempdir().unwrap();
    let handle = leecher.add(leech(&metainfo, place.path(), &seeder)).unwrap();
    let mut stream = Stream::open(&handle, 1).unwrap();
    assert_eq!(stream.len(), 2_000_000);
    let mut bytes = Vec::new();
    stream.seek(SeekFrom::End(-1000)).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 1000);
    stream.seek(SeekFrom::Start(0)).unwrap();
    bytes.clear();
    stream.read_to_end(&mut bytes).unwrap();
    let mut expected = vec![0; 2_000_000];
    store.read_at(300_000, &mut expected).unwrap();
    assert!(bytes == expected);
    assert!(stream.seek(SeekFrom::Current(-3_000_000)).is_err());
}

#[test]
fn four_leechers_help_each_other() {
    let (metainfo, store) = metainfo(8, 16_384, &[("file", 2_000_000)]);
    let seeder = client_with(Settings { max_upload: Some(8_000_000), ..Settings::default() });
    let seeding = seed(&seeder, &metainfo, store);
    let leechers: Vec<Client> = (0..4).map(|_| client()).collect();
    let places: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let handles: Vec<TorrentHandle> = leechers
        .iter()
        .zip(&places)
        .enumerate()
        .map(|(at, (leecher, place))| {
            let mut add = leech(&metainfo, place.path(), &seeder);
            add.peers.extend(leechers[..at].iter().map(|other| other.listen_addrs()[0]));
            leecher.add(add).unwrap()
        })
        .collect();
    for (handle, place) in handles.iter().zip(&places) {
        handle.wait_finished(Some(PATIENCE)).unwrap();
        assert_file(place.path(), &metainfo.info, 0, &store);
    }
    let sent = seeding.status().unwrap().traffic.uploaded;
    assert!(sent < 4 * 2_000_000, "the seed sent {sent}: nobody helped");
}

#[test]
fn a_torrent_is_added_once_and_can_be_taken_out() {
    let (metainfo, store) = metainfo(9, 16_384, &[("file", 20_000)]);
    let seeder = client();
    let handle = seed(&seeder, &metainfo, store);
    let again = AddTorrent::new(
        Origin::Metainfo(Arc::new(metainfo.clone())),
        Place::Store(Arc::new(store), Held::All),
    );
    assert!(seeder.add(again.clone()).is_err());
    handle.remove();
    let end = Instant::now() + PATIENCE;
    while handle.phase() != Phase::Stopped {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(handle.status().is_none());
    seeder.add(again).unwrap();
}

#[test]
fn files_that_are_trusted_are_seeded_unread() {
    let (metainfo, store) = metainfo(10, 16_384, &[("file", 100_000)]);
    let place = tempfile::tempdir().unwrap();
    let mut bytes = vec![0; 100_000];
    store.read_at(0, &mut bytes).unwrap();
    std::fs::write(place.path().join("file"), &bytes).unwrap();
    let (seeder, leecher) = (client(), client());
    let mut add = AddTorrent::metainfo(metainfo.clone(), place.path());
    add.checking = Checking::TrustAll;
    let seeding = seeder.add(add).unwrap();
    seeding.wait_finished(Some(PATIENCE)).unwrap();
    let target = tempfile::tempdir().unwrap();
    let handle = leecher.add(leech(&metainfo, target.path(), &seeder)).unwrap();
    handle.wait_finished(Some(PATIENCE)).unwrap();
    assert_file(target.path(), &metainfo.info, 0, &store);
}
