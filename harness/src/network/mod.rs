//! The underlying network of a simulation: delays, loss and partitions.

mod access;
mod coordinates;
mod draw;
mod error;
mod king;
mod latency;
mod partition;
mod spec;
#[cfg(test)]
mod tests;
mod transit_stub;
mod uniform;

use std::sync::Arc;

use overlays::{Rng, Span};
use rand::RngExt;

pub use coordinates::Coordinates;
pub use error::NetworkError;
pub use king::King;
pub use latency::Latency;
pub use partition::Partition;
pub use spec::LatencySpec;
pub use transit_stub::{Shape, TransitStub};

/// The first retransmission timeout of a stream (RFC 6298 §2.1).
pub const FIRST_RETRANSMISSION: Span = Span::from_s(1);
/// The longest retransmission timeout of a stream (RFC 6298 §2.5).
pub const LAST_RETRANSMISSION: Span = Span::from_s(60);
/// Retransmissions before a stream gives up: with the timeouts above that is
/// after 123 s (RFC 1122 §4.2.3.5 asks for at least 100 s).
pub const MAX_RETRANSMISSIONS: u32 = 7;

/// The network between the nodes.
#[derive(Debug)]
pub struct Network {
    latency: Arc<Latency>,
    loss: f64,
    partition: Partition,
}

impl Network {
    /// A whole network that loses the fraction `loss` of all packets.
    ///
    /// # Errors
    /// When `loss` is not in 0..=1.
    pub fn new(latency: Latency, loss: f64) -> Result<Self, NetworkError> {
        let loss = Self::check_loss(loss)?;
        Ok(Self { latency: Arc::new(latency), loss, partition: Partition::default() })
    }

    /// `loss` if it is a fraction.
    ///
    /// # Errors
    /// When it is not in 0..=1.
    pub fn check_loss(loss: f64) -> Result<f64, NetworkError> {
        if (0.0..=1.0).contains(&loss) { Ok(loss) } else { Err(NetworkError::Loss(loss)) }
    }

    /// The delays alone, as they are whatever is lost or cut.
    pub fn latency(&self) -> Arc<Latency> {
        Arc::clone(&self.latency)
    }

    /// How long a packet takes from `src` to `dst`, whatever becomes of it.
    #[inline]
    pub fn one_way(&self, src: u32, dst: u32) -> Span {
        self.latency.one_way(src, dst)
    }

    /// How long a datagram takes from `src` to `dst`; `None` if it does not
    /// arrive. Draws from `rng` only if the network loses packets.
    #[inline]
    pub fn deliver(&self, src: u32, dst: u32, rng: &mut Rng) -> Option<Span> {
        if !self.reachable(src, dst) || self.is_lost(rng) {
            return None;
        }
        Some(self.one_way(src, dst))
    }

    /// How long a message on a stream takes from `src` to `dst`; `None` if
    /// the stream gives up on it.
    ///
    /// A stream loses nothing: what the network drops is sent again when the
    /// retransmission timeout has run out, which doubles from one time to the
    /// next (RFC 6298 §5.5). Faster repair by duplicate acknowledgements is
    /// left out: overlay messages are single packets with nothing behind them.
    #[inline]
    pub fn stream_delay(&self, src: u32, dst: u32, rng: &mut Rng) -> Option<Span> {
        if !self.reachable(src, dst) {
            return None;
        }
        let one_way = self.one_way(src, dst);
        let mut waited = Span::ZERO;
        let mut timeout = FIRST_RETRANSMISSION.max(one_way * 2);
        for _ in 0..=MAX_RETRANSMISSIONS {
            if !self.is_lost(rng) {
                return Some(waited + one_way);
            }
            waited += timeout;
            timeout = (timeout * 2).min(LAST_RETRANSMISSION);
        }
        None
    }

    #[inline]
    fn is_lost(&self, rng: &mut Rng) -> bool {
        self.loss > 0.0 && rng.random_bool(self.loss)
    }

    /// Whether no partition lies between `src` and `dst`.
    #[inline]
    pub fn reachable(&self, src: u32, dst: u32) -> bool {
        self.partition.reachable(src, dst)
    }

    /// Cuts the network into groups that cannot reach each other; `group_of`
    /// gives each node's. Replaces any partition there was.
    pub fn partition_into(&mut self, group_of: &[u32]) {
        self.partition = Partition::into_groups(group_of);
    }

    /// Ends the partition.
    pub fn heal(&mut self) {
        self.partition = Partition::default();
    }
}
