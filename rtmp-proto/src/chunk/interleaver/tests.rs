use alloc::{collections::BTreeMap, vec, vec::Vec};

use bytes::Buf;
use proptest::{prelude::*, sample::select};

use super::*;
use crate::{
    chunk::{ChunkDecoder, ChunkSize, HeaderCompression},
    leniency::Leniency,
    limits::Limits,
};

const CONTROL: u32 = 2;
const COMMAND: u32 = 3;
const AUDIO: u32 = 4;
const DATA: u32 = 5;
const VIDEO: u32 = 6;

fn message(csid: u32, millis: u32, len: usize, mark: u8) -> RawMessage {
    let message_type = match csid {
        CONTROL => MessageType::ACKNOWLEDGEMENT,
        COMMAND => MessageType::COMMAND,
        AUDIO => MessageType::AUDIO,
        DATA => MessageType::DATA,
        _ => MessageType::VIDEO,
    };
    RawMessage::new(
        message_type,
        MessageStreamId::new(1),
        Timestamp::from_millis(millis),
        vec![mark; len].into(),
    )
    .unwrap()
}

struct Peer {
    interleaver: Interleaver,
    encoder: ChunkEncoder,
    queue: SendQueue,
    decoder: ChunkDecoder,
    received: Vec<RawMessage>,
}

impl Peer {
    fn new(chunk_size: u32, compression: HeaderCompression) -> Self {
        let mut encoder = ChunkEncoder::new(compression);
        let mut decoder = ChunkDecoder::new(&Limits::default(), Leniency::STRICT);
        let chunk_size = ChunkSize::new(chunk_size).unwrap();
        encoder.set_chunk_size(chunk_size);
        decoder.set_chunk_size(chunk_size);
        Self {
            interleaver: Interleaver::new(),
            encoder,
            queue: SendQueue::new(),
            decoder,
            received: Vec::new(),
        }
    }

    fn push(&mut self, csid: u32, message: &RawMessage, turn: Turn) {
        let csid = ChunkStreamId::new(csid).unwrap();
        self.interleaver.push(csid, message.clone(), turn);
    }

    /// Writes up to `count` chunks, and reads them.
    fn write(&mut self, count: usize) {
        for _ in 0..count {
            if !self
                .interleaver
                .write_chunk(&mut self.encoder, &mut self.queue)
            {
                break;
            }
        }
        while let Some(mut transmit) = self.queue.transmit() {
            while let Some(message) = self.decoder.decode(&mut transmit).unwrap() {
                if message.message_type == MessageType::ABORT {
                    let mut csid = message.payload().clone();
                    self.decoder
                        .abort(ChunkStreamId::new(csid.get_u32()).unwrap());
                }
                self.received.push(message);
            }
        }
    }

    fn lengths(&self) -> Vec<usize> {
        self.received
            .iter()
            .map(|message| message.payload().len())
            .collect()
    }
}

fn peer() -> Peer {
    Peer::new(100, HeaderCompression::Off)
}

/// What was pushed behind a large frame comes before its end, the most urgent first.
#[test]
fn small_messages_pass_a_large_one() {
    let mut peer = peer();
    peer.push(VIDEO, &message(VIDEO, 0, 1000, 0), Turn::InTurn);
    peer.write(2);
    peer.push(AUDIO, &message(AUDIO, 0, 250, 0), Turn::InTurn);
    peer.write(1);
    peer.push(COMMAND, &message(COMMAND, 0, 150, 0), Turn::AtOnce);
    peer.push(CONTROL, &message(CONTROL, 0, 4, 0), Turn::AtOnce);
    peer.push(DATA, &message(DATA, 0, 30, 0), Turn::InTurn);
    peer.write(usize::MAX);
    assert_eq!(peer.lengths(), [4, 150, 30, 250, 1000]);
    assert!(peer.interleaver.is_empty());
    assert_eq!(peer.interleaver.pending_len(), 0);
}

/// What ends a stream comes after its last frame, and what begins the next one after that.
#[test]
fn nothing_passes_the_end() {
    let mut peer = peer();
    peer.push(VIDEO, &message(VIDEO, 0, 1000, 0), Turn::InTurn);
    peer.write(1);
    peer.push(COMMAND, &message(COMMAND, 0, 20, 0), Turn::AfterAll);
    peer.push(CONTROL, &message(CONTROL, 0, 6, 0), Turn::AfterAll);
    peer.push(AUDIO, &message(AUDIO, 0, 10, 0), Turn::InTurn);
    peer.push(CONTROL, &message(CONTROL, 0, 4, 0), Turn::AtOnce);
    peer.push(COMMAND, &message(COMMAND, 0, 30, 0), Turn::AtOnce);
    peer.write(usize::MAX);
    // The acknowledgement and the answer wait for their own chunk streams only.
    assert_eq!(peer.lengths(), [1000, 20, 30, 6, 4, 10]);
}

/// A group of pictures that is pushed at once stays about as interleaved as it was.
#[test]
fn audio_does_not_run_away() {
    let mut peer = peer();
    for millis in (0..10_000).step_by(500) {
        peer.push(VIDEO, &message(VIDEO, millis, 200, 0), Turn::InTurn);
        peer.push(AUDIO, &message(AUDIO, millis, 10, 0), Turn::InTurn);
    }
    peer.write(usize::MAX);
    let mut video = 0;
    for message in &peer.received {
        let millis = i64::from(message.timestamp.as_millis());
        match message.message_type {
            MessageType::VIDEO => video = millis,
            _ => assert!(millis - video <= 1500, "audio {millis} after video {video}"),
        }
    }
    assert_eq!(peer.received.len(), 40);
}

/// PC-13, PC-14
#[test]
fn aborted_messages_do_not_arrive() {
    let mut peer = peer();
    let csid = ChunkStreamId::VIDEO;
    assert_eq!(peer.interleaver.abort(csid), None);
    peer.push(VIDEO, &message(VIDEO, 0, 1000, 0), Turn::InTurn);
    assert_eq!(peer.interleaver.abort(csid), None, "it has not begun");
    peer.write(3);
    peer.push(COMMAND, &message(COMMAND, 0, 20, 0), Turn::AfterAll);
    let abort = peer.interleaver.abort(csid).unwrap();
    peer.push(CONTROL, &abort, Turn::AtOnce);
    peer.push(VIDEO, &message(VIDEO, 40, 300, 0), Turn::InTurn);
    peer.write(usize::MAX);
    assert_eq!(peer.lengths(), [4, 20, 300]);
    assert_eq!(peer.interleaver.pending_len(), 0);
    assert_eq!(peer.decoder.dropped_messages(), 1);
}

fn step() -> impl Strategy<Value = (u32, Turn, u32, usize, usize)> {
    let csid = select(vec![CONTROL, COMMAND, AUDIO, DATA, VIDEO, 7, 64, 65_599]);
    let turn = prop_oneof![
        3 => Just(Turn::InTurn),
        1 => Just(Turn::AtOnce),
        1 => Just(Turn::AfterAll),
    ];
    let millis = prop_oneof![0..3000_u32, 0xFF_FFF0..0x100_0010_u32, any::<u32>()];
    (csid, turn, millis, 0..700_usize, 0..8_usize)
}

proptest! {
    /// Any schedule decodes to the same messages, in their order on each chunk stream; what came
    /// after all did; and nothing is left.
    #[test]
    fn any_schedule(
        steps in prop::collection::vec(step(), 0..40),
        chunk_size in 1..300_u32,
        is_compressed in any::<bool>(),
    ) {
        let compression = match is_compressed {
            true => HeaderCompression::Deltas,
            false => HeaderCompression::Off,
        };
        let mut peer = Peer::new(chunk_size, compression);
        let mut pushed = Vec::new();
        for (index, (csid, turn, millis, len, chunks)) in steps.into_iter().enumerate() {
            // Messages are told apart by their bytes, so none is empty.
            let mark = u8::try_from(index).unwrap();
            let message = message(csid, millis, len + 1, mark);
            peer.push(csid, &message, turn);
            pushed.push((csid, turn, message));
            peer.write(chunks);
        }
        peer.write(usize::MAX);
        prop_assert!(peer.interleaver.is_empty());
        prop_assert_eq!(peer.interleaver.pending_len(), 0);

        let arrival: BTreeMap<u8, usize> = peer
            .received
            .iter()
            .enumerate()
            .map(|(position, message)| (message.payload()[0], position))
            .collect();
        prop_assert_eq!(arrival.len(), pushed.len());
        prop_assert_eq!(peer.received.len(), pushed.len());
        for (index, (csid, turn, message)) in pushed.iter().enumerate() {
            let position = arrival[&message.payload()[0]];
            prop_assert_eq!(&peer.received[position], message);
            for (other_csid, other_turn, other) in &pushed[..index] {
                let is_after = arrival[&other.payload()[0]] < position;
                if csid == other_csid || *turn == Turn::AfterAll {
                    prop_assert!(is_after);
                }
                if *other_turn == Turn::AfterAll && *turn == Turn::InTurn {
                    prop_assert!(is_after);
                }
            }
        }
    }
}
