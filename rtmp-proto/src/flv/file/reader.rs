//! Reading tags, and finding the next one behind damage.

use core::{fmt, mem};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use nom::{
    IResult, Parser,
    bytes::complete::tag,
    number::complete::{be_u8, be_u32},
};

use super::{
    BACK_POINTER_LEN, FILE_HEADER_LEN, FILTER, FlvError, OpaqueTag, TAG_HEADER_LEN,
    TAG_HEADER_LEN_U32, TYPE_BITS, Tag, VERSION,
};
use crate::{chunk::MessageType, flv::Frame, timestamp::Timestamp};

/// Reads an FLV file piece by piece, however it is split.
///
/// Partial tags are kept inside, in memory that grows with the bytes received. A tag comes out once
/// its back-pointer is there. Wrong back-pointers are counted and nothing more, as long as another
/// tag follows. If none does, the tag was damaged: it is left out, and reading goes on at the next
/// place that looks like a back-pointer and a tag, inside the damaged tag or behind it. Each byte is
/// looked at twice at most.
///
/// The header's flags and the tags' stream IDs are not relied on.
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
/// assert_eq!(reader.finish()?, None);
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
    /// Of the next byte to look at: behind `offset` by what is in `again`.
    position: u64,
    /// Bytes of a damaged tag that are looked at again.
    again: Bytes,
    /// Tags that begin before this have been looked at again.
    again_until: u64,
    /// Where the tag that is being read begins, or the damage.
    tag_offset: u64,
    wrong_back_pointers: u64,
    skipped_tags: u64,
    encrypted_tags: u64,
    damaged_places: u64,
    lost_bytes: u64,
}

#[derive(Clone)]
enum State {
    FileHeader,
    /// Bytes of the file header that a later version added.
    LongHeader {
        remaining: u32,
    },
    FirstBackPointer,
    TagHeader,
    Data {
        tag: TagHeader,
        data: BytesMut,
    },
    /// The tag comes out if this is its length, or another tag follows.
    BackPointer {
        tag: TagHeader,
        data: Bytes,
    },
    /// The back-pointer was another: what follows decides.
    Suspect {
        tag: TagHeader,
        data: Bytes,
        back_pointer: [u8; BACK_POINTER_LEN],
    },
    /// Behind damage.
    Lost(Search),
    /// The last tag has come out.
    Finished,
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
            position: 0,
            again: Bytes::new(),
            again_until: 0,
            tag_offset: 0,
            wrong_back_pointers: 0,
            skipped_tags: 0,
            encrypted_tags: 0,
            damaged_places: 0,
            lost_bytes: 0,
        }
    }

    /// Consumes input until a frame is complete or nothing is left, which gives `None`.
    ///
    /// Script tags become data frames as they are. Tags of unknown types and encrypted tags are
    /// skipped.
    ///
    /// # Errors
    ///
    /// If the input is not an FLV file of version 1. The error stays.
    pub fn decode(&mut self, input: &mut impl Buf) -> Result<Option<Frame>, FlvError> {
        while let Some(tag) = self.decode_tag(input)? {
            if let Tag::Frame(frame) = tag {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Consumes input until a tag is complete or nothing is left, which gives `None`: as
    /// [`decode`](Self::decode), with the tags that it skips.
    ///
    /// # Errors
    ///
    /// If the input is not an FLV file of version 1. The error stays.
    pub fn decode_tag(&mut self, input: &mut impl Buf) -> Result<Option<Tag>, FlvError> {
        loop {
            let progress = if self.again.is_empty() {
                let before = input.remaining();
                let progress = self.step(input);
                let consumed = (before - input.remaining()) as u64;
                self.offset += consumed;
                // Unless the damage was found just now, which has moved it.
                if self.again.is_empty() {
                    self.position += consumed;
                }
                progress
            } else {
                let mut again = mem::take(&mut self.again);
                let before = again.remaining();
                let progress = self.step(&mut again);
                self.position += (before - again.remaining()) as u64;
                self.again = again;
                match progress {
                    Progress::NeedsInput => Progress::Next,
                    progress => progress,
                }
            };
            match progress {
                Progress::Tag(tag, data) => return Ok(Some(self.complete(tag, data))),
                Progress::Next => {}
                Progress::NeedsInput => return Ok(None),
                Progress::Failed(error) => {
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// Tells that the input is at its end, and gives the frames that are still inside: the last one
    /// if its back-pointer is missing, and whatever a damaged last tag holds. `None` if there is no
    /// more, and the file ended where it may.
    ///
    /// # Errors
    ///
    /// [`FlvError::Truncated`], after the last frame, if the file ended inside a tag or the file
    /// header; or the error that [`decode`](Self::decode) gave.
    pub fn finish(&mut self) -> Result<Option<Frame>, FlvError> {
        while let Some(tag) = self.finish_tag()? {
            if let Tag::Frame(frame) = tag {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// As [`finish`](Self::finish), with the tags that it skips.
    ///
    /// # Errors
    ///
    /// As those of [`finish`](Self::finish).
    pub fn finish_tag(&mut self) -> Result<Option<Tag>, FlvError> {
        loop {
            if let Some(tag) = self.decode_tag(&mut Bytes::new())? {
                return Ok(Some(tag));
            }
            let truncated = FlvError::Truncated {
                offset: self.tag_offset,
            };
            match mem::replace(&mut self.state, State::Finished) {
                State::BackPointer { tag, data } => {
                    if let Some(tag) = self.finish_held(tag, data, &[]) {
                        return Ok(Some(tag));
                    }
                }
                State::Suspect {
                    tag,
                    data,
                    back_pointer,
                } => {
                    if let Some(tag) = self.finish_held(tag, data, &back_pointer) {
                        return Ok(Some(tag));
                    }
                }
                // Its length may be wrong rather than the file too short.
                State::Data { data, .. } if self.tag_offset >= self.again_until => {
                    let search = Search {
                        is_truncation: true,
                        ..Search::default()
                    };
                    self.look_again(data.freeze(), search);
                }
                State::TagHeader if self.field_len == 0 => return Ok(None),
                State::FirstBackPointer | State::Finished => return Ok(None),
                State::Failed(error) => {
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
                State::Lost(search) => {
                    if !search.is_truncation {
                        self.lost_bytes += self.position - self.tag_offset;
                    }
                    return Err(self.fail(truncated));
                }
                State::FileHeader
                | State::LongHeader { .. }
                | State::TagHeader
                | State::Data { .. } => return Err(self.fail(truncated)),
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

    /// Tags of unknown types.
    pub const fn skipped_tags(&self) -> u64 {
        self.skipped_tags
    }

    /// Encrypted tags. [FLV §F.3]
    pub const fn encrypted_tags(&self) -> u64 {
        self.encrypted_tags
    }

    /// Places where no tag could be read.
    pub const fn damaged_places(&self) -> u64 {
        self.damaged_places
    }

    /// Bytes left out at [`damaged_places`](Self::damaged_places).
    pub const fn lost_bytes(&self) -> u64 {
        self.lost_bytes
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
                self.state = State::FirstBackPointer;
                Progress::Next
            }
            State::FirstBackPointer => {
                let Some(back_pointer) = self.take_back_pointer(input) else {
                    return Progress::NeedsInput;
                };
                if back_pointer != [0; BACK_POINTER_LEN] {
                    self.wrong_back_pointers += 1;
                }
                self.state = State::TagHeader;
                Progress::Next
            }
            State::TagHeader => {
                if self.field_len == 0 {
                    self.tag_offset = self.position;
                }
                let Some(field) = self.take_field(TAG_HEADER_LEN, input) else {
                    return Progress::NeedsInput;
                };
                self.state = TagHeader::decode(&field).begin();
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
                let (tag, data) = (*tag, mem::take(data).freeze());
                self.state = State::BackPointer { tag, data };
                Progress::Next
            }
            State::BackPointer { .. } => {
                let Some(back_pointer) = self.take_back_pointer(input) else {
                    return Progress::NeedsInput;
                };
                let State::BackPointer { tag, data } =
                    mem::replace(&mut self.state, State::TagHeader)
                else {
                    unreachable!("taking a field does not change the state");
                };
                if u32::from_be_bytes(back_pointer) == TAG_HEADER_LEN_U32 + tag.length {
                    return Progress::Tag(tag, data);
                }
                self.wrong_back_pointers += 1;
                self.state = State::Suspect {
                    tag,
                    data,
                    back_pointer,
                };
                Progress::Next
            }
            State::Suspect { .. } => {
                let Some(field) = self.take_field(TAG_HEADER_LEN, input) else {
                    return Progress::NeedsInput;
                };
                let next = TagHeader::decode(&field);
                let State::Suspect {
                    tag,
                    data,
                    back_pointer,
                } = mem::replace(&mut self.state, next.begin())
                else {
                    unreachable!("taking a field does not change the state");
                };
                if next.is_plausible() {
                    self.tag_offset += u64::from(TAG_HEADER_LEN_U32 + tag.length) + 4;
                    return Progress::Tag(tag, data);
                }
                self.damaged_places += 1;
                let mut rest = BytesMut::with_capacity(WINDOW_LEN);
                rest.put_slice(&back_pointer);
                rest.put_slice(&field);
                let mut search = Search::default();
                if self.tag_offset < self.again_until {
                    // Looked at again already, as part of another tag. What follows it was not
                    // compared yet.
                    for &byte in &rest {
                        search.push(byte);
                    }
                    self.state = State::Lost(search);
                    return Progress::Next;
                }
                let mut data = BytesMut::from(data);
                data.unsplit(rest);
                self.look_again(data.freeze(), search);
                Progress::Next
            }
            State::Lost(search) => {
                let Some((tag, consumed)) = search.find(input) else {
                    return Progress::NeedsInput;
                };
                let found = self.position + consumed as u64 - u64::from(TAG_HEADER_LEN_U32);
                if search.is_truncation {
                    self.damaged_places += 1;
                }
                self.lost_bytes += found.saturating_sub(self.tag_offset);
                self.tag_offset = found;
                self.state = tag.begin();
                Progress::Next
            }
            State::Finished => {
                input.advance(input.remaining());
                Progress::NeedsInput
            }
            State::Failed(error) => Progress::Failed(error.clone()),
        }
    }

    /// The last tag, nothing having come behind it that could tell whether it is whole: it is, unless
    /// there are others inside.
    fn finish_held(&mut self, tag: TagHeader, data: Bytes, back_pointer: &[u8]) -> Option<Tag> {
        let field = self.field.get(..mem::take(&mut self.field_len));
        let behind = [back_pointer, field.unwrap_or_default()].concat();
        let mut all = data.clone().chain(&behind[..]);
        if self.tag_offset < self.again_until || Search::default().find(&mut all).is_none() {
            if behind.len() > BACK_POINTER_LEN {
                let offset = self.tag_offset + u64::from(TAG_HEADER_LEN_U32 + tag.length) + 4;
                self.state = State::Failed(FlvError::Truncated { offset });
            }
            return Some(self.complete(tag, data));
        }
        self.damaged_places += 1;
        let mut data = BytesMut::from(data);
        data.extend_from_slice(&behind);
        self.look_again(data.freeze(), Search::default());
        None
    }

    /// Searches `data`, which is all that followed the header of the tag, for tags.
    fn look_again(&mut self, data: Bytes, search: Search) {
        self.position = self.tag_offset + u64::from(TAG_HEADER_LEN_U32);
        self.again_until = self.position + data.len() as u64;
        self.again = data;
        self.state = State::Lost(search);
    }

    fn complete(&mut self, tag: TagHeader, payload: Bytes) -> Tag {
        let timestamp = tag.timestamp;
        let is_encrypted = tag.first_byte & FILTER != 0;
        match tag.message_type() {
            _ if is_encrypted => self.encrypted_tags += 1,
            MessageType::AUDIO => return Tag::Frame(Frame::audio(timestamp, payload)),
            MessageType::VIDEO => return Tag::Frame(Frame::video(timestamp, payload)),
            MessageType::DATA => return Tag::Frame(Frame::data(timestamp, payload)),
            // The form that may hold AMF3 values has a selector byte before the AMF0.
            MessageType::DATA_AMF3 if payload.first() == Some(&0) => {
                return Tag::Frame(Frame::data(timestamp, payload.slice(1..)));
            }
            _ => self.skipped_tags += 1,
        }
        Tag::Opaque(OpaqueTag {
            first_byte: tag.first_byte,
            timestamp,
            payload,
        })
    }

    #[cfg(test)]
    pub(super) fn buffered_capacity(&self) -> usize {
        match &self.state {
            State::Data { data, .. } => data.capacity(),
            _ => panic!("no tag is being read"),
        }
    }

    fn fail(&mut self, error: FlvError) -> FlvError {
        self.state = State::Failed(error.clone());
        error
    }

    fn take_back_pointer(&mut self, input: &mut impl Buf) -> Option<[u8; BACK_POINTER_LEN]> {
        let field = self.take_field(BACK_POINTER_LEN, input)?;
        field.first_chunk().copied()
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
            .field("damaged_places", &self.damaged_places)
            .field("lost_bytes", &self.lost_bytes)
            .finish_non_exhaustive()
    }
}

enum Progress {
    Tag(TagHeader, Bytes),
    Next,
    NeedsInput,
    Failed(FlvError),
}

#[derive(Clone, Copy)]
struct TagHeader {
    first_byte: u8,
    length: u32,
    timestamp: Timestamp,
    stream_id: u32,
}

impl TagHeader {
    fn decode(field: &[u8; TAG_HEADER_LEN]) -> Self {
        let [first_byte, l0, l1, l2, t1, t2, t3, t0, s0, s1, s2] = *field;
        Self {
            first_byte,
            length: u32::from_be_bytes([0, l0, l1, l2]),
            timestamp: Timestamp::from_millis(u32::from_be_bytes([t0, t1, t2, t3])),
            stream_id: u32::from_be_bytes([0, s0, s1, s2]),
        }
    }

    const fn message_type(&self) -> MessageType {
        MessageType(self.first_byte & TYPE_BITS)
    }

    fn begin(self) -> State {
        State::Data {
            tag: self,
            data: BytesMut::new(),
        }
    }

    /// Whether this is what writers write: a type that there is, no reserved bits, stream 0.
    const fn is_plausible(&self) -> bool {
        let is_known = matches!(
            self.message_type(),
            MessageType::AUDIO | MessageType::VIDEO | MessageType::DATA | MessageType::DATA_AMF3
        );
        is_known && self.first_byte & !(TYPE_BITS | FILTER) == 0 && self.stream_id == 0
    }
}

/// The search for a back-pointer and the header of a tag behind it.
#[derive(Clone, Copy, Default)]
struct Search {
    /// The last bytes, in the low bits.
    window: u128,
    /// How many have been seen, as far as it matters.
    seen: usize,
    /// There is no damage unless something is found: the file may just end here.
    is_truncation: bool,
}

impl Search {
    /// Consumes input up to the end of a tag's header, which is returned with the bytes consumed.
    fn find(&mut self, input: &mut impl Buf) -> Option<(TagHeader, usize)> {
        let mut consumed = 0;
        while input.has_remaining() {
            let chunk = input.chunk();
            let found = chunk.iter().position(|&byte| self.push(byte));
            let len = found.map_or(chunk.len(), |index| index + 1);
            input.advance(len);
            consumed += len;
            if found.is_some() {
                return Some((self.header(), consumed));
            }
        }
        None
    }

    /// Takes the next byte and tells whether a header ends with it.
    fn push(&mut self, byte: u8) -> bool {
        self.window = self.window << 8 | u128::from(byte);
        self.seen = (self.seen + 1).min(WINDOW_LEN);
        // The stream ID first: it is what other data seldom looks like.
        self.seen == WINDOW_LEN && self.window & 0xFF_FFFF == 0 && self.is_match()
    }

    fn is_match(&self) -> bool {
        let [_, p0, p1, p2, p3, ..] = self.window.to_be_bytes();
        let back_pointer = u32::from_be_bytes([p0, p1, p2, p3]);
        let lengths = TAG_HEADER_LEN_U32..=TAG_HEADER_LEN_U32 + super::MAX_DATA_LEN;
        lengths.contains(&back_pointer) && self.header().is_plausible()
    }

    fn header(&self) -> TagHeader {
        let [_, _, _, _, _, field @ ..] = self.window.to_be_bytes();
        TagHeader::decode(&field)
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

/// A back-pointer and a tag's header: the low 15 bytes of a search's window.
const WINDOW_LEN: usize = BACK_POINTER_LEN + TAG_HEADER_LEN;
