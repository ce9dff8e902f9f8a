//! Charts as inline SVG. Colours and type come from the page's style sheet,
//! by class, so that one drawing serves light, dark and print.

mod axes;
mod bars;
mod canvas;
mod curves;
mod growth;
mod ranges;
mod scale;
mod stack;

pub use bars::bars;
pub use canvas::escape;
pub use curves::{Curve, curves};
pub use growth::growth;
pub use ranges::{Range, ranges};
pub use stack::{SHADES, stack};

/// How many series colours the style sheet has; further series start again.
pub const COLOURS: usize = 8;

/// The class that gives series `index` its colour.
pub fn colour(index: usize) -> String {
    format!("c{}", index % COLOURS + 1)
}

#[cfg(test)]
mod tests;
