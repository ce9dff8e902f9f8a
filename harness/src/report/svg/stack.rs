//! Shares of a whole as one bar.

use super::canvas::Canvas;
use crate::report::figures::{count, percentage};

/// How many shades the style sheet has for the parts of a bar.
pub const SHADES: usize = 8;

/// One bar divided among the named counts; `p1`, `p2`, … are the classes of its
/// parts, in order.
pub fn stack(name: &str, parts: &[(String, u64)], id: &str) -> String {
    let mut canvas = Canvas::new(720.0, 26.0).stretched();
    let total: u64 = parts.iter().fold(0, |sum, part| sum.saturating_add(part.1));
    let mut x = 0.0;
    let mut sentences = Vec::new();
    for (i, (part, number)) in parts.iter().enumerate() {
        let share = if total == 0 { 0.0 } else { *number as f64 / total as f64 };
        let tip = format!("{part}: {}, {} %", count(*number), percentage(share));
        if share > 0.0 {
            let width = share * 720.0;
            let gap = if width > 3.0 { 1.0 } else { 0.0 };
            canvas.bar((x, 0.0), (width - gap, 26.0), &format!("part p{}", i % SHADES + 1), &tip);
            x += width;
        }
        sentences.push(tip);
    }
    canvas.finish(id, &format!("{name}: messages by type"), &(sentences.join("; ") + "."))
}
