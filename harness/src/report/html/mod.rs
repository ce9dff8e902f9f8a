//! A result as one HTML page that needs nothing else: no network, no script.

mod charts;
mod comparison;
mod details;
mod guide;
mod tags;

use std::fmt::Write as _;

use super::figures::{count, figure, percentage};
use super::svg::escape;
use super::table::growth_range;
use crate::document::{Document, Kind, Measure};

/// The page.
pub fn html(document: &Document) -> String {
    let heading = escape(&document.heading());
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"overlab {}\">\n<title>{heading} · overlab</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the results</a>\n",
        escape(&document.version),
        include_str!("style.css"),
    );
    page.push_str(&top(document, &heading));
    page.push_str("<main id=\"content\">\n");
    page.push_str(&comparison::section(document));
    page.push_str(&charts::section(document));
    page.push_str(&details::section(document));
    page.push_str(&guide::section(document));
    page.push_str("</main>\n");
    let _ = write!(
        page,
        "<footer>Made by overlab {} · schema {} · trace {}</footer>\n</body>\n</html>\n",
        escape(&document.version),
        escape(&document.schema),
        escape(&document.trace_hash)
    );
    page
}

/// Heading, circumstances, command and notes.
fn top(document: &Document, heading: &str) -> String {
    let kind = match document.kind {
        Kind::Compare => "A comparison of peer-to-peer overlays",
        Kind::Sim => "A simulated peer-to-peer overlay",
        Kind::Live => "A peer-to-peer overlay over real sockets",
    };
    let mut out = format!(
        "<header class=\"top\">\n<p class=\"eyebrow\">{kind}</p>\n<h1>{heading}</h1>\n\
         <p class=\"lede\">{}</p>\n",
        lede(document)
    );
    out.push_str(&facts(document));
    let _ = writeln!(
        out,
        "<figure class=\"command\"><figcaption>Run this to get the same numbers again</figcaption>\
         <pre><code>{}</code></pre></figure>",
        escape(&document.command)
    );
    if document.partial {
        out.push_str(
            "<div class=\"notice warn\" role=\"note\"><p><strong>Interrupted.</strong> The run was \
             stopped before its end; these results are partial.</p></div>\n",
        );
    }
    if !document.notes.is_empty() {
        out.push_str("<div class=\"notice\" role=\"note\">");
        for note in &document.notes {
            let _ = write!(out, "<p>{}</p>", escape(note));
        }
        out.push_str("</div>\n");
    }
    out.push_str("<nav aria-label=\"Sections\"><ul>");
    let growth = growth_range(document).map(|_| ("growth", "Growth"));
    let mut links = vec![("comparison", "Comparison"), ("latency", "Latency"), ("costs", "Costs")];
    links.extend(growth);
    links.extend([("traffic", "Traffic"), ("details", "In detail"), ("reading", "How to read")]);
    for (id, name) in links {
        let _ = write!(out, "<li><a href=\"#{id}\">{name}</a></li>");
    }
    out.push_str("</ul></nav>\n</header>\n");
    out
}

/// What was done and what came out, in two sentences.
fn lede(document: &Document) -> String {
    let peers = count(document.nodes);
    let mut out = match document.kind {
        Kind::Compare => format!(
            "The same {peers} peers, items, latencies and queries, given to each overlay in turn."
        ),
        Kind::Sim => format!("{peers} peers in a deterministic simulation."),
        Kind::Live => format!("{peers} peers, each a task with its own sockets, on one machine."),
    };
    if document.seeds > 1 {
        let _ = write!(
            out,
            " Figures are means over {} seeds with their 95 % intervals.",
            document.seeds
        );
    }
    let fits = document
        .overlays
        .iter()
        .filter_map(|row| row.growth.as_ref())
        .flat_map(|growth| Measure::ALL.iter().filter_map(|&measure| growth.of(measure)));
    let (agree, all) =
        fits.fold((0, 0), |(agree, all), fit| (agree + usize::from(fit.agrees), all + 1));
    match (agree, all) {
        (_, 0) => {}
        (agree, all) if agree == all => {
            let _ = write!(out, " All {all} fitted growth curves agree with theory.");
        }
        (agree, all) => {
            let _ = write!(out, " {agree} of {all} fitted growth curves agree with theory.");
        }
    }
    out
}

fn facts(document: &Document) -> String {
    let mut facts = vec![("Peers", count(document.nodes))];
    facts.extend(document.searches.map(|n| ("Searches of a kind", count(n))));
    let seeds = match document.seeds {
        0 | 1 => document.seed.to_string(),
        many => {
            let last = document.seed.saturating_add(u64::from(many) - 1);
            format!("{} to {last}", document.seed)
        }
    };
    facts.push((if document.seeds > 1 { "Seeds" } else { "Seed" }, seeds));
    facts.extend(document.latency_model.as_deref().map(|model| ("Latency", escape(model))));
    facts.extend(document.loss.map(|loss| match loss {
        0.0 => ("Loss", "none".into()),
        loss => ("Loss", format!("{} %", percentage(loss))),
    }));
    facts.push(("Churn", document.churn.as_deref().map_or("none".into(), escape)));
    facts.extend(document.scenario.as_deref().map(|name| ("Scenario", escape(name))));
    if let Some(catalog) = &document.catalog {
        facts.push((
            "Catalogue",
            format!("{} items ({})", count(catalog.items), escape(&catalog.name)),
        ));
        facts.push(("Shared copies", count(catalog.shares)));
        if document.nodes > 0 {
            let share = figure(catalog.free_riders as f64 / document.nodes as f64 * 100.0);
            facts.push(("Free riders", format!("{} ({share} %)", count(catalog.free_riders))));
        }
    }
    facts.push((
        "Trace hash",
        format!("<span class=\"mono\">{}</span>", escape(&document.trace_hash)),
    ));
    let mut out = String::from("<dl class=\"facts\">\n");
    for (name, value) in facts {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    out.push_str("</dl>\n");
    out
}

#[cfg(test)]
mod tests;
