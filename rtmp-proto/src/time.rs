//! A clock reading, supplied by the caller.

use core::{
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

/// A moment in time: a [`Duration`] since an origin that the caller chooses.
///
/// The crate never reads a clock. A caller keeps one origin per session, passes the time elapsed
/// since then to every method that takes `now`, and never lets it go backwards. The standard
/// library's `Instant` is not used because it would tie the crate to an operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The origin itself.
    pub const ORIGIN: Self = Self(Duration::ZERO);

    /// The moment `elapsed` after the origin.
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time elapsed since the origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// Time elapsed since `earlier`, zero if `earlier` is later than `self`.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Milliseconds since the origin, modulo 2^32: the form in which handshakes and pings carry
    /// time.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the wire format is defined modulo 2^32"
    )]
    pub(crate) const fn as_wire_millis(self) -> u32 {
        self.0.as_millis() as u32
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of time instead of overflowing.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let end = Instant::from_origin(Duration::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::ORIGIN - end, Duration::ZERO);
    }

    #[test]
    fn wire_milliseconds_wrap() {
        let now = Instant::from_origin(Duration::from_millis((1 << 32) + 5));
        assert_eq!(now.as_wire_millis(), 5);
    }
}
