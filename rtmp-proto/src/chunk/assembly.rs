//! Messages in the making: what each chunk stream remembers.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    ChunkStreamId, MessageStreamId, MessageType, decoder::ChunkError, header::MessageHeader,
};
use crate::{
    leniency::Leniency,
    limits::Limits,
    timestamp::{Timestamp, TimestampDelta},
};

/// All chunk streams seen: the usual low IDs by index, the others in a map.
#[derive(Default)]
pub(super) struct ChunkStreams {
    low: Vec<ChunkStream>,
    high: BTreeMap<ChunkStreamId, ChunkStream>,
}

impl ChunkStreams {
    #[inline]
    pub(super) fn get(&self, csid: ChunkStreamId) -> Option<&ChunkStream> {
        match csid.get() as usize {
            index @ ..LOW_CSIDS => self.low.get(index),
            _ => self.high.get(&csid),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, csid: ChunkStreamId) -> Option<&mut ChunkStream> {
        match csid.get() as usize {
            index @ ..LOW_CSIDS => self.low.get_mut(index),
            _ => self.high.get_mut(&csid),
        }
    }

    #[inline]
    pub(super) fn entry(&mut self, csid: ChunkStreamId) -> &mut ChunkStream {
        match csid.get() as usize {
            index @ ..LOW_CSIDS => {
                if self.low.len() <= index {
                    self.low.resize_with(index + 1, ChunkStream::default);
                }
                self.low.get_mut(index).expect("resized just above")
            }
            _ => self.high.entry(csid).or_default(),
        }
    }
}

#[derive(Default)]
pub(super) struct ChunkStream {
    pub(super) header: HeaderInForce,
    pub(super) partial: Option<Partial>,
}

/// The header fields that the next compressed header of a chunk stream refers to.
#[derive(Default)]
pub(super) struct HeaderInForce {
    /// Whether any header was seen: zero fields alone do not tell (a zero-length message sets them).
    pub(super) seen: bool,
    pub(super) timestamp: Timestamp,
    pub(super) delta: TimestampDelta,
    /// The extended field of the last type 0, 1 or 2 chunk, if it had one.
    pub(super) extended: Option<u32>,
    pub(super) length: usize,
    pub(super) message_type: MessageType,
    pub(super) stream: MessageStreamId,
}

impl HeaderInForce {
    /// Takes over the fields of a header that begins a message.
    #[inline(always)]
    pub(super) fn begin_message(
        &mut self,
        csid: ChunkStreamId,
        header: MessageHeader,
        leniency: &Leniency,
    ) -> Result<(), ChunkError> {
        let acceptable_fresh = match header {
            MessageHeader::Type0 { .. } => true,
            MessageHeader::Type1 { .. } | MessageHeader::Type2 { .. } => {
                leniency.fresh_compressed_headers
            }
            MessageHeader::Type3 => false,
        };
        if !self.seen && !acceptable_fresh {
            return Err(ChunkError::NoPrecedingHeader { csid: csid.get() });
        }
        self.seen = true;
        match header {
            MessageHeader::Type0 {
                timestamp,
                length,
                message_type,
                stream,
            } => {
                self.timestamp = Timestamp::from_millis(timestamp.millis);
                self.delta = TimestampDelta::from_millis(match timestamp.millis {
                    SAME_TIME_MIN_MILLIS.. if leniency.type3_after_type0_may_mean_same_time => 0,
                    millis => millis,
                });
                self.extended = timestamp.extended_field();
                self.length = length as usize;
                self.message_type = message_type;
                self.stream = stream;
                return Ok(());
            }
            MessageHeader::Type1 {
                delta,
                length,
                message_type,
            } => {
                self.delta = TimestampDelta::from_millis(delta.millis);
                self.extended = delta.extended_field();
                self.length = length as usize;
                self.message_type = message_type;
            }
            MessageHeader::Type2 { delta } => {
                self.delta = TimestampDelta::from_millis(delta.millis);
                self.extended = delta.extended_field();
            }
            MessageHeader::Type3 => {}
        }
        self.timestamp = self.timestamp.wrapping_add(self.delta);
        Ok(())
    }
}

/// The messages begun and not finished, by their declared lengths.
#[derive(Debug, Default)]
pub(super) struct Incomplete {
    pub(super) bytes: usize,
    // As wide as `bytes`, the two would be added to as one vector, and that waits for what was written
    // one by one before.
    pub(super) messages: u32,
}

impl Incomplete {
    /// Whether a message of `length` bytes may begin, whose whole length counts from its first header
    /// on.
    #[inline]
    pub(super) fn admit(&self, length: usize, limits: &AssemblyLimits) -> Result<(), ChunkError> {
        let declared = self.bytes + length;
        if declared > limits.incomplete_bytes {
            return Err(ChunkError::TooManyIncompleteBytes {
                declared,
                limit: limits.incomplete_bytes,
            });
        }
        if usize::try_from(self.messages).is_ok_and(|begun| begun >= limits.incomplete_messages) {
            return Err(ChunkError::TooManyIncompleteMessages {
                limit: limits.incomplete_messages,
            });
        }
        Ok(())
    }

    /// Begins a message that was admitted.
    #[inline]
    pub(super) fn charge(&mut self, length: usize) -> Partial {
        self.bytes += length;
        self.messages += 1;
        Partial::new(length)
    }

    #[inline]
    pub(super) fn release(&mut self, partial: &Partial) {
        self.bytes -= partial.length;
        self.messages -= 1;
    }
}

/// A message being assembled.
pub(super) struct Partial {
    pub(super) payload: Vec<u8>,
    pub(super) length: usize,
    pub(super) chunks: u32,
}

impl Partial {
    #[inline]
    pub(super) fn new(length: usize) -> Self {
        Self {
            payload: Vec::new(),
            length,
            chunks: 0,
        }
    }

    #[inline]
    pub(super) fn missing(&self) -> usize {
        self.length - self.payload.len()
    }

    /// Appends `bytes`, which must not exceed what is missing, when `following` bytes have arrived
    /// after them and all messages begun declare `declared` bytes.
    ///
    /// Memory of exactly the message's length is allocated at once while little is declared, else
    /// capacity at most doubles what has arrived, beyond a small first allocation, and ends at exactly
    /// the message's length. What follows counts as arrived for the only message begun: it cannot be
    /// of several.
    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8], following: usize, declared: usize) {
        let filled = self.payload.len() + bytes.len();
        if filled > self.payload.capacity() {
            self.grow(filled, following, declared);
        }
        self.payload.extend_from_slice(bytes);
    }

    #[cold]
    fn grow(&mut self, filled: usize, following: usize, declared: usize) {
        let arrived = match declared == self.length {
            true => filled + following,
            false => filled,
        };
        let capacity = match declared {
            ..=ALLOCATED_AHEAD => self.length,
            _ => (arrived * 2).max(FIRST_ALLOCATION).min(self.length),
        };
        self.payload.reserve_exact(capacity - self.payload.len());
    }
}

/// The bounds on assembly, of [`Limits`](crate::Limits).
pub(super) struct AssemblyLimits {
    pub(super) message_len: usize,
    pub(super) incomplete_bytes: usize,
    pub(super) incomplete_messages: usize,
    pub(super) chunk_streams: usize,
    pub(super) chunks_per_message: u32,
}

impl AssemblyLimits {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            message_len: limits.message_len,
            incomplete_bytes: limits.incomplete_bytes,
            incomplete_messages: limits.incomplete_messages,
            chunk_streams: limits.chunk_streams,
            // Every message has one.
            chunks_per_message: limits.chunks_per_message.max(1),
        }
    }
}

/// Chunk stream IDs of the one-byte form.
const LOW_CSIDS: usize = 64;

/// The least timestamp to which [`Leniency::type3_after_type0_may_mean_same_time`] applies.
const SAME_TIME_MIN_MILLIS: u32 = 10_001;

/// Up to so many bytes declared by the messages begun, memory for them is allocated before they
/// arrive. The frames of most streams are shorter, so each needs one allocation.
pub(super) const ALLOCATED_AHEAD: usize = 128 << 10;

/// Allocated at once for a message beyond that. 64 messages that were only begun take half a MiB.
pub(super) const FIRST_ALLOCATION: usize = 8 << 10;
