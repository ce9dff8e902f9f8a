//! What the peers of an experiment share, ask and do.

mod catalog;
mod catalog_error;
pub mod draw;
mod index;
mod placement;
mod popularity;
pub mod sharing;
pub mod zipf;

pub use catalog::{Catalog, CatalogEntry};
pub use catalog_error::{CatalogError, CatalogProblem};
pub use index::CatalogIndex;
pub use placement::{Placement, PlacementConfig, PlacementStats};
pub use popularity::Popularity;
pub use sharing::{Concentration, SharingLaw};
pub use zipf::Zipf;
