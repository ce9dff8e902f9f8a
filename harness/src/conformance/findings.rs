//! What a trial found out.

use super::{Figure, Verdict};

/// The most complaints that a report lists; the first ones tell the most.
const MAX_COMPLAINTS: usize = 8;

/// The complaints and figures of one trial, as they come.
#[derive(Debug, Default)]
pub struct Findings {
    complaints: Vec<String>,
    further: usize,
    figures: Vec<Figure>,
    does_not_apply: Option<String>,
}

impl Findings {
    /// A trial that ended with one complaint.
    pub fn broken(complaint: String) -> Self {
        Self { complaints: vec![complaint], ..Self::default() }
    }

    /// A law that asks for what the overlay does not offer.
    pub fn does_not_apply(why: &str) -> Self {
        Self { does_not_apply: Some(why.into()), ..Self::default() }
    }

    /// Notes a violation.
    pub fn complain(&mut self, complaint: String) {
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(complaint);
        } else {
            self.further += 1;
        }
    }

    /// Complains unless `holds`.
    pub fn demand(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.complain(complaint());
        }
    }

    /// Complains of each violation that an audit found.
    pub fn demand_clean(&mut self, audit: &[String], when: &str) {
        for violation in audit {
            self.complain(format!("{when}: {violation}"));
        }
    }

    /// Notes a measured number.
    pub fn figure(&mut self, name: &'static str, value: f64) {
        self.figures.push(Figure { name, value });
    }

    /// The verdict and the figures.
    pub fn into_verdict(mut self) -> (Verdict, Vec<Figure>) {
        if self.further > 0 {
            self.complaints.push(format!("and {} more", self.further));
        }
        let verdict = match (self.complaints.is_empty(), self.does_not_apply) {
            (false, _) => Verdict::Broken(self.complaints),
            (true, Some(why)) => Verdict::DoesNotApply(why),
            (true, None) => Verdict::Kept,
        };
        (verdict, self.figures)
    }
}
