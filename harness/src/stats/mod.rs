//! Statistics over what was measured: tallies, summaries with confidence
//! intervals, and fitted growth.

mod fit;
mod student;
mod summary;
mod tally;

pub use fit::{Fit, parse_growth};
pub use student::t_975;
pub use summary::{Detail, Summary, across_seeds};
pub use tally::Tally;
