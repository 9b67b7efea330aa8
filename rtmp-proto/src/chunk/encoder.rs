//! From messages to chunks.

use alloc::collections::BTreeMap;

use super::{
    ChunkSize, ChunkStreamId, ChunkType, MessageStreamId, MessageType, RawMessage,
    header::{BasicHeader, HeaderBytes, MessageHeader, WireTime},
};
use crate::{timestamp::Timestamp, transmit::SendQueue};

/// Cuts messages into the chunks of one direction of a connection.
///
/// By default the first chunk of each message has a full header (type 0) and the others none
/// (type 3), with the extended timestamp repeated. Then the bytes of a message depend on nothing
/// but the message, the chunk size and the chunk stream, which is what every deployed server relies
/// on and every peer reads alike. No message ever begins with a type 3 chunk: readers disagree about
/// the timestamp it means.
///
/// [RTMP 1.0 §5.3]
#[derive(Debug)]
pub struct ChunkEncoder {
    chunk_size: ChunkSize,
    compression: HeaderCompression,
    /// The last message of each chunk stream; kept only if headers are compressed.
    previous: BTreeMap<ChunkStreamId, Previous>,
}

/// Whether messages may begin with headers that refer to the message before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderCompression {
    /// Every message begins with a type 0 chunk.
    #[default]
    Off,
    /// Messages begin with type 1 or 2 where these can express them: 4 or 8 bytes less a message.
    Deltas,
}

impl ChunkEncoder {
    /// An encoder at the start of the chunk stream, just after the handshake.
    pub fn new(compression: HeaderCompression) -> Self {
        Self {
            chunk_size: ChunkSize::INITIAL,
            compression,
            previous: BTreeMap::new(),
        }
    }

    /// Cuts the following messages into chunks of up to `chunk_size` bytes. The peer must have been
    /// told with a Set Chunk Size message encoded before.
    pub fn set_chunk_size(&mut self, chunk_size: ChunkSize) {
        self.chunk_size = chunk_size;
    }

    /// The chunk size in force.
    pub fn chunk_size(&self) -> ChunkSize {
        self.chunk_size
    }

    /// Appends the chunks of `message` to `queue`. Large payloads are queued by reference.
    pub fn encode(&mut self, csid: ChunkStreamId, message: &RawMessage, queue: &mut SendQueue) {
        let header = self.message_header(csid, message);
        let mut bytes = HeaderBytes::new();
        let basic = |chunk_type| BasicHeader { chunk_type, csid };
        basic(header.chunk_type()).encode(&mut bytes);
        header.encode(&mut bytes);
        queue.copy(&bytes);

        let mut payload = message.payload().clone();
        let first = payload.split_to(payload.len().min(self.chunk_size.as_usize()));
        queue.share(first);
        if payload.is_empty() {
            return;
        }
        bytes.clear();
        basic(ChunkType::Type3).encode(&mut bytes);
        if let Some(extended) = header.extended_field() {
            bytes.extend_from_slice(&extended.to_be_bytes());
        }
        while !payload.is_empty() {
            queue.copy(&bytes);
            queue.share(payload.split_to(payload.len().min(self.chunk_size.as_usize())));
        }
    }

    fn message_header(&mut self, csid: ChunkStreamId, message: &RawMessage) -> MessageHeader {
        let current = Previous::of(message);
        let previous = match self.compression {
            HeaderCompression::Off => None,
            HeaderCompression::Deltas => self.previous.insert(csid, current),
        };
        let Some(previous) = previous.filter(|previous| {
            previous.stream == current.stream && !current.timestamp.is_before(previous.timestamp)
        }) else {
            return MessageHeader::Type0 {
                timestamp: WireTime::new(current.timestamp.as_millis()),
                length: current.length,
                message_type: current.message_type,
                stream: current.stream,
            };
        };
        let delta = current.timestamp.delta_since(previous.timestamp);
        let delta = WireTime::new(delta.as_millis());
        if (previous.length, previous.message_type) == (current.length, current.message_type) {
            MessageHeader::Type2 { delta }
        } else {
            MessageHeader::Type1 {
                delta,
                length: current.length,
                message_type: current.message_type,
            }
        }
    }
}

/// The header fields of the last message of a chunk stream.
#[derive(Clone, Copy, Debug)]
struct Previous {
    timestamp: Timestamp,
    length: u32,
    message_type: MessageType,
    stream: MessageStreamId,
}

impl Previous {
    fn of(message: &RawMessage) -> Self {
        Self {
            timestamp: message.timestamp,
            length: u32::try_from(message.payload().len())
                .expect("a RawMessage holds at most 24 bits' worth"),
            message_type: message.message_type,
            stream: message.stream,
        }
    }
}
