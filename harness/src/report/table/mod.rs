//! Tables on a terminal, 100 columns wide.

mod comparison;
mod detail;
mod grid;

pub use comparison::comparison;
pub(super) use comparison::growth_range;
pub use detail::detail;
pub(super) use detail::why_not;
pub use grid::WIDTH;

use super::figures::{count, percentage, plain};
use crate::document::{Document, Kind, Measure, Operation, OverlayRow};

/// Whether to use colours. The tables read the same without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    #[default]
    Off,
    /// ANSI colours.
    On,
}

/// What an overlay that lacks keyword search prints in the place of figures.
pub const NO_KEYWORDS: &str = "no keyword search";
/// The same for exact search.
pub const NO_EXACT: &str = "no exact search";
/// In the place of figures for what was not run.
pub const NOT_MEASURED: &str = "not measured";

/// The table that suits the kind of the document.
pub fn screen(document: &Document, paint: Paint) -> String {
    match document.kind {
        Kind::Compare => comparison(document, paint),
        Kind::Sim | Kind::Live => detail(document, paint),
    }
}

/// One line on the circumstances of a run.
pub(super) fn circumstances(document: &Document) -> String {
    let mut parts = vec![plural(document.nodes, "peer"), plural(document.seeds.into(), "seed")];
    parts.extend(document.searches.map(|n| plural(n, "search")));
    parts.extend(document.latency_model.as_deref().map(|m| format!("{} latency", plain(m))));
    parts.extend(document.loss.map(|loss| match loss {
        0.0 => "no loss".into(),
        loss => format!("{} % loss", percentage(loss)),
    }));
    parts.push(document.churn.as_deref().map_or("no churn".into(), plain));
    if let Some(catalog) = &document.catalog {
        let copies = if catalog.shares == 1 { "copy" } else { "copies" };
        parts.push(format!(
            "{} in {} shared {copies}",
            plural(catalog.items, "item"),
            count(catalog.shares)
        ));
    }
    wrapped(&parts.join(" · "))
}

/// Words in lines of at most the table's width.
pub(crate) fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut width = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if width > 0 && width + 1 + len > usize::from(WIDTH) {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += len;
    }
    out
}

/// A number and its noun.
pub(super) fn plural(n: u64, noun: &str) -> String {
    let ending = match n {
        1 => "",
        _ if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(n))
}

/// The searches by which latency and messages are judged: exact ones, or
/// keyword ones where there are no exact ones. With a word that tells which.
pub(super) fn main_search(row: &OverlayRow) -> Option<(&'static str, &Operation)> {
    let operations = &row.operations;
    [("exact", &operations.search), ("keywords", &operations.keyword_search)]
        .into_iter()
        .filter_map(|(name, operation)| Some((name, operation.as_ref()?)))
        .find(|(_, operation)| operation.applies())
}

/// Whether the overlay lacks a kind of search: because it says so, or because
/// all such searches ended as unsupported.
pub(super) fn lacks(power: Option<bool>, operation: Option<&Operation>) -> bool {
    power == Some(false) || operation.is_some_and(|op| op.count > 0 && !op.applies())
}

/// Theory beside the fit: `O(log n) ✓`, `O(n) ✗` with what fits better on a
/// line of its own, or the theory alone where nothing was fitted.
pub(super) fn verdict(row: &OverlayRow, measure: Measure) -> Option<String> {
    let theory = row.theory_of(measure)?;
    let fit = row.growth.as_ref().and_then(|growth| growth.of(measure));
    Some(match fit {
        None => format!("O({})", plain(&theory)),
        Some(fit) if fit.agrees => format!("O({}) ✓", plain(&theory)),
        Some(fit) => format!("O({}) ✗\nfits {}", plain(&theory), fit.class),
    })
}

#[cfg(test)]
mod tests;
