//! Every overlay on its own: parameters, operations, state, engine.

use std::fmt::Write as _;

use super::tags::{figures, head, named, number, table};
use crate::document::{Document, OverlayRow};
use crate::report::figures::{bytes, count, figure, percentage};
use crate::report::svg::escape;
use crate::report::table::{plural, why_not};
use crate::stats::Summary;

/// A section per overlay.
pub fn section(document: &Document) -> String {
    let heading = if document.overlays.len() == 1 { "In detail" } else { "Each overlay in detail" };
    let mut out = format!("<section id=\"details\">\n<h2>{heading}</h2>\n");
    for (i, row) in document.overlays.iter().enumerate() {
        out.push_str(&overlay(row, i));
    }
    out.push_str("</section>\n");
    out
}

fn overlay(row: &OverlayRow, index: usize) -> String {
    let mut out = format!(
        "<section class=\"overlay\" id=\"overlay-{index}\">\n<h3>{}</h3>\n<p class=\"intro\">",
        named(row, index)
    );
    if !row.idea.is_empty() {
        let _ = write!(out, "{} ", escape(&row.idea));
    }
    if !row.source.is_empty() {
        let _ = write!(out, "Defined in {}.", escape(row.source.trim_end_matches('.')));
    }
    out.push_str("</p>\n");
    if !row.parameters.is_empty() {
        out.push_str("<ul class=\"params\">");
        for (name, value) in &row.parameters {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let _ = write!(out, "<li><span>{}</span> {}</li>", escape(name), escape(&value));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&operations(row));
    out.push_str(&costs(row));
    out.push_str(&per_node(row));
    out.push_str(&closing(row));
    out.push_str("</section>\n");
    out
}

fn operations(row: &OverlayRow) -> String {
    let mut rows = String::new();
    for (name, op) in row.operations.present() {
        let _ = write!(rows, "<tr><th scope=\"row\">{name}</th>{}", number(&count(op.count)));
        if op.applies() {
            for part in [op.correct, op.incomplete, op.wrong, op.failed] {
                let share = percentage(op.share(part).unwrap_or(f64::NAN));
                rows.push_str(&number(&format!("{} ({share} %)", count(part))));
            }
        } else {
            let _ = write!(
                rows,
                "<td class=\"num none\" colspan=\"4\">{}</td>",
                escape(&why_not(row, name))
            );
        }
        rows.push_str("</tr>\n");
    }
    let names = ["Operation", "started", "correct", "incomplete", "wrong", "failed"];
    let caption = format!("{}: how operations ended", row.heading());
    table("plain", &caption, &head(&names, 1), &rows)
}

fn costs(row: &OverlayRow) -> String {
    let mut rows = String::new();
    for (name, op) in row.operations.present().filter(|(_, op)| op.applies()) {
        let measures = [
            ("hops", &op.hops),
            ("latency, ms", &op.latency_ms),
            ("first answer, ms", &op.first_answer_ms),
            ("messages", &op.messages),
            ("bytes", &op.bytes),
            ("timeouts", &op.timeouts),
        ];
        // A row of zeros tells only that nothing timed out.
        let present: Vec<(&str, &Summary)> = measures
            .into_iter()
            .filter_map(|(measure, summary)| Some((measure, summary.as_ref()?)))
            .filter(|(measure, s)| *measure != "timeouts" || s.max > 0.0)
            .collect();
        for (i, (measure, s)) in present.iter().enumerate() {
            let span = present.len();
            let lead = match i {
                0 => format!(
                    "<tr class=\"first\"><th scope=\"rowgroup\" rowspan=\"{span}\">{name}</th>"
                ),
                _ => "<tr>".into(),
            };
            let _ = writeln!(rows, "{lead}<td>{measure}</td>{}</tr>", figures(s));
        }
    }
    let names = ["Operation", "measure", "mean", "p1", "p50", "p90", "p99", "max"];
    let caption = format!("{}: what operations cost", row.heading());
    format!("<h4>Costs</h4>\n{}", table("plain grouped", &caption, &head(&names, 2), &rows))
}

fn per_node(row: &OverlayRow) -> String {
    let storage = row.storage.as_ref();
    let reach = row.reach.as_ref();
    let mut rows = String::new();
    for (name, summary) in [
        ("routing entries", storage.map(|s| &s.routing_entries)),
        ("index entries", storage.map(|s| &s.index_entries)),
        ("bytes of state", storage.map(|s| &s.bytes)),
        ("neighbours", row.graph.as_ref().and_then(|g| g.degree.as_ref())),
        ("messages received", row.load.as_ref().map(|l| &l.messages_received)),
        ("nodes reached by a search", reach.map(|r| &r.distinct_nodes)),
        ("duplicates per search", reach.map(|r| &r.duplicate_messages)),
    ] {
        let Some(s) = summary else { continue };
        let _ = writeln!(rows, "<tr><th scope=\"row\">{name}</th>{}</tr>", figures(s));
    }
    if rows.is_empty() {
        return String::new();
    }
    let names = ["Per node", "mean", "p1", "p50", "p90", "p99", "max"];
    let caption = format!("{}: what nodes hold and handle", row.heading());
    format!("<h4>Nodes</h4>\n{}", table("plain", &caption, &head(&names, 1), &rows))
}

/// Upkeep, graph, engine and hash as facts.
fn closing(row: &OverlayRow) -> String {
    let mut facts = Vec::new();
    if let Some(upkeep) = &row.upkeep {
        facts.push((
            "Upkeep per node",
            format!("{} messages/s", figure(upkeep.messages_per_node_s)),
        ));
        facts.push(("in bytes", format!("{}/s", bytes(upkeep.bytes_per_node_s))));
    }
    if let Some(graph) = &row.graph {
        let mut text = plural(graph.components, "component");
        if let Some(diameter) = graph.diameter {
            let _ = write!(text, ", diameter {diameter}");
        }
        facts.push(("Graph", text));
    }
    if let Some(engine) = &row.engine {
        facts.push(("Simulated", format!("{} events", count(engine.events))));
        facts.push(("in", format!("{} s", figure(engine.wall_s))));
        facts.push(("Rate", format!("{} messages/s", figure(engine.messages_per_s))));
        facts.extend(engine.peak_rss_bytes.map(|rss| ("Memory at most", bytes(rss as f64))));
    }
    facts.push(("Trace hash", row.trace_hash.clone()));
    let mut out = String::from("<h4>Run</h4>\n<dl class=\"facts\">");
    for (name, value) in facts {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    out.push_str("</dl>\n");
    for note in &row.notes {
        let _ = writeln!(out, "<div class=\"notice\" role=\"note\"><p>{}</p></div>", escape(note));
    }
    out
}
