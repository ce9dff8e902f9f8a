//! Cumulative curves: which share of operations took no longer than this.

use super::axes::{Frame, x_axis, y_axis};
use super::canvas::{Anchor, Canvas};
use super::scale::Scale;
use crate::report::figures::{tick, time_ms};
use crate::stats::Summary;

/// A curve and the figures marked on it.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// Whose it is.
    pub name: &'a str,
    /// The figures it shows.
    pub summary: &'a Summary,
}

/// `(value, share)` of a summary, ascending: its curve, or the quantiles that
/// every summary has.
pub fn cumulative(s: &Summary) -> Vec<(f64, f64)> {
    if !s.cumulative.is_empty() {
        return s.cumulative.clone();
    }
    vec![(s.min, 0.0), (s.p1, 0.01), (s.p50, 0.5), (s.p90, 0.9), (s.p99, 0.99), (s.max, 1.0)]
}

/// One of several charts on the same axes: the curve `chosen` in its colour,
/// the others faint behind it for comparison. Values are milliseconds.
pub fn curves(all: &[Curve<'_>], chosen: usize, colour: &str, id: &str) -> String {
    const SIZE: (f64, f64) = (340.0, 200.0);
    let frame = Frame { left: 40.0, right: 328.0, top: 14.0, bottom: 170.0 };
    let mut canvas = Canvas::new(SIZE.0, SIZE.1);
    let ends = all.iter().flat_map(|curve| [curve.summary.p99 * 1.04, curve.summary.p50]);
    let x = Scale::fitting(ends, frame.left, frame.right);
    let y = Scale::linear([1.0], frame.bottom, frame.top);
    y_axis(&mut canvas, frame, &y, &[0.0, 0.5, 1.0], |share| format!("{} %", tick(share * 100.0)));
    x_axis(&mut canvas, frame, &x, &x.ticks(4), false, |ms| {
        if ms == 0.0 { "0".into() } else { time_ms(ms) }
    });
    let line = |curve: &Curve<'_>| -> Vec<(f64, f64)> {
        cumulative(curve.summary).iter().map(|&(v, share)| (x.at(v), y.at(share))).collect()
    };
    for (_, other) in all.iter().enumerate().filter(|&(i, _)| i != chosen) {
        canvas.path(&line(other), "ghost");
    }
    let Some(curve) = all.get(chosen) else { return canvas.finish(id, "", "") };
    canvas.path(&line(curve), &format!("line {colour}"));
    let s = curve.summary;
    for (share, value, name) in [(0.5, s.p50, "median"), (0.99, s.p99, "p99")] {
        let (px, py) = (x.at(value), y.at(share));
        let tip = format!("{name} {}", time_ms(value));
        canvas.dot((px, py), 4.0, &format!("dot {colour}"), &tip);
        // The free side of a rising curve is below it, to the right.
        let (dx, dy) = if share > 0.9 { (4.0, 17.0) } else { (9.0, 4.0) };
        let (at, anchor) = if px + dx > frame.right - 66.0 {
            (frame.right + 8.0, Anchor::End)
        } else {
            (px + dx, Anchor::Start)
        };
        let dy = if share > 0.9 && anchor == Anchor::End { 30.0 } else { dy };
        canvas.text((at, py + dy), anchor, "note halo", &tip);
    }
    let description = format!(
        "Half of the operations took at most {}, nine in ten {}, 99 of 100 {}; the longest {}.",
        time_ms(s.p50),
        time_ms(s.p90),
        time_ms(s.p99),
        time_ms(s.max)
    );
    canvas.finish(id, &format!("{}: time taken, cumulative", curve.name), &description)
}
