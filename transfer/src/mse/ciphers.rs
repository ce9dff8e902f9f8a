//! What both sides derive from the secret.

use core::fmt;

use sha1::{Digest, Sha1};

use super::exchange::KEY_LEN;
use super::policy::Method;
use super::rc4::Rc4;
use crate::identity::InfoHash;

/// What a torrent is known by before an initiator may name it: a hash of its
/// info-hash. A host that has many torrents keeps them sorted by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentTag(pub [u8; 20]);

impl TorrentTag {
    /// That of a torrent.
    #[must_use]
    pub fn of(info_hash: InfoHash) -> Self {
        Self(hash([b"req2", &info_hash.0]))
    }
}

/// The two ciphers of a connection.
#[derive(Clone, Debug)]
pub struct Ciphers {
    /// Encrypts what we send.
    pub send: Rc4,
    /// Decrypts what we receive.
    pub receive: Rc4,
}

/// A connection after its encryption handshake.
pub struct Established {
    /// The torrent that it is for. The handshake of BEP 3 still comes, and must
    /// name the same one.
    pub info_hash: InfoHash,
    /// The ciphers of all that is sent and received from now on; `None` if both
    /// sides go on in plain.
    pub ciphers: Option<Box<Ciphers>>,
    /// What the peer sent already after the encryption handshake, decrypted.
    pub received: Vec<u8>,
}

impl Established {
    /// What is spoken.
    #[must_use]
    pub const fn method(&self) -> Method {
        if self.ciphers.is_some() { Method::Rc4 } else { Method::Plain }
    }
}

impl fmt::Debug for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established")
            .field("info_hash", &self.info_hash)
            .field("method", &self.method())
            .field("received", &self.received.len())
            .finish()
    }
}

/// The secret of a handshake.
pub(super) struct Shared(pub(super) [u8; KEY_LEN]);

impl Shared {
    /// By which a responder finds the end of the initiator's padding.
    pub(super) fn sync(&self) -> [u8; 20] {
        hash([b"req1", &self.0])
    }

    /// Turns a torrent's tag into what is sent, and back.
    pub(super) fn mask(&self, tag: TorrentTag) -> TorrentTag {
        let mask = hash([b"req3", &self.0]);
        TorrentTag(core::array::from_fn(|at| tag.0[at] ^ mask[at]))
    }

    /// The ciphers of the initiator.
    pub(super) fn initiator(&self, info_hash: InfoHash) -> Ciphers {
        let cipher = |name| Rc4::new(&hash([name, &self.0[..], &info_hash.0]));
        Ciphers { send: cipher(b"keyA"), receive: cipher(b"keyB") }
    }

    /// Those of the responder.
    pub(super) fn responder(&self, info_hash: InfoHash) -> Ciphers {
        let Ciphers { send, receive } = self.initiator(info_hash);
        Ciphers { send: receive, receive: send }
    }
}

fn hash<const N: usize>(parts: [&[u8]; N]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
