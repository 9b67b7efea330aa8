//! From bytes to messages.

use core::fmt;

use bytes::{Buf, Bytes};
use nom::{IResult, Needed};

use super::{
    ChunkSize, ChunkStreamId, RawMessage,
    assembly::{AssemblyLimits, ChunkStreams, Incomplete},
    header::{BasicHeader, HEADER_LEN_MAX, MessageHeader},
};
use crate::{
    leniency::{ExtendedTimestampRule, Leniency},
    limits::Limits,
};

/// Reassembles the messages of one direction of a connection.
///
/// Each chunk stream keeps the header fields in force and the message being assembled. A message
/// takes one allocation, which grows with the bytes received and never with the length announced,
/// and each payload byte is copied out of the input once.
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
    /// Bytes of a header that is not complete yet.
    held: Held,
    /// The chunk whose payload is being read.
    current: Option<Current>,
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
            limits: AssemblyLimits {
                message_len: limits.message_len,
                incomplete_bytes: limits.incomplete_bytes,
                incomplete_messages: limits.incomplete_messages,
                chunks_per_message: limits.chunks_per_message,
            },
            streams: ChunkStreams::default(),
            held: Held::default(),
            current: None,
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
    /// The peer broke the format or passed a limit. The decoder cannot find the next header after
    /// that and must not be used again.
    pub fn decode(&mut self, input: &mut impl Buf) -> Result<Option<RawMessage>, ChunkError> {
        loop {
            let current = match self.current {
                Some(current) => current,
                None => match self.read_header(input) {
                    Some((basic, header)) => self.begin_chunk(basic, header)?,
                    None => return Ok(None),
                },
            };
            match self.read_payload(current, input) {
                Progress::Starved(current) => {
                    self.current = Some(current);
                    return Ok(None);
                }
                Progress::ChunkDone => self.current = None,
                Progress::MessageDone(message) => {
                    self.current = None;
                    return Ok(Some(message));
                }
            }
        }
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

    /// Reads the next chunk header, or keeps what there is of it.
    fn read_header(&mut self, input: &mut impl Buf) -> Option<(BasicHeader, MessageHeader)> {
        if self.held.is_empty() {
            let bytes = input.chunk();
            if let Ok((rest, parsed)) = self.parse_header(bytes) {
                let len = bytes.len() - rest.len();
                input.advance(len);
                return Some(self.accept_header(parsed));
            }
        }
        loop {
            let held = self.held.bytes();
            match self.parse_header(held) {
                Ok((rest, parsed)) => {
                    let len = held.len() - rest.len();
                    self.held.consume(len);
                    return Some(self.accept_header(parsed));
                }
                Err(_) if !input.has_remaining() => return None,
                Err(nom::Err::Incomplete(Needed::Size(needed))) => {
                    self.held.fill(needed.get(), input);
                }
                Err(_) => self.held.fill(1, input),
            }
        }
    }

    fn accept_header(&mut self, parsed: ParsedHeader) -> (BasicHeader, MessageHeader) {
        self.omits_extended |= parsed.omits_extended;
        (parsed.basic, parsed.message)
    }

    fn parse_header<'a>(&self, bytes: &'a [u8]) -> IResult<&'a [u8], ParsedHeader> {
        let (rest, basic) = BasicHeader::decode(bytes)?;
        let (rest, message) = MessageHeader::decode(basic.chunk_type, rest)?;
        let (rest, omits_extended) = match message {
            MessageHeader::Type3 => self.skip_repeated_extension(basic.csid, rest)?,
            _ => (rest, false),
        };
        let parsed = ParsedHeader {
            basic,
            message,
            omits_extended,
        };
        Ok((rest, parsed))
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

    /// Applies a chunk's header to its chunk stream and says how much payload follows.
    fn begin_chunk(
        &mut self,
        basic: BasicHeader,
        header: MessageHeader,
    ) -> Result<Current, ChunkError> {
        let csid = basic.csid;
        let stream = self.streams.entry(csid);
        let continues = header == MessageHeader::Type3 && stream.partial.is_some();
        if !continues {
            if let Some(partial) = stream.partial.take() {
                if !self.leniency.restarted_messages {
                    return Err(ChunkError::UnfinishedMessage { csid: csid.get() });
                }
                self.dropped_messages += 1;
                self.incomplete.release(&partial);
            }
            stream.header.begin_message(csid, header, &self.leniency)?;
            let length = stream.header.length;
            if length > self.limits.message_len {
                return Err(ChunkError::MessageTooLong {
                    length,
                    limit: self.limits.message_len,
                });
            }
            stream.partial = Some(self.incomplete.charge(length, &self.limits)?);
        }
        let partial = stream.partial.as_mut().expect("set just above");
        partial.chunks += 1;
        if partial.chunks > self.limits.chunks_per_message {
            return Err(ChunkError::TooManyChunks {
                limit: self.limits.chunks_per_message,
            });
        }
        Ok(Current {
            csid,
            remaining: partial.missing().min(self.chunk_size.as_usize()),
        })
    }

    fn read_payload(&mut self, mut current: Current, input: &mut impl Buf) -> Progress {
        let stream = self.streams.entry(current.csid);
        while current.remaining > 0 {
            let (bytes, is_held) = match self.held.is_empty() {
                true => (input.chunk(), false),
                false => (self.held.bytes(), true),
            };
            let bytes = bytes.get(..current.remaining).unwrap_or(bytes);
            let len = bytes.len();
            if len == 0 {
                return Progress::Starved(current);
            }
            // No message: it was aborted inside this chunk, whose rest is skipped.
            if let Some(partial) = &mut stream.partial {
                partial.extend(bytes);
            }
            current.remaining -= len;
            if is_held {
                self.held.consume(len);
            } else {
                input.advance(len);
            }
        }
        let Some(partial) = stream.partial.take_if(|partial| partial.missing() == 0) else {
            return Progress::ChunkDone;
        };
        self.incomplete.release(&partial);
        let header = &stream.header;
        let message = RawMessage {
            message_type: header.message_type,
            stream: header.stream,
            timestamp: header.timestamp,
            payload: Bytes::from(partial.payload),
        };
        Progress::MessageDone(message)
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

struct ParsedHeader {
    basic: BasicHeader,
    message: MessageHeader,
    /// It is a type 3 chunk that leaves out the extended timestamp in force.
    omits_extended: bool,
}

/// The chunk being read.
#[derive(Clone, Copy)]
struct Current {
    csid: ChunkStreamId,
    /// Payload bytes of it to come.
    remaining: usize,
}

enum Progress {
    /// The input ran out inside the chunk.
    Starved(Current),
    ChunkDone,
    MessageDone(RawMessage),
}

/// Up to a header's worth of bytes that arrived ahead of the rest.
#[derive(Default)]
struct Held {
    bytes: [u8; HEADER_LEN_MAX],
    len: usize,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

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

#[cfg(test)]
mod tests;
