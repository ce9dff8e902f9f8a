//! Ranges side by side: the middle, the bulk and the extremes of several sets
//! of samples on one axis.

use super::axes::{Frame, x_axis};
use super::canvas::{Anchor, Canvas};
use super::scale::Scale;
use crate::report::figures::{figure, tick};
use crate::stats::Summary;

/// A row of the chart.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    /// What stands before it.
    pub name: String,
    /// The class of its colour.
    pub colour: String,
    /// Its figures, or why there are none.
    pub figures: Result<&'a Summary, &'a str>,
}

const ROW: f64 = 40.0;

/// The rows over a common axis: a thin line from least to most, a broad one
/// from the 1st to the 99th percentile, a dot at the median, a tick at the
/// mean, and the mean in figures.
pub fn ranges(rows: &[Range<'_>], what: &str, id: &str) -> String {
    let height = 30.0 + ROW * rows.len() as f64;
    let frame = Frame { left: 8.0, right: 452.0, top: 4.0, bottom: height - 24.0 };
    let mut canvas = Canvas::new(460.0, height);
    let known = || rows.iter().filter_map(|row| row.figures.ok());
    let ends = known().flat_map(|s| [s.min, s.p1, s.p50, s.mean, s.max]);
    let x = Scale::fitting(ends, frame.left + 6.0, frame.right - 12.0);
    x_axis(&mut canvas, frame, &x, &x.ticks(5), true, tick);
    let mut sentences = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let y = frame.top + ROW * i as f64 + 26.0;
        let label = (frame.left, y - 11.0);
        let s = match row.figures {
            Ok(s) => s,
            Err(reason) => {
                canvas.text(label, Anchor::Start, "name halo", &format!("{}: {reason}", row.name));
                sentences.push(format!("{}: {reason}.", row.name));
                continue;
            }
        };
        let colour = &row.colour;
        canvas.line((x.at(s.min), y), (x.at(s.max), y), &format!("whisker {colour}"));
        let (p1, p99) = (x.at(s.p1), x.at(s.p99));
        let tip = format!("1st to 99th percentile: {} to {}", figure(s.p1), figure(s.p99));
        canvas.bar((p1 - 1.0, y - 4.0), (p99 - p1 + 2.0, 8.0), &format!("bulk {colour}"), &tip);
        let mean = x.at(s.mean);
        canvas.line((mean, y - 7.0), (mean, y + 7.0), "mark");
        let tip = format!("median {}", figure(s.p50));
        canvas.dot((x.at(s.p50), y), 4.0, &format!("dot {colour}"), &tip);
        canvas.text(label, Anchor::Start, "name halo", &row.name);
        let note = format!("mean {}, most {}", figure(s.mean), figure(s.max));
        canvas.text((frame.right, y - 11.0), Anchor::End, "note halo", &note);
        sentences.push(format!(
            "{}: median {}, mean {}, 99th percentile {}, most {}.",
            row.name,
            figure(s.p50),
            figure(s.mean),
            figure(s.p99),
            figure(s.max)
        ));
    }
    let title = format!("{what}{}", if x.is_log() { ", logarithmic axis" } else { "" });
    canvas.finish(id, &title, &sentences.join(" "))
}
