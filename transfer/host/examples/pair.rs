//! One half of a transfer, for measuring: `pair seed|get TORRENT FOLDER ADDR`.
//!
//! `seed` listens on ADDR and trusts the files; `get` connects to ADDR, prints
//! when the first payload came and when all was written, and ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use transfer::Metainfo;
use transfer_host::{AddTorrent, Checking, Client, Event, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, torrent, folder, addr] = args.as_slice() else {
        return Err("usage: pair seed|get TORRENT FOLDER ADDR".into());
    };
    let addr: SocketAddr = addr.parse()?;
    let metainfo = Metainfo::decode(&std::fs::read(torrent)?, &Default::default())?;
    let mut add = AddTorrent::metainfo(metainfo, folder);
    if what == "seed" {
        add.checking = Checking::TrustAll;
        let settings = Settings { listen: vec![addr], ..Settings::default() };
        let client = Client::start(settings)?;
        let _torrent = client.add(add)?;
        std::thread::sleep(Duration::from_secs(3600));
        return Ok(());
    }
    add.peers.push(addr);
    let client = Client::start(Settings { listen: vec![], ..Settings::default() })?;
    let (handle, events) = client.add_listening(add)?;
    for event in events {
        println!("{:8.3} s {event:?}", start.elapsed().as_secs_f64());
        if matches!(event, Event::Finished | Event::Failed(_)) {
            break;
        }
    }
    if let Some(status) = handle.status() {
        println!("{:8.3} s {:?}", start.elapsed().as_secs_f64(), status.traffic);
    }
    client.stop();
    println!("{:8.3} s stopped", start.elapsed().as_secs_f64());
    Ok(())
}
