//! A node's streams, by peer.

use std::collections::BTreeMap;

use overlays::{Addr, Cause};
use tokio::task::AbortHandle;

use super::stream::{Overflow, Queue, StreamId};

/// One connection as its node sees it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Its number.
    pub(super) id: StreamId,
    /// Whether this node opened it.
    pub(super) opened_here: bool,
    /// Why, if so: the cause of the first message.
    pub(super) opened_for: Cause,
    /// What is sent on it.
    pub(super) queue: Queue,
    /// Ends its task at once.
    pub(super) abort: AbortHandle,
}

/// The streams of one node: at most one to each peer, or two where both
/// sides opened one at the same moment.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_peer: BTreeMap<Addr, Link>,
    /// Connections that were accepted and have not told who they are.
    strangers: BTreeMap<StreamId, Connection>,
    peers: BTreeMap<StreamId, Addr>,
}

#[derive(Debug)]
struct Link {
    sending: Connection,
    /// Opened by the peer while this node opened the other one.
    receiving: Option<Connection>,
    /// One of two connections broke, which has been reported, and nothing has
    /// gone over the other one since: if that breaks too, it is the same loss.
    broken: bool,
}

/// What a message's connection turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The peer's stream.
    Known,
    /// The peer's new stream; it has given up an earlier one, which is lost.
    Replaced,
    /// A stream that this node has closed: what still comes is ignored.
    Closed,
}

impl Links {
    /// Connections to known peers.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Connections that have not told who they are.
    pub(super) fn strangers(&self) -> usize {
        self.strangers.len()
    }

    /// Whether there is a stream to `peer`.
    pub(super) fn contains(&self, peer: Addr) -> bool {
        self.by_peer.contains_key(&peer)
    }

    /// Queues a frame on the stream to `peer`, if there is one.
    pub(super) fn push(&mut self, peer: Addr, frame: Vec<u8>) -> Result<(), Overflow> {
        let Some(link) = self.by_peer.get_mut(&peer) else { return Ok(()) };
        link.broken = false;
        link.sending.queue.push(frame)
    }

    /// Adds a stream that this node opens to `peer`, to which it has none.
    pub(super) fn open(&mut self, peer: Addr, connection: Connection) {
        self.peers.insert(connection.id, peer);
        self.by_peer.insert(peer, Link { sending: connection, receiving: None, broken: false });
    }

    /// Adds a connection that was accepted.
    pub(super) fn accept(&mut self, connection: Connection) {
        self.strangers.insert(connection.id, connection);
    }

    /// Takes note that a message of `peer` came on connection `id`.
    pub(super) fn identify(&mut self, id: StreamId, peer: Addr) -> Standing {
        let Some(connection) = self.strangers.remove(&id) else {
            if !self.peers.contains_key(&id) {
                return Standing::Closed;
            }
            if let Some(link) = self.by_peer.get_mut(&peer) {
                link.broken = false;
            }
            return Standing::Known;
        };
        self.peers.insert(id, peer);
        let Some(link) = self.by_peer.get_mut(&peer) else {
            self.by_peer.insert(peer, Link { sending: connection, receiving: None, broken: false });
            return Standing::Known;
        };
        let replaced = if link.sending.opened_here {
            link.receiving.replace(connection)
        } else {
            Some(std::mem::replace(&mut link.sending, connection))
        };
        match replaced {
            None => Standing::Known,
            Some(old) => {
                self.peers.remove(&old.id);
                Standing::Replaced
            }
        }
    }

    /// Removes a connection that has ended. Returns the peer if the stream to
    /// it is lost by that, and why it had been opened.
    pub(super) fn end(&mut self, id: StreamId) -> Option<(Addr, Cause)> {
        self.strangers.remove(&id);
        let peer = self.peers.remove(&id)?;
        let link = self.by_peer.get_mut(&peer)?;
        if link.sending.id != id {
            link.receiving = None;
            return None;
        }
        let lost = Some((peer, link.sending.opened_for));
        match link.receiving.take() {
            Some(other) => {
                link.sending = other;
                link.broken = true;
                lost
            }
            None => {
                let reported = link.broken;
                self.by_peer.remove(&peer);
                if reported { None } else { lost }
            }
        }
    }

    /// Closes the stream to `peer` after what is queued has been written.
    pub(super) fn close(&mut self, peer: Addr) {
        drop(self.remove(peer));
    }

    /// Cuts the stream to `peer`.
    pub(super) fn cut(&mut self, peer: Addr) {
        let Some(link) = self.remove(peer) else { return };
        link.sending.abort.abort();
        if let Some(receiving) = link.receiving {
            receiving.abort.abort();
        }
    }

    /// Closes all streams after what is queued has been written.
    pub(super) fn close_all(&mut self) {
        *self = Self::default();
    }

    fn remove(&mut self, peer: Addr) -> Option<Link> {
        let link = self.by_peer.remove(&peer)?;
        self.peers.remove(&link.sending.id);
        if let Some(receiving) = &link.receiving {
            self.peers.remove(&receiving.id);
        }
        Some(link)
    }
}
