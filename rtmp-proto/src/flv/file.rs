//! FLV files and streams of that form: frames with headers and back-pointers.
//!
//! ```text
//! "FLV" | version 1 | flags 1 | header length 4 | 0 (4 bytes)
//! { filter and type 1 | length 3 | timestamp 3, its high byte 1 | 0 (3 bytes) | data
//!   | 11 + length (4 bytes) } ...
//! ```
//!
//! [FLV §E.2, §E.3, §E.4.1]

use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::{Buf, BufMut, BytesMut};
use nom::{
    IResult, Parser,
    bytes::complete::tag,
    number::complete::{be_u8, be_u32},
};

use super::frame::Frame;
use crate::{chunk::MessageType, timestamp::Timestamp};

/// Reads an FLV file piece by piece, however it is split.
///
/// Partial tags are kept inside, in memory that grows with the bytes received. Tags of unknown
/// types and encrypted tags are skipped and counted; wrong back-pointers are counted; the header's
/// flags and the tags' stream IDs are not relied on.
///
/// ```
/// use bytes::Bytes;
/// use rtmp_proto::{Timestamp, flv::{FileReader, FileWriter, Frame}};
///
/// let mut file = FileWriter::header(true, false).to_vec();
/// let frame = Frame::audio(Timestamp::ZERO, Bytes::from_static(&[0xAF, 1, 0x21]));
/// FileWriter::new().encode(&frame, &mut file)?;
///
/// let mut reader = FileReader::new();
/// let mut input = &file[..];
/// assert_eq!(reader.decode(&mut input)?, Some(frame));
/// assert_eq!(reader.decode(&mut input)?, None);
/// reader.finish()?;
/// # Ok::<(), rtmp_proto::flv::FlvError>(())
/// ```
#[derive(Clone)]
pub struct FileReader {
    state: State,
    /// The fixed-size field that is being read, as far as it has arrived.
    field: [u8; TAG_HEADER_LEN],
    field_len: usize,
    /// Bytes consumed.
    offset: u64,
    /// Where the tag that is being read begins.
    tag_offset: u64,
    wrong_back_pointers: u64,
    skipped_tags: u64,
    encrypted_tags: u64,
}

#[derive(Clone)]
enum State {
    FileHeader,
    /// Bytes of the file header that a later version added.
    LongHeader {
        remaining: u32,
    },
    BackPointer {
        expected: u32,
    },
    TagHeader,
    Data {
        tag: TagHeader,
        data: BytesMut,
    },
    Skip {
        tag: TagHeader,
        remaining: u32,
    },
    Failed(FlvError),
}

impl FileReader {
    /// A reader at the start of a file.
    pub const fn new() -> Self {
        Self {
            state: State::FileHeader,
            field: [0; TAG_HEADER_LEN],
            field_len: 0,
            offset: 0,
            tag_offset: 0,
            wrong_back_pointers: 0,
            skipped_tags: 0,
            encrypted_tags: 0,
        }
    }

    /// Consumes input until a frame is complete or nothing is left, which gives `None`.
    ///
    /// Script tags become data frames as they are.
    ///
    /// # Errors
    ///
    /// If the input is not an FLV file of version 1. The error stays.
    pub fn decode(&mut self, input: &mut impl Buf) -> Result<Option<Frame>, FlvError> {
        let before = input.remaining();
        let start = self.offset;
        loop {
            let progress = self.step(input);
            self.offset = start + (before - input.remaining()) as u64;
            match progress {
                Progress::Frame(frame) => return Ok(Some(frame)),
                Progress::Next => {}
                Progress::NeedsInput => return Ok(None),
                Progress::Failed(error) => {
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// Tells whether the input, now at its end, ended where it may: after a tag, with or without
    /// its back-pointer.
    ///
    /// # Errors
    ///
    /// [`FlvError::Truncated`] if it ended inside a tag or the file header, or the error that
    /// [`decode`](Self::decode) gave.
    pub fn finish(&self) -> Result<(), FlvError> {
        match &self.state {
            State::BackPointer { .. } => Ok(()),
            State::TagHeader if self.field_len == 0 => Ok(()),
            State::Failed(error) => Err(error.clone()),
            State::FileHeader | State::LongHeader { .. } => Err(FlvError::Truncated { offset: 0 }),
            State::TagHeader | State::Data { .. } | State::Skip { .. } => {
                Err(FlvError::Truncated {
                    offset: self.tag_offset,
                })
            }
        }
    }

    /// Bytes consumed.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Back-pointers that did not hold the length of the tag before them.
    pub const fn wrong_back_pointers(&self) -> u64 {
        self.wrong_back_pointers
    }

    /// Tags skipped because their type is unknown.
    pub const fn skipped_tags(&self) -> u64 {
        self.skipped_tags
    }

    /// Tags skipped because they are encrypted. [FLV §F.3]
    pub const fn encrypted_tags(&self) -> u64 {
        self.encrypted_tags
    }

    fn step(&mut self, input: &mut impl Buf) -> Progress {
        match &mut self.state {
            State::FileHeader => {
                let Some(field) = self.take_field(FILE_HEADER_LEN, input) else {
                    return Progress::NeedsInput;
                };
                match file_header(&field) {
                    Ok(remaining) => {
                        self.state = State::LongHeader { remaining };
                        Progress::Next
                    }
                    Err(error) => Progress::Failed(error),
                }
            }
            State::LongHeader { remaining } => {
                if !skip(remaining, input) {
                    return Progress::NeedsInput;
                }
                self.state = State::BackPointer { expected: 0 };
                Progress::Next
            }
            &mut State::BackPointer { expected } => {
                let Some(field) = self.take_field(BACK_POINTER_LEN, input) else {
                    return Progress::NeedsInput;
                };
                if !field.starts_with(&expected.to_be_bytes()) {
                    self.wrong_back_pointers += 1;
                }
                self.state = State::TagHeader;
                Progress::Next
            }
            State::TagHeader => {
                if self.field_len == 0 {
                    self.tag_offset = self.offset;
                }
                let Some(field) = self.take_field(TAG_HEADER_LEN, input) else {
                    return Progress::NeedsInput;
                };
                self.state = self.begin_tag(TagHeader::decode(&field));
                Progress::Next
            }
            State::Data { tag, data } => {
                let missing = tag.length as usize - data.len();
                if missing > 0 && !input.has_remaining() {
                    return Progress::NeedsInput;
                }
                let take = missing.min(input.remaining());
                // Memory follows the bytes that arrive, not the length announced, and a complete
                // payload pins less than twice itself.
                if data.capacity() - data.len() < take {
                    data.reserve(missing.min(take.max(data.len())));
                }
                data.put(input.take(take));
                if take < missing {
                    return Progress::NeedsInput;
                }
                let (tag, payload) = (*tag, mem::take(data).freeze());
                self.state = tag.back_pointer();
                match tag.message_type {
                    MessageType::AUDIO => Progress::Frame(Frame::audio(tag.timestamp, payload)),
                    MessageType::VIDEO => Progress::Frame(Frame::video(tag.timestamp, payload)),
                    MessageType::DATA => Progress::Frame(Frame::data(tag.timestamp, payload)),
                    // The form that may hold AMF3 values has a selector byte before the AMF0.
                    _ if payload.first() == Some(&0) => {
                        Progress::Frame(Frame::data(tag.timestamp, payload.slice(1..)))
                    }
                    _ => {
                        self.skipped_tags += 1;
                        Progress::Next
                    }
                }
            }
            State::Skip { tag, remaining } => {
                if !skip(remaining, input) {
                    return Progress::NeedsInput;
                }
                self.state = tag.back_pointer();
                Progress::Next
            }
            State::Failed(error) => Progress::Failed(error.clone()),
        }
    }

    fn begin_tag(&mut self, tag: TagHeader) -> State {
        let skipped = match tag.message_type {
            _ if tag.is_encrypted => &mut self.encrypted_tags,
            MessageType::AUDIO
            | MessageType::VIDEO
            | MessageType::DATA
            | MessageType::DATA_AMF3 => {
                return State::Data {
                    tag,
                    data: BytesMut::new(),
                };
            }
            _ => &mut self.skipped_tags,
        };
        *skipped += 1;
        State::Skip {
            tag,
            remaining: tag.length,
        }
    }

    /// The next `len` bytes at the front of an array, once all of them have arrived.
    fn take_field(&mut self, len: usize, input: &mut impl Buf) -> Option<[u8; TAG_HEADER_LEN]> {
        let free = self.field.get_mut(self.field_len..len)?;
        let take = free.len().min(input.remaining());
        let (filled, _) = free.split_at_mut(take);
        input.copy_to_slice(filled);
        self.field_len += take;
        if self.field_len < len {
            return None;
        }
        self.field_len = 0;
        Some(self.field)
    }
}

impl Default for FileReader {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader")
            .field("offset", &self.offset)
            .field("wrong_back_pointers", &self.wrong_back_pointers)
            .field("skipped_tags", &self.skipped_tags)
            .field("encrypted_tags", &self.encrypted_tags)
            .finish_non_exhaustive()
    }
}

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
        let length = u32::try_from(frame.payload.len())
            .ok()
            .filter(|&length| length <= MAX_DATA_LEN)
            .ok_or(FlvError::PayloadTooLarge {
                length: frame.payload.len(),
            })?;
        let [high, low @ ..] = self.times.place(frame).to_be_bytes();
        let [_, length_bytes @ ..] = length.to_be_bytes();
        out.reserve(TAG_HEADER_LEN + frame.payload.len() + BACK_POINTER_LEN);
        out.put_u8(frame.message_type().0);
        out.put_slice(&length_bytes);
        out.put_slice(&low);
        out.put_u8(high);
        out.put_slice(&[0; 3]);
        out.put_slice(&frame.payload);
        out.put_u32(TAG_HEADER_LEN_U32 + length);
        Ok(())
    }
}

/// Why something is not an FLV file, or cannot be put into one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// The input does not begin with "FLV".
    #[error("not an flv file")]
    Signature,
    /// The file has a version other than 1.
    #[error("flv version {version} is not supported")]
    Version {
        /// The version it states.
        version: u8,
    },
    /// The file header states a length that it cannot have.
    #[error("flv header of {length} bytes is shorter than 9")]
    HeaderLength {
        /// The length it states.
        length: u32,
    },
    /// The input ended in the middle of a tag or of the file header.
    #[error("flv file ends inside the tag at byte {offset}")]
    Truncated {
        /// Where the tag begins.
        offset: u64,
    },
    /// A payload is longer than a tag can be.
    #[error("payload of {length} bytes does not fit into an flv tag")]
    PayloadTooLarge {
        /// The payload's length.
        length: usize,
    },
}

enum Progress {
    Frame(Frame),
    Next,
    NeedsInput,
    Failed(FlvError),
}

#[derive(Clone, Copy)]
struct TagHeader {
    message_type: MessageType,
    is_encrypted: bool,
    length: u32,
    timestamp: Timestamp,
}

impl TagHeader {
    fn decode(field: &[u8; TAG_HEADER_LEN]) -> Self {
        let [
            kind,
            length_high,
            length_middle,
            length_low,
            t_high,
            t_middle,
            t_low,
            t_extended,
            ..,
        ] = *field;
        Self {
            message_type: MessageType(kind & 0x1F),
            is_encrypted: kind & FILTER != 0,
            length: u32::from_be_bytes([0, length_high, length_middle, length_low]),
            timestamp: Timestamp::from_millis(u32::from_be_bytes([
                t_extended, t_high, t_middle, t_low,
            ])),
        }
    }

    const fn back_pointer(&self) -> State {
        State::BackPointer {
            expected: TAG_HEADER_LEN_U32 + self.length,
        }
    }
}

/// The number of bytes the header has beyond those of version 1.
fn file_header(field: &[u8]) -> Result<u32, FlvError> {
    fn fields(input: &[u8]) -> IResult<&[u8], (u8, u8, u32)> {
        let (input, _) = tag(&b"FLV"[..])(input)?;
        (be_u8, be_u8, be_u32).parse(input)
    }
    let (_, (version, _flags, length)) = fields(field).map_err(|_| FlvError::Signature)?;
    if version != VERSION {
        return Err(FlvError::Version { version });
    }
    length
        .checked_sub(9)
        .ok_or(FlvError::HeaderLength { length })
}

/// Skips up to `remaining` bytes, true once none remain.
fn skip(remaining: &mut u32, input: &mut impl Buf) -> bool {
    let take = input.remaining().min(*remaining as usize);
    input.advance(take);
    // `take` is at most `remaining`.
    *remaining -= u32::try_from(take).unwrap_or(*remaining);
    *remaining == 0
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

const VERSION: u8 = 1;
const FILE_HEADER_LEN: usize = 9;
const BACK_POINTER_LEN: usize = 4;
const TAG_HEADER_LEN: usize = 11;
const TAG_HEADER_LEN_U32: u32 = 11;
const MAX_DATA_LEN: u32 = 0xFF_FFFF;
/// The flag of encrypted tags.
const FILTER: u8 = 0x20;
/// How much earlier than the first frame another may be.
const MAX_REORDER_MILLIS: u32 = 60_000;

#[cfg(test)]
mod tests;
