//! A stream whose frames know what they need, and a player that looks at what it gets.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use rtmp_proto::{Timestamp, flv::Frame};

/// What a publisher did.
#[derive(Default)]
pub(crate) struct Published {
    /// Of each frame, by the number in its payload.
    frames: Vec<Note>,
    /// The latest header of each track.
    headers: BTreeMap<Track, u32>,
    /// The latest coded frame of each track.
    coded: BTreeMap<Track, u32>,
    pub(crate) time: u32,
}

/// What a frame needs to be decoded.
struct Note {
    header: Option<u32>,
    /// The coded frame before, which a picture that is no key frame depends on.
    before: Option<u32>,
}

/// Video or not, and the number.
type Track = (bool, u8);

impl Published {
    /// What comes now is another publisher's, whose headers are its own.
    pub(crate) fn restart(&mut self) {
        self.headers.clear();
    }

    /// Any frame, with its number at the end of its payload.
    pub(crate) fn frame(&mut self, u: &mut Unstructured<'_>) -> Result<Frame> {
        self.time = self.time.wrapping_add(u.int_in_range(0..=100)?);
        let timestamp = Timestamp::from_millis(self.time);
        let id = u.int_in_range(1..=3_u8)?;
        let mut payload = match u.int_in_range(0..=9)? {
            0 => b"\xAF\x00".to_vec(),
            1 => b"\xAF\x01".to_vec(),
            2 => b"\x17\x00\x00\x00\x00".to_vec(),
            3 => b"\x17\x01\x00\x00\x00".to_vec(),
            4 | 5 => b"\x27\x01\x00\x00\x00".to_vec(),
            // Tracks of their own: configuration, key frame, frame.
            6 => [&b"\x96\x00avc1"[..], &[id]].concat(),
            7 => [&b"\x96\x03avc1"[..], &[id]].concat(),
            8 => [&b"\xA6\x03avc1"[..], &[id]].concat(),
            _ => {
                let metadata = b"\x02\x00\x0AonMetaData\x08\x00\x00\x00\x00\x00\x00\x09".to_vec();
                return Ok(Frame::data(timestamp, metadata.into()));
            }
        };
        payload.resize(payload.len() + u.int_in_range(0..=PADDING_MAX)?, 0);
        let number = self.frames.len() as u32;
        let make = match payload[0] {
            0xAF => Frame::audio,
            _ => Frame::video,
        };
        payload.extend(number.to_be_bytes());
        let frame = make(timestamp, Bytes::from(payload));
        let track = track(&frame).expect("media");
        self.frames.push(Note {
            header: self.headers.get(&track).copied(),
            before: self.coded.get(&track).copied(),
        });
        if frame.is_configuration() {
            self.headers.insert(track, number);
        } else {
            self.coded.insert(track, number);
        }
        Ok(frame)
    }
}

/// What a player has got.
#[derive(Default)]
pub(crate) struct Player {
    headers: BTreeMap<Track, u32>,
    coded: BTreeMap<Track, u32>,
    /// Something that must not be dropped did not fit.
    pub(crate) is_refused: bool,
}

impl Player {
    /// Looks at the next frame.
    pub(crate) fn take(&mut self, frame: &Frame, published: &Published) {
        let (Some(track), Some(number)) = (track(frame), number(frame)) else {
            return;
        };
        if frame.is_configuration() {
            self.headers.insert(track, number);
            return;
        }
        let note = &published.frames[number as usize];
        if note.header.is_some() && !self.is_refused {
            let header = self.headers.get(&track).copied();
            assert_eq!(header, note.header, "a header is missing before {frame:?}");
        }
        if frame.is_video() && !frame.is_key_frame() {
            let before = self.coded.get(&track).copied();
            assert!(before.is_some(), "no key frame before {frame:?}");
            assert_eq!(before, note.before, "a gap before {frame:?}");
        }
        self.coded.insert(track, number);
    }
}

fn track(frame: &Frame) -> Option<Track> {
    Some((frame.is_video(), frame.track()?))
}

fn number(frame: &Frame) -> Option<u32> {
    Some(u32::from_be_bytes(*frame.payload.last_chunk()?))
}

const PADDING_MAX: usize = 1500;
pub(crate) const PAYLOAD_LEN_MAX: usize = PADDING_MAX + 128 + 16;
