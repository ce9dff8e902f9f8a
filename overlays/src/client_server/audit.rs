//! What must hold over a whole client-server network at rest.

use std::collections::BTreeSet;

use super::ClientServer;
use crate::seam::{Addr, Key};

/// All servers agree who takes the writes, that one has a session with every
/// client in the network, and every server stores exactly what those clients
/// have.
pub fn audit(nodes: &[(Addr, &ClientServer)]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut stored: BTreeSet<(Key, Addr)> = BTreeSet::new();
    let mut members = BTreeSet::new();
    let mut servers = BTreeSet::new();
    for (addr, node) in nodes {
        match node {
            ClientServer::Client(client) if client.is_in() => {
                members.insert(*addr);
                stored.extend(client.keys().map(|key| (key, *addr)));
            }
            ClientServer::Client(_) => {}
            ClientServer::Server(_) => _ = servers.insert(*addr),
        }
    }
    let primary = servers.first().copied();
    for (addr, node) in nodes {
        match node {
            ClientServer::Server(server) => {
                if server.primary() != primary {
                    let seen = server.primary();
                    broken
                        .push(format!("{addr}: takes {seen:?}, not {primary:?}, for the primary"));
                }
                if Some(*addr) == primary && !server.sessions().eq(members.iter().copied()) {
                    broken.push(format!("{addr}: its sessions are not the clients in the network"));
                }
                if !server.store().pairs().eq(stored.iter().copied()) {
                    broken.push(format!("{addr}: does not store what the clients have"));
                }
                if !server.store().is_consistent() {
                    broken.push(format!("{addr}: the lists of the store contradict each other"));
                }
            }
            ClientServer::Client(client) if client.is_in() => {
                if client.primary() != primary {
                    broken.push(format!("{addr}: has no session with the primary"));
                }
                if !client.reader().is_some_and(|reader| servers.contains(&reader)) {
                    broken.push(format!("{addr}: reads from no live server"));
                }
            }
            ClientServer::Client(_) => {}
        }
    }
    broken
}
