//! A cost against the number of peers, with the fitted curve.

use overlays::Growth;

use super::axes::{Frame, x_axis, y_axis};
use super::canvas::{Anchor, Canvas};
use super::scale::Scale;
use crate::report::figures::{count, figure, tick};
use crate::stats::Fit;

/// Points of the fitted curve.
const SAMPLES: u32 = 48;

/// The measured points over a logarithmic axis of n, the fit as a line, and the
/// theory's curve dashed where the fit contradicts it.
pub fn growth(
    name: &str,
    points: &[(f64, f64)],
    fit: Option<&Fit>,
    colour: &str,
    id: &str,
) -> String {
    let frame = Frame { left: 38.0, right: 204.0, top: 24.0, bottom: 112.0 };
    let mut canvas = Canvas::new(212.0, 136.0);
    let points: Vec<(f64, f64)> = points
        .iter()
        .copied()
        .filter(|&(n, y)| n >= 1.0 && n.is_finite() && y.is_finite())
        .collect();
    let x = Scale::log(points.iter().map(|&(n, _)| n), frame.left + 6.0, frame.right - 6.0);
    let y = Scale::linear(points.iter().map(|&(_, y)| y * 1.05), frame.bottom, frame.top);
    y_axis(&mut canvas, frame, &y, &y.ticks(4), tick);
    x_axis(&mut canvas, frame, &x, &x.powers_of_two(3), false, tick);
    let lo = points.iter().map(|&(n, _)| n).fold(f64::INFINITY, f64::min);
    let hi = points.iter().map(|&(n, _)| n).fold(0.0, f64::max);
    let trace = |fit: &Fit| -> Vec<(f64, f64)> {
        (0..=SAMPLES)
            .map(|i| lo * (hi / lo).powf(f64::from(i) / f64::from(SAMPLES)))
            .map(|n| (x.at(n), y.at(fit.at(n))))
            .collect()
    };
    let mut sentence = match points.len() {
        0 => String::from("No points were measured."),
        many => format!("{many} sizes, n = {} to {}.", figure(lo), figure(hi)),
    };
    if let Some(fit) = fit.filter(|_| !points.is_empty()) {
        if !fit.agrees
            && let Some(theory) = Fit::with_class(&points, fit.theory)
        {
            canvas.path(&trace(&theory), "theory");
        }
        canvas.path(&trace(fit), &format!("line {colour}"));
        let note = formula(fit);
        canvas.text((frame.left, 12.0), Anchor::Start, "note", &format!("≈ {note}"));
        sentence.push_str(&format!(
            " Best fit {note}, r² {:.3}; theory {}, which {}.",
            fit.r2,
            fit.theory,
            if fit.agrees { "agrees" } else { "does not agree" }
        ));
    }
    for &(n, value) in &points {
        let tip = format!("n = {}: {}", count(n as u64), figure(value));
        canvas.dot((x.at(n), y.at(value)), 3.2, &format!("dot {colour}"), &tip);
    }
    canvas.finish(id, name, &sentence)
}

/// The fitted curve in symbols, logarithms to base 2.
pub fn formula(fit: &Fit) -> String {
    let shape = match fit.class {
        Growth::Constant => return figure(fit.coefficient),
        Growth::Log => "log₂ n".into(),
        Growth::Root(2) => "√n".into(),
        Growth::Linearithmic => "n log₂ n".into(),
        other => other.to_string(),
    };
    let slope = format!("{} {shape}", figure(fit.coefficient));
    // An intercept that would not show beside the first point is noise.
    match figure(fit.intercept.abs()).as_str() {
        _ if fit.intercept.abs() < 0.05 => slope,
        size if fit.intercept < 0.0 => format!("{slope} − {size}"),
        size => format!("{slope} + {size}"),
    }
}
