//! What crossed the network.

use overlays::Wire;

/// Counters of messages over a whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Messages sent, by kind.
    pub sent_by_kind: Vec<u64>,
    /// Messages sent.
    pub sent: u64,
    /// Bytes of the messages sent.
    pub sent_bytes: u64,
    /// Of them, those that no operation caused.
    pub upkeep: u64,
    /// Bytes of those.
    pub upkeep_bytes: u64,
    /// Messages that arrived.
    pub delivered: u64,
    /// Messages lost to the network: loss or partition.
    pub lost: u64,
    /// Messages whose addressee was down, or whose stream had broken.
    pub undeliverable: u64,
}

impl Traffic {
    /// Counters at zero for messages of type `M`.
    pub fn new<M: Wire>() -> Self {
        Self {
            sent_by_kind: vec![0; M::KINDS.len()],
            sent: 0,
            sent_bytes: 0,
            upkeep: 0,
            upkeep_bytes: 0,
            delivered: 0,
            lost: 0,
            undeliverable: 0,
        }
    }

    /// Counts a message that is sent.
    #[inline]
    pub fn count_sent(&mut self, kind: usize, bytes: u64, is_upkeep: bool) {
        self.sent_by_kind[kind] += 1;
        self.sent += 1;
        self.sent_bytes += bytes;
        self.upkeep += u64::from(is_upkeep);
        self.upkeep_bytes += if is_upkeep { bytes } else { 0 };
    }

    /// What was counted since `earlier`, a copy of these counters.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            sent_by_kind: self
                .sent_by_kind
                .iter()
                .zip(&earlier.sent_by_kind)
                .map(|(now, then)| now - then)
                .collect(),
            sent: self.sent - earlier.sent,
            sent_bytes: self.sent_bytes - earlier.sent_bytes,
            upkeep: self.upkeep - earlier.upkeep,
            upkeep_bytes: self.upkeep_bytes - earlier.upkeep_bytes,
            delivered: self.delivered - earlier.delivered,
            lost: self.lost - earlier.lost,
            undeliverable: self.undeliverable - earlier.undeliverable,
        }
    }
}
