//! Recording a run as JSON lines.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use overlays::{Addr, Cause, Note, OpId, Outcome, Time};
use serde_json::{Value, json};

use super::operations::Verb;

/// Writes one JSON object per event, in the order of events, behind a header
/// line that names the schema.
///
/// Every line has `t_us` and `event`; what else there is depends on the event.
/// Nodes are numbers, operations too; `op` is absent for upkeep.
pub struct Recorder {
    sink: Box<dyn Write + Send>,
    failure: Option<io::Error>,
    lines: u64,
}

/// The schema of recordings.
pub const TRACE_SCHEMA: &str = "overlab-trace/1";

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Records to `sink`, which should be buffered.
    pub fn new(sink: Box<dyn Write + Send>, overlay: &str, seed: u64) -> Self {
        let mut recorder = Self { sink, failure: None, lines: 0 };
        recorder.line(&json!({ "schema": TRACE_SCHEMA, "overlay": overlay, "seed": seed }));
        recorder
    }

    /// Records to a new file at `path`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, overlay: &str, seed: u64) -> io::Result<Self> {
        let file = io::BufWriter::new(File::create(path)?);
        Ok(Self::new(Box::new(file), overlay, seed))
    }

    fn line(&mut self, value: &Value) {
        if self.failure.is_some() {
            return;
        }
        self.lines += 1;
        if let Err(error) = writeln!(self.sink, "{value}") {
            self.failure = Some(error);
        }
    }

    fn event(&mut self, at: Time, event: &str, cause: Cause, mut rest: Value) {
        let mut line = json!({ "t_us": at.as_us(), "event": event });
        if cause.op != OpId::NONE {
            line["op"] = json!(cause.op.0);
            line["hops"] = json!(cause.hops);
        }
        if let (Some(line), Some(rest)) = (line.as_object_mut(), rest.as_object_mut()) {
            line.append(rest);
        }
        self.line(&line);
    }

    pub(super) fn node(&mut self, at: Time, node: u32, up: bool) {
        let event = if up { "node_up" } else { "node_down" };
        self.event(at, event, Cause::UPKEEP, json!({ "node": node }));
    }

    pub(super) fn link(&mut self, at: Time, node: u32, peer: u32, open: bool) {
        self.event(at, "link", Cause::UPKEEP, json!({ "node": node, "peer": peer, "open": open }));
    }

    pub(super) fn send(&mut self, at: Time, cause: Cause, from: u32, to: u32, kind: &str, n: u64) {
        let rest = json!({ "node": from, "peer": to, "kind": kind, "bytes": n });
        self.event(at, "send", cause, rest);
    }

    pub(super) fn receive(
        &mut self,
        at: Time,
        cause: Cause,
        to: u32,
        from: Addr,
        kind: &str,
        is_reply: bool,
    ) {
        let rest = json!({ "node": to, "peer": from.index(), "kind": kind });
        self.event(at, "receive", cause, rest);
        if !is_reply && cause.op != OpId::NONE {
            self.event(at, "operation_hop", cause, json!({ "node": to }));
        }
    }

    pub(super) fn drop(&mut self, at: Time, cause: Cause, to: u32, from: Addr, why: &str) {
        let rest = json!({ "node": to, "peer": from.index(), "why": why });
        self.event(at, "drop", cause, rest);
    }

    pub(super) fn operation_start(
        &mut self,
        at: Time,
        op: OpId,
        verb: Verb,
        node: u32,
        what: &str,
    ) {
        let rest = json!({ "node": node, "verb": verb.name(), "what": what });
        self.event(at, "operation_start", Cause::start(op), rest);
    }

    pub(super) fn operation_end(&mut self, at: Time, cause: Cause, node: u32, outcome: &Outcome) {
        let (result, hits) = match outcome {
            Outcome::Found(hits) => ("found".into(), Some(hits.len())),
            Outcome::Located(owner) => (format!("located {owner}"), None),
            Outcome::Done => ("done".into(), None),
            Outcome::NotFound => ("not found".into(), None),
            Outcome::Unsupported => ("unsupported".into(), None),
            Outcome::Failed(reason) => (format!("failed: {reason}"), None),
        };
        let mut rest = json!({ "node": node, "outcome": result });
        if let Some(hits) = hits {
            rest["hits"] = json!(hits);
        }
        self.event(at, "operation_end", cause, rest);
    }

    pub(super) fn note(&mut self, at: Time, cause: Cause, node: u32, note: Note) {
        match note {
            Note::TableChange { table, slot, peer } => {
                let peer = peer.map(Addr::index);
                let rest = json!({ "node": node, "table": table, "slot": slot, "peer": peer });
                self.event(at, "table_change", cause, rest);
            }
            Note::Store { key, provider, stored } => {
                let key = key.to_string();
                let rest = json!({ "node": node, "key": key, "provider": provider.index(), "stored": stored });
                self.event(at, "store", cause, rest);
            }
        }
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// The first error that writing met, now or earlier in the run.
    pub fn finish(mut self) -> io::Result<u64> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.sink.flush()?;
        Ok(self.lines)
    }
}
