//! How long to wait before the next attempt.

use core::time::Duration;

use crate::time::Instant;

/// Waits that grow from attempt to attempt, each shortened by a random part.
///
/// After `n` failures in a row the wait is at most `initial * factor^(n-1)` and at most `maximum`; the
/// random part takes away up to half of it, so that the clients of a server that comes back do not all
/// come at once. Something that held for the stable period begins anew; something that failed sooner
/// does not, or a server that accepts and drops everybody would be asked without end.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    config: BackoffConfig,
    failures: u32,
    /// Since when it works, if it does.
    since: Option<Instant>,
}

/// How a [`Backoff`] grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackoffConfig {
    /// The first wait. Default 500 ms: a viewer hardly notices, and a server that restarts is not
    /// there sooner.
    pub initial: Duration,
    /// What each further wait is multiplied with. Default 2.
    pub factor: u32,
    /// The longest wait. Default 15 s.
    pub maximum: Duration,
    /// How long a connection must hold to count as a success. Default 30 s.
    pub stable: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(500),
            factor: 2,
            maximum: Duration::from_secs(15),
            stable: Duration::from_secs(30),
        }
    }
}

impl Backoff {
    /// Before the first attempt.
    pub const fn new(config: BackoffConfig) -> Self {
        Self {
            config,
            failures: 0,
            since: None,
        }
    }

    /// An attempt has succeeded.
    pub const fn succeeded(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// An attempt has failed, or what had succeeded has ended: how long to wait before the next one.
    /// Any number will do for `random` if it is drawn evenly from all.
    pub fn failed(&mut self, now: Instant, random: u32) -> Duration {
        if self.is_stable(now) {
            self.failures = 0;
        }
        self.since = None;
        let growth = self.config.factor.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        let full = self
            .config
            .initial
            .saturating_mul(growth)
            .min(self.config.maximum);
        let half = full / 2;
        full - half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Whether what succeeded has held for the stable period.
    pub fn is_stable(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now - since >= self.config.stable)
    }

    /// Failures in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(BackoffConfig::default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn waits_double_up_to_the_maximum() {
        let mut backoff = Backoff::default();
        let waits = [500, 1000, 2000, 4000, 8000, 15_000, 15_000];
        for wait in waits {
            assert_eq!(backoff.failed(at(0), 0), Duration::from_millis(wait));
        }
        assert_eq!(backoff.failures(), 7);
    }

    #[test]
    fn chance_takes_away_half_at_most() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.failed(at(0), u32::MAX), Duration::from_millis(250));
        let wait = backoff.failed(at(0), u32::MAX / 2);
        assert_eq!(wait.as_millis(), 750);
    }

    #[test]
    fn only_what_held_begins_anew() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            let _ = backoff.failed(at(0), 0);
        }
        backoff.succeeded(at(10));
        assert!(!backoff.is_stable(at(39)));
        assert_eq!(backoff.failed(at(39), 0), Duration::from_secs(4));
        backoff.succeeded(at(50));
        assert!(backoff.is_stable(at(80)));
        assert_eq!(backoff.failed(at(80), 0), Duration::from_millis(500));
        // A failure is not a success that began long ago.
        assert_eq!(backoff.failed(at(900), 0), Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn bounds_hold(
            initial in 0..=u64::MAX,
            factor: u32,
            maximum in 0..=u64::MAX,
            failures in 0..100_u32,
            random: u32,
        ) {
            let config = BackoffConfig {
                initial: Duration::from_millis(initial),
                factor,
                maximum: Duration::from_millis(maximum),
                ..BackoffConfig::default()
            };
            let mut backoff = Backoff::new(config);
            for _ in 0..failures {
                prop_assert!(backoff.failed(at(0), random) <= config.maximum);
            }
        }
    }
}
