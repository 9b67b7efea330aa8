//! What is kept for late joiners, slow peers and lost connections: pure data structures.
//!
//! A server pushes each frame of a publisher into a [`Broadcast`], from which all its players are served.
//! Where there is one reader only, a [`Queue`] holds what waits for it. A publisher that outlives its
//! connections has a [`Queue`] and a [`Resume`] behind it.

mod batch;
mod broadcast;
mod gop_cache;
mod headers;
mod queue;
mod resume;
mod segments;
mod singles;
mod timeline;

pub(crate) use batch::Wire;

pub use batch::Batch;
pub use broadcast::{Broadcast, BroadcastLimits, Cursor, Portion};
pub use gop_cache::{Cached, GopCache, GopLimits};
pub use queue::{DropCounts, Pushed, Queue, QueueLimits};
pub use resume::Resume;
pub use timeline::Timeline;

use crate::flv::{AudioPacket, Frame, FrameKind, VideoPacket};

/// What a header is about: of two with the same slot, the later replaces the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    subject: Subject,
    /// A message for several tracks does not replace one for a single track, nor the reverse.
    many: bool,
    track: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Metadata,
    AudioDecoder,
    AudioChannels,
    VideoDecoder,
    VideoMetadata,
}

impl Slot {
    /// The slot of `onMetaData` or a configuration; `None` for everything else.
    fn of(frame: &Frame) -> Option<Self> {
        let subject = match frame.kind {
            FrameKind::Data(_) if frame.is_metadata() => Subject::Metadata,
            FrameKind::Audio(header) => match header.packet {
                AudioPacket::SequenceStart => Subject::AudioDecoder,
                AudioPacket::MultichannelConfig => Subject::AudioChannels,
                _ => return None,
            },
            FrameKind::Video(header) => match header.packet {
                // An empty one changes nothing, so it must not replace one that is not: FFmpeg
                // sends it while it has no configuration record yet.
                VideoPacket::SequenceStart if frame.payload.len() <= header.header_len => {
                    return None;
                }
                VideoPacket::SequenceStart | VideoPacket::MpegTsSequenceStart => {
                    Subject::VideoDecoder
                }
                VideoPacket::Metadata => Subject::VideoMetadata,
                _ => return None,
            },
            FrameKind::Data(_) => return None,
        };
        let tracks = frame.track_layout().unwrap_or_default();
        Some(Self {
            subject,
            many: tracks.is_many(),
            track: tracks.first(),
        })
    }
}

/// A set of track IDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TrackSet([u64; 4]);

impl TrackSet {
    fn contains(&self, track: u8) -> bool {
        self.0
            .get(usize::from(track >> 6))
            .is_some_and(|word| word & Self::bit(track) != 0)
    }

    fn insert(&mut self, track: u8) {
        if let Some(word) = self.0.get_mut(usize::from(track >> 6)) {
            *word |= Self::bit(track);
        }
    }

    fn contains_all(&self, others: &Self) -> bool {
        let mut words = self.0.iter().zip(others.0);
        words.all(|(word, other)| other & !word == 0)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    const fn bit(track: u8) -> u64 {
        1 << (track & 63)
    }
}

/// Charged for each frame on top of its payload, so that a bound on bytes also bounds the number of
/// tiny frames: about what a frame takes in a queue.
const FRAME_OVERHEAD: usize = 128;

#[cfg(test)]
pub(crate) mod testing {
    use alloc::vec::Vec;

    use bytes::Bytes;
    use proptest::prelude::*;

    use crate::{Timestamp, flv::Frame};

    /// Frames as a publisher sends them, told apart by a number in the last four payload bytes.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Kind {
        Metadata,
        Data,
        AudioHeader,
        Audio,
        VideoHeader(u8),
        ColorInfo,
        Key(u8),
        Inter(u8),
    }

    pub(crate) fn frame(kind: Kind, millis: u32, number: u32, padding: usize) -> Frame {
        let timestamp = Timestamp::from_millis(millis);
        let payload = |prefix: &[u8]| -> Bytes {
            let mut payload = prefix.to_vec();
            payload.resize(prefix.len() + padding, 0);
            payload.extend_from_slice(&number.to_be_bytes());
            payload.into()
        };
        let track = |first: u8, packet: u8, track: u8| -> Bytes {
            if track == 0 {
                payload(&[&[first | packet][..], b"av01"].concat())
            } else {
                payload(&[&[first | 6, packet][..], b"av01", &[track]].concat())
            }
        };
        match kind {
            Kind::Metadata => Frame::data(timestamp, payload(b"\x02\x00\x0AonMetaData")),
            Kind::Data => Frame::data(timestamp, payload(b"\x02\x00\x0AonTextData")),
            Kind::AudioHeader => Frame::audio(timestamp, payload(b"\xAF\x00")),
            Kind::Audio => Frame::audio(timestamp, payload(b"\xAF\x01")),
            Kind::VideoHeader(id) => Frame::video(timestamp, track(0x90, 0, id)),
            Kind::ColorInfo => Frame::video(timestamp, payload(b"\xD4av01")),
            Kind::Key(id) => Frame::video(timestamp, track(0x90, 1, id)),
            Kind::Inter(id) => Frame::video(timestamp, track(0xA0, 1, id)),
        }
    }

    pub(crate) fn number(frame: &Frame) -> u32 {
        let tail = frame.payload.last_chunk().expect("four bytes");
        u32::from_be_bytes(*tail)
    }

    pub(crate) fn numbers(frames: impl IntoIterator<Item = Frame>) -> Vec<u32> {
        frames.into_iter().map(|frame| number(&frame)).collect()
    }

    pub(crate) fn any_kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            1 => Just(Kind::Metadata),
            1 => Just(Kind::Data),
            1 => Just(Kind::AudioHeader),
            8 => Just(Kind::Audio),
            2 => (0..2_u8).prop_map(Kind::VideoHeader),
            1 => Just(Kind::ColorInfo),
            2 => (0..2_u8).prop_map(Kind::Key),
            12 => (0..2_u8).prop_map(Kind::Inter),
        ]
    }
}
