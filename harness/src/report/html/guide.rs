//! How to read the page, and what its words mean.

use std::fmt::Write as _;

use crate::document::Document;

/// Terms and their meanings.
const GLOSSARY: [(&str, &str); 16] = [
    (
        "Overlay",
        "A network of peers on top of the Internet: who knows whom, and how they find things.",
    ),
    (
        "Hops",
        "Forwards between nodes until the one that answers is reached. A search answered where it started has none.",
    ),
    ("Latency", "Simulated or real time from the start of an operation to its outcome."),
    (
        "Messages",
        "Everything an operation caused anywhere in the network, replies included, counted by following causes.",
    ),
    ("Update cost", "Messages that sharing one more item causes."),
    (
        "Storage",
        "Routing entries are other nodes kept for routing; index entries tell who has which item. Servers count as nodes here.",
    ),
    ("Upkeep", "Traffic that belongs to no operation: keeping neighbours, repairing tables."),
    (
        "Found",
        "Graded against the truth, which the simulator knows: all there was, a part of it, or nothing.",
    ),
    ("Wrong", "An answer that is not true, such as a provider that does not have the item."),
    (
        "Nodes reached",
        "Distinct nodes that saw a flooded query; the others in its horizon saw none.",
    ),
    ("Load", "Messages a node received over the whole run."),
    (
        "95 % interval",
        "Of the mean, written ±: Student's t over the means of the seeds, or the normal interval over samples with one seed.",
    ),
    (
        "p1, p50, p90, p99",
        "The value that 1, 50, 90 or 99 of 100 samples do not exceed; p50 is the median.",
    ),
    (
        "O(…)",
        "The class of growth with the number of peers n that theory predicts. A tick says that least squares over the measured sizes picks the same class.",
    ),
    ("r²", "The share of the variance that a fitted class explains; 1 is all of it."),
    (
        "Trace hash",
        "A digest over every delivery in order. The same command gives the same hash, or something is broken.",
    ),
];

/// The guide and the glossary.
pub fn section(document: &Document) -> String {
    let mut out = String::from(
        "<section id=\"reading\">\n<h2>How to read this</h2>\n\
         <p class=\"intro\">Every overlay ran on the same peers, latencies, items and queries, drawn \
         from the same seeds, so that differences come from the overlays alone. Nothing is counted \
         inside a protocol: messages are attributed to the operation that caused them by the host \
         that carries them. An overlay that lacks an operation says so; it is never shown as 0.",
    );
    if document.seeds <= 1 {
        out.push_str(" This is a single run: another seed gives somewhat other figures.");
    }
    out.push_str("</p>\n<dl class=\"glossary\">\n");
    for (term, meaning) in GLOSSARY {
        let _ = writeln!(out, "<div><dt>{term}</dt><dd>{meaning}</dd></div>");
    }
    out.push_str("</dl>\n</section>\n");
    out
}
