//! transmission.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::content::Place;
use crate::process::{Process, free_port};

/// No DHT, no local discovery, no limits; encryption preferred, as it comes.
const SETTINGS: &str = r#"{
    "bind-address-ipv4": "127.0.0.1", "dht-enabled": false, "encryption": 1, "lpd-enabled": false,
    "pex-enabled": true, "port-forwarding-enabled": false, "rename-partial-files": true,
    "speed-limit-down-enabled": false, "speed-limit-up-enabled": false, "utp-enabled": false
}"#;

/// Starts transmission on what `torrent` describes in `dir`, as seed or as
/// leecher, and gives its address. It goes on until it is ended. It never
/// dials 127/8, so someone has to dial it.
pub fn start(place: &Place, torrent: &Path, dir: &Path) -> (Process, String) {
    let settings = place.dir("transmission");
    fs::write(settings.join("settings.json"), SETTINGS).expect("writable");
    let port = free_port();
    let mut command = Command::new("transmission-cli");
    command.arg("-g").arg(&settings).arg("-w").arg(dir);
    command.args(["-p", &port.to_string()]).arg(torrent);
    let process = Process::start(command, "apt-get install transmission-cli");
    (process, format!("127.0.0.1:{port}"))
}
