//! Writing an overlay graph for other programs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, NodeIndex};

use super::OverlayGraph;

impl OverlayGraph {
    /// Writes the graph to `path` in the format of its ending: `.dot` or `.gv`
    /// for Graphviz, `.graphml` for GraphML.
    ///
    /// # Errors
    /// When the ending is neither, or the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let format = match path.extension().and_then(|ending| ending.to_str()) {
            Some("dot" | "gv") => Self::write_dot,
            Some("graphml") => Self::write_graphml,
            _ => {
                let message = "the name of a graph file ends in .dot, .gv or .graphml";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        };
        let mut out = BufWriter::new(File::create(path)?);
        format(self, &mut out)?;
        out.flush()
    }

    /// Writes the graph in Graphviz' language.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write_dot(&self, out: &mut impl Write) -> io::Result<()> {
        let graph = self.compact().to_petgraph();
        let label = |_: &DiGraph<u32, ()>, (_, node): (NodeIndex, &u32)| {
            format!("label=\"{}\"", escape_dot(&self.label(*node)))
        };
        let hidden = [Config::NodeNoLabel, Config::EdgeNoLabel];
        let dot = Dot::with_attr_getters(&graph, &hidden, &|_, _| String::new(), &label);
        write!(out, "{dot:?}")
    }

    /// Writes the graph as GraphML, an XML format.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write_graphml(&self, out: &mut impl Write) -> io::Result<()> {
        let compact = self.compact();
        out.write_all(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
              <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n  \
              <key id=\"label\" for=\"node\" attr.name=\"label\" attr.type=\"string\"/>\n  \
              <graph id=\"overlay\" edgedefault=\"directed\">\n",
        )?;
        for node in &compact.nodes {
            let label = escape_xml(&self.label(*node));
            writeln!(out, "    <node id=\"n{node}\"><data key=\"label\">{label}</data></node>")?;
        }
        for (from, to) in &compact.links {
            let [from, to] = [from, to].map(|rank| compact.nodes[*rank as usize]);
            writeln!(out, "    <edge source=\"n{from}\" target=\"n{to}\"/>")?;
        }
        out.write_all(b"  </graph>\n</graphml>\n")
    }
}

/// `text` for use between quotation marks. The backslash is the start of an
/// escape in a Graphviz label.
fn escape_dot(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' | '\0' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// `text` for use between tags. Characters that XML 1.0 cannot hold in any
/// form are replaced.
fn escape_xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A parser would read a bare carriage return as a line feed.
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(c),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
