//! What a message holds of each track.
//!
//! [E-RTMP v2 "Multitrack Streaming via Enhanced RTMP"]

use core::iter::FusedIterator;

use bytes::{Buf, Bytes};
use nom::{
    IResult, Parser,
    number::complete::{be_i24, be_u8, be_u24},
};

use super::{
    audio::AudioPacket,
    enhanced::{Tracks, four_cc},
    frame::{Codec, Frame, FrameKind},
    video::VideoPacket,
};

/// What a message holds of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Track {
    /// Its number among the tracks of its kind; 0 is the default track.
    pub id: u8,
    /// The codec; `None` if the message does not tell.
    pub codec: Option<Codec>,
    /// Presentation time minus the message's timestamp in milliseconds.
    pub composition_time: i32,
    /// Coded data or a configuration record, whatever the message's packet type says.
    pub data: Bytes,
}

/// The tracks of a [`Frame`], in order. After an error it ends.
#[derive(Clone, Debug)]
pub struct TrackIter {
    state: State,
    /// Offset of `rest` in the payload.
    offset: usize,
}

#[derive(Clone, Debug)]
enum State {
    Done,
    Single(Track),
    Many {
        /// That of all tracks, if they have it in common.
        codec: Option<Codec>,
        has_composition_times: bool,
        rest: Bytes,
    },
}

impl TrackIter {
    pub(super) fn new(frame: &Frame) -> Self {
        let (tracks, has_composition_times) = match frame.kind {
            FrameKind::Audio(header) if header.packet == AudioPacket::Silence => return Self::NONE,
            FrameKind::Audio(header) => (header.tracks, false),
            FrameKind::Video(header) => (header.tracks, header.has_composition_times),
            FrameKind::Data(_) => return Self::NONE,
        };
        let rest = frame.body();
        let offset = frame.payload.len() - rest.len();
        let codec = frame.codec();
        let state = match tracks {
            Tracks::Default | Tracks::One(_) => match frame.kind {
                FrameKind::Video(header)
                    if matches!(
                        header.packet,
                        VideoPacket::Unknown | VideoPacket::Command(_)
                    ) =>
                {
                    State::Done
                }
                FrameKind::Audio(header) if header.packet == AudioPacket::Unknown => State::Done,
                _ => State::Single(Track {
                    id: tracks.first(),
                    codec,
                    composition_time: frame.composition_time(),
                    data: rest,
                }),
            },
            Tracks::Many(_) => State::Many {
                codec,
                has_composition_times,
                rest,
            },
            Tracks::ManyCodecs(_) => State::Many {
                codec: None,
                has_composition_times,
                rest,
            },
        };
        Self { state, offset }
    }

    const NONE: Self = Self {
        state: State::Done,
        offset: 0,
    };
}

impl Iterator for TrackIter {
    type Item = Result<Track, TrackError>;

    fn next(&mut self) -> Option<Self::Item> {
        match core::mem::replace(&mut self.state, State::Done) {
            State::Done => None,
            State::Single(track) => Some(Ok(track)),
            State::Many { rest, .. } if rest.is_empty() => None,
            State::Many {
                codec,
                has_composition_times,
                mut rest,
            } => {
                let Ok((after, entry)) = Entry::decode(&rest, codec, has_composition_times) else {
                    return Some(Err(TrackError {
                        offset: self.offset,
                    }));
                };
                let after = after.len();
                let track = Track {
                    id: entry.id,
                    codec: Some(entry.codec),
                    composition_time: entry.composition_time,
                    data: rest.slice_ref(entry.data),
                };
                self.offset += rest.len() - after;
                rest.advance(rest.len() - after);
                self.state = State::Many {
                    codec,
                    has_composition_times,
                    rest,
                };
                Some(Ok(track))
            }
        }
    }
}

impl FusedIterator for TrackIter {}

/// A track of a multitrack message is cut off, or does not have room for its composition time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the track at byte {offset} is cut off")]
#[non_exhaustive]
pub struct TrackError {
    /// Where it begins in the payload.
    pub offset: usize,
}

struct Entry<'a> {
    id: u8,
    codec: Codec,
    composition_time: i32,
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    fn decode(
        input: &'a [u8],
        common: Option<Codec>,
        has_composition_times: bool,
    ) -> IResult<&'a [u8], Self> {
        let (input, codec) = match common {
            Some(codec) => (input, codec),
            None => four_cc.map(Codec::FourCc).parse(input)?,
        };
        let (input, (id, size)) = (be_u8, be_u24).parse(input)?;
        let (input, data) = nom::bytes::complete::take(size)(input)?;
        let is_timed = matches!(codec, Codec::FourCc(four_cc) if four_cc.has_composition_time());
        let (data, composition_time) = match has_composition_times && is_timed {
            true => be_i24(data)?,
            false => (data, 0),
        };
        let entry = Self {
            id,
            codec,
            composition_time,
            data,
        };
        Ok((input, entry))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::{flv::FourCc, timestamp::Timestamp};

    type Parts = Vec<Result<(u8, FourCc, i32, Vec<u8>), usize>>;

    fn parts(frame: &Frame) -> Parts {
        frame
            .tracks()
            .map(|track| {
                let track = track.map_err(|error| error.offset)?;
                let codec = track.codec.and_then(Codec::four_cc).expect("it has one");
                Ok((track.id, codec, track.composition_time, track.data.to_vec()))
            })
            .collect()
    }

    fn video(payload: &[u8]) -> Parts {
        parts(&Frame::video(
            Timestamp::ZERO,
            Bytes::copy_from_slice(payload),
        ))
    }

    fn audio(payload: &[u8]) -> Parts {
        parts(&Frame::audio(
            Timestamp::ZERO,
            Bytes::copy_from_slice(payload),
        ))
    }

    /// ERTMP-62: a message without Multitrack, legacy or enhanced, is track 0.
    #[test]
    fn the_default_track() {
        let expected = [Ok((0, FourCc::AVC, 16, hex!("AA").to_vec()))];
        assert_eq!(video(&hex!("17 01 000010 AA")), expected);
        assert_eq!(video(&hex!("91 61766331 000010 AA")), expected);
        let frame = Frame::data(Timestamp::ZERO, Bytes::from_static(b"\x02"));
        assert_eq!(frame.tracks().next(), None);
    }

    /// ERTMP-48 to ERTMP-55, ERTMP-39, ERTMP-91, by the pseudocode of v2 "Enhanced Audio" and
    /// "Enhanced Video".
    #[test]
    fn all_three_layouts() {
        assert_eq!(
            video(&hex!("96 01 68766331 03 000010 AA")),
            [Ok((3, FourCc::HEVC, 16, hex!("AA").to_vec()))]
        );
        // CodedFrames, several tracks of AVC.
        assert_eq!(
            video(&hex!(
                "A6 11 61766331 01 000004 000010 AA 02 000005 FFFFF0 BBCC"
            )),
            [
                Ok((1, FourCc::AVC, 16, hex!("AA").to_vec())),
                Ok((2, FourCc::AVC, -16, hex!("BBCC").to_vec()))
            ]
        );
        // CodedFramesX: no composition times.
        assert_eq!(
            video(&hex!("A6 13 61766331 01 000001 AA 02 000000")),
            [
                Ok((1, FourCc::AVC, 0, hex!("AA").to_vec())),
                Ok((2, FourCc::AVC, 0, Vec::new()))
            ]
        );
        // CodedFrames, AV1 without and HEVC with a composition time.
        assert_eq!(
            video(&hex!(
                "96 21 61763031 00 000001 12 68766331 01 000004 000001 26"
            )),
            [
                Ok((0, FourCc::AV1, 0, hex!("12").to_vec())),
                Ok((1, FourCc::HEVC, 1, hex!("26").to_vec()))
            ]
        );
        // An empty sequence start of Opus is legal.
        assert_eq!(
            audio(&hex!("95 10 4F707573 00 000000 01 000001 FF")),
            [
                Ok((0, FourCc::OPUS, 0, Vec::new())),
                Ok((1, FourCc::OPUS, 0, hex!("FF").to_vec()))
            ]
        );
    }

    /// ERTMP-56.
    #[test]
    fn tracks_before_a_damaged_one_stay_valid() {
        assert_eq!(
            audio(&hex!("95 11 6D703461 01 000001 AA 02 000002 BB")),
            [Ok((1, FourCc::AAC, 0, hex!("AA").to_vec())), Err(11)]
        );
        // No room for the composition time.
        assert_eq!(
            video(&hex!("96 11 61766331 01 000003 000010 02 000002 BBBB")),
            [Ok((1, FourCc::AVC, 16, Vec::new())), Err(13)]
        );
    }

    #[test]
    fn what_is_not_understood_has_no_tracks() {
        assert_eq!(video(&hex!("96 31 61763031 00 00")), []);
        assert_eq!(video(&hex!("D0 00")), []);
        assert_eq!(audio(&hex!("")), []);
        assert_eq!(audio(&hex!("9F 00")), []);
    }

    proptest! {
        #[test]
        fn any_payload_has_bounded_tracks(mut payload: Vec<u8>, is_many in 0_u8..3) {
            payload.splice(0..0, [0x96, is_many << 4 | 1]);
            let frame = Frame::video(Timestamp::ZERO, payload.into());
            let total: usize = frame.tracks().flatten().map(|track| track.data.len()).sum();
            prop_assert!(total <= frame.payload.len());
            prop_assert!(frame.tracks().count() <= frame.payload.len());
        }
    }
}
