//! The charts: latency, costs, growth, traffic.

use std::fmt::Write as _;

use super::tags::{fit, named, none, table};
use crate::document::{Document, Measure, Operation, OverlayRow};
use crate::report::figures::{count, percentage, plus_minus};
use crate::report::svg::{
    Curve, Range, SHADES, bars, colour, curves, escape, growth, ranges, stack,
};
use crate::report::table::{NOT_MEASURED, growth_range, main_search};
use crate::stats::Summary;

/// All charts.
pub fn section(document: &Document) -> String {
    latency(document) + &costs(document) + &growing(document) + &traffic(document)
}

/// A chart under its overlay's name.
fn facet(row: &OverlayRow, index: usize, aside: &str, chart: &str) -> String {
    let aside =
        if aside.is_empty() { String::new() } else { format!(" <small>{}</small>", escape(aside)) };
    format!("<figure><figcaption>{}{aside}</figcaption>{chart}</figure>\n", named(row, index))
}

/// The overlays whose searches have this figure.
fn having(
    document: &Document,
    pick: fn(&Operation) -> Option<&Summary>,
) -> Vec<(usize, &OverlayRow, &Summary)> {
    let rows = document.overlays.iter().enumerate();
    rows.filter_map(|(i, row)| Some((i, row, pick(main_search(row)?.1)?))).collect()
}

fn latency(document: &Document) -> String {
    let others = match document.overlays.len() {
        0 | 1 => "",
        _ => " The other overlays stand faint behind each curve, on the same axes.",
    };
    let mut out = format!(
        "<section id=\"latency\">\n<h2>How long a search takes</h2>\n\
         <p class=\"intro\">The share of searches that had ended after a given \
         time.{others}</p>\n<div class=\"facets\">\n",
    );
    let timed = having(document, |op| op.latency_ms.as_ref());
    let all: Vec<Curve<'_>> =
        timed.iter().map(|(_, row, s)| Curve { name: row.heading(), summary: s }).collect();
    for (place, (i, row, s)) in timed.iter().enumerate() {
        let chart = curves(&all, place, &colour(*i), &format!("latency-{i}"));
        out.push_str(&facet(row, *i, &format!("{} ms", plus_minus(s)), &chart));
    }
    out.push_str(
        "</div>\n<h3>How many hops it takes</h3>\n<p class=\"intro\">Forwards between nodes until \
         the one that answers is reached.</p>\n<div class=\"facets\">\n",
    );
    for (i, row, s) in having(document, |op| op.hops.as_ref()) {
        if s.histogram.is_empty() {
            continue;
        }
        let chart = bars(row.heading(), "hops", s, &colour(i), &format!("hops-{i}"));
        out.push_str(&facet(row, i, "", &chart));
    }
    out.push_str("</div>\n</section>\n");
    out
}

/// A chart of ranges, one row per overlay.
fn range_chart<'a>(
    document: &'a Document,
    id: &str,
    title: &str,
    what: &str,
    pick: impl Fn(&'a OverlayRow) -> Option<&'a Summary>,
) -> String {
    let rows: Vec<Range<'_>> = document
        .overlays
        .iter()
        .enumerate()
        .map(|(i, row)| Range {
            name: row.heading().to_string(),
            colour: colour(i),
            figures: pick(row).ok_or(NOT_MEASURED),
        })
        .collect();
    if rows.iter().all(|row| row.figures.is_err()) {
        return String::new();
    }
    format!(
        "<figure><figcaption>{title} <small>{what}</small></figcaption>{}</figure>\n",
        ranges(&rows, title, id)
    )
}

fn costs(document: &Document) -> String {
    let mut out = String::from(
        "<section id=\"costs\">\n<h2>Who pays, and how unevenly</h2>\n<p class=\"intro\">From the \
         least to the most (thin line), the middle 98 % (broad line), the median (dot) and the \
         mean (stroke). Where values lie far apart the axis is logarithmic.</p>\n\
         <div class=\"pairs\">\n",
    );
    out.push_str(&range_chart(document, "r-messages", "Messages", "per search", |row| {
        main_search(row).and_then(|(_, op)| op.messages.as_ref())
    }));
    out.push_str(&range_chart(document, "r-load", "Load", "messages received per node", |row| {
        row.load.as_ref().map(|load| &load.messages_received)
    }));
    out.push_str(&range_chart(document, "r-routing", "Routing state", "entries per node", |row| {
        row.storage.as_ref().map(|storage| &storage.routing_entries)
    }));
    out.push_str(&range_chart(document, "r-index", "Index", "entries per node", |row| {
        row.storage.as_ref().map(|storage| &storage.index_entries)
    }));
    out.push_str("</div>\n</section>\n");
    out
}

fn growing(document: &Document) -> String {
    let Some(range) = growth_range(document) else { return String::new() };
    let mut rows = String::new();
    for (i, row) in document.overlays.iter().enumerate() {
        let _ = write!(rows, "<tr><th scope=\"row\">{}</th>", named(row, i));
        for (k, measure) in Measure::ALL.into_iter().enumerate() {
            let points = row.growth_points.as_ref().map_or(&[][..], |points| points.of(measure));
            if points.is_empty() {
                let _ = write!(rows, "<td>{}</td>", none(NOT_MEASURED));
                continue;
            }
            let fitted = row.growth.as_ref().and_then(|growth| growth.of(measure));
            let name = format!("{}: {}", row.heading(), measure.label());
            let chart = growth(&name, points, fitted, &colour(i), &format!("growth-{i}-{k}"));
            let _ = write!(rows, "<td>{chart}{}</td>", fit(row, measure, ""));
        }
        rows.push_str("</tr>\n");
    }
    let names = [
        "Search latency|hops",
        "Search messages|",
        "Update messages|per insert",
        "Storage, fullest|entries",
        "Storage, mean|entries",
    ];
    let mut head = String::from("<th scope=\"col\">Overlay</th>");
    for name in names {
        let (name, unit) = name.split_once('|').unwrap_or((name, ""));
        let _ = write!(head, "<th scope=\"col\">{name}<small>{unit}</small></th>");
    }
    format!(
        "<section id=\"growth\">\n<h2>How the costs grow with the network</h2>\n\
         <p class=\"intro\">Measured points for n = {range} peers (logarithmic axis) and the class \
         of growth that fits them best. Where theory is contradicted, its curve is dashed.</p>\n\
         {}</section>\n",
        table("growth", "Growth of each cost with the number of peers n", &head, &rows)
    )
}

fn traffic(document: &Document) -> String {
    let mut out = String::from(
        "<section id=\"traffic\">\n<h2>What the messages are</h2>\n<p class=\"intro\">All messages \
         of the run by type, upkeep and joins included.</p>\n",
    );
    for (i, row) in document.overlays.iter().enumerate() {
        let parts = largest(&row.messages_by_type);
        let total: u64 = parts.iter().fold(0, |sum, part| sum.saturating_add(part.1));
        let _ = write!(
            out,
            "<figure class=\"stackrow\"><figcaption>{} <small>{} messages</small></figcaption>{}\
             <ul class=\"key\">",
            named(row, i),
            count(total),
            stack(row.heading(), &parts, &format!("types-{i}"))
        );
        for (k, (name, number)) in parts.iter().enumerate() {
            let share = if total == 0 { 0.0 } else { *number as f64 / total as f64 };
            let _ = write!(
                out,
                "<li><span class=\"swatch p{}\" aria-hidden=\"true\"></span>{} <b>{} %</b></li>",
                k % SHADES + 1,
                escape(name),
                escape(&percentage(share))
            );
        }
        out.push_str("</ul></figure>\n");
    }
    out.push_str("</section>\n");
    out
}

/// The types in their order, the smallest joined so that each has its own
/// shade.
fn largest(types: &[(String, u64)]) -> Vec<(String, u64)> {
    if types.len() <= SHADES {
        return types.to_vec();
    }
    let mut sizes: Vec<u64> = types.iter().map(|part| part.1).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let least = sizes[SHADES - 2];
    let mut parts = Vec::with_capacity(SHADES);
    let (mut others, mut joined) = (0u64, 0);
    for part in types {
        if part.1 >= least && part.1 > 0 && parts.len() < SHADES - 1 {
            parts.push(part.clone());
        } else {
            others = others.saturating_add(part.1);
            joined += 1;
        }
    }
    parts.push((format!("{joined} others"), others));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_types_are_joined_without_losing_messages() {
        let types: Vec<(String, u64)> = (0..30).map(|i| (format!("T{i}"), i * i)).collect();
        let parts = largest(&types);
        assert_eq!(parts.len(), SHADES);
        assert_eq!(parts[SHADES - 1].0, "23 others");
        let sum = |parts: &[(String, u64)]| parts.iter().map(|part| part.1).sum::<u64>();
        assert_eq!(sum(&parts), sum(&types));
    }
}
