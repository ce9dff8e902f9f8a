//! What of a client and of its torrents can be set.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use transfer::mse::Encryption;
use transfer::session::SessionConfig;
use transfer::{Info, InfoHash, Metainfo};

use crate::store::{Allocation, Store};

/// The settings of a client: one process, any number of torrents.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where connections are accepted; port 0 takes a free one. None: nowhere.
    pub listen: Vec<SocketAddr>,
    /// Bytes per second that all torrents together receive; none: no limit.
    pub max_download: Option<u64>,
    /// Bytes per second that all torrents together send; none: no limit.
    pub max_upload: Option<u64>,
    /// Connections of all torrents (500).
    pub max_links: usize,
    /// Connections that are being opened at a time (50).
    pub max_half_open: usize,
    /// Bytes of the pieces that are being received, hashed and written, for each
    /// torrent (8 MiB); but always two pieces.
    pub buffer_bytes: usize,
    /// Who wants encryption.
    pub encryption: Encryption,
    /// From what random numbers are drawn; none: from the system.
    pub seed: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 0)), SocketAddr::from(([0u16; 8], 0))],
            max_download: None,
            max_upload: None,
            max_links: 500,
            max_half_open: 50,
            buffer_bytes: 8 << 20,
            encryption: Encryption::default(),
            seed: None,
        }
    }
}

/// What a torrent is added from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Metainfo, as of a `.torrent` file.
    Metainfo(Arc<Metainfo>),
    /// Only the name: the rest comes from peers (BEP 9).
    Magnet {
        /// What names it.
        info_hash: InfoHash,
        /// URLs of trackers.
        trackers: Vec<String>,
    },
}

impl Origin {
    /// What names the torrent.
    pub fn info_hash(&self) -> InfoHash {
        match self {
            Self::Metainfo(metainfo) => metainfo.info.info_hash(),
            Self::Magnet { info_hash, .. } => *info_hash,
        }
    }

    /// What is shared, if it is known.
    pub fn info(&self) -> Option<Arc<Info>> {
        match self {
            Self::Metainfo(metainfo) => Some(Arc::new(metainfo.info.clone())),
            Self::Magnet { .. } => None,
        }
    }

    /// URLs of trackers, in tiers.
    pub fn trackers(&self) -> Vec<Vec<String>> {
        match self {
            Self::Metainfo(metainfo) => metainfo.trackers.clone(),
            // Each has a tier of its own, as most clients have it.
            Self::Magnet { trackers, .. } => trackers.iter().map(|url| vec![url.clone()]).collect(),
        }
    }
}

/// Where the content of a torrent is kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In files below this folder.
    Folder(PathBuf),
    /// In a store of the caller's, of which it is told which pieces it holds.
    Store(Arc<dyn Store>, Held),
}

/// Which pieces a store is known to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// None.
    Nothing,
    /// All.
    All,
}

/// How it is found out which pieces are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checking {
    /// By the fast-resume file if nobody has touched the files since it was
    /// written, else by hashing them.
    #[default]
    Auto,
    /// By hashing.
    Always,
    /// Not at all: all are said to be there.
    TrustAll,
}

/// Which files are fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// All.
    #[default]
    All,
    /// Those of these numbers, counted from 1, or whose paths match one of these
    /// patterns, in which `*` stands for anything and `?` for one character.
    Matching(Vec<String>),
}

/// A torrent to add.
#[derive(Clone, Debug)]
pub struct AddTorrent {
    /// What it is added from.
    pub origin: Origin,
    /// Where its content is kept.
    pub place: Place,
    /// Peers to begin with.
    pub peers: Vec<SocketAddr>,
    /// URLs of web seeds beside those of the metainfo (BEP 19).
    pub web_seeds: Vec<String>,
    /// Which files are fetched.
    pub selection: Selection,
    /// How it is found out which pieces are there.
    pub checking: Checking,
    /// How the room of files is taken.
    pub allocation: Allocation,
    /// Bytes per second received; none: no limit but the client's.
    pub max_download: Option<u64>,
    /// Bytes per second sent; none: no limit but the client's.
    pub max_upload: Option<u64>,
    /// The parameters of the session. Its peer id, port and buffer bytes are
    /// filled in.
    pub session: SessionConfig,
}

impl AddTorrent {
    /// A torrent of these, with all else at its default.
    pub fn new(origin: Origin, place: Place) -> Self {
        Self {
            origin,
            place,
            peers: Vec::new(),
            web_seeds: Vec::new(),
            selection: Selection::All,
            checking: Checking::Auto,
            allocation: Allocation::Sparse,
            max_download: None,
            max_upload: None,
            session: SessionConfig::default(),
        }
    }

    /// URLs of all its web seeds, each once.
    pub fn all_web_seeds(&self) -> Vec<&str> {
        let named: &[String] = match &self.origin {
            Origin::Metainfo(metainfo) => &metainfo.web_seeds,
            Origin::Magnet { .. } => &[],
        };
        let mut urls: Vec<&str> = Vec::new();
        for url in named.iter().chain(&self.web_seeds) {
            if !urls.contains(&url.as_str()) {
                urls.push(url);
            }
        }
        urls
    }

    /// A torrent of a `.torrent` file, in files below `folder`.
    pub fn metainfo(metainfo: Metainfo, folder: impl Into<PathBuf>) -> Self {
        Self::new(Origin::Metainfo(Arc::new(metainfo)), Place::Folder(folder.into()))
    }
}
