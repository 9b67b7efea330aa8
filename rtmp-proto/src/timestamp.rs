//! Message timestamps: 32-bit milliseconds that wrap.

use core::fmt;

/// An absolute message timestamp in milliseconds, modulo 2^32 (it wraps every 49.7 days).
///
/// The epoch is the sender's own; a stream may begin at any value. There is no `Ord`: which of two
/// timestamps comes first is decided by serial-number arithmetic ([`is_before`](Self::is_before)).
///
/// [RTMP 1.0 §4]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Timestamp(u32);

/// A difference between two timestamps in milliseconds, modulo 2^32.
///
/// As a wire field it is unsigned; senders express a step backwards as the wrapped 32-bit value
/// (GStreamer's rtmp2sink does).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TimestampDelta(u32);

impl Timestamp {
    /// Timestamp zero.
    pub const ZERO: Self = Self(0);

    /// The timestamp of `millis` milliseconds.
    pub const fn from_millis(millis: u32) -> Self {
        Self(millis)
    }

    /// Milliseconds, modulo 2^32.
    pub const fn as_millis(self) -> u32 {
        self.0
    }

    /// This timestamp moved by `delta`, wrapping.
    #[must_use]
    pub const fn wrapping_add(self, delta: TimestampDelta) -> Self {
        Self(self.0.wrapping_add(delta.0))
    }

    /// The step from `earlier` to `self`, wrapping.
    pub const fn delta_since(self, earlier: Self) -> TimestampDelta {
        TimestampDelta(self.0.wrapping_sub(earlier.0))
    }

    /// The signed step from `other` to `self` in milliseconds, assuming the two lie within 2^31 ms
    /// of each other.
    pub const fn signed_millis_since(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// Whether `self` comes before `other` in serial-number arithmetic (RFC 1982).
    pub const fn is_before(self, other: Self) -> bool {
        self.signed_millis_since(other) < 0
    }
}

impl TimestampDelta {
    /// No difference.
    pub const ZERO: Self = Self(0);

    /// A delta of `millis` milliseconds.
    pub const fn from_millis(millis: u32) -> Self {
        Self(millis)
    }

    /// Milliseconds, modulo 2^32.
    pub const fn as_millis(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl fmt::Debug for TimestampDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GEN-6: the two examples of [RTMP 1.0 §4].
    #[test]
    fn serial_comparison() {
        let at = Timestamp::from_millis;
        assert!(at(4_000_000_000).is_before(at(10_000)));
        assert!(at(3_000_000_000).is_before(at(4_000_000_000)));
        assert!(!at(7).is_before(at(7)));
    }

    /// Tests and logs tell moments from steps.
    #[test]
    fn shown_with_their_unit() {
        use alloc::format;

        let at = Timestamp::from_millis(40);
        assert_eq!(
            (format!("{at:?}"), format!("{at}")),
            ("40ms".into(), "40 ms".into())
        );
        let step = TimestampDelta::from_millis(40);
        assert_eq!(format!("{step:?}"), "+40ms");
    }

    /// GEN-7, CH-34.
    #[test]
    fn deltas_wrap() {
        let late = Timestamp::from_millis(u32::MAX);
        let delta = TimestampDelta::from_millis(41);
        assert_eq!(late.wrapping_add(delta), Timestamp::from_millis(40));
        assert_eq!(Timestamp::from_millis(40).delta_since(late), delta);
        assert_eq!(late.signed_millis_since(Timestamp::from_millis(40)), -41);
    }
}
