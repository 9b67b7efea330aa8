//! One timeline through several publications.

use crate::{
    flv::Frame,
    timestamp::{Timestamp, TimestampDelta},
};

/// Moves the timestamps of a stream that is published again, so that a player which stayed sees one
/// timeline instead of a jump back to zero: ffmpeg pins everything behind such a jump to one moment.
///
/// Within the first publication that a player sees, timestamps of media stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    offset: TimestampDelta,
    /// The latest time of audio or video so far.
    latest: Option<Timestamp>,
    /// A new publication has begun, and its first coded frame has not come yet.
    is_restarting: bool,
}

impl Timeline {
    /// What is [placed](Self::place) from now on is another publication's.
    pub const fn restart(&mut self) {
        self.is_restarting = self.latest.is_some();
    }

    /// The frame at its place on the timeline.
    ///
    /// A publication begins 40 ms after the end of the one before, with its first coded frame:
    /// encoders send headers at time 0 even if their media begins elsewhere. Metadata, which GStreamer
    /// repeats amid a stream, is placed at 0: ffmpeg takes it for a subtitle stream anywhere else.
    #[must_use]
    pub fn place(&mut self, frame: Frame) -> Frame {
        if frame.is_metadata() {
            return frame.with_timestamp(Timestamp::ZERO);
        }
        if let Some(latest) = self.latest.filter(|_| self.is_restarting) {
            if !frame.is_coded_media() {
                return frame.with_timestamp(latest);
            }
            self.offset = latest.wrapping_add(GAP).delta_since(frame.timestamp);
            self.is_restarting = false;
        }
        let timestamp = frame.timestamp.wrapping_add(self.offset);
        if frame.is_coded_media() && self.latest.is_none_or(|latest| latest.is_before(timestamp)) {
            self.latest = Some(timestamp);
        }
        frame.with_timestamp(timestamp)
    }
}

/// One picture at 25 a second: more than audio and video of a publication start apart.
const GAP: TimestampDelta = TimestampDelta::from_millis(40);

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{
        super::testing::{Kind, frame},
        *,
    };

    fn place(timeline: &mut Timeline, frames: &[(Kind, u32)]) -> Vec<u32> {
        let place = |&(kind, millis): &(Kind, u32)| {
            let placed = timeline.place(frame(kind, millis, 0, 0));
            placed.timestamp.as_millis()
        };
        frames.iter().map(place).collect()
    }

    #[test]
    fn first_publication_is_left_alone() {
        use Kind::*;
        let mut timeline = Timeline::default();
        timeline.restart();
        let times = place(
            &mut timeline,
            &[
                (Metadata, 0),
                (VideoHeader(0), 0),
                (Key(0), 7000),
                (Audio, 6990),
            ],
        );
        assert_eq!(times, [0, 0, 7000, 6990]);
    }

    #[test]
    fn later_publications_follow_on() {
        use Kind::*;
        let mut timeline = Timeline::default();
        let first = place(
            &mut timeline,
            &[(Key(0), u32::MAX - 9), (Audio, u32::MAX - 19)],
        );
        assert_eq!(first, [u32::MAX - 9, u32::MAX - 19]);
        timeline.restart();
        let second = place(
            &mut timeline,
            &[
                (Metadata, 0),
                (AudioHeader, 0),
                (Audio, 5000),
                (Key(0), 5010),
                (VideoHeader(0), 5020),
            ],
        );
        assert_eq!(second, [0, u32::MAX - 9, 30, 40, 50]);
        timeline.restart();
        timeline.restart();
        assert_eq!(
            place(&mut timeline, &[(Key(0), 0), (Inter(0), 40)]),
            [80, 120]
        );
    }
}
