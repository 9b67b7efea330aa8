//! Positions in a stream, from timestamps that wrap and jump.

use std::time::Duration;

use rtmp_proto::{Timestamp, TimestampDelta, flv::Frame};

/// Where in a stream a timestamp lies, counted from its first one.
///
/// Timestamps may wrap, and step back a little as interleaving brings about. A greater step back, or
/// a long one forward, is a jump: another encoder has taken over, or a file was put together from
/// several. What follows it continues where the stream was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamClock {
    /// The latest timestamp since the last jump, and its position in milliseconds.
    latest: Option<(Timestamp, u64)>,
}

/// What [`StreamClock::advance`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Milliseconds from the start.
    pub(crate) millis: u64,
    /// The timestamp does not continue those before it; also the first one.
    pub(crate) is_jump: bool,
}

impl StreamClock {
    /// The position of `timestamp`, which comes next in the stream.
    pub(crate) fn advance(&mut self, timestamp: Timestamp) -> Position {
        let Some((latest, at)) = self.latest else {
            self.latest = Some((timestamp, 0));
            return Position {
                millis: 0,
                is_jump: true,
            };
        };
        let step = timestamp.signed_millis_since(latest);
        let is_jump = !STEPS.contains(&step);
        let millis = at.saturating_add_signed(match is_jump {
            true => STEP_OF_A_JUMP,
            false => step.into(),
        });
        if is_jump || step > 0 {
            self.latest = Some((timestamp, millis));
        }
        Position { millis, is_jump }
    }

    /// The position of `timestamp` if it belongs to what is played now, or else the latest position:
    /// for what must not move the clock.
    pub(crate) fn locate(&self, timestamp: Timestamp) -> u64 {
        let Some((latest, at)) = self.latest else {
            return 0;
        };
        match timestamp.signed_millis_since(latest) {
            step if STEPS.contains(&step) => at.saturating_add_signed(step.into()),
            _ => at,
        }
    }

    /// How much of the stream has passed.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_millis(self.latest.map_or(0, |(_, at)| at))
    }
}

/// Whether `frame` has a time of its own. Metadata and configurations apply to what follows, and
/// servers repeat them with timestamps of long ago.
pub(crate) fn is_timed(frame: &Frame) -> bool {
    (frame.is_audio() || frame.is_video()) && !frame.is_configuration() && !frame.is_sequence_end()
}

/// The timestamp of a position, modulo 2^32.
pub(crate) fn timestamp_at(millis: u64) -> Timestamp {
    let wrapped = u32::try_from(millis & u64::from(u32::MAX)).expect("masked to 32 bits");
    Timestamp::from_millis(wrapped)
}

/// `timestamp` moved by `step` milliseconds.
pub(crate) fn moved(timestamp: Timestamp, step: i32) -> Timestamp {
    timestamp.wrapping_add(TimestampDelta::from_millis(step.cast_unsigned()))
}

/// Steps between frames that are not jumps: from interleaving to the slowest slide show.
pub(crate) const STEPS: std::ops::RangeInclusive<i32> = -2_000..=10_000;

/// How far a jump moves the clock: as one frame would, so that times keep growing.
const STEP_OF_A_JUMP: i64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(timestamps: &[u32]) -> Vec<(u64, bool)> {
        let mut clock = StreamClock::default();
        let advance = |&millis| {
            let position = clock.advance(Timestamp::from_millis(millis));
            (position.millis, position.is_jump)
        };
        timestamps.iter().map(advance).collect()
    }

    #[test]
    fn first_timestamp_is_the_start() {
        assert_eq!(
            positions(&[5_000, 5_040, 5_023]),
            [(0, true), (40, false), (23, false)]
        );
    }

    #[test]
    fn wrapping_is_no_jump() {
        assert_eq!(
            positions(&[u32::MAX - 9, 10, u32::MAX]),
            [(0, true), (20, false), (9, false)]
        );
    }

    #[test]
    fn jumps_continue_where_the_stream_was() {
        assert_eq!(
            positions(&[0, 9_000, 0, 40, 3_000_000_000, 3_000_000_040]),
            [
                (0, true),
                (9_000, false),
                (9_020, true),
                (9_060, false),
                (9_080, true),
                (9_120, false)
            ]
        );
    }

    #[test]
    fn longer_than_timestamps_reach() {
        let mut clock = StreamClock::default();
        let mut position = clock.advance(Timestamp::ZERO).millis;
        let mut timestamp = Timestamp::ZERO;
        while position <= u64::from(u32::MAX) {
            timestamp = moved(timestamp, 10_000);
            position = clock.advance(timestamp).millis;
        }
        assert_eq!(timestamp_at(position), timestamp);
    }

    #[test]
    fn locating_does_not_move_the_clock() {
        let mut clock = StreamClock::default();
        assert_eq!(clock.locate(Timestamp::from_millis(70)), 0);
        clock.advance(Timestamp::from_millis(1 << 30));
        clock.advance(Timestamp::from_millis((1 << 30) + 500));
        assert_eq!(clock.locate(Timestamp::ZERO), 500);
        assert_eq!(clock.locate(Timestamp::from_millis((1 << 30) + 540)), 540);
        assert_eq!(clock.elapsed(), Duration::from_millis(500));
    }
}
