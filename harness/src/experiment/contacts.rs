//! Whom newcomers are told of.

use overlays::{Addr, Rng};

use crate::workload::draw;

/// How many peers a newcomer is told of: word of mouth, or what a host cache
/// hands out.
const CONTACTS: usize = 3;

/// The nodes through which others can join: the servers if the overlay has
/// any, else a few peers that have joined, drawn at random.
#[derive(Clone, Debug, Default)]
pub(super) struct Contacts {
    servers: u32,
    joined: Vec<u32>,
    /// Where each node stands in `joined`, plus one; zero if it does not.
    place: Vec<u32>,
}

impl Contacts {
    /// The servers are the nodes before `servers`.
    pub fn new(servers: u32) -> Self {
        Self { servers, ..Self::default() }
    }

    /// Notes that a peer has joined, or is no longer there. Servers are no
    /// peers.
    pub fn set_joined(&mut self, peer: u32, is_joined: bool) {
        if peer < self.servers {
            return;
        }
        let at = peer as usize;
        if self.place.len() <= at {
            self.place.resize(at + 1, 0);
        }
        match (is_joined, self.place[at]) {
            (true, 0) => {
                self.joined.push(peer);
                self.place[at] = self.joined.len() as u32;
            }
            (false, place) if place > 0 => {
                let hole = place as usize - 1;
                self.joined.swap_remove(hole);
                if let Some(&moved) = self.joined.get(hole) {
                    self.place[moved as usize] = place;
                }
                self.place[at] = 0;
            }
            _ => {}
        }
    }

    /// Whether a peer has joined and is there.
    pub fn is_joined(&self, peer: u32) -> bool {
        self.place.get(peer as usize).is_some_and(|&p| p > 0)
    }

    /// Peers that have joined and are there, in no particular but a
    /// repeatable order.
    pub fn joined(&self) -> impl Iterator<Item = u32> {
        self.joined.iter().copied()
    }

    /// How many those are.
    pub const fn joined_count(&self) -> usize {
        self.joined.len()
    }

    /// One of them, drawn at random.
    pub fn pick(&self, rng: &mut Rng) -> Option<u32> {
        if self.joined.is_empty() {
            return None;
        }
        Some(self.joined[draw::index(rng, self.joined.len())])
    }

    /// Contacts for `newcomer`: others that are `reachable`, as nobody passes on
    /// the address of a peer that cannot be connected to, unless by chance
    /// only such peers come up.
    pub fn draw(&self, newcomer: u32, reachable: impl Fn(u32) -> bool, rng: &mut Rng) -> Vec<Addr> {
        if self.servers > 0 {
            return (0..self.servers).map(Addr::from_index).collect();
        }
        let mut via: Vec<Addr> = Vec::with_capacity(CONTACTS);
        let mut walled = None;
        for _ in 0..4 * CONTACTS {
            if via.len() == CONTACTS.min(self.joined.len()) {
                break;
            }
            let Some(peer) = self.pick(rng) else { break };
            let addr = Addr::from_index(peer);
            if peer == newcomer || via.contains(&addr) {
                continue;
            }
            if reachable(peer) {
                via.push(addr);
            } else {
                walled = Some(addr);
            }
        }
        if via.is_empty() {
            via.extend(walled);
        }
        via
    }
}

#[cfg(test)]
mod tests {
    use overlays::Stream;

    use super::*;

    #[test]
    fn newcomers_are_told_of_others_that_are_there() {
        let mut rng = Stream::Churn.rng(1);
        let mut contacts = Contacts::new(0);
        assert!(contacts.draw(0, |_| true, &mut rng).is_empty());
        for peer in 0..10 {
            contacts.set_joined(peer, true);
            contacts.set_joined(peer, true);
        }
        for gone in [0, 9, 4] {
            contacts.set_joined(gone, false);
            contacts.set_joined(gone, false);
        }
        assert_eq!(contacts.joined_count(), 7);
        for _ in 0..50 {
            let via = contacts.draw(5, |p| p != 8, &mut rng);
            assert!(!via.is_empty() && via.len() <= CONTACTS);
            assert!(!via.contains(&Addr::from_index(8)));
            assert!(via.iter().all(|a| contacts.is_joined(a.index()) && a.index() != 5));
        }
        assert_eq!(contacts.draw(5, |_| false, &mut rng).len(), 1);
    }

    #[test]
    fn servers_come_first() {
        let contacts = Contacts::new(2);
        let via = contacts.draw(7, |_| true, &mut Stream::Churn.rng(1));
        assert_eq!(via, [Addr::from_index(0), Addr::from_index(1)]);
    }
}
