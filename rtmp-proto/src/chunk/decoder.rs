//! From bytes to messages.

use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::{Buf, Bytes};
use nom::{IResult, Needed};

use super::{
    ChunkSize, ChunkStreamId, RawMessage,
    assembly::{AssemblyLimits, ChunkStreams, Incomplete},
    header::{BasicHeader, Continuation, HEADER_LEN_MAX, MessageHeader},
};
use crate::{
    leniency::{ExtendedTimestampRule, Leniency},
    limits::Limits,
};

/// Reassembles the messages of one direction of a connection.
///
/// Each chunk stream keeps the header fields in force and the message being assembled. A message
/// takes one allocation, and each payload byte is copied out of the input once. Where the messages
/// begun announce more than 128 KiB, the allocation grows with the bytes received and never with the
/// length announced. A message that lies whole in one chunk and makes up more than half of a `Bytes`
/// or `BytesMut` that is given is not copied but sliced out.
///
/// Set Chunk Size and Abort come out like every other message; the caller applies them with
/// [`set_chunk_size`](Self::set_chunk_size) and [`abort`](Self::abort) before it decodes on, which
/// is when the specification wants them to take effect.
///
/// [RTMP 1.0 §5.3]
pub struct ChunkDecoder {
    chunk_size: ChunkSize,
    leniency: Leniency,
    limits: AssemblyLimits,
    streams: ChunkStreams,
    /// Chunk streams that had a header.
    streams_seen: usize,
    /// Bytes of a header that is not complete yet.
    held: Held,
    /// The chunk whose payload is being read.
    current: Option<Current>,
    slicing: Slicing,
    incomplete: Incomplete,
    dropped_messages: u64,
    /// The peer was seen to leave the extended timestamp out of a type 3 chunk.
    omits_extended: bool,
}

impl ChunkDecoder {
    /// A decoder at the start of the chunk stream, just after the handshake.
    pub fn new(limits: &Limits, leniency: Leniency) -> Self {
        Self {
            chunk_size: ChunkSize::INITIAL,
            leniency,
            limits: AssemblyLimits::new(limits),
            streams: ChunkStreams::default(),
            streams_seen: 0,
            held: Held::default(),
            current: None,
            slicing: Slicing::default(),
            incomplete: Incomplete::default(),
            dropped_messages: 0,
            omits_extended: false,
        }
    }

    /// Consumes `input` up to the end of one message, or all of it.
    ///
    /// Returns `None` when the input does not complete a message; all of it was consumed then and
    /// what matters of it is kept. Any split of a byte sequence gives the same messages.
    ///
    /// Call it until it returns `None`, also when `input` is empty already: bytes taken ahead, to
    /// tell an extended timestamp from payload, may hold messages.
    ///
    /// # Errors
    ///
    /// The peer broke the format or passed a limit: what was consumed last is the header that did it.
    /// The decoder cannot find the next header after that and must not be used again.
    pub fn decode(&mut self, input: &mut impl Buf) -> Result<Option<RawMessage>, ChunkError> {
        self.slicing.begin(input.remaining());
        loop {
            if !self.held.is_empty()
                && let Some(message) = self.read_held(input)?
            {
                self.slicing.end(input.remaining());
                return Ok(Some(message));
            }
            let bytes = input.chunk();
            let (step, used) = self.read(bytes);
            match step {
                Step::Arrived { csid, length } => {
                    let begin = used - length;
                    if self.slicing.suits(length) {
                        input.advance(begin);
                        let payload = input.copy_to_bytes(length);
                        self.slicing.end(input.remaining());
                        return Ok(Some(self.finish(csid, payload)));
                    }
                    let payload = bytes.get(begin..used).unwrap_or_default().to_vec();
                    input.advance(used);
                    self.slicing.end(input.remaining());
                    return Ok(Some(self.finish(csid, payload)));
                }
                Step::Assembled { csid, payload } => {
                    input.advance(used);
                    self.slicing.end(input.remaining());
                    return Ok(Some(self.finish(csid, payload)));
                }
                Step::SplitHeader { missing } => {
                    let begun = bytes.len() - used;
                    input.advance(used);
                    self.held.fill(begun + missing, input);
                }
                Step::Starved => {
                    input.advance(used);
                    if !input.has_remaining() {
                        self.slicing.end(0);
                        return Ok(None);
                    }
                }
                Step::Broken(error) => {
                    input.advance(used);
                    return Err(error);
                }
            }
        }
    }

    /// Applies other bounds to what follows; what is incomplete counts against them.
    pub(crate) fn set_limits(&mut self, limits: &Limits) {
        self.limits = AssemblyLimits::new(limits);
    }

    /// Applies a Set Chunk Size message: the next chunk may carry up to `chunk_size` bytes.
    pub fn set_chunk_size(&mut self, chunk_size: ChunkSize) {
        self.chunk_size = chunk_size;
    }

    /// The chunk size in force.
    pub fn chunk_size(&self) -> ChunkSize {
        self.chunk_size
    }

    /// Applies an Abort message: drops the unfinished message of `csid`, if there is one.
    ///
    /// The header fields stay in force, so the dropped message's timestamp delta stays applied. In
    /// the middle of a chunk, the rest of that chunk is skipped.
    pub fn abort(&mut self, csid: ChunkStreamId) {
        let partial = self
            .streams
            .get_mut(csid)
            .and_then(|stream| stream.partial.take());
        if let Some(partial) = partial {
            self.incomplete.release(&partial);
            self.dropped_messages += 1;
        }
    }

    /// Whether the input so far ends inside a chunk or a message.
    pub fn is_mid_message(&self) -> bool {
        !self.held.is_empty() || self.incomplete.messages > 0
    }

    /// Messages that were begun and dropped: aborted, or overtaken by a new header.
    pub fn dropped_messages(&self) -> u64 {
        self.dropped_messages
    }

    /// Reads a header whose bytes did not arrive together, and what was taken ahead with them.
    #[cold]
    fn read_held(&mut self, input: &mut impl Buf) -> Result<Option<RawMessage>, ChunkError> {
        loop {
            let held = self.held;
            let (step, used) = self.read(held.bytes());
            self.held.consume(used);
            match step {
                Step::Arrived { csid, length } => {
                    let payload = held.bytes().get(used - length..used);
                    let payload = payload.unwrap_or_default().to_vec();
                    return Ok(Some(self.finish(csid, payload)));
                }
                Step::Assembled { csid, payload } => {
                    return Ok(Some(self.finish(csid, payload)));
                }
                Step::SplitHeader { missing } if input.has_remaining() => {
                    self.held.fill(missing, input);
                }
                Step::SplitHeader { .. } | Step::Starved => return Ok(None),
                Step::Broken(error) => return Err(error),
            }
        }
    }

    /// Reads `bytes` up to the end of one message, or as far as they go, and says how many it used.
    #[inline(always)]
    fn read(&mut self, bytes: &[u8]) -> (Step, usize) {
        let mut rest = bytes;
        let step = loop {
            let current = match self.current.take() {
                Some(current) => current,
                None if rest.is_empty() => break Step::Starved,
                None => match self.parse_header(rest) {
                    Ok((after, header)) => {
                        rest = after;
                        match self.begin_chunk(header, rest.len()) {
                            Ok(Begun::Chunk(current)) => current,
                            Ok(Begun::Message { csid, length }) => {
                                rest = rest.split_at(length).1;
                                break Step::Arrived { csid, length };
                            }
                            Err(error) => break Step::Broken(error),
                        }
                    }
                    Err(error) => {
                        break Step::SplitHeader {
                            missing: missing(&error),
                        };
                    }
                },
            };
            let csid = current.csid;
            match self.read_payload(current, &mut rest) {
                Progress::ChunkDone => {}
                Progress::Arrived { length } => break Step::Arrived { csid, length },
                Progress::Assembled(payload) => break Step::Assembled { csid, payload },
                Progress::Starved { remaining } => {
                    self.current = Some(Current { csid, remaining });
                    break Step::Starved;
                }
            }
        };
        (step, bytes.len() - rest.len())
    }

    #[inline(always)]
    fn parse_header<'a>(&self, bytes: &'a [u8]) -> IResult<&'a [u8], ChunkHeader> {
        let (rest, basic) = BasicHeader::decode(bytes)?;
        let (rest, message) = MessageHeader::decode(basic.chunk_type, rest)?;
        let (rest, omits_extended) = match message {
            MessageHeader::Type3 => self.skip_repeated_extension(basic.csid, rest)?,
            _ => (rest, false),
        };
        let header = ChunkHeader {
            csid: basic.csid,
            message,
            omits_extended,
        };
        Ok((rest, header))
    }

    /// Skips the extended timestamp that a type 3 chunk repeats, if it is there, and tells whether
    /// it was left out.
    ///
    /// Encoders disagree about it: ffmpeg, SRS and current OBS repeat it, gortmplib writes zeros in
    /// its place, OBS before 30.1, krtmp and go-rtmp leave it out, so that payload follows at once.
    fn skip_repeated_extension<'a>(
        &self,
        csid: ChunkStreamId,
        bytes: &'a [u8],
    ) -> IResult<&'a [u8], bool> {
        let Some(extended) = self.streams.get(csid).and_then(|s| s.header.extended) else {
            return Ok((bytes, false));
        };
        let seen = bytes.get(..EXTENSION_LEN).unwrap_or(bytes);
        let is_present = match self.leniency.extended_timestamp {
            ExtendedTimestampRule::Always => true,
            ExtendedTimestampRule::Never => false,
            ExtendedTimestampRule::Detect => {
                extended.to_be_bytes().starts_with(seen)
                    // Zeros are a placeholder only from a peer that writes the field at all.
                    || (!self.omits_extended && [0; EXTENSION_LEN].starts_with(seen))
            }
        };
        match bytes.get(EXTENSION_LEN..) {
            _ if !is_present => Ok((bytes, true)),
            Some(rest) => Ok((rest, false)),
            None => Err(nom::Err::Incomplete(Needed::new(
                EXTENSION_LEN - bytes.len(),
            ))),
        }
    }

    /// Applies a chunk's header, behind which `arrived` bytes are there, to its chunk stream and says
    /// how much payload follows.
    #[inline(always)]
    fn begin_chunk(&mut self, header: ChunkHeader, arrived: usize) -> Result<Begun, ChunkError> {
        let ChunkHeader {
            csid,
            message,
            omits_extended,
        } = header;
        self.omits_extended |= omits_extended;
        let stream = self.streams.entry(csid);
        let continues = message == MessageHeader::Type3 && stream.partial.is_some();
        if !continues {
            if let Some(partial) = stream.partial.take() {
                if !self.leniency.restarted_messages {
                    return Err(ChunkError::UnfinishedMessage { csid: csid.get() });
                }
                self.dropped_messages += 1;
                self.incomplete.release(&partial);
            }
            self.streams_seen += usize::from(!stream.header.seen);
            if self.streams_seen > self.limits.chunk_streams {
                return Err(ChunkError::TooManyChunkStreams {
                    limit: self.limits.chunk_streams,
                });
            }
            stream.header.begin_message(csid, message, &self.leniency)?;
            let length = stream.header.length;
            if length > self.limits.message_len {
                return Err(ChunkError::MessageTooLong {
                    length,
                    limit: self.limits.message_len,
                });
            }
            self.incomplete.admit(length, &self.limits)?;
            if length <= arrived && length <= self.chunk_size.as_usize() {
                return Ok(Begun::Message { csid, length });
            }
            stream.partial = Some(self.incomplete.charge(length));
        }
        let partial = stream.partial.as_mut().expect("set just above");
        partial.chunks += 1;
        if partial.chunks > self.limits.chunks_per_message {
            return Err(ChunkError::TooManyChunks {
                limit: self.limits.chunks_per_message,
            });
        }
        Ok(Begun::Chunk(Current {
            csid,
            remaining: partial.missing().min(self.chunk_size.as_usize()),
        }))
    }

    /// Reads payload of the current chunk, and of all following chunks of the same message, off the
    /// front of `rest`.
    #[inline(always)]
    fn read_payload(&mut self, current: Current, rest: &mut &[u8]) -> Progress {
        let Current {
            csid,
            mut remaining,
        } = current;
        let chunk_size = self.chunk_size.as_usize();
        let stream = self.streams.entry(csid);
        let Some(partial) = &mut stream.partial else {
            return skip_payload(remaining, rest);
        };
        let length = partial.length;
        if remaining == length && length <= rest.len() {
            *rest = rest.split_at(length).1;
            self.incomplete.release(partial);
            stream.partial = None;
            return Progress::Arrived { length };
        }
        let extended = match self.leniency.extended_timestamp {
            ExtendedTimestampRule::Never => None,
            _ => stream.header.extended,
        };
        let continuation = Continuation::new(csid, extended);
        loop {
            let (now, after) = rest.split_at(rest.len().min(remaining));
            partial.extend(now, after.len(), self.incomplete.bytes);
            *rest = after;
            remaining -= now.len();
            if remaining > 0 {
                return Progress::Starved { remaining };
            }
            let missing = partial.missing();
            if missing == 0 {
                let payload = mem::take(&mut partial.payload);
                self.incomplete.release(partial);
                stream.partial = None;
                return Progress::Assembled(payload);
            }
            if partial.chunks >= self.limits.chunks_per_message {
                return Progress::ChunkDone;
            }
            // Mostly the next chunk is of the same message.
            let Some(after) = continuation.strip_from(after) else {
                return Progress::ChunkDone;
            };
            *rest = after;
            partial.chunks += 1;
            remaining = missing.min(chunk_size);
        }
    }

    /// The message that `csid` has come to the end of.
    #[inline(always)]
    fn finish(&mut self, csid: ChunkStreamId, payload: impl Into<Bytes>) -> RawMessage {
        let header = &self.streams.entry(csid).header;
        let (message_type, stream) = (header.message_type, header.stream);
        RawMessage {
            message_type,
            stream,
            timestamp: header.timestamp,
            // Last, to be made where it is to be.
            payload: payload.into(),
        }
    }
}

impl fmt::Debug for ChunkDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkDecoder")
            .field("chunk_size", &self.chunk_size)
            .field("incomplete", &self.incomplete)
            .field("dropped_messages", &self.dropped_messages)
            .finish_non_exhaustive()
    }
}

/// What a peer did to the chunk stream that no reading of it allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// A message longer than [`Limits::message_len`].
    #[error("message of {length} bytes exceeds the limit of {limit}")]
    MessageTooLong {
        /// Declared bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Incomplete messages whose lengths add up to more than [`Limits::incomplete_bytes`].
    #[error("incomplete messages declare {declared} bytes, the limit is {limit}")]
    TooManyIncompleteBytes {
        /// Declared bytes of all of them.
        declared: usize,
        /// The limit.
        limit: usize,
    },
    /// More incomplete messages than [`Limits::incomplete_messages`].
    #[error("more than {limit} incomplete messages")]
    TooManyIncompleteMessages {
        /// The limit.
        limit: usize,
    },
    /// More chunk streams than [`Limits::chunk_streams`].
    #[error("more than {limit} chunk streams")]
    TooManyChunkStreams {
        /// The limit.
        limit: usize,
    },
    /// A message cut into more chunks than [`Limits::chunks_per_message`].
    #[error("message in more than {limit} chunks")]
    TooManyChunks {
        /// The limit.
        limit: u32,
    },
    /// A compressed header on a chunk stream that had no header to compress against.
    #[error("first chunk of chunk stream {csid} has a compressed header")]
    NoPrecedingHeader {
        /// The chunk stream.
        csid: u32,
    },
    /// A new message on a chunk stream whose last one is unfinished ([`Leniency::STRICT`] only).
    #[error("new message on chunk stream {csid} before the end of the last one")]
    UnfinishedMessage {
        /// The chunk stream.
        csid: u32,
    },
}

struct ChunkHeader {
    csid: ChunkStreamId,
    message: MessageHeader,
    /// It is of type 3 and leaves out the extended timestamp in force.
    omits_extended: bool,
}

/// The chunk being read.
#[derive(Clone, Copy)]
struct Current {
    csid: ChunkStreamId,
    /// Payload bytes of it to come.
    remaining: usize,
}

/// What begins with a header.
enum Begun {
    /// A message of which all has arrived.
    Message {
        csid: ChunkStreamId,
        length: usize,
    },
    Chunk(Current),
}

/// Why reading stops.
enum Step {
    /// A message is complete that arrived as a whole: the last `length` of the bytes used.
    Arrived { csid: ChunkStreamId, length: usize },
    /// A message is complete that was put together.
    Assembled {
        csid: ChunkStreamId,
        payload: Vec<u8>,
    },
    /// A header lacks at least so many bytes.
    SplitHeader { missing: usize },
    /// Every byte was used.
    Starved,
    /// The last header used must not be.
    Broken(ChunkError),
}

/// Where reading payload comes to.
enum Progress {
    /// The chunk lacks so many bytes.
    Starved { remaining: usize },
    /// The next chunk is another message's, or has a header that has to be looked at.
    ChunkDone,
    /// All of the message lay there.
    Arrived { length: usize },
    /// The message is put together.
    Assembled(Vec<u8>),
}

/// Decides whether a payload may be a slice of the input, where that is a `Bytes` or a `BytesMut`,
/// which then stays in memory as long as the payload. Only what is left of it can be seen, so whoever
/// reads into more memory than comes to be filled has to pass on a slice.
#[derive(Default)]
struct Slicing {
    /// Bytes of the input when it was last filled, by what can be seen of it.
    extent: usize,
    /// Bytes of it that were left at the end of the last call.
    left: usize,
}

impl Slicing {
    #[inline]
    fn begin(&mut self, remaining: usize) {
        if remaining != self.left {
            self.extent = remaining;
        }
    }

    #[inline]
    fn end(&mut self, remaining: usize) {
        self.left = remaining;
    }

    /// Whether a payload of `length` bytes is to be a slice, which keeps less than twice its length in
    /// memory.
    #[inline]
    fn suits(&self, length: usize) -> bool {
        length >= SLICE_LEN_MIN && 2 * length > self.extent
    }
}

/// Passes over the rest of a chunk whose message was aborted inside it.
#[cold]
fn skip_payload(remaining: usize, rest: &mut &[u8]) -> Progress {
    let (skipped, after) = rest.split_at(rest.len().min(remaining));
    *rest = after;
    match remaining - skipped.len() {
        0 => Progress::ChunkDone,
        remaining => Progress::Starved { remaining },
    }
}

/// The bytes that a header lacks, as far as can be told.
fn missing(error: &nom::Err<nom::error::Error<&[u8]>>) -> usize {
    match error {
        nom::Err::Incomplete(Needed::Size(missing)) => missing.get(),
        _ => 1,
    }
}

/// Up to a header's worth of bytes that arrived ahead of the rest.
#[derive(Clone, Copy, Default)]
struct Held {
    bytes: [u8; HEADER_LEN_MAX],
    len: usize,
}

impl Held {
    #[inline]
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).expect("len is within the array")
    }

    /// Takes up to `count` bytes from the first piece of `input`.
    fn fill(&mut self, count: usize, input: &mut impl Buf) {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        let count = count.min(free.len()).min(input.chunk().len());
        for (free, &byte) in free.iter_mut().zip(input.chunk()).take(count) {
            *free = byte;
        }
        input.advance(count);
        self.len += count;
    }

    fn consume(&mut self, count: usize) {
        self.bytes.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

const EXTENSION_LEN: usize = 4;

/// Shorter payloads are copied, which costs about as much as the reference counts of a slice.
const SLICE_LEN_MIN: usize = 4096;

#[cfg(test)]
mod tests;
