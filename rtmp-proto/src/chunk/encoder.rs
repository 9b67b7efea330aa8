//! From messages to chunks.

use alloc::{collections::BTreeMap, vec::Vec};

use bytes::Bytes;

use super::{
    ChunkSize, ChunkStreamId, MessageStreamId, MessageType, RawMessage,
    header::{BasicHeader, Continuation, MessageHeader, WireTime},
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

    pub(crate) fn compression(&self) -> HeaderCompression {
        self.compression
    }

    /// Appends the chunks of `message` to `queue`. Large payloads are queued by reference.
    pub fn encode(&mut self, csid: ChunkStreamId, message: &RawMessage, queue: &mut SendQueue) {
        let payload = message.payload();
        let chunk_size = self.chunk_size.as_usize();
        let is_small = payload.len() <= chunk_size && payload.len() < queue.share_threshold();
        let mut extended = None;
        queue.write(|out| {
            extended = self.encode_header(csid, message, out);
            if is_small {
                out.extend_from_slice(payload);
            }
        });
        if !is_small {
            let header = Continuation::new(csid, extended);
            encode_large(payload, chunk_size, header, queue);
        }
    }

    /// Appends the header of the first chunk; gives the extended timestamp, if it has one.
    #[inline]
    fn encode_header(
        &mut self,
        csid: ChunkStreamId,
        message: &RawMessage,
        out: &mut Vec<u8>,
    ) -> Option<u32> {
        let id = csid.get();
        let time = WireTime::new(message.timestamp.as_millis());
        if self.compression == HeaderCompression::Off && id < 64 && !time.extended {
            // Nearly all are like this: basic header and type 0 in three words.
            let kind = u32::from(message.message_type.0);
            let words = [
                (id << 24 | time.millis).to_be_bytes(),
                (length(message) << 8 | kind).to_be_bytes(),
                message.stream.get().to_le_bytes(),
            ];
            out.extend_from_slice(words.as_flattened());
            return None;
        }
        self.encode_any_header(csid, message, out)
    }

    /// As [`encode_header`](Self::encode_header), apart so that the usual case stays small.
    #[inline(never)]
    fn encode_any_header(
        &mut self,
        csid: ChunkStreamId,
        message: &RawMessage,
        out: &mut Vec<u8>,
    ) -> Option<u32> {
        let header = self.message_header(csid, message);
        let chunk_type = header.chunk_type();
        BasicHeader { chunk_type, csid }.encode(out);
        header.encode(out);
        header.extended_field()
    }

    pub(super) fn message_header(
        &mut self,
        csid: ChunkStreamId,
        message: &RawMessage,
    ) -> MessageHeader {
        if self.compression == HeaderCompression::Off {
            return full_header(message);
        }
        let current = Previous::of(message);
        let previous = self.previous.insert(csid, current);
        let Some(previous) = previous.filter(|previous| {
            previous.stream == current.stream && !current.timestamp.is_before(previous.timestamp)
        }) else {
            return full_header(message);
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

fn full_header(message: &RawMessage) -> MessageHeader {
    MessageHeader::Type0 {
        timestamp: WireTime::new(message.timestamp.as_millis()),
        length: length(message),
        message_type: message.message_type,
        stream: message.stream,
    }
}

fn length(message: &RawMessage) -> u32 {
    u32::try_from(message.payload().len()).expect("a RawMessage holds at most 24 bits' worth")
}

/// Queues a payload of several chunks or of a large one, whose first header is queued.
#[inline(never)]
fn encode_large(payload: &Bytes, chunk_size: usize, header: Continuation, queue: &mut SendQueue) {
    if chunk_size.min(payload.len()) >= queue.share_threshold() {
        return queue.share_chunks(payload.clone(), chunk_size, header);
    }
    queue.write(|out| {
        for (index, chunk) in payload.chunks(chunk_size).enumerate() {
            if index > 0 {
                out.extend_from_slice(header.bytes());
            }
            out.extend_from_slice(chunk);
        }
    });
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
            length: length(message),
            message_type: message.message_type,
            stream: message.stream,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use bytes::{Buf, Bytes};
    use hex_literal::hex;

    use super::*;

    fn message(at: u32, message_type: MessageType, stream: u32, payload: &[u8]) -> RawMessage {
        RawMessage::new(
            message_type,
            MessageStreamId::new(stream),
            Timestamp::from_millis(at),
            Bytes::copy_from_slice(payload),
        )
        .unwrap()
    }

    fn encode(encoder: &mut ChunkEncoder, csid: u32, message: &RawMessage) -> Vec<u8> {
        let mut queue = SendQueue::new();
        encoder.encode(ChunkStreamId::new(csid).unwrap(), message, &mut queue);
        let Some(mut transmit) = queue.transmit() else {
            return Vec::new();
        };
        let len = transmit.remaining();
        transmit.copy_to_bytes(len).to_vec()
    }

    fn plain() -> ChunkEncoder {
        ChunkEncoder::new(HeaderCompression::Off)
    }

    fn deltas() -> ChunkEncoder {
        ChunkEncoder::new(HeaderCompression::Deltas)
    }

    /// CH-24, CH-35, CH-36, CH-49, CH-56.
    #[test]
    fn worked_example_2() {
        let payload: Vec<u8> = (0..307_u32).map(|i| (i % 251) as u8).collect();
        let wire = [
            &hex!("04 0003E8 000133 09 3A300000")[..],
            &payload[..128],
            &hex!("C4"),
            &payload[128..256],
            &hex!("C4"),
            &payload[256..],
        ]
        .concat();
        let video = message(1000, MessageType::VIDEO, 12346, &payload);
        assert_eq!(encode(&mut plain(), 4, &video), wire);
        assert_eq!(encode(&mut deltas(), 4, &video), wire);
    }

    /// CH-8: chunk streams of each basic header form.
    #[test]
    fn basic_header_forms() {
        for (csid, first, following) in [
            (63, &hex!("3F")[..], &hex!("FF")[..]),
            (64, &hex!("00 00"), &hex!("C0 00")),
            (319, &hex!("00 FF"), &hex!("C0 FF")),
            (365, &hex!("01 2D 01"), &hex!("C1 2D 01")),
            (65_599, &hex!("01 FF FF"), &hex!("C1 FF FF")),
        ] {
            let wire = [
                first,
                &hex!("000001 000081 08 01000000"),
                &[7; 128],
                following,
                &hex!("07"),
            ]
            .concat();
            let audio = message(1, MessageType::AUDIO, 1, &[7; 129]);
            assert_eq!(encode(&mut plain(), csid, &audio), wire);
        }
    }

    /// CH-17, CH-18, CH-45: the extension is repeated on type 3 chunks.
    #[test]
    fn extended_timestamps() {
        for (at, field, extension) in [
            (0xFF_FFFE, hex!("FFFFFE"), &[][..]),
            (0xFF_FFFF, hex!("FFFFFF"), &hex!("00FFFFFF")),
            (0x0100_0000, hex!("FFFFFF"), &hex!("01000000")),
            (u32::MAX, hex!("FFFFFF"), &hex!("FFFFFFFF")),
        ] {
            let wire = [
                &hex!("06")[..],
                &field,
                &hex!("000081 09 01000000"),
                extension,
                &[7; 128],
                &hex!("C6"),
                extension,
                &hex!("07"),
            ]
            .concat();
            let video = message(at, MessageType::VIDEO, 1, &[7; 129]);
            assert_eq!(encode(&mut plain(), 6, &video), wire);
        }
    }

    /// CH-14, CH-20, CH-22, CH-31.
    #[test]
    fn deltas_use_the_shortest_header_but_never_type3() {
        let mut encoder = deltas();
        let audio = |at, payload: &[u8]| message(at, MessageType::AUDIO, 1, payload);
        for (at, payload, wire) in [
            (20, &[7][..], &hex!("04 000014 000001 08 01000000 07")[..]),
            (40, &[7], &hex!("84 000014 07")),
            (60, &[7], &hex!("84 000014 07")),
            (60, &[7, 8], &hex!("44 000000 000002 08 0708")),
        ] {
            assert_eq!(encode(&mut encoder, 4, &audio(at, payload)), wire);
        }
        let video = message(61, MessageType::VIDEO, 1, &[7, 8]);
        assert_eq!(
            encode(&mut encoder, 4, &video),
            hex!("44 000001 000002 09 0708")
        );
    }

    /// CH-15, CH-38: a step back in time and another message stream take a full header.
    #[test]
    fn deltas_fall_back_to_type0() {
        let mut encoder = deltas();
        let audio = |at, stream| message(at, MessageType::AUDIO, stream, &[7]);
        for (at, stream, wire) in [
            (20, 1, &hex!("04 000014 000001 08 01000000 07")[..]),
            (19, 1, &hex!("04 000013 000001 08 01000000 07")),
            (20, 2, &hex!("04 000014 000001 08 02000000 07")),
            (21, 2, &hex!("84 000001 07")),
        ] {
            assert_eq!(encode(&mut encoder, 4, &audio(at, stream)), wire);
        }
        // The history is kept per chunk stream.
        assert_eq!(
            encode(&mut encoder, 5, &audio(22, 2)),
            hex!("05 000016 000001 08 02000000 07")
        );
    }

    /// CH-32, CH-33, GEN-7: deltas across the wrap, extended ones, and half the range.
    #[test]
    fn deltas_at_the_edges() {
        for (from, to, wire) in [
            (u32::MAX, 9, &hex!("84 00000A 07")[..]),
            (0, 0xFF_FFFE, &hex!("84 FFFFFE 07")),
            (0, 0xFF_FFFF, &hex!("84 FFFFFF 00FFFFFF 07")),
            (0, 0x7FFF_FFFF, &hex!("84 FFFFFF 7FFFFFFF 07")),
            (
                0,
                0x8000_0000,
                &hex!("04 FFFFFF 000001 08 01000000 80000000 07"),
            ),
        ] {
            let mut encoder = deltas();
            let audio = |at| message(at, MessageType::AUDIO, 1, &[7]);
            encode(&mut encoder, 4, &audio(from));
            assert_eq!(encode(&mut encoder, 4, &audio(to)), wire);
        }
    }

    /// CH-45: type 3 chunks repeat an extended delta, not the timestamp.
    #[test]
    fn extended_delta_is_repeated() {
        let mut encoder = deltas();
        encode(&mut encoder, 4, &message(5, MessageType::AUDIO, 1, &[]));
        let wire = [
            &hex!("44 FFFFFF 000081 08 01000000")[..],
            &[7; 128],
            &hex!("C4 01000000 07"),
        ]
        .concat();
        let audio = message(0x0100_0005, MessageType::AUDIO, 1, &[7; 129]);
        assert_eq!(encode(&mut encoder, 4, &audio), wire);
    }

    /// CH-37: a message without payload is its header.
    #[test]
    fn zero_length_message() {
        let empty = message(5, MessageType::AUDIO, 1, &[]);
        assert_eq!(
            encode(&mut plain(), 4, &empty),
            hex!("04 000005 000000 08 01000000")
        );
    }

    /// CH-36: a payload of a whole number of chunks has no empty chunk after it.
    #[test]
    fn payload_of_whole_chunks() {
        let mut encoder = plain();
        encoder.set_chunk_size(ChunkSize::new(2).unwrap());
        assert_eq!(encoder.chunk_size().get(), 2);
        let audio = message(5, MessageType::AUDIO, 1, &hex!("01020304"));
        assert_eq!(
            encode(&mut encoder, 4, &audio),
            hex!("04 000005 000004 08 01000000 0102 C4 0304")
        );
    }

    /// PC-11: a size holds until the next one.
    #[test]
    fn chunk_size_changes_between_messages() {
        let mut encoder = plain();
        let audio = message(5, MessageType::AUDIO, 1, &[7; 300]);
        for (size, chunks) in [(128, 3), (1, 300), (299, 2), (300, 1), (0x7FFF_FFFF, 1)] {
            encoder.set_chunk_size(ChunkSize::new(size).unwrap());
            let wire = encode(&mut encoder, 4, &audio);
            assert_eq!(wire.len(), 12 + 300 + (chunks - 1), "chunk size {size}");
        }
    }

    /// A frame for many players exists once.
    #[test]
    fn large_payload_is_queued_by_reference() {
        let mut encoder = plain();
        encoder.set_chunk_size(ChunkSize::new(4096).unwrap());
        let payload = Bytes::from(vec![7; 10_000]);
        let video = RawMessage::new(
            MessageType::VIDEO,
            MessageStreamId::new(1),
            Timestamp::ZERO,
            payload.clone(),
        )
        .unwrap();
        let mut queue = SendQueue::new();
        encoder.encode(ChunkStreamId::VIDEO, &video, &mut queue);
        let transmit = queue.transmit().unwrap();
        let shared: Vec<_> = transmit
            .slices()
            .skip(1)
            .step_by(2)
            .map(<[u8]>::as_ptr)
            .collect();
        let expected: Vec<_> = payload.chunks(4096).map(<[u8]>::as_ptr).collect();
        assert_eq!(shared, expected);
    }
}
