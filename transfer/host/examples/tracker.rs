//! A tracker in a few lines: listens on the address given, for HTTP and UDP,
//! until it is killed. With `lab` behind the address, clients may name their
//! own address, and one address may have any number of peers.

use transfer_host::tracker::{Options, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    if let Some(address) = std::env::args().nth(1) {
        options.listen = vec![address.parse()?];
    }
    if std::env::args().nth(2).as_deref() == Some("lab") {
        options.trusts_addresses = true;
        options.config.max_peers_per_address = u32::MAX;
    }
    let server = Server::bind(&options)?;
    println!("listening on {:?}", server.local_addresses()?);
    server.run()?;
    Ok(())
}
