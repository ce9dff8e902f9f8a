//! Networks of every overlay in the simulator: the figures of their papers,
//! and what becomes of them when they are hurt. One program, because each
//! program of tests costs a link of the whole workspace.

mod baseline_lab;
mod bittorrent;
mod can;
mod chord;
mod client_server;
mod copies;
mod fasttrack;
mod gnutella;
mod gnutella06;
mod kademlia;
mod keywords;
mod lab;
mod laws;
mod napster;
mod pastry;
mod replication;
mod sim_host;
#[path = "../../src/report/snapshot.rs"]
mod snapshot;
mod swarm;
mod transcripts;
