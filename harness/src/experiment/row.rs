//! From measures to a row of the result document.

use overlays::{About, Growth, Parameter, SearchPower};

use super::measures::{Measures, OperationMeasures, StorageMeasures};
use crate::document::{
    Engine, Graph, GrowthFits, GrowthPoints, Load, Operation, Operations, OverlayRow, Reach,
    Storage, Upkeep, parameter_value,
};
use crate::sim::{TraceHash, Verb};
use crate::stats::{Detail, Summary, Tally, across_seeds};

/// Microseconds to milliseconds.
const MS: f64 = 1e-3;

/// The row of an overlay from its runs with different seeds.
pub fn row(
    about: &About,
    parameters: &[Parameter],
    power: SearchPower,
    runs: &[Measures],
) -> OverlayRow {
    let sum = |f: fn(&Measures) -> f64| runs.iter().map(f).sum::<f64>();
    let node_seconds = sum(|r| r.node_seconds).max(1e-9);
    let mut hash = TraceHash::default();
    runs.iter().for_each(|r| hash.combine(r.trace_hash));
    OverlayRow {
        overlay: about.name.into(),
        title: about.title.into(),
        source: about.source.into(),
        idea: about.idea.into(),
        nodes: runs.first().map_or(0, |r| r.nodes.into()),
        servers: runs.first().map_or(0, |r| r.servers.into()),
        parameters: parameters
            .iter()
            .map(|p| (p.name.to_string(), parameter_value(&p.value)))
            .collect(),
        search_power: Some(power.into()),
        theory: Some(about.theory.into()),
        operations: operations(runs),
        upkeep: Some(Upkeep {
            messages_per_node_s: sum(|r| r.upkeep_messages as f64) / node_seconds,
            bytes_per_node_s: sum(|r| r.upkeep_bytes as f64) / node_seconds,
        }),
        storage: storage(runs),
        reach: reach(runs),
        load: pooled(runs, |r| &r.load, 1.0, Detail::Histogram)
            .map(|messages_received| Load { messages_received }),
        messages_by_type: messages_by_type(runs),
        graph: graph(runs),
        growth: None,
        growth_points: None,
        engine: Some(engine(runs)),
        trace_hash: if let [only] = runs { only.trace_hash } else { hash }.to_hex(),
        notes: notes(runs),
    }
}

/// The points of growth from runs of increasing size, and the classes fitted
/// to them.
pub fn growth(about: &About, runs: &[Measures]) -> (GrowthFits, GrowthPoints) {
    let mut points = GrowthPoints::default();
    for run in runs {
        let n = f64::from(run.nodes);
        let push = |list: &mut Vec<(f64, f64)>, value: Option<f64>| {
            list.extend(value.map(|value| (n, value)));
        };
        let search = run.operations.get(&Verb::Search);
        let insert = run.operations.get(&Verb::Insert);
        push(&mut points.search_latency, search.and_then(|o| o.hops.mean()));
        push(&mut points.search_messages, search.and_then(|o| o.messages.mean()));
        push(&mut points.update_messages, insert.and_then(|o| o.messages.mean()));
        let max = |growth, storage| counted(growth, storage).max().map(|max| max as f64);
        push(&mut points.storage_max, max(about.theory.storage_max, &run.storage));
        push(&mut points.storage_mean, counted(about.theory.storage_mean, &run.storage).mean());
    }
    (GrowthFits::of_points(&points, &about.theory), points)
}

/// The entries that the course's storage column speaks of: routing state where
/// that is what grows, and the index besides where a few nodes keep it for all
/// (a structured overlay's share of the items comes on top of its column).
const fn counted(growth: Growth, storage: &StorageMeasures) -> &Tally {
    match growth {
        Growth::Log | Growth::Root(_) => &storage.routing_entries,
        _ => &storage.entries,
    }
}

fn pooled(
    runs: &[Measures],
    tally: impl Fn(&Measures) -> &Tally,
    scale: f64,
    detail: Detail,
) -> Option<Summary> {
    across_seeds(runs.iter().map(tally), scale, detail)
}

fn operations(runs: &[Measures]) -> Operations {
    Operations {
        search: operation(runs, Verb::Search),
        keyword_search: operation(runs, Verb::KeywordSearch),
        locate: operation(runs, Verb::Locate),
        insert: operation(runs, Verb::Insert),
        delete: operation(runs, Verb::Delete),
        join: operation(runs, Verb::Join),
        leave: operation(runs, Verb::Leave),
    }
}

fn operation(runs: &[Measures], verb: Verb) -> Option<Operation> {
    let all: Vec<&OperationMeasures> =
        runs.iter().filter_map(|r| r.operations.get(&verb)).collect();
    if all.is_empty() {
        return None;
    }
    let sum = |f: fn(&OperationMeasures) -> u64| all.iter().map(|o| f(o)).sum::<u64>();
    let pool = |f: fn(&OperationMeasures) -> &Tally, scale, detail| {
        across_seeds(all.iter().map(|o| f(o)), scale, detail)
    };
    let (found, wanted) = (sum(|o| o.found), sum(|o| o.wanted));
    Some(Operation {
        count: sum(|o| o.count),
        correct: sum(|o| o.correct),
        incomplete: sum(|o| o.incomplete),
        wrong: sum(|o| o.wrong),
        failed: sum(|o| o.failed),
        unsupported: sum(|o| o.unsupported),
        hops: pool(|o| &o.hops, 1.0, Detail::Histogram),
        latency_ms: pool(|o| &o.latency_us, MS, Detail::Curve),
        first_answer_ms: pool(|o| &o.first_answer_us, MS, Detail::Curve),
        messages: pool(|o| &o.messages, 1.0, Detail::Histogram),
        bytes: pool(|o| &o.bytes, 1.0, Detail::Figures),
        timeouts: pool(|o| &o.timeouts, 1.0, Detail::Histogram),
        recall: (wanted > 0).then(|| found as f64 / wanted as f64),
    })
}

fn storage(runs: &[Measures]) -> Option<Storage> {
    Some(Storage {
        routing_entries: pooled(runs, |r| &r.storage.routing_entries, 1.0, Detail::Histogram)?,
        index_entries: pooled(runs, |r| &r.storage.index_entries, 1.0, Detail::Histogram)?,
        bytes: pooled(runs, |r| &r.storage.bytes, 1.0, Detail::Figures)?,
    })
}

fn reach(runs: &[Measures]) -> Option<Reach> {
    Some(Reach {
        distinct_nodes: pooled(runs, |r| &r.reach_nodes, 1.0, Detail::Histogram)?,
        duplicate_messages: pooled(runs, |r| &r.reach_duplicates, 1.0, Detail::Histogram)?,
    })
}

fn messages_by_type(runs: &[Measures]) -> Vec<(String, u64)> {
    let Some(first) = runs.first() else { return Vec::new() };
    let total = |at: usize| {
        runs.iter().filter_map(|r| r.messages_by_kind.get(at)).map(|(_, n)| n).sum::<u64>()
    };
    let kinds = first.messages_by_kind.iter().enumerate();
    kinds.map(|(at, (kind, _))| (kind.to_string(), total(at))).filter(|(_, n)| *n > 0).collect()
}

fn graph(runs: &[Measures]) -> Option<Graph> {
    let graphs: Vec<_> = runs.iter().filter_map(|r| r.graph.as_ref()).collect();
    Some(Graph {
        components: graphs.iter().map(|g| g.components).max()?,
        diameter: graphs.iter().map(|g| g.diameter).max(),
        degree: across_seeds(graphs.iter().map(|g| &g.out_degree), 1.0, Detail::Histogram),
    })
}

fn engine(runs: &[Measures]) -> Engine {
    let wall_s: f64 = runs.iter().map(|r| r.engine.wall_s).sum();
    let cpu_s = runs.iter().map(|r| r.engine.cpu_s).sum::<Option<f64>>();
    let messages: u64 = runs.iter().map(|r| r.engine.messages).sum();
    Engine {
        events: runs.iter().map(|r| r.engine.events).sum(),
        messages,
        wall_s,
        messages_per_s: messages as f64 / wall_s.max(1e-9),
        messages_per_cpu_s: cpu_s.map(|cpu_s| messages as f64 / cpu_s.max(1e-9)),
        cpu_s,
        peak_rss_bytes: runs.iter().filter_map(|r| r.engine.peak_rss_bytes).max(),
    }
}

fn notes(runs: &[Measures]) -> Vec<String> {
    let mut notes = Vec::new();
    let broken: u64 = runs.iter().map(|r| r.broken_operations).sum();
    if broken > 0 {
        notes.push(format!("{broken} operations did not end exactly once: a bug of this overlay."));
    }
    let unasked: u64 = runs.iter().map(|r| r.unasked_searches).sum();
    if unasked > 0 {
        notes.push(format!(
            "{unasked} searches were not asked: the peers that should have asked were away."
        ));
    }
    let joins = runs.iter().filter_map(|r| r.operations.get(&Verb::Join));
    let (failed, all) = joins.fold((0, 0), |(f, n), o| (f + o.failed, n + o.count));
    if failed > 0 {
        notes.push(format!(
            "{failed} of {all} joins failed; peers outside the network ask for nothing."
        ));
    }
    if runs.iter().any(|r| r.graph.as_ref().is_some_and(|g| !g.paths_are_exact)) {
        notes.push("The diameter is the longest path found from sampled nodes.".into());
    }
    for run in runs {
        for violation in run.violations.iter().take(3) {
            notes.push(format!("seed {}: {violation}", run.seed));
        }
    }
    notes
}
