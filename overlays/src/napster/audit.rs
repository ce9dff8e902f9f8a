//! What must hold over a whole Napster network at rest.

use std::collections::BTreeSet;

use super::Napster;
use crate::seam::Addr;

/// Each server's users are the clients logged in there, and its index is the
/// union of what they share.
pub fn audit(nodes: &[(Addr, &Napster)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (addr, node) in nodes {
        match node {
            Napster::Server(server) => {
                let mut users = BTreeSet::new();
                let mut shared = BTreeSet::new();
                for (user, client) in clients_of(nodes, *addr) {
                    users.insert(user);
                    shared.extend(client.shared_keys().map(|key| (key, user)));
                }
                if !server.users().eq(users.iter().copied()) {
                    broken.push(format!("{addr}: users are not the clients logged in there"));
                }
                if !server.index().pairs().eq(shared.iter().copied()) {
                    broken.push(format!("{addr}: the index is not what the users share"));
                }
                if !server.index().is_consistent() {
                    broken.push(format!("{addr}: the lists of the index contradict each other"));
                }
            }
            Napster::Client(client) => {
                if let Some(server) = client.server()
                    && !nodes.iter().any(|(a, n)| *a == server && matches!(n, Napster::Server(_)))
                {
                    broken.push(format!("{addr}: logged in to {server}, which is no live server"));
                }
            }
        }
    }
    broken
}

fn clients_of<'a>(
    nodes: &'a [(Addr, &Napster)],
    server: Addr,
) -> impl Iterator<Item = (Addr, &'a super::Client)> {
    nodes.iter().filter_map(move |(addr, node)| match node {
        Napster::Client(client) if client.server() == Some(server) => Some((*addr, &**client)),
        _ => None,
    })
}
