//! Progress bars on standard error.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Common;

/// Steps of a bar.
const STEPS: u64 = 1000;

/// One bar per line of work; nothing at all when standard error is no terminal
/// or the user wants quiet.
#[derive(Debug)]
pub struct Bars {
    all: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Bars {
    /// A bar for each name.
    pub fn new(names: &[&str], common: &Common) -> Self {
        let shown = std::io::stderr().is_terminal() && !common.quiet;
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let template = "{prefix:>10} [{bar:32}] {percent:>3}% {msg:<16} {eta} left";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
        let bars = names
            .iter()
            .map(|name| {
                let bar = all.add(ProgressBar::new(STEPS).with_style(style.clone()));
                bar.set_prefix((*name).to_string());
                if shown {
                    bar.enable_steady_tick(Duration::from_millis(200));
                }
                bar
            })
            .collect();
        Self { all, bars }
    }

    /// Moves bar `at`.
    pub fn set(&self, at: usize, fraction: f64, phase: &str) {
        if let Some(bar) = self.bars.get(at) {
            bar.set_position((fraction * STEPS as f64) as u64);
            bar.set_message(phase.to_string());
        }
    }

    /// Takes the bars away.
    pub fn finish(self) {
        self.bars.iter().for_each(ProgressBar::finish_and_clear);
        // A terminal that went away is no reason to fail.
        self.all.clear().unwrap_or_default();
    }
}
