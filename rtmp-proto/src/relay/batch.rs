//! Frames that go to many players at once.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::{
    chunk::{
        CONTINUATION_LEN_MAX, ChunkEncoder, ChunkSize, ChunkStreamId, HEADER_LEN_MAX,
        HeaderCompression, MessageStreamId, RawMessage,
    },
    flv::{Frame, FrameKind},
    stats::MessageCounts,
    transmit::SendQueue,
};

/// Frames in the order in which players get them, and their bytes on the wire, made once for all.
///
/// [`Session::send_batch`](crate::Session::send_batch) hands the bytes on by reference, to every player
/// with the same chunk size and message stream: since each message begins with a full header, its bytes
/// depend on nothing else.
pub struct Batch {
    frames: Vec<Frame>,
    wire: Wire,
}

/// The chunks of a batch for players with this chunk size, on this message stream.
pub(crate) struct Wire {
    pub(crate) chunk_size: ChunkSize,
    pub(crate) stream: MessageStreamId,
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) counts: MessageCounts,
}

impl Batch {
    /// The chunks of `frames` in chunks of up to `chunk_size` bytes, on message stream 1, which is the
    /// one that nearly all players use.
    ///
    /// Payloads below 16 KiB are copied into one piece of memory, larger ones are taken by reference.
    /// Frames that are too long for a message are left out.
    pub fn new(frames: Vec<Frame>, chunk_size: ChunkSize) -> Self {
        let mut encoder = ChunkEncoder::new(HeaderCompression::Off);
        encoder.set_chunk_size(chunk_size);
        let room = frames.iter().map(|frame| room_for(frame, chunk_size)).sum();
        let mut queue = SendQueue::coalescing(COALESCED_LEN, room);
        let mut counts = MessageCounts::default();
        for frame in &frames {
            let message = RawMessage::new(
                frame.message_type(),
                STREAM,
                frame.timestamp,
                frame.payload.clone(),
            );
            if let Ok(message) = message {
                encoder.encode(frame.kind.chunk_stream(), &message, &mut queue);
                counts.messages += 1;
                counts.count_frame(&frame.kind);
            }
        }
        Self {
            frames,
            wire: Wire {
                chunk_size,
                stream: STREAM,
                pieces: queue.into_pieces(),
                counts,
            },
        }
    }

    /// Those of `batches`, which are for this chunk size, one after the other.
    pub(super) fn join(batches: &[&Self], chunk_size: ChunkSize) -> Self {
        let pieces = || batches.iter().flat_map(|batch| &batch.wire.pieces);
        let copied = pieces().filter(|piece| piece.len() < COALESCED_LEN);
        let room = copied.map(Bytes::len).sum();
        let mut queue = SendQueue::coalescing(COALESCED_LEN, room);
        let mut counts = MessageCounts::default();
        for piece in pieces() {
            queue.share(piece.clone());
        }
        for batch in batches {
            counts.add(&batch.wire.counts);
        }
        let frames = batches.iter().flat_map(|batch| batch.frames()).cloned();
        Self {
            frames: frames.collect(),
            wire: Wire {
                chunk_size,
                stream: STREAM,
                pieces: queue.into_pieces(),
                counts,
            },
        }
    }

    /// The frames.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Bytes on the wire.
    pub fn wire_len(&self) -> usize {
        self.wire.pieces.iter().map(Bytes::len).sum()
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("frames", &self.frames.len())
            .field("wire_len", &self.wire_len())
            .finish_non_exhaustive()
    }
}

impl FrameKind {
    /// Where frames of this kind travel.
    pub(crate) const fn chunk_stream(&self) -> ChunkStreamId {
        match self {
            Self::Audio(_) => ChunkStreamId::AUDIO,
            Self::Video(_) => ChunkStreamId::VIDEO,
            Self::Data(_) => ChunkStreamId::DATA,
        }
    }
}

/// Bytes of a frame that are copied, or a few more: a batch is kept as long as somebody may want it, and
/// should not keep the unused half of a grown buffer with it.
fn room_for(frame: &Frame, chunk_size: ChunkSize) -> usize {
    let (len, chunk_size) = (frame.payload.len(), chunk_size.as_usize());
    match len.min(chunk_size) {
        ..COALESCED_LEN => HEADER_LEN_MAX + len + len / chunk_size * CONTINUATION_LEN_MAX,
        _ => HEADER_LEN_MAX,
    }
}

const STREAM: MessageStreamId = MessageStreamId::new(1);

/// Payloads below this are copied: for hundreds of players, one piece of memory to write is cheaper
/// than many, and the copy is made once.
const COALESCED_LEN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::Timestamp;

    /// The room made ahead is enough, so that it is made once.
    #[test]
    fn there_is_room_for_what_is_copied() {
        for chunk_size in [1, 128, 4096, 65_536] {
            let chunk_size = ChunkSize::new(chunk_size).unwrap();
            for len in [0, 1, 127, 128, 129, 4095, 8192, COALESCED_LEN - 1] {
                for millis in [0, u32::MAX] {
                    let timestamp = Timestamp::from_millis(millis);
                    let frame = Frame::video(timestamp, vec![7; len].into());
                    let room = room_for(&frame, chunk_size);
                    let batch = Batch::new(vec![frame], chunk_size);
                    assert!(batch.wire_len() <= room, "{chunk_size:?} {len} {millis}");
                    assert_eq!(batch.wire.pieces.len(), 1);
                }
            }
        }
    }
}
