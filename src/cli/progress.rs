//! Progress bars on standard error: silent when it is no terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over `length` things (0 where that is not known beforehand).
pub fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = if length > 0 { ProgressBar::new(length) } else { ProgressBar::no_length() };
    if std::io::stderr().is_terminal() {
        bar.enable_steady_tick(Duration::from_millis(200));
    } else {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
