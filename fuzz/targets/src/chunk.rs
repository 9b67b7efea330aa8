//! The chunk stream.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use bytes::Buf;
use rtmp_proto::{
    Leniency, Limits, MessageStreamId, SendQueue, Timestamp,
    chunk::{
        ChunkDecoder, ChunkEncoder, ChunkError, ChunkSize, ChunkStreamId, HeaderCompression,
        Interleaver, MessageType, RawMessage, Turn,
    },
    message::Control,
};

use crate::input::{payload, small_limits};

/// Any split of the bytes gives the same messages, and these survive the way through chunks.
///
/// The first byte is the configuration and the length of the pieces, the rest are chunks.
pub fn chunk_decoder(data: &[u8]) {
    let Some((&config, wire)) = data.split_first() else {
        return;
    };
    let limits = match config & 1 {
        0 => Limits::default(),
        _ => small_limits(),
    };
    let leniency = match config & 2 {
        0 => Leniency::ALL,
        _ => Leniency::STRICT,
    };
    let whole = decode(ChunkDecoder::new(&limits, leniency), wire, usize::MAX);
    let piece = 1 + usize::from(config >> 2);
    let pieces = decode(ChunkDecoder::new(&limits, leniency), wire, piece);
    assert_eq!(whole, pieces);

    for compression in [HeaderCompression::Off, HeaderCompression::Deltas] {
        let messages = whole.0.iter().map(|message| (lane(message), message));
        let encoded = encode(compression, ChunkSize::INITIAL, messages);
        assert_eq!(decode_plainly(&encoded), whole.0);
    }
}

/// Messages on any chunk streams, in chunks of any size, one after another or in turns, arrive as they
/// were sent.
pub fn chunk_messages(data: &[u8]) {
    let mut u = Unstructured::new(data);
    // A structure that ends early is one as well.
    let _ = send_messages(&mut u);
}

fn send_messages(u: &mut Unstructured<'_>) -> Result<()> {
    let compression = match u.arbitrary()? {
        true => HeaderCompression::Deltas,
        false => HeaderCompression::Off,
    };
    let mut messages = Vec::new();
    let mut turns = Vec::new();
    let mut time = 0_u32;
    while !u.is_empty() && messages.len() < 20 {
        let csid = match u.arbitrary()? {
            true => u.int_in_range(2..=70)?,
            false => u.int_in_range(2..=ChunkStreamId::MAX.get())?,
        };
        time = match u.int_in_range(0..=3)? {
            0 => u.arbitrary()?,
            1 => time.wrapping_add(u.int_in_range(0xFF_FF00..=0x100_0100)?),
            _ => time.wrapping_add(u.int_in_range(0..=50)?),
        };
        let message = RawMessage::new(
            // Not one of those that change how chunks are read.
            MessageType(u.int_in_range(7..=255)?),
            MessageStreamId::new(u.arbitrary()?),
            Timestamp::from_millis(time),
            payload(u)?,
        );
        let csid = ChunkStreamId::new(csid).expect("within bounds");
        messages.push((csid, message.expect("short enough")));
        let turn = *u.choose(&[Turn::AtOnce, Turn::InTurn, Turn::InTurn, Turn::AfterAll])?;
        turns.push((turn, u.int_in_range(0..=3)?));
    }
    // Not so small that the budget for tiny chunks ends it.
    let size = ChunkSize::new(u.int_in_range(1..=70_000)?).expect("not 0");
    let pairs = messages.iter().map(|(csid, message)| (*csid, message));
    let wire = encode(compression, size, pairs);
    let sent: Vec<_> = messages
        .iter()
        .map(|(_, message)| message.clone())
        .collect();
    for leniency in [Leniency::ALL, Leniency::STRICT] {
        let decoder = ChunkDecoder::new(&Limits::default(), leniency);
        let (received, error) = decode(decoder, &wire, usize::MAX);
        assert_eq!(error, None);
        assert_eq!(received[1..], sent);
    }
    check_interleaved(&messages, &turns, compression, size);
    Ok(())
}

/// Those of each chunk stream arrive in their order; `turns` has the turn of each, and the number of chunks
/// that are written before the next is pushed.
fn check_interleaved(
    messages: &[(ChunkStreamId, RawMessage)],
    turns: &[(Turn, u8)],
    compression: HeaderCompression,
    size: ChunkSize,
) {
    let mut encoder = ChunkEncoder::new(compression);
    encoder.set_chunk_size(size);
    let mut interleaver = Interleaver::new();
    let mut queue = SendQueue::new();
    let mut sent = BTreeMap::<_, Vec<_>>::new();
    for ((csid, message), (turn, chunks)) in messages.iter().zip(turns) {
        let mut message = message.clone();
        // By which it can be told on which chunk stream it was.
        message.stream = MessageStreamId::new(csid.get());
        sent.entry(message.stream)
            .or_default()
            .push(message.clone());
        interleaver.push(*csid, message, *turn);
        for _ in 0..*chunks {
            interleaver.write_chunk(&mut encoder, &mut queue);
        }
    }
    while interleaver.write_chunk(&mut encoder, &mut queue) {}
    assert!(interleaver.is_empty());
    assert_eq!(interleaver.pending_len(), 0);
    let mut decoder = ChunkDecoder::new(&Limits::default(), Leniency::STRICT);
    decoder.set_chunk_size(size);
    let (received, error) = decode(decoder, &taken(&mut queue), usize::MAX);
    assert_eq!(error, None);
    let mut arrived = BTreeMap::<_, Vec<_>>::new();
    for message in received {
        arrived.entry(message.stream).or_default().push(message);
    }
    assert_eq!(arrived, sent);
}

/// Messages of a type share a chunk stream.
fn lane(message: &RawMessage) -> ChunkStreamId {
    ChunkStreamId::new(3 + u32::from(message.message_type.0)).expect("within bounds")
}

/// The messages behind a Set Chunk Size.
fn encode<'a>(
    compression: HeaderCompression,
    size: ChunkSize,
    messages: impl IntoIterator<Item = (ChunkStreamId, &'a RawMessage)>,
) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new(compression);
    let mut queue = SendQueue::new();
    if size != ChunkSize::INITIAL {
        let announcement = Control::SetChunkSize(size).encode();
        encoder.encode(ChunkStreamId::CONTROL, &announcement, &mut queue);
        encoder.set_chunk_size(size);
    }
    for (csid, message) in messages {
        encoder.encode(csid, message, &mut queue);
    }
    taken(&mut queue)
}

fn taken(queue: &mut SendQueue) -> Vec<u8> {
    let mut wire = Vec::new();
    while let Some(mut transmit) = queue.transmit() {
        let len = transmit.chunk().len();
        wire.extend_from_slice(transmit.chunk());
        transmit.advance(len);
    }
    assert!(queue.is_empty());
    wire
}

/// Decodes in pieces, with control messages applied as a session does it.
fn decode(
    mut decoder: ChunkDecoder,
    wire: &[u8],
    piece: usize,
) -> (Vec<RawMessage>, Option<ChunkError>) {
    let mut messages = Vec::new();
    for mut bytes in wire.chunks(piece) {
        loop {
            match decoder.decode(&mut bytes) {
                Ok(None) => {
                    assert!(bytes.is_empty(), "input is left and nothing came of it");
                    break;
                }
                Ok(Some(message)) => {
                    if let Ok(control) = Control::decode(message.message_type, message.payload()) {
                        apply(&mut decoder, control);
                    }
                    messages.push(message);
                }
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn apply(decoder: &mut ChunkDecoder, control: Control) {
    match control {
        Control::SetChunkSize(size) => decoder.set_chunk_size(size),
        Control::Abort { csid } => {
            if let Some(csid) = ChunkStreamId::new(csid) {
                decoder.abort(csid);
            }
        }
        _ => {}
    }
}

/// Decodes chunks of the initial size, whatever the messages say.
fn decode_plainly(mut wire: &[u8]) -> Vec<RawMessage> {
    let mut limits = Limits::default();
    limits.chunks_per_message = u32::MAX;
    let mut decoder = ChunkDecoder::new(&limits, Leniency::STRICT);
    let mut messages = Vec::new();
    while let Some(message) = decoder.decode(&mut wire).expect("well-formed chunks") {
        messages.push(message);
    }
    assert!(!decoder.is_mid_message());
    messages
}
