//! What the peers of an experiment share, ask and do.

mod catalog;
mod catalog_error;
pub mod draw;
mod index;
mod lifetime;
mod placement;
mod popularity;
mod query_mix;
pub mod sharing;
pub mod zipf;

pub use catalog::{Catalog, CatalogEntry};
pub use catalog_error::{CatalogError, CatalogProblem};
pub use index::CatalogIndex;
pub use lifetime::Lifetime;
pub use placement::{Placement, PlacementConfig, PlacementStats};
pub use popularity::Popularity;
pub use query_mix::{QueryMix, Question, Questions};
pub use sharing::{Concentration, SharingLaw};
pub use zipf::Zipf;
