//! Sending in real time.

use std::time::Duration;

use rtmp_proto::flv::Frame;

use crate::clock::{StreamClock, is_timed};

/// Says when frames are due. Reads no clock: times are those since any fixed moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    clock: StreamClock,
    /// When the start of the stream was, or would have been.
    start: Anchor,
}

/// A moment that may lie before the one times are counted from: milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Anchor(i64);

impl Pace {
    /// When `frame`, the next one, is to be sent; not after `now` if at once.
    ///
    /// Metadata and configurations go at once, and so does what follows a jump of the timestamps.
    /// After a hold-up, frames follow as fast as they can until they are on time again, unless it was
    /// so long that the stream is better continued from there.
    pub(crate) fn due(&mut self, now: Duration, frame: &Frame) -> Duration {
        if !is_timed(frame) {
            return now;
        }
        let position = self.clock.advance(frame.timestamp);
        let due = self.start.after(position.millis);
        if position.is_jump || due + LATE_MAX < now {
            self.start = Anchor::before(now, position.millis);
            return now;
        }
        due
    }

    /// How much of the stream was sent.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

impl Anchor {
    fn before(now: Duration, millis: u64) -> Self {
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        Self(now.saturating_sub_unsigned(millis))
    }

    fn after(self, millis: u64) -> Duration {
        let at = self.0.saturating_add_unsigned(millis);
        Duration::from_millis(u64::try_from(at).unwrap_or(0))
    }
}

/// Beyond this, what was missed is not caught up with.
const LATE_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtmp_proto::Timestamp;

    use super::*;

    fn frame(millis: u32) -> Frame {
        Frame::audio(
            Timestamp::from_millis(millis),
            Bytes::from_static(&[0x2F, 0]),
        )
    }

    fn header(millis: u32) -> Frame {
        Frame::audio(
            Timestamp::from_millis(millis),
            Bytes::from_static(&[0xAF, 0, 0x12]),
        )
    }

    fn due(pace: &mut Pace, now: u64, frame: &Frame) -> u64 {
        let due = pace.due(Duration::from_millis(now), frame);
        u64::try_from(due.as_millis()).unwrap()
    }

    #[test]
    fn frames_follow_the_first_one() {
        let mut pace = Pace::default();
        assert_eq!(due(&mut pace, 100, &header(0)), 100);
        assert_eq!(due(&mut pace, 100, &frame(7_000)), 100);
        assert_eq!(due(&mut pace, 101, &frame(7_040)), 140);
        assert_eq!(due(&mut pace, 141, &frame(7_020)), 120);
        assert_eq!(due(&mut pace, 141, &header(0)), 141);
        assert_eq!(due(&mut pace, 150, &frame(7_080)), 180);
        assert_eq!(pace.elapsed(), Duration::from_millis(80));
    }

    #[test]
    fn wrapping_does_not_disturb() {
        let mut pace = Pace::default();
        assert_eq!(due(&mut pace, 0, &frame(u32::MAX)), 0);
        assert_eq!(due(&mut pace, 0, &frame(39)), 40);
    }

    #[test]
    fn jumps_go_at_once_and_the_pace_continues() {
        let mut pace = Pace::default();
        due(&mut pace, 0, &frame(0));
        assert_eq!(due(&mut pace, 5, &frame(4_000_000)), 5);
        assert_eq!(due(&mut pace, 6, &frame(4_000_100)), 105);
        assert_eq!(due(&mut pace, 105, &frame(50)), 105);
        assert_eq!(due(&mut pace, 106, &frame(150)), 205);
    }

    #[test]
    fn short_delays_are_caught_up_with_and_long_ones_are_not() {
        let mut pace = Pace::default();
        due(&mut pace, 0, &frame(0));
        assert_eq!(due(&mut pace, 9_000, &frame(40)), 40);
        assert_eq!(due(&mut pace, 60_000, &frame(80)), 60_000);
        assert_eq!(due(&mut pace, 60_001, &frame(120)), 60_040);
    }
}
