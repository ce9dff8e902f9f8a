//! The comparison as CSV (RFC 4180): one line per overlay, full precision.

use crate::document::{Document, Measure, Operation, OverlayRow};
use crate::stats::Summary;

/// The columns before those of the operations.
const GENERAL: [&str; 11] = [
    "overlay",
    "nodes",
    "servers",
    "exact_search",
    "keyword_search",
    "upkeep_messages_per_node_s",
    "upkeep_bytes_per_node_s",
    "routing_entries_mean",
    "routing_entries_max",
    "index_entries_mean",
    "index_entries_max",
];

/// A text as a field. A leading sign that a spreadsheet would take for a
/// formula is preceded by an apostrophe.
fn field(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_string()
    }
}

fn number(x: Option<f64>) -> String {
    x.filter(|x| x.is_finite()).map_or(String::new(), |x| x.to_string())
}

/// The operations with their names as in the document.
fn operations(row: &OverlayRow) -> [(&'static str, Option<&Operation>); 7] {
    let of = &row.operations;
    [
        ("search", of.search.as_ref()),
        ("keyword_search", of.keyword_search.as_ref()),
        ("locate", of.locate.as_ref()),
        ("insert", of.insert.as_ref()),
        ("delete", of.delete.as_ref()),
        ("join", of.join.as_ref()),
        ("leave", of.leave.as_ref()),
    ]
}

const COUNTS: [&str; 6] = ["count", "correct", "incomplete", "wrong", "failed", "unsupported"];
const COSTS: [&str; 4] = ["hops", "latency_ms", "messages", "bytes"];
const FIGURES: [&str; 5] = ["mean", "ci95_low", "ci95_high", "p50", "p99"];
const MEASURES: [(&str, Measure); 5] = [
    ("search_latency", Measure::SearchLatency),
    ("search_messages", Measure::SearchMessages),
    ("update_messages", Measure::UpdateMessages),
    ("storage_max", Measure::StorageMax),
    ("storage_mean", Measure::StorageMean),
];

fn header() -> Vec<String> {
    let mut names: Vec<String> = GENERAL.iter().map(|name| (*name).to_string()).collect();
    for (operation, _) in operations(&OverlayRow::default()) {
        names.extend(COUNTS.iter().map(|count| format!("{operation}_{count}")));
        for cost in COSTS {
            names.extend(FIGURES.iter().map(|figure| format!("{operation}_{cost}_{figure}")));
        }
    }
    for (measure, _) in MEASURES {
        let columns = ["theory", "class", "coefficient", "r2", "agrees"];
        names.extend(columns.map(|column| format!("{measure}_{column}")));
    }
    names.push("trace_hash".into());
    names
}

fn figures(s: Option<&Summary>) -> [String; 5] {
    [
        number(s.map(|s| s.mean)),
        number(s.map(|s| s.ci95[0])),
        number(s.map(|s| s.ci95[1])),
        number(s.map(|s| s.p50)),
        number(s.map(|s| s.p99)),
    ]
}

fn general(row: &OverlayRow) -> Vec<String> {
    let able = |pick: fn(&crate::document::SearchPower) -> bool| {
        row.search_power.as_ref().map_or(String::new(), |power| pick(power).to_string())
    };
    let storage = row.storage.as_ref();
    vec![
        field(&row.overlay),
        row.nodes.to_string(),
        row.servers.to_string(),
        able(|power| power.exact),
        able(|power| power.keywords),
        number(row.upkeep.map(|u| u.messages_per_node_s)),
        number(row.upkeep.map(|u| u.bytes_per_node_s)),
        number(storage.map(|s| s.routing_entries.mean)),
        number(storage.map(|s| s.routing_entries.max)),
        number(storage.map(|s| s.index_entries.mean)),
        number(storage.map(|s| s.index_entries.max)),
    ]
}

/// The comparison as CSV. Fields that do not apply are empty.
pub fn csv(document: &Document) -> String {
    let mut lines = vec![header()];
    for row in &document.overlays {
        let mut fields = general(row);
        for (_, operation) in operations(row) {
            let counts = operation.map(|op| {
                [op.count, op.correct, op.incomplete, op.wrong, op.failed, op.unsupported]
            });
            fields.extend(
                (0..COUNTS.len())
                    .map(|i| counts.map_or(String::new(), |counts| counts[i].to_string())),
            );
            let op = operation.filter(|op| op.applies());
            for cost in [
                op.and_then(|op| op.hops.as_ref()),
                op.and_then(|op| op.latency_ms.as_ref()),
                op.and_then(|op| op.messages.as_ref()),
                op.and_then(|op| op.bytes.as_ref()),
            ] {
                fields.extend(figures(cost));
            }
        }
        for (_, measure) in MEASURES {
            let fit = row.growth.as_ref().and_then(|growth| growth.of(measure));
            fields.extend([
                field(&row.theory_of(measure).unwrap_or_default()),
                fit.map_or(String::new(), |fit| fit.class.to_string()),
                number(fit.map(|fit| fit.coefficient)),
                number(fit.map(|fit| fit.r2)),
                fit.map_or(String::new(), |fit| fit.agrees.to_string()),
            ]);
        }
        fields.push(field(&row.trace_hash));
        lines.push(fields);
    }
    let mut out =
        ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        out.write_record(line).expect("lines have equal lengths, and memory takes them all");
    }
    let bytes = out.into_inner().expect("memory takes all that is written");
    String::from_utf8(bytes).expect("fields are text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sample;

    #[test]
    fn every_line_has_every_column() {
        let mut document = sample::comparison();
        document.overlays.push(OverlayRow { overlay: "void".into(), ..OverlayRow::default() });
        let text = csv(&document);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        let columns = lines[0].split(',').count();
        assert!(lines.iter().all(|line| line.split(',').count() == columns), "{text}");
        let at = |name: &str| lines[0].split(',').position(|column| column == name).unwrap();
        let cell = |line: usize, name: &str| lines[line].split(',').nth(at(name)).unwrap();
        assert_eq!(cell(1, "overlay"), "napster");
        assert_eq!(cell(3, "search_latency_class"), "log n");
        assert_eq!(cell(3, "keyword_search_unsupported"), "5000");
        assert_eq!(cell(3, "keyword_search_messages_mean"), "", "not 0");
        assert_eq!(cell(4, "search_count"), "");
    }

    #[test]
    fn fields_are_quoted_and_formulas_defused() {
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("plain"), "plain");
        let mut document = sample::comparison();
        document.overlays[0].overlay = "a,\"b\"".into();
        assert!(csv(&document).contains("\r\n\"a,\"\"b\"\"\",1000,"), "{}", csv(&document));
    }
}
