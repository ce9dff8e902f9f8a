//! The result of a run as a document: the JSON contract, schema `overlab/1`.
//!
//! Field names are relied on by scripts. Fields may be added; a reader ignores
//! those it does not know. What does not apply is absent, never zero.

mod ordered;
mod overlay;
#[cfg(test)]
pub(crate) mod sample;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use overlay::{
    Engine, Graph, GrowthFits, GrowthPoints, Load, Measure, Operation, Operations, OverlayRow,
    Reach, SearchPower, Storage, TheoryText, Upkeep, parameter_value,
};

/// The schema that this version writes and reads.
pub const SCHEMA: &str = "overlab/1";

/// What kind of run a document is the result of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Several overlays on the same peers, items and queries.
    #[default]
    Compare,
    /// One simulated overlay in detail.
    Sim,
    /// One overlay over real sockets.
    Live,
}

impl Kind {
    /// The name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compare => "compare",
            Self::Sim => "sim",
            Self::Live => "live",
        }
    }
}

/// The catalogue that a run shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Catalog {
    /// Its name: `embedded`, or the file's.
    pub name: String,
    /// Distinct items.
    pub items: u64,
    /// Copies shared over all peers.
    pub shares: u64,
    /// Peers that share nothing.
    pub free_riders: u64,
}

/// A whole result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was run.
    pub kind: Kind,
    /// The version of overlab that ran it.
    pub version: String,
    /// The command that repeats it.
    pub command: String,
    /// The first seed.
    pub seed: u64,
    /// How many consecutive seeds were run.
    pub seeds: u32,
    /// Peers, not counting servers.
    pub nodes: u64,
    /// The digest over all runs, 16 hexadecimal digits.
    pub trace_hash: String,
    /// A heading for the report, where the default does not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Operations of the kind `search` asked for, over all seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searches: Option<u64>,
    /// The latency model, as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_model: Option<String>,
    /// The fraction of messages lost, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// The churn model in words; absent without churn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<String>,
    /// The scenario, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What was shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
    /// Whether the run was interrupted and the results are partial.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// What a reader should know, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// One row per overlay, in the order of the command line.
    pub overlays: Vec<OverlayRow>,
}

impl Default for Document {
    /// An empty comparison by this version of overlab.
    fn default() -> Self {
        Self {
            schema: SCHEMA.into(),
            kind: Kind::Compare,
            version: env!("CARGO_PKG_VERSION").into(),
            command: String::new(),
            seed: 1,
            seeds: 1,
            nodes: 0,
            trace_hash: String::new(),
            title: None,
            searches: None,
            latency_model: None,
            loss: None,
            churn: None,
            scenario: None,
            catalog: None,
            partial: false,
            notes: Vec::new(),
            overlays: Vec::new(),
        }
    }
}

/// Why a text is not a document.
#[derive(Debug)]
pub enum DocumentError {
    /// Not JSON, or a field is missing or of the wrong type.
    Json(serde_json::Error),
    /// A document of another schema.
    Schema(String),
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "not a result of overlab: {error}"),
            Self::Schema(found) => {
                write!(f, "field schema: `{found}`, but this version reads only `{SCHEMA}`")
            }
        }
    }
}

impl std::error::Error for DocumentError {}

/// The schema alone, to tell a foreign version from a broken file.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: String,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// When the text is not JSON, is of another schema, or lacks a field; the
    /// error names line and column.
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        let found: SchemaOnly = serde_json::from_str(text).map_err(DocumentError::Json)?;
        if found.schema != SCHEMA {
            return Err(DocumentError::Schema(found.schema));
        }
        serde_json::from_str(text).map_err(DocumentError::Json)
    }

    /// The heading of a report on it.
    pub fn heading(&self) -> String {
        if let Some(title) = &self.title {
            return title.clone();
        }
        let names: Vec<&str> = self.overlays.iter().map(OverlayRow::heading).collect();
        match (self.kind, names.as_slice()) {
            (Kind::Sim, _) => format!("{}, simulated", names.join(", ")),
            (Kind::Live, _) => format!("{}, over real sockets", names.join(", ")),
            (Kind::Compare, []) => "Overlays compared".into(),
            (Kind::Compare, [one]) => format!("{one} alone"),
            (Kind::Compare, [rest @ .., last]) if rest.len() < 4 => {
                format!("{} and {last} compared", rest.join(", "))
            }
            (Kind::Compare, all) => format!("{} overlays compared", all.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_document_survives_json() {
        for document in [sample::comparison(), sample::simulation()] {
            let text = serde_json::to_string_pretty(&document).unwrap();
            assert!(Document::from_json(&text).unwrap() == document, "changed:\n{text}");
        }
    }

    /// The fields that the contract names, literally.
    #[test]
    fn the_contract_is_kept() {
        let json: Value = serde_json::to_value(sample::comparison()).unwrap();
        for field in [
            "schema",
            "kind",
            "version",
            "command",
            "seed",
            "seeds",
            "nodes",
            "trace_hash",
            "overlays",
        ] {
            assert!(!json[field].is_null(), "{field}");
        }
        assert_eq!((&json["schema"], &json["kind"]), (&"overlab/1".into(), &"compare".into()));
        let chord = &json["overlays"][2];
        assert_eq!(chord["overlay"], "chord");
        for (group, fields) in [
            ("upkeep", &["messages_per_node_s", "bytes_per_node_s"][..]),
            ("storage", &["routing_entries", "index_entries", "bytes"]),
            (
                "growth",
                &[
                    "search_latency",
                    "search_messages",
                    "update_messages",
                    "storage_max",
                    "storage_mean",
                ],
            ),
            ("engine", &["events", "messages", "wall_s", "messages_per_s", "peak_rss_bytes"]),
            ("operations", &["search", "insert", "delete", "join", "leave"]),
        ] {
            for field in fields {
                assert!(!chord[group][field].is_null(), "{group}.{field}");
            }
        }
        let search = &chord["operations"]["search"];
        for field in ["count", "correct", "incomplete", "wrong", "failed", "unsupported"] {
            assert!(search[field].is_u64(), "{field}");
        }
        for field in ["hops", "latency_ms", "messages", "bytes", "timeouts"] {
            for figure in ["mean", "sd", "min", "p1", "p50", "p90", "p99", "max", "ci95"] {
                assert!(!search[field][figure].is_null(), "{field}.{figure}");
            }
        }
        assert!(search["hops"]["histogram"][0][1].is_u64());
        assert!(search["latency_ms"].get("histogram").is_none());
        let fit = &chord["growth"]["search_latency"];
        assert_eq!((&fit["class"], &fit["theory"]), (&"log n".into(), &"log n".into()));
        assert!(fit["coefficient"].is_f64() && fit["r2"].is_f64() && fit["agrees"] == true);
        assert!(chord.get("reach").is_none(), "Chord does not flood");
        assert!(!json["overlays"][1]["reach"]["distinct_nodes"]["mean"].is_null());
    }

    #[test]
    fn what_does_not_apply_is_absent_or_unsupported_throughout() {
        let document = sample::comparison();
        let keywords = document.overlays[2].operations.keyword_search.as_ref().unwrap();
        assert_eq!(keywords.count, keywords.unsupported);
        assert!(!keywords.applies() && keywords.hops.is_none());
        let json = serde_json::to_string(&Document::default()).unwrap();
        for absent in ["title", "loss", "churn", "notes", "partial", "null"] {
            assert!(!json.contains(absent), "{absent} in {json}");
        }
    }

    #[test]
    fn order_of_message_types_is_kept() {
        let document = sample::comparison();
        let text = serde_json::to_string(&document).unwrap();
        let again = Document::from_json(&text).unwrap();
        let names = |d: &Document| -> Vec<String> {
            d.overlays[1].messages_by_type.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&again), ["Ping", "Pong", "Query", "QueryHit", "Push"]);
    }

    #[test]
    fn unknown_fields_are_ignored_and_foreign_schemas_refused() {
        let mut json = serde_json::to_value(sample::comparison()).unwrap();
        json["invented"] = 1.into();
        json["overlays"][0]["invented"] = 1.into();
        assert!(Document::from_json(&json.to_string()).is_ok());
        json["schema"] = "overlab/2".into();
        let error = Document::from_json(&json.to_string()).unwrap_err().to_string();
        assert!(error.contains("overlab/2") && error.contains("overlab/1"), "{error}");
        let error = Document::from_json("{\"schema\": \"overlab/1\"}").unwrap_err().to_string();
        assert!(error.contains("missing field `kind`") && error.contains("line 1"), "{error}");
        assert!(Document::from_json("").is_err());
        assert!(Document::from_json(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn headings_say_what_was_run() {
        assert_eq!(sample::comparison().heading(), "Napster, Gnutella 0.4 and Chord compared");
        assert_eq!(sample::simulation().heading(), "Chord, simulated");
        assert_eq!(Document::default().heading(), "Overlays compared");
    }
}
