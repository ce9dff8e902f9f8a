//! BitTorrent networks in the simulator.

mod discovery;
mod hardship;
mod lab;
mod servers;
mod settled;
