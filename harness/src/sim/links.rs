//! Streams between nodes: which are open, and how far each has been filled.

use overlays::Time;

/// One end of an open stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub peer: u32,
    /// Which stream this is; both ends hold the same number. Never zero.
    pub serial: u32,
    /// When the last letter sent from this end arrives. The next one must not
    /// overtake it.
    pub last_arrival: Time,
}

/// The ends of streams, by node.
///
/// Each end's list is sorted by peer. A node that talks in datagrams only
/// costs nothing here.
#[derive(Debug, Default)]
pub(super) struct Links {
    ends: Vec<Vec<Link>>,
    last_serial: u32,
}

impl Links {
    pub fn find(&mut self, node: u32, peer: u32) -> Option<&mut Link> {
        let ends = self.ends.get_mut(node as usize)?;
        let at = ends.binary_search_by_key(&peer, |l| l.peer).ok()?;
        Some(&mut ends[at])
    }

    /// Whether `node`'s end of stream `serial` to `peer` is still open.
    pub fn is_open(&mut self, node: u32, peer: u32, serial: u32) -> bool {
        self.find(node, peer).is_some_and(|l| l.serial == serial)
    }

    pub fn next_serial(&mut self) -> u32 {
        self.last_serial = self.last_serial.wrapping_add(1).max(1);
        self.last_serial
    }

    /// Opens `node`'s end of a stream, in place of any older one to that peer.
    pub fn open(&mut self, node: u32, peer: u32, serial: u32, last_arrival: Time) {
        let node = node as usize;
        if self.ends.len() <= node {
            self.ends.resize_with(node + 1, Vec::new);
        }
        let link = Link { peer, serial, last_arrival };
        match self.ends[node].binary_search_by_key(&peer, |l| l.peer) {
            Ok(at) => self.ends[node][at] = link,
            Err(at) => self.ends[node].insert(at, link),
        }
    }

    /// Closes `node`'s end of the stream to `peer` and returns it.
    pub fn close(&mut self, node: u32, peer: u32) -> Option<Link> {
        let ends = self.ends.get_mut(node as usize)?;
        let at = ends.binary_search_by_key(&peer, |l| l.peer).ok()?;
        Some(ends.remove(at))
    }

    /// Closes all of `node`'s ends and returns them.
    pub fn close_all(&mut self, node: u32) -> Vec<Link> {
        self.ends.get_mut(node as usize).map(std::mem::take).unwrap_or_default()
    }

    /// Every open end as (node, link).
    pub fn iter(&self) -> impl Iterator<Item = (u32, Link)> {
        self.ends
            .iter()
            .enumerate()
            .flat_map(|(node, ends)| ends.iter().map(move |link| (node as u32, *link)))
    }
}
