//! Lines about what may happen thousands of times a second.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Counts how often something goes wrong, and says when to tell: the first time at once, then at most
/// every [`INTERVAL`], and that it is over.
#[derive(Debug, Default)]
pub(super) struct Notice {
    /// It has happened, and nobody was told that it is over. Looked at for every frame, so without a
    /// lock.
    goes_on: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    untold: u64,
    told_at: Option<Instant>,
}

impl Notice {
    /// It happens; how often it has since the last line, if there is to be one now.
    pub(super) fn happens(&self) -> Option<u64> {
        let mut state = self.lock();
        self.goes_on.store(true, Ordering::Relaxed);
        state.untold += 1;
        state.tell()
    }

    /// It does not happen now; how often it has since the last line, if there is to be one about its
    /// end.
    pub(super) fn is_over(&self) -> Option<u64> {
        if !self.goes_on.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.lock();
        let untold = state.tell()?;
        self.goes_on.store(false, Ordering::Relaxed);
        Some(untold)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whatever panics, these are two numbers.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.told_at.is_some_and(|told| now < told + INTERVAL) {
            return None;
        }
        self.told_at = Some(now);
        Some(mem::take(&mut self.untold))
    }
}

/// Between two lines about the same.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thousand_times_are_two_lines() {
        let notice = Notice::default();
        assert_eq!(notice.is_over(), None);
        assert_eq!(notice.happens(), Some(1));
        assert!((0..1000).all(|_| notice.happens().is_none()));
        advance(INTERVAL).await;
        assert_eq!(notice.happens(), Some(1001));
    }

    /// What ends and begins all the time is not told all the time.
    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_once_and_not_too_soon() {
        let notice = Notice::default();
        assert_eq!(notice.happens(), Some(1));
        assert_eq!(notice.is_over(), None);
        assert_eq!(notice.happens(), None);
        advance(INTERVAL).await;
        assert_eq!(notice.is_over(), Some(1));
        assert_eq!(notice.is_over(), None);
        assert_eq!(notice.happens(), None);
        advance(INTERVAL).await;
        assert_eq!(notice.is_over(), Some(1));
    }
}
