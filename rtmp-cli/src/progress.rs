//! How far a transfer has come, on a terminal.

use std::{
    env,
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, ProgressBar};

/// One line on stderr that is rewritten a few times a second. Without a terminal, or if logs are
/// asked for, there is none. It goes away when dropped, so that an error stands alone.
pub(crate) struct Progress {
    bar: ProgressBar,
    next: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_shown = stderr().is_terminal() && env::var_os("RUST_LOG").is_none();
        Self {
            bar: match is_shown {
                true => ProgressBar::new_spinner(),
                false => ProgressBar::hidden(),
            },
            next: Instant::now(),
        }
    }

    /// Shows how much of the stream has passed, in how many bytes and frames.
    pub(crate) fn show(&mut self, elapsed: Duration, bytes: u64, frames: u64) {
        let now = Instant::now();
        if self.bar.is_hidden() || now < self.next {
            return;
        }
        self.next = now + INTERVAL;
        self.bar.tick();
        self.bar.set_message(line(elapsed, bytes, frames));
    }

    /// Puts a line above this one; without a terminal, into the log of those who look closely.
    pub(crate) fn tell(&self, line: &str) {
        match self.bar.is_hidden() {
            true => tracing::debug!("{line}"),
            false => self.bar.println(line),
        }
    }

    /// Leaves the last line where it is.
    pub(crate) fn finish(self) {
        self.bar.abandon();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}

fn line(elapsed: Duration, bytes: u64, frames: u64) -> String {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    // Bits per millisecond are kilobits per second.
    let rate = bytes.saturating_mul(8).checked_div(millis).unwrap_or(0);
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let bytes = HumanBytes(bytes);
    format!("{hours:02}:{minutes:02}:{seconds:02}  {bytes}  {rate} kbit/s  {frames} frames")
}

const INTERVAL: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line() {
        assert_eq!(
            line(Duration::from_millis(3_725_000), 3_725_000, 7),
            "01:02:05  3.55 MiB  8 kbit/s  7 frames"
        );
        assert!(line(Duration::ZERO, 100, 1).contains(" 0 kbit/s"));
    }
}
