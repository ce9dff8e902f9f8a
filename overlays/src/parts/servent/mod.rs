//! What every Gnutella servent is made of: identifiers, descriptors, routes
//! back, the cache of hosts, the files shared.

mod base32;
mod copies;
mod descriptor;
mod guid;
mod harvest;
mod hosts;
mod load;
mod lost;
mod routes;
mod shares;
pub mod wire;

pub use copies::{Copies, Replication};
pub use descriptor::{ByeBody, HitBody, MAX_TRY, PongHost, PushBody, Record, Way};
pub use guid::Guid;
pub use harvest::{Harvest, Sifted};
pub use hosts::HostCache;
pub use load::Load;
pub use lost::LostPeers;
pub use routes::Routes;
pub use shares::Shares;
