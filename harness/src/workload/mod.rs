//! What the peers of an experiment share, ask and do.
//!
//! A workload is drawn once per seed, before and apart from any overlay, so
//! that every overlay faces the same peers, items, queries and sessions. It is
//! built up in this order:
//!
//! 1. A [`Catalog`] holds the items: real names and sizes, the embedded ones
//!    or a file of the user's. A [`CatalogIndex`] knows which of them match a
//!    query: the truth that searches are graded by.
//! 2. [`Popularity`] ranks the items by a seeded shuffle and draws them by
//!    [`Zipf`]'s law.
//! 3. A [`Placement`] says which peer shares which items.
//! 4. [`Questions`] are drawn in a [`QueryMix`]: exact ones ask for the key of
//!    an item, keyword ones give words of its name.
//! 5. A [`Schedule`] lets operations arrive as a Poisson process, whatever
//!    becomes of earlier ones; [`Periodic`] is for what each peer does at a
//!    fixed beat.
//! 6. [`Churn`] alternates sessions and gaps of given [`Lifetime`]s.
//!
//! # The model and its sources
//!
//! * **Sharing is unequal.** Of 33,335 Gnutella peers in August 2000, 66 %
//!   shared nothing, the top 1 % held 37 % of all files and the top 20 % held
//!   98 % (Adar and Huberman, *Free Riding on Gnutella*, First Monday 5(10),
//!   2000). [`SharingLaw`] is fitted to these points; see there how well.
//!   They had 93 files per peer; the default here is ten, because the top peer
//!   would otherwise need more items than a small catalogue has.
//! * **Popularity is Zipf-like**, with an exponent of 0.8 by default: web
//!   requests show 0.64 to 0.83 (Breslau et al., INFOCOM 1999), and queries of
//!   file sharers lie around it. The flat head that some measurements show is
//!   not modelled. Adar and Huberman saw 37 % of the queries go to the top 1 %
//!   of them; Zipf's law with exponent 0.8 over 2,354 items gives 26 %.
//! * **Copies follow popularity**, in proportion by default, because peers
//!   share what they once wanted; square-root replication, the optimum for
//!   random search (Cohen and Shenker, SIGCOMM 2002), is
//!   [`PlacementConfig::replication`] 0.5. Every item has at least one
//!   provider, so that a search that finds nothing is the overlay's failure.
//! * **Keyword queries** use words that people would type: not the file type,
//!   not a letter or two, not a version number. A set fraction of queries matches
//!   nothing.
//! * **Arrivals are an open loop** (Schroeder, Wierman and Harchol-Balter,
//!   *Open Versus Closed*, NSDI 2006): a slow overlay is asked as often as a
//!   fast one.
//! * **Sessions** are exponential in most studies of churn (mean 1 h: Li et
//!   al., INFOCOM 2005); in networks that were measured they are nearer to
//!   Weibull with a shape below 1 ([`Lifetime::KAD`]). A run starts in the
//!   steady state of the model.
//!
//! # Determinism
//!
//! Every draw takes the generator it draws from: [`overlays::Stream::Peers`]
//! for the placement, `Workload` for popularity, queries and arrivals, `Churn`
//! for sessions. Times are rounded to whole microseconds at once. Logarithms
//! and powers come from `libm`, so a seed gives the same workload on every
//! machine.

mod catalog;
mod catalog_error;
mod churn;
pub mod draw;
mod index;
mod lifetime;
mod placement;
mod popularity;
mod query_mix;
mod schedule;
mod sharing;
mod zipf;

pub use catalog::{Catalog, CatalogEntry};
pub use catalog_error::{CatalogError, CatalogProblem};
pub use churn::{Churn, Presence, Turn};
pub use index::CatalogIndex;
pub use lifetime::Lifetime;
pub use placement::{Placement, PlacementConfig, PlacementStats};
pub use popularity::Popularity;
pub use query_mix::{QueryMix, Question, Questions};
pub use schedule::{Arrival, Operation, OperationMix, Periodic, Plan, Rate, Schedule};
pub use sharing::{Concentration, SharingLaw};
pub use zipf::{MAX_ALPHA, Zipf};
