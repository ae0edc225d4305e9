//! What a person sees of a run: a progress bar with the time left, and a line per epoch.

use crate::say;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runtime::trainer::{Metrics, Record};
use std::io::IsTerminal;

/// Bar and table of a run. Silent for programs that asked for JSON.
pub struct Display {
    bar: ProgressBar,
    epochs: u64,
    silent: bool,
}

impl Display {
    /// A display of a run of that many epochs and updates; the bar shows on a terminal only.
    pub fn new(epochs: u64, updates: u64, silent: bool) -> Self {
        let shown = !silent && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(updates), target);
        let form = "{wide_bar} {pos}/{len} updates  {msg}  {eta} left";
        let plain = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(plain.progress_chars("=> "));
        Self { bar, epochs, silent }
    }

    /// Moves the bar.
    pub fn updated(&self, step: u64, loss: f64) {
        // Text is made only as often as it can be seen.
        if step.is_multiple_of(64) {
            self.bar.set_position(step);
            self.bar.set_message(format!("loss {loss:.4}"));
        }
    }

    /// Prints an epoch's figures in columns.
    pub fn epoch(&self, record: &Record) {
        if self.silent {
            return;
        }
        let width = self.epochs.to_string().len();
        let mut line = format!("epoch {:>width$}/{}", record.epoch, self.epochs);
        for (split, metrics) in &record.splits {
            line.push_str(&format!("  {split}  {}", figures(metrics)));
        }
        line.push_str(&format!("  {:.1} s", record.seconds));
        self.bar.suspend(|| say!("{line}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// `loss 0.1234  accuracy 0.9712`.
pub fn figures(metrics: &Metrics) -> String {
    metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join("  ")
}
