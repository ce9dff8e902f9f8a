//! What an overlay says of itself: for lists, help and reports.

use core::fmt;

/// The description of an overlay.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The name on the command line: lower case, no spaces.
    pub name: &'static str,
    /// The name in headings.
    pub title: &'static str,
    /// Where the protocol is defined: author, venue, year.
    pub source: &'static str,
    /// One sentence: how it finds things.
    pub idea: &'static str,
    /// How its costs should grow with the number of peers.
    pub theory: Theory,
    /// What that leaves out: where measurements may differ from the theory,
    /// and why, in a sentence or two. Reports print it beside a difference.
    pub caveat: &'static str,
}

/// Predicted growth of an overlay's costs with the number of peers n: one row
/// of the course's comparison table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theory {
    /// Hops until a search is answered.
    pub search_latency: Growth,
    /// Messages that a search causes.
    pub search_messages: Growth,
    /// Messages that an insert causes.
    pub update_messages: Growth,
    /// State on the fullest node. For a DHT this is routing state; its share
    /// of the stored keys comes on top.
    pub storage_max: Growth,
    /// State on a node, on average.
    pub storage_mean: Growth,
}

/// A class of growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Independent of n.
    Constant,
    /// Proportional to log n.
    Log,
    /// Proportional to n^(1/d).
    Root(u32),
    /// Proportional to n.
    Linear,
    /// Proportional to n log n.
    Linearithmic,
    /// Proportional to the number of super-peers C.
    SuperPeers,
    /// Proportional to log C.
    LogSuperPeers,
    /// Proportional to n / C.
    PerSuperPeer,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("1"),
            Self::Log => f.write_str("log n"),
            Self::Root(2) => f.write_str("sqrt n"),
            Self::Root(d) => write!(f, "n^(1/{d})"),
            Self::Linear => f.write_str("n"),
            Self::Linearithmic => f.write_str("n log n"),
            Self::SuperPeers => f.write_str("C"),
            Self::LogSuperPeers => f.write_str("log C"),
            Self::PerSuperPeer => f.write_str("n/C"),
        }
    }
}

/// Which searches an overlay can answer, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchPower {
    /// By key.
    pub exact: bool,
    /// By words of the name.
    pub keywords: bool,
}
