//! The course's comparison table, with what else an overlay costs below it.

use std::fmt::Write as _;

use super::tags::{fit, head, measured, named, none, number, table};
use crate::document::{Document, Measure, Operation, OverlayRow};
use crate::report::figures::{bytes, figure, percentage};
use crate::report::table::{NO_EXACT, NO_KEYWORDS, NOT_MEASURED, lacks, main_search, plural};
use crate::stats::Summary;

/// Both tables.
pub fn section(document: &Document) -> String {
    let mut rows = String::new();
    for (i, row) in document.overlays.iter().enumerate() {
        let _ = write!(rows, "<tr><th scope=\"row\">{}", named(row, i));
        if row.servers > 0 {
            let _ = write!(rows, "<small>with {}</small>", plural(row.servers, "server"));
        }
        let cells = [latency(row), messages(row), update(row), storage(row), found(row)];
        let _ = writeln!(rows, "</th><td>{}</td></tr>", cells.join("</td><td>"));
    }
    let columns = "<th scope=\"col\">Overlay</th>\
        <th scope=\"col\">Latency<small>of a search</small></th>\
        <th scope=\"col\">Messages<small>per search</small></th>\
        <th scope=\"col\">Update cost<small>messages per insert</small></th>\
        <th scope=\"col\">Storage<small>entries on a node, fullest / mean</small></th>\
        <th scope=\"col\">Found<small>all / a part / nothing, % of searches</small></th>";
    let mut out = String::from(
        "<section id=\"comparison\">\n<h2>What a search costs, measured and in theory</h2>\n",
    );
    out.push_str(&table(
        "compare",
        "Mean with half its 95 % interval; below it how the cost grows with the number of peers n",
        columns,
        &rows,
    ));
    out.push_str("<h3>What else it costs</h3>\n");
    out.push_str(&other_costs(document));
    out.push_str("</section>\n");
    out
}

fn latency(row: &OverlayRow) -> String {
    let Some((kind, search)) = main_search(row) else { return none(NOT_MEASURED) };
    let mut out = String::new();
    if let Some(hops) = &search.hops {
        out.push_str(&measured(hops, "hops"));
    }
    if let Some(ms) = &search.latency_ms {
        let _ = write!(
            out,
            "<span class=\"small\">{} ms, p99 {}</span>",
            crate::report::figures::plus_minus(ms),
            figure(ms.p99)
        );
    }
    if kind != "exact" {
        out.push_str("<span class=\"small\">keyword searches</span>");
    }
    out + &fit(row, Measure::SearchLatency, "")
}

fn messages(row: &OverlayRow) -> String {
    let Some(s) = main_search(row).and_then(|(_, search)| search.messages.as_ref()) else {
        return none(NOT_MEASURED);
    };
    let most = format!("<span class=\"small\">most {}</span>", figure(s.max));
    measured(s, "") + &most + &fit(row, Measure::SearchMessages, "")
}

fn update(row: &OverlayRow) -> String {
    let insert = row.operations.insert.as_ref().filter(|op| op.applies());
    let Some(s) = insert.and_then(|op| op.messages.as_ref()) else { return none(NOT_MEASURED) };
    let most = format!("<span class=\"small\">most {}</span>", figure(s.max));
    measured(s, "") + &most + &fit(row, Measure::UpdateMessages, "")
}

fn storage(row: &OverlayRow) -> String {
    let Some(storage) = &row.storage else { return none(NOT_MEASURED) };
    let mut out = String::new();
    for (name, s) in [("routing", &storage.routing_entries), ("index", &storage.index_entries)] {
        let _ = write!(
            out,
            "<span class=\"small\">{name} <span class=\"big\" style=\"color:var(--ink)\">{} / {}</span></span>",
            figure(s.max),
            figure(s.mean)
        );
    }
    out + &fit(row, Measure::StorageMax, "fullest ")
        + "<br>"
        + &fit(row, Measure::StorageMean, "mean ")
}

/// How well searches do, or why there are none.
fn found(row: &OverlayRow) -> String {
    let power = row.search_power;
    let mut out = String::new();
    for (name, operation, able, lacking) in [
        ("exact", &row.operations.search, power.map(|p| p.exact), NO_EXACT),
        ("keywords", &row.operations.keyword_search, power.map(|p| p.keywords), NO_KEYWORDS),
    ] {
        if lacks(able, operation.as_ref()) {
            let _ = write!(out, "<span class=\"small\">{}</span>", none(lacking));
            continue;
        }
        let shares = match operation.as_ref().filter(|op| op.applies()) {
            None => none(NOT_MEASURED),
            Some(op) => shares(op),
        };
        let _ = write!(out, "<span class=\"small\">{name} {shares}</span>");
    }
    out
}

fn shares(op: &Operation) -> String {
    let share = |part| percentage(op.share(part).unwrap_or(f64::NAN));
    let mut out = format!(
        "<span class=\"big\" style=\"color:var(--ink)\">{}</span> / {} / {}",
        share(op.correct).replace('<', "&lt;").replace('>', "&gt;"),
        share(op.incomplete).replace('<', "&lt;").replace('>', "&gt;"),
        share(op.failed).replace('<', "&lt;").replace('>', "&gt;")
    );
    if op.wrong > 0 {
        let _ = write!(
            out,
            "<span class=\"fit no\">wrong {} %</span>",
            share(op.wrong).replace('<', "&lt;").replace('>', "&gt;")
        );
    }
    out
}

fn other_costs(document: &Document) -> String {
    let mean = |s: Option<&Summary>| {
        number(&s.map_or_else(|| NOT_MEASURED.to_string(), |s| figure(s.mean)))
    };
    let messages = |op: &Option<Operation>| {
        mean(op.as_ref().filter(|op| op.applies()).and_then(|op| op.messages.as_ref()))
    };
    let mut rows = String::new();
    for (i, row) in document.overlays.iter().enumerate() {
        let search = main_search(row).map(|(_, op)| op);
        let upkeep = |pick: fn(&crate::document::Upkeep) -> String| {
            number(&row.upkeep.as_ref().map_or_else(|| NOT_MEASURED.to_string(), pick))
        };
        let reach = row.reach.as_ref().map_or_else(
            || "<td class=\"num none\">no flooding</td>".to_string(),
            |reach| number(&figure(reach.distinct_nodes.mean)),
        );
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th>{}{}{}{}{}{}{reach}</tr>",
            named(row, i),
            messages(&row.operations.join),
            messages(&row.operations.leave),
            messages(&row.operations.delete),
            number(
                &search
                    .and_then(|op| op.bytes.as_ref())
                    .map_or_else(|| NOT_MEASURED.to_string(), |s| bytes(s.mean))
            ),
            upkeep(|u| figure(u.messages_per_node_s)),
            upkeep(|u| bytes(u.bytes_per_node_s)),
        );
    }
    let names = [
        "Overlay",
        "join, messages",
        "leave, messages",
        "delete, messages",
        "bytes per search",
        "upkeep, messages/s",
        "upkeep, bytes/s",
        "nodes reached",
    ];
    let caption = "Means per operation; upkeep is per node and second and belongs to no operation";
    table("others", caption, &head(&names, 1), &rows)
}
