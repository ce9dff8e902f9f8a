//! Other programs find each other through our tracker: libtorrent over HTTP
//! and UDP, and aria2, which must be there.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::thread;

use tempfile::TempDir;
use transfer_host::tracker::{Counters, Options, Server};

/// The head of every script: a session that speaks to loopback alone, and a
/// torrent of 300,000 bytes with our tracker.
const PRELUDE: &str = "
import sys, time, libtorrent as lt
folder, url = sys.argv[1], sys.argv[2]
def session():
    return lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False,
        'enable_lsd': False, 'enable_upnp': False, 'enable_natpmp': False,
        'allow_multiple_connections_per_ip': True, 'alert_mask': 0})
def make():
    storage = lt.file_storage()
    storage.add_file('content', 300000)
    # Version 1 alone: aria2 knows no other.
    torrent = lt.create_torrent(storage, piece_size=32768, flags=lt.create_torrent.v1_only)
    torrent.add_tracker(url)
    lt.set_piece_hashes(torrent, folder)
    data = lt.bencode(torrent.generate())
    open(folder + '/content.torrent', 'wb').write(data)
    return lt.torrent_info(lt.bdecode(data))
def wait(what, holds):
    end = time.time() + 60
    while not holds():
        if time.time() > end: sys.exit(what + ' took longer than a minute')
        time.sleep(0.05)
info = make()
seeding = session()
seed = seeding.add_torrent({'ti': info, 'save_path': folder})
wait('seeding', lambda: seed.status().is_seeding and
    any(e['verified'] for e in seed.trackers()))
";

/// Runs a tracker, and `script` with a folder and the tracker's URL.
fn with_tracker(scheme: &str, script: &str) -> (TempDir, Counters) {
    let listen = vec![(Ipv4Addr::LOCALHOST, 0).into()];
    let server = Server::bind(&Options { listen, ..Options::default() }).expect("loopback");
    let address = server.local_addresses().expect("it is bound")[0];
    let stop = server.stop_handle();
    let serving = thread::spawn(move || server.run());
    let folder = TempDir::new().expect("a temporary folder");
    let content: Vec<u8> =
        (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(folder.path().join("content"), &content).expect("it can be written");
    fs::create_dir(folder.path().join("copy")).expect("it can be made");
    let url = format!("{scheme}://{address}/announce");
    let script = format!("{PRELUDE}\n{script}");
    let path = folder.path().to_str().expect("a path in UTF-8");
    let output = Command::new("python3").args(["-W", "ignore", "-c", &script, path, &url]).output();
    let output = output.unwrap_or_else(|e| panic!("python3: {e}; apt-get install python3-pip"));
    stop.stop();
    let status = serving.join().expect("it ends").expect("it serves");
    assert!(
        output.status.success(),
        "needs: pip install libtorrent; apt-get install aria2: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(read(&folder.path().join("copy/content")), content, "byte by byte");
    (folder, status.counters)
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const LIBTORRENT_LEECHES: &str = "
leeching = session()
leech = leeching.add_torrent({'ti': info, 'save_path': folder + '/copy'})
wait('leeching', lambda: leech.status().is_seeding)
wait('scraping', lambda: leech.status().num_complete >= 1)
";

#[test]
fn libtorrent_finds_peers_over_http() {
    let (_folder, counters) = with_tracker("http", LIBTORRENT_LEECHES);
    assert!(counters.http_announces >= 2, "{counters:?}");
    assert_eq!((counters.http_malformed, counters.refused), (0, 0));
}

#[test]
fn libtorrent_finds_peers_over_udp() {
    let (_folder, counters) = with_tracker("udp", LIBTORRENT_LEECHES);
    assert!(counters.udp_announces >= 2 && counters.udp_connects >= 1, "{counters:?}");
    assert_eq!((counters.udp_malformed, counters.udp_bad_connections), (0, 0));
}

#[test]
fn aria2_finds_peers_over_http() {
    let script = "
import subprocess
subprocess.run(['aria2c', '--quiet', '--enable-dht=false', '--seed-time=0',
    '--bt-enable-lpd=false', '--enable-peer-exchange=false',
    '--dir=' + folder + '/copy', folder + '/content.torrent'], check=True, timeout=60)
";
    let (_folder, counters) = with_tracker("http", script);
    // One of libtorrent; aria2 tells that it starts, completes and stops.
    assert!(counters.http_announces >= 3, "{counters:?}");
    assert_eq!((counters.http_malformed, counters.refused), (0, 0));
}
