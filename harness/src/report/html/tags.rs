//! Pieces of HTML that several sections use.

use crate::document::{Measure, OverlayRow};
use crate::report::figures::{figure, plus_minus};
use crate::report::svg::{colour, escape};
use crate::stats::Summary;

/// An overlay's name behind a spot of its colour.
pub fn named(row: &OverlayRow, index: usize) -> String {
    format!(
        "<span class=\"swatch {}\" aria-hidden=\"true\"></span>{}",
        colour(index),
        escape(row.heading())
    )
}

/// A reason in the place of figures.
pub fn none(reason: &str) -> String {
    format!("<span class=\"none\">{}</span>", escape(reason))
}

/// Theory beside the fit, as a line of its own.
pub fn fit(row: &OverlayRow, measure: Measure, prefix: &str) -> String {
    let Some(theory) = row.theory_of(measure) else { return String::new() };
    let theory = escape(&theory);
    let (class, words) = match row.growth.as_ref().and_then(|growth| growth.of(measure)) {
        None => ("open", format!("theory O({theory})")),
        Some(fit) if fit.agrees => ("yes", format!("✓ O({theory}) as in theory")),
        Some(fit) => {
            ("no", format!("✗ fits {}, theory O({theory})", escape(&fit.class.to_string())))
        }
    };
    format!("<span class=\"fit {class}\">{prefix}{words}</span>")
}

/// A mean with half its interval, the latter small; and the unit, if any.
pub fn measured(s: &Summary, unit: &str) -> String {
    let text = plus_minus(s);
    let (mean, half) = text.split_once(" ± ").unwrap_or((&text, ""));
    let half = if half.is_empty() { String::new() } else { format!(" <small>± {half}</small>") };
    let unit = if unit.is_empty() { String::new() } else { format!(" <small>{unit}</small>") };
    format!("<span class=\"big\">{mean}{half}{unit}</span>")
}

/// A cell of a table of numbers.
pub fn number(text: &str) -> String {
    format!("<td class=\"num\">{}</td>", escape(text))
}

/// Mean with interval and quantiles, as cells.
pub fn figures(s: &Summary) -> String {
    let mut out = number(&plus_minus(s));
    for x in [s.p1, s.p50, s.p90, s.p99, s.max] {
        out.push_str(&number(&figure(x)));
    }
    out
}

/// A table that scrolls sideways where it does not fit; the keyboard reaches it.
pub fn table(class: &str, caption: &str, head: &str, body: &str) -> String {
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
         <table class=\"{class}\">\n<caption><span>{caption}</span></caption>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody>\n</table>\n</div>\n",
        caption = escape(caption)
    )
}

/// Headings of columns; those after the first `texts` hold numbers.
pub fn head(names: &[&str], texts: usize) -> String {
    let cell = |(i, name): (usize, &&str)| {
        let class = if i < texts { "" } else { " class=\"num\"" };
        format!("<th scope=\"col\"{class}>{}</th>", escape(name))
    };
    names.iter().enumerate().map(cell).collect()
}
