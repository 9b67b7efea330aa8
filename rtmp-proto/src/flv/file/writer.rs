//! Writing tags.

use alloc::vec::Vec;

use bytes::BufMut;

use super::{
    BACK_POINTER_LEN, FILE_HEADER_LEN, FlvError, MAX_DATA_LEN, TAG_HEADER_LEN, TAG_HEADER_LEN_U32,
    Tag, VERSION,
};
use crate::{flv::Frame, timestamp::Timestamp};

/// Writes FLV files.
///
/// The format wants the first tag at time 0 and the others relative to it [FLV §E.4.1], while live
/// streams begin anywhere, and encoders send headers at time 0 even if their media begins elsewhere.
/// So the first coded frame is at 0, what comes before it too, and metadata always (ffmpeg takes
/// metadata at another time for a subtitle stream); unless the writer is made with
/// [`keeping_timestamps`](Self::keeping_timestamps).
#[derive(Clone, Copy, Debug, Default)]
pub struct FileWriter {
    times: Times,
}

/// The times of tags.
#[derive(Clone, Copy, Debug)]
enum Times {
    /// Those of the frames.
    Kept,
    /// Relative to the first coded frame.
    Moved {
        origin: Option<Timestamp>,
        /// That of the latest coded frame.
        latest: u32,
    },
}

impl Default for Times {
    fn default() -> Self {
        Self::Moved {
            origin: None,
            latest: 0,
        }
    }
}

impl Times {
    fn place(&mut self, frame: &Frame) -> u32 {
        let Self::Moved { origin, latest } = self else {
            return frame.timestamp.as_millis();
        };
        if frame.is_coded_media() {
            *latest = since(*origin.get_or_insert(frame.timestamp), frame.timestamp);
            return *latest;
        }
        match *origin {
            Some(origin) if !frame.is_metadata() => match frame.timestamp.is_before(origin) {
                true => *latest,
                false => since(origin, frame.timestamp),
            },
            _ => 0,
        }
    }
}

impl FileWriter {
    /// A writer that moves the first coded frame to time 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that leaves timestamps as they are.
    pub const fn keeping_timestamps() -> Self {
        Self { times: Times::Kept }
    }

    /// What a file begins with: its header and the first back-pointer.
    pub const fn header(audio: bool, video: bool) -> [u8; FILE_HEADER_LEN + BACK_POINTER_LEN] {
        let flags = (audio as u8) << 2 | video as u8;
        [b'F', b'L', b'V', VERSION, flags, 0, 0, 0, 9, 0, 0, 0, 0]
    }

    /// Appends one tag and its back-pointer.
    ///
    /// # Errors
    ///
    /// [`FlvError::PayloadTooLarge`], and nothing is appended, if the length does not fit into 24
    /// bits; a payload that came in a message always does.
    pub fn encode(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<(), FlvError> {
        self.encode_placed(frame, out).map(drop)
    }

    /// Appends one tag, at the time of its own: what [`FileReader::decode_tag`](super::FileReader::decode_tag) gives without
    /// understanding it passes through.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode).
    pub fn encode_tag(&mut self, tag: &Tag, out: &mut Vec<u8>) -> Result<(), FlvError> {
        match tag {
            Tag::Frame(frame) => self.encode(frame, out),
            Tag::Opaque(tag) => {
                put_tag(tag.first_byte, tag.timestamp.as_millis(), &tag.payload, out)
            }
        }
    }

    /// Appends one tag and tells at which time.
    pub(super) fn encode_placed(
        &mut self,
        frame: &Frame,
        out: &mut Vec<u8>,
    ) -> Result<u32, FlvError> {
        check_length(&frame.payload)?;
        let millis = self.times.place(frame);
        put_tag(frame.message_type().0, millis, &frame.payload, out)?;
        Ok(millis)
    }
}

fn put_tag(first_byte: u8, millis: u32, payload: &[u8], out: &mut Vec<u8>) -> Result<(), FlvError> {
    let length = check_length(payload)?;
    let [_, length_bytes @ ..] = length.to_be_bytes();
    let [high, low @ ..] = millis.to_be_bytes();
    out.reserve(TAG_HEADER_LEN + payload.len() + BACK_POINTER_LEN);
    out.put_u8(first_byte);
    out.put_slice(&length_bytes);
    out.put_slice(&low);
    out.put_u8(high);
    out.put_slice(&[0; 3]);
    out.put_slice(payload);
    out.put_u32(TAG_HEADER_LEN_U32 + length);
    Ok(())
}

fn check_length(payload: &[u8]) -> Result<u32, FlvError> {
    u32::try_from(payload.len())
        .ok()
        .filter(|&length| length <= MAX_DATA_LEN)
        .ok_or(FlvError::PayloadTooLarge {
            length: payload.len(),
        })
}

/// Milliseconds from `origin`; a frame that is somewhat earlier, as interleaving brings about,
/// counts as simultaneous.
fn since(origin: Timestamp, timestamp: Timestamp) -> u32 {
    let elapsed = timestamp.delta_since(origin).as_millis();
    if elapsed.wrapping_neg() <= MAX_REORDER_MILLIS {
        0
    } else {
        elapsed
    }
}

/// How much earlier than the first frame another may be.
const MAX_REORDER_MILLIS: u32 = 60_000;
