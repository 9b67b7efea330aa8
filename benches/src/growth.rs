//! What might make the cost of a message grow.
//!
//! Every group varies one thing. Where an implementation keeps its promise, the time for each
//! operation does not depend on it, or falls.

use std::{hint::black_box, sync::Arc};

use bytes::Buf;
use rtmp_proto::{
    AmfLimits, Instant, Leniency, Limits, SendQueue, ServerConfig, Session,
    amf::amf0,
    chunk::{ChunkDecoder, ChunkSize},
};

use crate::{
    contender::{Contender, Work},
    dialogue::Dialogue,
    ours::Ours,
    socket::Sender,
    values::{name, number},
    wire::write_one,
    workload::{AUDIO, Workload},
};

/// One thing that is varied.
#[derive(Debug)]
#[non_exhaustive]
pub struct Group {
    /// What is varied.
    pub title: &'static str,
    /// What is counted.
    pub operation: &'static str,
    /// From small to large.
    pub cases: Vec<Case>,
}

/// A size and the work for it.
#[non_exhaustive]
pub struct Case {
    /// The size.
    pub size: usize,
    /// How many operations `work` does.
    pub operations: usize,
    /// What is measured.
    pub work: Work<'static>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case")
            .field("size", &self.size)
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}

/// All groups.
pub fn groups() -> Vec<Group> {
    vec![
        group(
            "bytes of a message",
            "KiB",
            &[256, 4 << 10, 64 << 10, 1 << 20, 8 << 20],
            |len| decode(&Workload::uniform(TOTAL / len, len, 4096), TOTAL >> 10),
        ),
        group(
            "bytes of a chunk",
            "chunk",
            &[1, 16, 128, 1024, 4096],
            |chunk_size| {
                let count = (chunk_size / 64).max(1);
                let workload = Workload::uniform(count, 64 << 10, chunk_size);
                decode(&workload, count * ((64 << 10) / chunk_size))
            },
        ),
        // Copies what is there of a message for each of its chunks: shiguredo_rtmp.
        group(
            "chunks of a message",
            "chunk",
            &[8, 64, 512, 4096, 32_768],
            |chunks| {
                decode(
                    &Workload::uniform(32_768 / chunks, chunks * 128, 128),
                    32_768,
                )
            },
        ),
        group(
            "chunk streams",
            "message",
            &[1, 8, 60, 1000, 60_000],
            chunk_streams,
        ),
        group("message streams", "frame", &[1, 8, 32], message_streams),
        group("messages begun at a time", "chunk", &[1, 4, 16, 60], begun),
        // Slower for larger reads: rtmp-runtime.
        group(
            "bytes of a read",
            "message",
            &[64, 1460, 16 << 10, 256 << 10, 2 << 20],
            |piece| {
                let workload = Workload::uniform(TOTAL / 256, 256, 4096);
                let operations = workload.messages.len();
                let work = move || {
                    let sink = &mut |_, _, payload: &[u8]| {
                        black_box(payload);
                    };
                    Ours.decode(&workload, piece, sink).expect("it decodes");
                };
                (operations, Box::new(work))
            },
        ),
        // Moves the rest of the handshake for each read: rtmp-runtime.
        group(
            "reads of a handshake",
            "read",
            &[3, 30, 300, 3000],
            handshake,
        ),
        group("players", "player", &[1, 10, 100, 1000], |players| {
            let workload = Workload::live(4096);
            let messages = &workload.messages[..20];
            let fan_out = Ours.fan_out(messages, 4096, players);
            let mut fan_out = fan_out.expect("it encodes");
            let mut sender = Sender::new();
            (20 * players, Box::new(move || fan_out(&mut sender)))
        }),
        group(
            "bytes waiting to be written",
            "write",
            &[16 << 10, 256 << 10, 4 << 20],
            waiting,
        ),
        group(
            "properties of an object",
            "property",
            &[10, 100, 1000, 10_000],
            properties,
        ),
    ]
}

fn group(
    title: &'static str,
    operation: &'static str,
    sizes: &[usize],
    make: impl Fn(usize) -> (usize, Work<'static>),
) -> Group {
    let case = |&size| {
        let (operations, work) = make(size);
        Case {
            size,
            operations,
            work,
        }
    };
    Group {
        title,
        operation,
        cases: sizes.iter().map(case).collect(),
    }
}

fn decode(workload: &Workload, operations: usize) -> (usize, Work<'static>) {
    let workload = workload.clone();
    let work = move || {
        let sink = &mut |_, _, payload: &[u8]| {
            black_box(payload);
        };
        Ours.decode(&workload, 16 << 10, sink).expect("it decodes");
    };
    (operations, Box::new(work))
}

/// Messages of 100 bytes, each on another chunk stream than the one before.
fn chunk_streams(count: usize) -> (usize, Work<'static>) {
    let messages = 60_000;
    let mut wire = Vec::new();
    for n in 0..messages {
        let [.., high, low] = (n % count).to_be_bytes();
        wire.extend([0x01, low, high]);
        wire.extend([0, 0, 0, 0, 0, 100, 9, 1, 0, 0, 0]);
        wire.extend([0; 100]);
    }
    (messages, Box::new(move || decode_all(&wire, 128)))
}

/// Frames on each of `count` message streams in turn, through a session.
fn message_streams(count: usize) -> (usize, Work<'static>) {
    let frames = 10_000;
    let streams = u32::try_from(count).expect("few streams");
    let dialogue = Dialogue::publishing_on(streams, 4096);
    let mut wire = dialogue.bytes();
    for (stream, _) in (1..=streams).cycle().zip(0..frames) {
        write_one(&mut wire, 4, AUDIO, stream, &[0xAF; 100], 4096);
    }
    let work = move || Ours.serve(&wire).expect("it publishes");
    (frames, Box::new(work))
}

/// Messages of 64 chunks, `count` of them in turn.
fn begun(count: usize) -> (usize, Work<'static>) {
    let mut wire = Vec::new();
    let mut chunks = 0;
    while chunks < 15_000 {
        for chunk in 0..64 {
            for csid in (3_u8..).take(count) {
                match chunk {
                    0 => wire.extend([csid, 0, 0, 0, 0, 32, 0, 9, 1, 0, 0, 0]),
                    _ => wire.push(0xC0 | csid),
                }
                wire.extend([0; 128]);
                chunks += 1;
            }
        }
    }
    (chunks, Box::new(move || decode_all(&wire, 128)))
}

fn decode_all(wire: &[u8], chunk_size: u32) {
    let mut limits = Limits::default();
    // All that there can be, to see that many cost no more than few.
    limits.chunk_streams = usize::MAX;
    let mut decoder = ChunkDecoder::new(&limits, Leniency::default());
    decoder.set_chunk_size(ChunkSize::new(chunk_size).expect("a chunk size"));
    for mut piece in wire.chunks(16 << 10) {
        while let Some(message) = decoder.decode(&mut piece).expect("it is correct") {
            black_box(message);
        }
    }
}

fn handshake(reads: usize) -> (usize, Work<'static>) {
    let dialogue = Dialogue::publishing(4096);
    let piece = dialogue.handshake.len().div_ceil(reads);
    let work = move || {
        let config = Arc::new(ServerConfig::default());
        let mut session = Session::<rtmp_proto::Server>::new(Instant::ORIGIN, config, [7; 32]);
        for mut piece in dialogue.handshake.chunks(piece) {
            session.handle_input(Instant::ORIGIN, &mut piece);
        }
        black_box(session);
    };
    (reads, Box::new(work))
}

/// A queue that is never empty, written a little at a time.
fn waiting(len: usize) -> (usize, Work<'static>) {
    let writes = 1024;
    let work = move || {
        let mut queue = SendQueue::new();
        let mut queued = 0;
        for n in 0..writes + len / 100 {
            queue.copy(&[7; 100]);
            queued += 100;
            if n >= len / 100 {
                let mut transmit = queue.transmit().expect("it is not empty");
                black_box(transmit.chunk());
                transmit.advance(100);
                queued -= 100;
            }
        }
        black_box(queued);
    };
    (writes + len / 100, Box::new(work))
}

fn properties(count: usize) -> (usize, Work<'static>) {
    let mut bytes = vec![3];
    for n in 0..count {
        name(&mut bytes, &format!("property{n}"));
        number(&mut bytes, 1.0);
    }
    bytes.extend([0, 0, 9]);
    let rounds = 10_000 / count;
    let work = move || {
        for _ in 0..rounds {
            let _ = black_box(amf0::decode(black_box(&bytes), &AmfLimits::DATA));
        }
    };
    (rounds * count, Box::new(work))
}

/// Bytes of payload for each case.
const TOTAL: usize = 8 << 20;
