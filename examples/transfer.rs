//! Create a torrent of a file, seed it, download it from there, and stream it.

use std::io::Read;
use std::sync::atomic::AtomicBool;

use transfer::Metainfo;
use transfer_host::{AddTorrent, Client, CreateOptions, Settings, Stream, Watch, create};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = std::env::temp_dir().join(format!("overlab-transfer-{}", std::process::id()));
    let (theirs, ours) = (place.join("theirs"), place.join("ours"));
    std::fs::create_dir_all(&theirs)?;
    std::fs::write(theirs.join("film"), vec![42; 3_000_000])?;
    let mut watch = Watch { cancelled: &AtomicBool::new(false), progress: &mut |_, _| {} };

    // The ten lines.
    let info = create(&theirs.join("film"), &CreateOptions::default(), &mut watch)?;
    let torrent = Metainfo::new(info);
    let seeder = Client::start(Settings::default())?;
    seeder.add(AddTorrent::metainfo(torrent.clone(), &theirs))?;
    let leecher = Client::start(Settings::default())?;
    let mut download = AddTorrent::metainfo(torrent, &ours);
    download.peers.push(([127, 0, 0, 1], seeder.listen_addrs()[0].port()).into());
    let handle = leecher.add(download)?;
    let mut start = [0; 1000];
    Stream::open(&handle, 0)?.read_exact(&mut start)?;
    handle.wait_finished(None)?;

    let len = std::fs::metadata(ours.join("film"))?.len();
    println!("{}: {len} bytes, the first of them {}", handle.info_hash(), start[0]);
    assert!(std::fs::read(ours.join("film"))? == std::fs::read(theirs.join("film"))?);
    drop((seeder, leecher));
    std::fs::remove_dir_all(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_moves_a_film() {
        super::main().unwrap();
    }
}
