//! Going on with a stream on another connection.

use core::fmt;

use super::{Slot, TrackSet, headers::Headers};
use crate::{flv::Frame, timestamp::Timestamp};

/// What a publisher needs to go on after its connection was lost: the metadata and configurations in
/// force, and which video can be decoded.
///
/// ```text
/// restart() -> send these first
/// admit(frame) -> send it, or not, for each frame that follows
/// ```
///
/// It is to see the frames where they leave the publisher's [`Queue`](super::Queue), so that what it
/// holds is in force there and not only later. Timestamps stay as they are: the stream goes on where it
/// would be had nothing happened.
#[derive(Clone)]
pub struct Resume {
    headers: Headers,
    /// Tracks whose next frame can be decoded by who reads this connection from its start.
    ready: TrackSet,
    /// Of the latest audio or video frame.
    latest: Timestamp,
    dropped: u64,
}

impl Resume {
    /// Before the first connection.
    pub const fn new() -> Self {
        Self {
            headers: Headers::new(),
            ready: TrackSet([0; 4]),
            latest: Timestamp::ZERO,
            dropped: 0,
        }
    }

    /// A fresh connection publishes: what it is to be sent first, metadata before configurations.
    ///
    /// Metadata is stamped 0 and configurations as the latest frame, so that time does not go back on
    /// the new connection. At the first connection there is nothing.
    pub fn restart(&mut self) -> impl Iterator<Item = Frame> + '_ {
        self.ready.clear();
        self.headers.iter().map(|frame| {
            let timestamp = match frame.is_metadata() {
                true => Timestamp::ZERO,
                false => self.latest,
            };
            frame.clone().with_timestamp(timestamp)
        })
    }

    /// Whether `frame`, the next of the stream, is to be sent on this connection: video is not before
    /// the first key frame of its track.
    pub fn admit(&mut self, frame: &Frame) -> bool {
        self.headers.forget_if_told(frame);
        if let Some(slot) = Slot::of(frame) {
            self.headers.insert(slot, frame, HEADER_BYTES);
            return true;
        }
        if frame.is_audio() || frame.is_video() {
            self.latest = frame.timestamp;
        }
        if !frame.is_video() || !frame.is_coded_media() {
            return true;
        }
        let track = frame.track().unwrap_or_default();
        if frame.is_key_frame() {
            self.ready.insert(track);
        }
        let is_ready = self.ready.contains(track);
        self.dropped += u64::from(!is_ready);
        is_ready
    }

    /// Video frames not admitted since the beginning.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Default for Resume {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resume")
            .field("headers", &self.headers.len())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// Payload bytes of metadata and configurations; ordinary streams need 2 KiB.
const HEADER_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::{
        super::testing::{Kind, any_kind, frame, number, numbers},
        *,
    };

    fn admitted(resume: &mut Resume, kinds: &[Kind], first: u32) -> Vec<u32> {
        let frames = (first..).zip(kinds);
        let frames = frames.map(|(number, kind)| frame(*kind, number * 20, number, 0));
        numbers(frames.filter(|frame| resume.admit(frame)))
    }

    #[test]
    fn the_first_connection_starts_with_nothing() {
        let mut resume = Resume::new();
        assert_eq!(resume.restart().count(), 0);
    }

    #[test]
    fn headers_first_then_sound_and_video_from_the_key_frame_on() {
        use Kind::*;
        let mut resume = Resume::new();
        let start = [
            VideoHeader(0),
            AudioHeader,
            Metadata,
            Key(0),
            Audio,
            VideoHeader(0),
        ];
        assert_eq!(admitted(&mut resume, &start, 0), [0, 1, 2, 3, 4, 5]);
        let headers: Vec<_> = resume.restart().collect();
        assert_eq!(numbers(headers.iter().cloned()), [2, 1, 5]);
        let times = headers.iter().map(|frame| frame.timestamp.as_millis());
        assert_eq!(times.collect::<Vec<_>>(), [0, 80, 80]);
        let rest = [Inter(0), Audio, Data, Inter(0), Key(0), Inter(0)];
        assert_eq!(admitted(&mut resume, &rest, 10), [11, 12, 14, 15]);
        assert_eq!(resume.dropped(), 2);
    }

    /// Another track has its own key frames.
    #[test]
    fn tracks_are_resumed_one_by_one() {
        use Kind::*;
        let mut resume = Resume::new();
        let kinds = [Key(0), Inter(1), Inter(0), Key(1), Inter(1)];
        assert_eq!(admitted(&mut resume, &kinds, 0), [0, 2, 3, 4]);
    }

    proptest! {
        /// After any restart, each track's video begins with a key frame, and all else is sent.
        #[test]
        fn nothing_else_is_dropped(
            kinds in prop::collection::vec((any_kind(), prop::bool::weighted(0.1)), 0..200),
        ) {
            let mut resume = Resume::new();
            let mut ready = [false; 2];
            for (index, (kind, is_restart)) in (0..).zip(kinds) {
                if is_restart {
                    ready = [false; 2];
                    let mut slots = Vec::new();
                    for header in resume.restart() {
                        prop_assert!(number(&header) < index);
                        slots.push(Slot::of(&header).expect("a header"));
                    }
                    let count = slots.len();
                    slots.sort();
                    slots.dedup();
                    prop_assert_eq!(slots.len(), count);
                }
                let expected = match kind {
                    Kind::Key(track) => {
                        ready[usize::from(track)] = true;
                        true
                    }
                    Kind::Inter(track) => ready[usize::from(track)],
                    _ => true,
                };
                prop_assert_eq!(resume.admit(&frame(kind, index, index, 0)), expected);
            }
        }
    }
}
