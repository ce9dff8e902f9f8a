//! What was measured on one overlay: a row of the document.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ordered;
use crate::stats::{Fit, Summary};

/// What was measured on one overlay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OverlayRow {
    /// The overlay's name, as on the command line.
    pub overlay: String,
    /// Its name in headings.
    #[serde(default)]
    pub title: String,
    /// Where it is defined.
    #[serde(default)]
    pub source: String,
    /// How it finds things, in one sentence.
    #[serde(default)]
    pub idea: String,
    /// Peers, not counting servers.
    pub nodes: u64,
    /// Dedicated servers.
    #[serde(default)]
    pub servers: u64,
    /// Its parameters by name, in the order in which it lists them.
    #[serde(default, with = "ordered")]
    pub parameters: Vec<(String, Value)>,
    /// Which searches it answers; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_power: Option<SearchPower>,
    /// How its costs should grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theory: Option<TheoryText>,
    /// The operations that were run.
    pub operations: Operations,
    /// Traffic that belongs to no operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upkeep: Option<Upkeep>,
    /// What nodes keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// How far searches reach, where they flood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// How the traffic is spread over the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// Messages sent, by kind, in the order in which the protocol lists them.
    #[serde(default, with = "ordered")]
    pub messages_by_type: Vec<(String, u64)>,
    /// The graph of who knows whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<Graph>,
    /// Fitted growth of the costs; in comparisons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<GrowthFits>,
    /// The points behind the fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_points: Option<GrowthPoints>,
    /// What the simulation itself cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// The digest over this overlay's runs, 16 hexadecimal digits.
    pub trace_hash: String,
    /// What a reader should know, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl OverlayRow {
    /// The name for headings: the title, or the plain name without one.
    pub fn heading(&self) -> &str {
        if self.title.is_empty() { &self.overlay } else { &self.title }
    }

    /// The theory of a measure: as stated, or as the fit has it.
    pub fn theory_of(&self, measure: Measure) -> Option<String> {
        let stated = self.theory.as_ref().map(|t| t.of(measure)).filter(|text| !text.is_empty());
        let fitted = || Some(self.growth.as_ref()?.of(measure)?.theory.to_string());
        stated.map(String::from).or_else(fitted)
    }
}

/// Which searches an overlay answers, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchPower {
    /// By key.
    pub exact: bool,
    /// By words of the name.
    pub keywords: bool,
}

impl From<overlays::SearchPower> for SearchPower {
    fn from(power: overlays::SearchPower) -> Self {
        Self { exact: power.exact, keywords: power.keywords }
    }
}

/// A measure whose growth the course's table states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Hops until a search is answered.
    SearchLatency,
    /// Messages that a search causes.
    SearchMessages,
    /// Messages that an insert causes.
    UpdateMessages,
    /// State on the fullest node.
    StorageMax,
    /// State on a node, on average.
    StorageMean,
}

impl Measure {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::SearchLatency,
        Self::SearchMessages,
        Self::UpdateMessages,
        Self::StorageMax,
        Self::StorageMean,
    ];

    /// In words, with the unit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::SearchLatency => "Search latency (hops)",
            Self::SearchMessages => "Search messages",
            Self::UpdateMessages => "Update messages",
            Self::StorageMax => "Storage, fullest node (entries)",
            Self::StorageMean => "Storage, mean (entries)",
        }
    }
}

/// Predicted growth in words, such as `log n`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TheoryText {
    /// Hops until a search is answered.
    pub search_latency: String,
    /// Messages that a search causes.
    pub search_messages: String,
    /// Messages that an insert causes.
    pub update_messages: String,
    /// State on the fullest node.
    pub storage_max: String,
    /// State on a node, on average.
    pub storage_mean: String,
}

impl TheoryText {
    /// The text for a measure; empty when none is stated.
    pub fn of(&self, measure: Measure) -> &str {
        match measure {
            Measure::SearchLatency => &self.search_latency,
            Measure::SearchMessages => &self.search_messages,
            Measure::UpdateMessages => &self.update_messages,
            Measure::StorageMax => &self.storage_max,
            Measure::StorageMean => &self.storage_mean,
        }
    }
}

impl From<overlays::Theory> for TheoryText {
    fn from(theory: overlays::Theory) -> Self {
        Self {
            search_latency: theory.search_latency.to_string(),
            search_messages: theory.search_messages.to_string(),
            update_messages: theory.update_messages.to_string(),
            storage_max: theory.storage_max.to_string(),
            storage_mean: theory.storage_mean.to_string(),
        }
    }
}

/// The operations of a run. What was not run, or does not apply, is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Operations {
    /// Exact searches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Operation>,
    /// Keyword searches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword_search: Option<Operation>,
    /// Lookups of the responsible node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locate: Option<Operation>,
    /// Inserts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insert: Option<Operation>,
    /// Deletes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<Operation>,
    /// Joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<Operation>,
    /// Leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<Operation>,
}

impl Operations {
    /// The operations present, with their names in words.
    pub fn present(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        [
            ("exact search", &self.search),
            ("keyword search", &self.keyword_search),
            ("locate", &self.locate),
            ("insert", &self.insert),
            ("delete", &self.delete),
            ("join", &self.join),
            ("leave", &self.leave),
        ]
        .into_iter()
        .filter_map(|(name, operation)| Some((name, operation.as_ref()?)))
    }
}

/// How the operations of one kind went and what they cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// How many were started.
    pub count: u64,
    /// Ended as they should have.
    pub correct: u64,
    /// Searches that found some but not all there was.
    pub incomplete: u64,
    /// Searches with an answer that is not true.
    pub wrong: u64,
    /// Ended without effect or answer where there should have been one.
    pub failed: u64,
    /// The overlay has no such operation.
    pub unsupported: u64,
    /// Forwards until the answering node is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hops: Option<Summary>,
    /// From start to outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Summary>,
    /// From start to the first answer, of searches that had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_answer_ms: Option<Summary>,
    /// Messages caused, replies included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Summary>,
    /// Bytes of those messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Summary>,
    /// Requests that timed out on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Summary>,
    /// The share of what there was that searches found, on average, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall: Option<f64>,
}

impl Operation {
    /// Whether the overlay has the operation and it was run at all.
    pub const fn applies(&self) -> bool {
        self.count > self.unsupported
    }

    /// How many were started that the overlay has.
    pub const fn supported(&self) -> u64 {
        self.count.saturating_sub(self.unsupported)
    }

    /// A part of the supported operations, 0 to 1; nothing if there are none.
    pub fn share(&self, part: u64) -> Option<f64> {
        self.applies().then(|| part as f64 / self.supported() as f64)
    }
}

/// Traffic that belongs to no operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Upkeep {
    /// Messages sent per node and second.
    pub messages_per_node_s: f64,
    /// Bytes sent per node and second.
    pub bytes_per_node_s: f64,
}

/// What nodes keep, servers included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    /// Other nodes kept for routing.
    pub routing_entries: Summary,
    /// Index entries held.
    pub index_entries: Summary,
    /// Bytes of both, roughly.
    pub bytes: Summary,
}

/// How far a flooding search reaches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// Distinct nodes that saw the query.
    pub distinct_nodes: Summary,
    /// Copies that reached a node which had seen the query.
    pub duplicate_messages: Summary,
}

/// How the traffic is spread over the nodes, servers included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Messages received per node over the run.
    pub messages_received: Summary,
}

/// The graph of who knows whom at the end of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Graph {
    /// Weakly connected components; 1 means the network is whole.
    pub components: u64,
    /// The longest shortest path, where it was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diameter: Option<u64>,
    /// Neighbours per node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<Summary>,
}

/// Fitted growth per measure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrowthFits {
    /// Hops until a search is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_latency: Option<Fit>,
    /// Messages that a search causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_messages: Option<Fit>,
    /// Messages that an insert causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_messages: Option<Fit>,
    /// State on the fullest node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_max: Option<Fit>,
    /// State on a node, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_mean: Option<Fit>,
}

impl GrowthFits {
    /// The fits of measured points against an overlay's theory.
    pub fn of_points(points: &GrowthPoints, theory: &overlays::Theory) -> Self {
        Self {
            search_latency: Fit::of(&points.search_latency, theory.search_latency),
            search_messages: Fit::of(&points.search_messages, theory.search_messages),
            update_messages: Fit::of(&points.update_messages, theory.update_messages),
            storage_max: Fit::of(&points.storage_max, theory.storage_max),
            storage_mean: Fit::of(&points.storage_mean, theory.storage_mean),
        }
    }

    /// The fit of one measure.
    pub const fn of(&self, measure: Measure) -> Option<&Fit> {
        match measure {
            Measure::SearchLatency => self.search_latency.as_ref(),
            Measure::SearchMessages => self.search_messages.as_ref(),
            Measure::UpdateMessages => self.update_messages.as_ref(),
            Measure::StorageMax => self.storage_max.as_ref(),
            Measure::StorageMean => self.storage_mean.as_ref(),
        }
    }
}

/// Measured `[n, value]` per measure, ascending in n.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrowthPoints {
    /// Mean hops until a search is answered.
    pub search_latency: Vec<(f64, f64)>,
    /// Mean messages that a search causes.
    pub search_messages: Vec<(f64, f64)>,
    /// Mean messages that an insert causes.
    pub update_messages: Vec<(f64, f64)>,
    /// Entries on the fullest node.
    pub storage_max: Vec<(f64, f64)>,
    /// Entries on a node, on average.
    pub storage_mean: Vec<(f64, f64)>,
}

impl GrowthPoints {
    /// The points of one measure.
    pub fn of(&self, measure: Measure) -> &[(f64, f64)] {
        match measure {
            Measure::SearchLatency => &self.search_latency,
            Measure::SearchMessages => &self.search_messages,
            Measure::UpdateMessages => &self.update_messages,
            Measure::StorageMax => &self.storage_max,
            Measure::StorageMean => &self.storage_mean,
        }
    }
}

/// What the simulation itself cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Engine {
    /// Events handled.
    pub events: u64,
    /// Messages delivered.
    pub messages: u64,
    /// Seconds of real time.
    pub wall_s: f64,
    /// Messages per second of real time.
    pub messages_per_s: f64,
    /// Seconds that a processor worked, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// Messages per second of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_cpu_s: Option<f64>,
    /// The most memory the process held, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<u64>,
}

/// A parameter's text as JSON: a number or truth value where it is one.
pub fn parameter_value(text: &str) -> Value {
    match text {
        "on" | "true" => Value::Bool(true),
        "off" | "false" => Value::Bool(false),
        _ => text
            .parse::<u64>()
            .map(Value::from)
            .ok()
            .or_else(|| text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::from))
            .unwrap_or_else(|| Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_the_json_they_look_like() {
        for (text, json) in [
            ("16", "16"),
            ("0.5", "0.5"),
            ("on", "true"),
            ("off", "false"),
            ("20ms", "\"20ms\""),
            ("inf", "\"inf\""),
            ("", "\"\""),
        ] {
            assert_eq!(parameter_value(text).to_string(), json);
        }
    }

    #[test]
    fn shares_leave_unsupported_operations_out() {
        let op = Operation { count: 10, unsupported: 2, correct: 6, ..Operation::default() };
        assert_eq!(op.share(op.correct), Some(0.75));
        let none = Operation { count: 5, unsupported: 5, ..Operation::default() };
        assert_eq!((none.share(0), none.applies()), (None, false));
    }

    #[test]
    fn theory_comes_from_the_statement_or_else_from_the_fit() {
        let points: Vec<(f64, f64)> = (6..12).map(|k| (f64::from(1 << k), f64::from(k))).collect();
        let mut row = OverlayRow {
            growth: Some(GrowthFits {
                search_latency: Fit::of(&points, overlays::Growth::Log),
                ..GrowthFits::default()
            }),
            ..OverlayRow::default()
        };
        assert_eq!(row.theory_of(Measure::SearchLatency).as_deref(), Some("log n"));
        assert_eq!(row.theory_of(Measure::StorageMax), None);
        row.theory = Some(TheoryText { search_latency: "n".into(), ..TheoryText::default() });
        assert_eq!(row.theory_of(Measure::SearchLatency).as_deref(), Some("n"));
    }
}
