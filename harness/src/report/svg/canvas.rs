//! The strokes a chart is made of.

use std::fmt::Write as _;

/// Text for element content and attributes of HTML and SVG. Characters that
/// XML forbids, and those that turn the direction of writing, are replaced.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::report::figures::plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A coordinate with one decimal; what is not finite stays at the origin
/// rather than break the drawing.
fn coordinate(x: f64) -> String {
    if !x.is_finite() {
        return "0".into();
    }
    let text = format!("{x:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".into() } else { text.into() }
}

/// Where text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It starts there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// A drawing under way. The unit is a CSS pixel at natural size.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: f64,
    height: f64,
    body: String,
    stretched: bool,
}

impl Canvas {
    /// An empty drawing.
    pub const fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new(), stretched: false }
    }

    /// Lets the page stretch the drawing to any shape; for drawings without
    /// text.
    #[must_use]
    pub const fn stretched(mut self) -> Self {
        self.stretched = true;
        self
    }

    /// A straight line.
    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(coordinate);
        let _ =
            write!(self.body, r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#);
    }

    /// A line through points; nothing with fewer than two.
    pub fn path(&mut self, points: &[(f64, f64)], class: &str) {
        if points.len() < 2 {
            return;
        }
        let _ = write!(self.body, r#"<polyline class="{class}" points=""#);
        for (i, &(x, y)) in points.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            let _ = write!(self.body, "{space}{},{}", coordinate(x), coordinate(y));
        }
        self.body.push_str(r#""/>"#);
    }

    /// A rectangle with what to say of it when it is pointed at.
    pub fn bar(&mut self, (x, y): (f64, f64), (w, h): (f64, f64), class: &str, tip: &str) {
        let [x, y, w, h] = [x, y, w.max(0.0), h.max(0.0)].map(coordinate);
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{w}" height="{h}"><title>{}</title></rect>"#,
            escape(tip)
        );
    }

    /// A dot with what to say of it when it is pointed at.
    pub fn dot(&mut self, (x, y): (f64, f64), r: f64, class: &str, tip: &str) {
        let [x, y, r] = [x, y, r].map(coordinate);
        let _ = write!(
            self.body,
            r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"><title>{}</title></circle>"#,
            escape(tip)
        );
    }

    /// Text, escaped.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = write!(
            self.body,
            r#"<text class="{class}" x="{}" y="{}" text-anchor="{anchor}">{}</text>"#,
            coordinate(x),
            coordinate(y),
            escape(text)
        );
    }

    /// The drawing as an element, with the title and description that stand in
    /// for it where it is not seen. `id` must be unique in the page.
    pub fn finish(self, id: &str, title: &str, description: &str) -> String {
        let (w, h) = (coordinate(self.width), coordinate(self.height));
        let fit = if self.stretched { " preserveAspectRatio=\"none\"" } else { "" };
        format!(
            "<svg role=\"img\"{fit} viewBox=\"0 0 {w} {h}\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{}</svg>",
            escape(title),
            escape(description),
            self.body
        )
    }
}
