//! Bars over counts: how many hops, how often.

use super::axes::{Frame, x_axis, y_axis};
use super::canvas::{Anchor, Canvas};
use super::scale::Scale;
use crate::report::figures::{count, figure, percentage, tick};
use crate::stats::Summary;

/// The most bars in a chart; wider ranges are joined into equal bins.
const MOST_BARS: u64 = 40;

/// `(first value, share)` of bins of equal width, gaps included, and the width.
fn bins(histogram: &[(u64, u64)]) -> (Vec<(u64, f64)>, u64) {
    let total: u64 = histogram.iter().fold(0, |sum, row| sum.saturating_add(row.1));
    let (Some(first), Some(last)) = (histogram.first(), histogram.last()) else {
        return (Vec::new(), 1);
    };
    if total == 0 || last.0 < first.0 {
        return (Vec::new(), 1);
    }
    let width = (last.0 - first.0) / MOST_BARS + 1;
    let mut bins: Vec<(u64, f64)> =
        (0..=(last.0 - first.0) / width).map(|i| (first.0 + i * width, 0.0)).collect();
    for &(value, times) in histogram {
        let at = value.saturating_sub(first.0) / width;
        if let Some(bin) = bins.get_mut(at as usize) {
            bin.1 += times as f64 / total as f64;
        }
    }
    (bins, width)
}

/// The histogram of a count, with its mean marked.
pub fn bars(name: &str, what: &str, summary: &Summary, colour: &str, id: &str) -> String {
    let frame = Frame { left: 40.0, right: 328.0, top: 22.0, bottom: 150.0 };
    let mut canvas = Canvas::new(340.0, 180.0);
    let (bins, width) = bins(&summary.histogram);
    let y = Scale::linear(bins.iter().map(|bin| bin.1), frame.bottom, frame.top);
    y_axis(&mut canvas, frame, &y, &y.ticks(3), |share| format!("{} %", tick(share * 100.0)));
    let slot = (frame.right - frame.left) / bins.len().max(4) as f64;
    let start = frame.left + (frame.right - frame.left - slot * bins.len() as f64) / 2.0;
    for (i, &(value, share)) in bins.iter().enumerate() {
        let gap = (slot * 0.18).min(6.0);
        let top = y.at(share);
        let range =
            if width == 1 { count(value) } else { format!("{} to {}", value, value + width - 1) };
        let tip = format!("{range} {what}: {} %", percentage(share));
        let corner = (start + slot * i as f64 + gap / 2.0, top);
        canvas.bar(corner, (slot - gap, frame.bottom - top), &format!("bar {colour}"), &tip);
    }
    let middle = |value: f64| match bins.first() {
        Some(first) => start + slot * ((value - first.0 as f64) / width as f64 + 0.5),
        None => start,
    };
    let every = bins.len().div_ceil(10).max(1);
    let x = Scale::linear([1.0], 0.0, 1.0);
    x_axis(&mut canvas, frame, &x, &[], false, figure);
    for bin in bins.iter().step_by(every) {
        let at = (middle(bin.0 as f64), frame.bottom + 15.0);
        canvas.text(at, Anchor::Middle, "tick", &tick(bin.0 as f64));
    }
    let mean = middle(summary.mean).clamp(frame.left, frame.right);
    canvas.line((mean, frame.top - 6.0), (mean, frame.bottom), "mark");
    let anchor = if mean > frame.right - 70.0 { Anchor::End } else { Anchor::Start };
    let dx = if anchor == Anchor::End { -5.0 } else { 5.0 };
    canvas.text(
        (mean + dx, frame.top - 8.0),
        anchor,
        "note",
        &format!("mean {}", figure(summary.mean)),
    );
    let description = format!(
        "Mean {}, median {}, 99th percentile {}, most {}.",
        figure(summary.mean),
        figure(summary.p50),
        figure(summary.p99),
        figure(summary.max)
    );
    canvas.finish(id, &format!("{name}: {what}, shares"), &description)
}
