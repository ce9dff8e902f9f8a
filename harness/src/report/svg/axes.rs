//! Axes, grid lines and their labels.

use super::canvas::{Anchor, Canvas};
use super::scale::Scale;

/// The room in which data is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Upper edge.
    pub top: f64,
    /// Lower edge.
    pub bottom: f64,
}

/// Horizontal grid lines with labels at the left.
pub fn y_axis(
    canvas: &mut Canvas,
    frame: Frame,
    scale: &Scale,
    ticks: &[f64],
    label: impl Fn(f64) -> String,
) {
    for &tick in ticks {
        let y = scale.at(tick);
        canvas.line((frame.left, y), (frame.right, y), if tick == 0.0 { "axis" } else { "grid" });
        canvas.text((frame.left - 6.0, y + 3.5), Anchor::End, "tick", &label(tick));
    }
}

/// Vertical grid lines, if wanted, with labels below.
pub fn x_axis(
    canvas: &mut Canvas,
    frame: Frame,
    scale: &Scale,
    ticks: &[f64],
    grid: bool,
    label: impl Fn(f64) -> String,
) {
    canvas.line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis");
    for &tick in ticks {
        let x = scale.at(tick);
        if grid {
            canvas.line((x, frame.top), (x, frame.bottom), "grid");
        } else {
            canvas.line((x, frame.bottom), (x, frame.bottom + 3.0), "axis");
        }
        // A label at the very end would leave the drawing.
        let (at, anchor) = if x > frame.right - 10.0 {
            (frame.right + 8.0, Anchor::End)
        } else {
            (x, Anchor::Middle)
        };
        canvas.text((at, frame.bottom + 15.0), anchor, "tick", &label(tick));
    }
}
