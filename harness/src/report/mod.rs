//! Results for people and programs: tables on a terminal, a self-contained
//! HTML page, Markdown, CSV and JSON, all from one [`Document`].
//!
//! [`Document`]: crate::document::Document

mod csv;
pub mod figures;
mod html;
mod markdown;
mod output;
pub mod svg;
pub mod table;

pub use csv::csv;
pub use html::html;
pub use markdown::markdown;
pub use output::{OutputError, json, write};

#[cfg(test)]
mod snapshot;
