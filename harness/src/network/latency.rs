//! How long packets take between nodes.

use overlays::{Rng, Span};

use super::access::Access;
use super::coordinates::Coordinates;
use super::draw::Salt;
use super::error::NetworkError;
use super::king::King;
use super::spec::LatencySpec;
use super::transit_stub::TransitStub;
use super::uniform::Uniform;

/// What a node's message to itself takes: it crosses no network, yet comes
/// after what caused it.
pub const LOOPBACK: Span = Span::from_us(1);

/// A latency model of one run. Delays are symmetric, positive, the same
/// whenever they are asked for, and defined for every node index.
#[derive(Clone, Debug)]
pub enum Latency {
    /// The same delay between any two nodes.
    Constant(Span),
    /// Uniform, by pair.
    Uniform(Uniform),
    /// Log-normal, by pair.
    King(King),
    /// Measured coordinates.
    Coordinates(Coordinates),
    /// A generated hierarchy of routers.
    TransitStub(TransitStub),
    /// The sum of two access links.
    Access(Access),
}

impl Latency {
    /// The model that `spec` describes; `rng` is of the stream
    /// [`overlays::Stream::Topology`].
    ///
    /// # Errors
    /// When the file of coordinates cannot be used.
    pub fn build(spec: &LatencySpec, rng: &mut Rng) -> Result<Self, NetworkError> {
        Ok(match spec {
            LatencySpec::Constant(span) => Self::Constant(*span),
            LatencySpec::Uniform { min_us, max_us } => {
                Self::Uniform(Uniform { salt: Salt::new(rng), min_us: *min_us, max_us: *max_us })
            }
            LatencySpec::King => Self::King(King::new(rng)),
            LatencySpec::Coordinates(path) => Self::Coordinates(Coordinates::load(path, rng)?),
            LatencySpec::TransitStub(shape) => Self::TransitStub(TransitStub::new(shape, rng)),
            LatencySpec::Access { min_ms, max_ms } => {
                Self::Access(Access { salt: Salt::new(rng), min_ms: *min_ms, max_ms: *max_ms })
            }
        })
    }

    /// How long a packet takes from `src` to `dst`.
    #[inline]
    pub fn one_way(&self, src: u32, dst: u32) -> Span {
        if src == dst {
            return LOOPBACK;
        }
        match self {
            Self::Constant(span) => *span,
            Self::Uniform(model) => model.one_way(src, dst),
            Self::King(model) => model.one_way(src, dst),
            Self::Coordinates(model) => model.one_way(src, dst),
            Self::TransitStub(model) => model.one_way(src, dst),
            Self::Access(model) => model.one_way(src, dst),
        }
    }
}
