//! Properties of the chunk layer, held against a writer that shares no code with it.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test")]

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use proptest::{collection::vec, prelude::*, sample::select};
use rtmp_proto::{
    ExtendedTimestampRule, Leniency, Limits, SendQueue, Timestamp,
    chunk::{
        ChunkDecoder, ChunkEncoder, ChunkError, ChunkSize, ChunkStreamId, HeaderCompression,
        MessageStreamId, MessageType, RawMessage,
    },
};

proptest! {
    /// CH-2, CH-23, CH-26, CH-27, CH-30, CH-41, CH-46, CH-50, CH-51, CH-53, GEN-10: whatever mix of
    /// chunks a peer writes, each message comes out as it was meant, at any split of the bytes.
    #[test]
    fn decoder_reads_what_the_model_writes(
        dialect in select(DIALECTS),
        script in script(),
        split in split(),
    ) {
        let written = Writer::new(dialect).write(&script);
        prop_assume!(!written.is_ambiguous(dialect));
        let outcome = decode(decoder(&Limits::default(), dialect.leniency()), &written.wire, &split);
        prop_assert_eq!(outcome.error, None);
        prop_assert_eq!(outcome.messages, written.messages);
        prop_assert_eq!(outcome.dropped, written.dropped);
    }

    /// CH-57.
    #[test]
    fn encoder_and_decoder_agree(
        compress in any::<bool>(),
        strict in any::<bool>(),
        sends in vec(send(), 0..20),
        split in split(),
    ) {
        let compression = match compress {
            true => HeaderCompression::Deltas,
            false => HeaderCompression::Off,
        };
        let leniency = if strict { Leniency::STRICT } else { Leniency::default() };
        let mut encoder = ChunkEncoder::new(compression);
        let mut queue = SendQueue::new();
        let mut expected = Vec::new();
        for send in sends {
            if let Some(size) = send.new_chunk_size {
                let announcement = set_chunk_size(size);
                encoder.encode(ChunkStreamId::CONTROL, &announcement, &mut queue);
                encoder.set_chunk_size(ChunkSize::new(size).unwrap());
                expected.push(announcement);
            }
            let csid = ChunkStreamId::new(send.csid).unwrap();
            encoder.encode(csid, &send.message, &mut queue);
            expected.push(send.message);
        }
        let mut wire = Vec::new();
        while let Some(mut transmit) = queue.transmit() {
            let len = transmit.chunk().len();
            wire.extend_from_slice(transmit.chunk());
            transmit.advance(len);
        }
        let outcome = decode(decoder(&Limits::default(), leniency), &wire, &split);
        prop_assert_eq!(outcome.error, None);
        prop_assert_eq!(outcome.messages, expected);
        prop_assert_eq!(outcome.dropped, 0);
    }

    /// GEN-10, GEN-13.
    #[test]
    fn arbitrary_bytes_give_the_same_at_any_split(
        dialect in select(DIALECTS),
        wire in vec(prop_oneof![any::<u8>(), select(TELLING_BYTES)], 0..400),
        split in split(),
    ) {
        let make = || decoder(&small_limits(), dialect.leniency());
        let whole = decode(make(), &wire, &[]);
        prop_assert_eq!(decode(make(), &wire, &split), whole);
    }

    /// GEN-10, GEN-13: bytes that are nearly right reach further than arbitrary ones.
    #[test]
    fn damaged_bytes_give_the_same_at_any_split(
        dialect in select(DIALECTS),
        script in script(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        split in split(),
    ) {
        let mut wire = Writer::new(dialect).write(&script).wire;
        for (index, byte) in damage {
            let index = index.index(wire.len());
            wire[index] = byte;
        }
        let make = || decoder(&small_limits(), dialect.leniency());
        let whole = decode(make(), &wire, &[]);
        prop_assert_eq!(decode(make(), &wire, &split), whole);
    }
}

/// What came out of a decoder.
#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<RawMessage>,
    error: Option<ChunkError>,
    dropped: u64,
    chunk_size: u32,
}

fn decoder(limits: &Limits, leniency: Leniency) -> ChunkDecoder {
    ChunkDecoder::new(limits, leniency)
}

/// Decodes `wire` in calls of three pieces each, whose lengths are taken from `split` in turn; whole
/// if there are none. Applies control messages as a session does.
fn decode(mut decoder: ChunkDecoder, wire: &[u8], split: &[usize]) -> Outcome {
    let mut lengths = split.iter().copied().cycle();
    let mut rest = wire;
    let mut messages = Vec::new();
    let mut error = None;
    while error.is_none() && !rest.is_empty() {
        let mut piece = || {
            let len = lengths.next().unwrap_or(usize::MAX).min(rest.len());
            let (piece, tail) = rest.split_at(len);
            rest = tail;
            piece
        };
        let mut input = piece().chain(piece()).chain(piece());
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(message)) => {
                    apply(&mut decoder, &message);
                    messages.push(message);
                }
                Ok(None) => {
                    assert!(
                        !input.has_remaining(),
                        "None means that all input was taken"
                    );
                    break;
                }
                Err(violation) => {
                    error = Some(violation);
                    break;
                }
            }
        }
    }
    Outcome {
        messages,
        error,
        dropped: decoder.dropped_messages(),
        chunk_size: decoder.chunk_size().get(),
    }
}

fn apply(decoder: &mut ChunkDecoder, message: &RawMessage) {
    let Some(value) = message.payload().first_chunk() else {
        return;
    };
    let value = u32::from_be_bytes(*value);
    match message.message_type {
        MessageType::SET_CHUNK_SIZE => {
            if let Some(size) = ChunkSize::new(value) {
                decoder.set_chunk_size(size);
            }
        }
        MessageType::ABORT => {
            if let Some(csid) = ChunkStreamId::new(value) {
                decoder.abort(csid);
            }
        }
        _ => {}
    }
}

/// Limits that random bytes reach.
fn small_limits() -> Limits {
    let mut limits = Limits::default();
    limits.message_len = 1 << 16;
    limits.incomplete_bytes = 1 << 17;
    limits.incomplete_messages = 4;
    limits.chunks_per_message = 20;
    limits
}

/// How a peer writes, and how the decoder is told to read it.
#[derive(Clone, Copy, Debug)]
struct Dialect {
    extension: Extension,
    rule: ExtendedTimestampRule,
    strict: bool,
}

/// What a peer writes for the extended timestamp of a type 3 chunk.
#[derive(Clone, Copy, Debug)]
enum Extension {
    Repeated,
    Omitted,
    Zeros,
}

impl Dialect {
    fn leniency(self) -> Leniency {
        let mut leniency = if self.strict {
            Leniency::STRICT
        } else {
            Leniency::default()
        };
        leniency.extended_timestamp = self.rule;
        leniency
    }
}

const fn dialect(extension: Extension, rule: ExtendedTimestampRule, strict: bool) -> Dialect {
    Dialect {
        extension,
        rule,
        strict,
    }
}

const DIALECTS: &[Dialect] = &[
    dialect(Extension::Repeated, ExtendedTimestampRule::Always, true),
    dialect(Extension::Repeated, ExtendedTimestampRule::Always, false),
    dialect(Extension::Repeated, ExtendedTimestampRule::Detect, false),
    dialect(Extension::Zeros, ExtendedTimestampRule::Always, false),
    dialect(Extension::Zeros, ExtendedTimestampRule::Detect, false),
    dialect(Extension::Omitted, ExtendedTimestampRule::Never, false),
    dialect(Extension::Omitted, ExtendedTimestampRule::Detect, false),
    dialect(Extension::Omitted, ExtendedTimestampRule::Detect, true),
];

/// What the peer does, in terms that make sense in any state: the writer takes what is possible.
#[derive(Clone, Debug)]
enum Step {
    /// The next chunk of a lane, which begins `message` if the lane is idle.
    Chunk {
        lane: usize,
        message: Plan,
    },
    /// A new message on a lane, whatever the lane is doing.
    Restart {
        lane: usize,
        message: Plan,
    },
    Abort {
        lane: usize,
    },
    ChunkSize(u32),
}

#[derive(Clone, Debug)]
struct Plan {
    fmt: u8,
    /// Absolute for type 0, a delta for types 1 and 2.
    time: u32,
    length: usize,
    message_type: u8,
    stream: u32,
    /// Writes the chunk stream ID in three bytes where two would do.
    long_csid: bool,
}

#[derive(Clone, Debug)]
struct Script {
    csids: Vec<u32>,
    steps: Vec<Step>,
}

/// What the writer has written.
struct Written {
    wire: Vec<u8>,
    messages: Vec<RawMessage>,
    dropped: u64,
    /// Where an extension was left out, and its value.
    omissions: Vec<(usize, u32)>,
}

impl Written {
    /// Whether the bytes where an extension was left out look like one by chance.
    fn is_ambiguous(&self, dialect: Dialect) -> bool {
        dialect.rule == ExtendedTimestampRule::Detect
            && self.omissions.iter().any(|&(at, value)| {
                let seen = &self.wire[at..at + 4];
                seen == value.to_be_bytes() || seen == [0; 4]
            })
    }
}

/// The independent writer: the specification's rules, one after the other, without any cleverness.
struct Writer {
    dialect: Dialect,
    chunk_size: usize,
    lanes: BTreeMap<u32, Lane>,
    written: Written,
    next_fill: u8,
}

#[derive(Default)]
struct Lane {
    seen: bool,
    timestamp: u32,
    delta: u32,
    extension: Option<u32>,
    length: usize,
    message_type: u8,
    stream: u32,
    long_csid: bool,
    /// The message being written and how many bytes of it were.
    open: Option<(RawMessage, usize)>,
}

impl Writer {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            chunk_size: 128,
            lanes: BTreeMap::new(),
            written: Written {
                wire: Vec::new(),
                messages: Vec::new(),
                dropped: 0,
                omissions: Vec::new(),
            },
            next_fill: 0,
        }
    }

    fn write(mut self, script: &Script) -> Written {
        let csid = |lane: usize| script.csids[lane % script.csids.len()];
        for step in &script.steps {
            match step {
                Step::Chunk { lane, message } => {
                    if self.lane(csid(*lane)).open.is_some() {
                        self.continue_message(csid(*lane));
                    } else {
                        self.begin_message(csid(*lane), message);
                    }
                }
                Step::Restart { lane, message } => {
                    let csid = csid(*lane);
                    if self.lane(csid).open.is_none() {
                        self.begin_message(csid, message);
                    } else if !self.dialect.strict && message.fmt != 3 {
                        self.drop_message(csid);
                        self.begin_message(csid, message);
                    } else {
                        self.continue_message(csid);
                    }
                }
                Step::Abort { lane } => {
                    self.control_message(2, csid(*lane));
                    self.drop_message(csid(*lane));
                }
                Step::ChunkSize(size) => {
                    self.control_message(1, *size);
                    self.chunk_size = *size as usize;
                }
            }
        }
        for &csid in &script.csids {
            while self.lane(csid).open.is_some() {
                self.continue_message(csid);
            }
        }
        // Ends with bytes that settle whether an extension was left out before.
        self.control_message(3, 0x8181_8181);
        self.written
    }

    fn lane(&mut self, csid: u32) -> &mut Lane {
        self.lanes.entry(csid).or_default()
    }

    fn drop_message(&mut self, csid: u32) {
        if self.lane(csid).open.take().is_some() {
            self.written.dropped += 1;
        }
    }

    /// A whole message of four bytes on chunk stream 2.
    fn control_message(&mut self, message_type: u8, value: u32) {
        let plan = Plan {
            fmt: 0,
            time: 0,
            length: 4,
            message_type,
            stream: 0,
            long_csid: false,
        };
        self.begin_message_with(2, &plan, value.to_be_bytes().to_vec());
        while self.lane(2).open.is_some() {
            self.continue_message(2);
        }
    }

    fn begin_message(&mut self, csid: u32, plan: &Plan) {
        let lane = self.lane(csid);
        // Types 2 and 3 keep the length in force.
        let length = if lane.seen && plan.fmt >= 2 {
            lane.length
        } else {
            plan.length
        };
        let payload = (0..length).map(|_| self.fill()).collect();
        self.begin_message_with(csid, plan, payload);
    }

    fn begin_message_with(&mut self, csid: u32, plan: &Plan, payload: Vec<u8>) {
        let strict = self.dialect.strict;
        let lane = self.lane(csid);
        let fmt = match plan.fmt {
            1 if !strict => 1,
            _ if !lane.seen => 0,
            fmt => fmt,
        };
        if fmt <= 1 {
            lane.length = payload.len();
            lane.message_type = plan.message_type;
        }
        if fmt == 0 {
            lane.stream = plan.stream;
            lane.timestamp = plan.time;
            lane.delta = if !strict && plan.time > 10_000 {
                0
            } else {
                plan.time
            };
        } else {
            if fmt != 3 {
                lane.delta = plan.time;
            }
            lane.timestamp = lane.timestamp.wrapping_add(lane.delta);
        }
        if fmt != 3 {
            lane.extension = (plan.time >= 0xFF_FFFF).then_some(plan.time);
        }
        lane.seen = true;
        lane.long_csid = plan.long_csid;
        let message = raw(lane.message_type, lane.stream, lane.timestamp, payload);

        let mut header = Vec::new();
        if fmt < 3 {
            let field = plan.time.min(0xFF_FFFF).to_be_bytes();
            header.extend_from_slice(&field[1..]);
        }
        if fmt < 2 {
            let length = u32::try_from(lane.length).unwrap().to_be_bytes();
            header.extend_from_slice(&length[1..]);
            header.push(lane.message_type);
        }
        if fmt < 1 {
            header.extend_from_slice(&lane.stream.to_le_bytes());
        }
        if let (true, Some(extension)) = (fmt < 3, lane.extension) {
            header.extend_from_slice(&extension.to_be_bytes());
        }
        lane.open = Some((message, 0));
        self.chunk(csid, fmt, &header);
    }

    fn continue_message(&mut self, csid: u32) {
        self.chunk(csid, 3, &[]);
    }

    /// Writes a chunk with as much payload as fits.
    fn chunk(&mut self, csid: u32, fmt: u8, message_header: &[u8]) {
        let lane = self.lanes.get_mut(&csid).unwrap();
        let wire = &mut self.written.wire;
        let above = csid.saturating_sub(64);
        let [low, high, ..] = above.to_le_bytes();
        match csid {
            2..64 => wire.push(fmt * 64 + u8::try_from(csid).unwrap()),
            64..320 if !lane.long_csid => wire.extend_from_slice(&[fmt * 64, low]),
            _ => wire.extend_from_slice(&[fmt * 64 + 1, low, high]),
        }
        wire.extend_from_slice(message_header);
        if let (3, Some(extension)) = (fmt, lane.extension) {
            match self.dialect.extension {
                Extension::Repeated => wire.extend_from_slice(&extension.to_be_bytes()),
                Extension::Zeros => wire.extend_from_slice(&[0; 4]),
                Extension::Omitted => self.written.omissions.push((wire.len(), extension)),
            }
        }
        let (message, sent) = lane.open.as_mut().unwrap();
        let end = message.payload().len().min(*sent + self.chunk_size);
        wire.extend_from_slice(&message.payload()[*sent..end]);
        *sent = end;
        if end == message.payload().len() {
            let (message, _) = lane.open.take().unwrap();
            self.written.messages.push(message);
        }
    }

    fn fill(&mut self) -> u8 {
        self.next_fill = self.next_fill.wrapping_mul(5).wrapping_add(3);
        self.next_fill
    }
}

struct Send {
    csid: u32,
    new_chunk_size: Option<u32>,
    message: RawMessage,
}

impl std::fmt::Debug for Send {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {:?} {:?}",
            self.csid, self.new_chunk_size, self.message
        )
    }
}

fn raw(message_type: u8, stream: u32, timestamp: u32, payload: Vec<u8>) -> RawMessage {
    RawMessage::new(
        MessageType(message_type),
        MessageStreamId::new(stream),
        Timestamp::from_millis(timestamp),
        Bytes::from(payload),
    )
    .unwrap()
}

fn set_chunk_size(size: u32) -> RawMessage {
    raw(1, 0, 0, size.to_be_bytes().to_vec())
}

fn script() -> impl Strategy<Value = Script> {
    // Not chunk stream 2, where the writer's control messages go.
    let csids = vec(csid().prop_filter("control", |&csid| csid != 2), 1..5);
    (csids, vec(step(), 0..40)).prop_map(|(csids, steps)| Script { csids, steps })
}

fn step() -> impl Strategy<Value = Step> {
    let lane = 0..4_usize;
    prop_oneof![
        20 => (lane.clone(), plan()).prop_map(|(lane, message)| Step::Chunk { lane, message }),
        1 => (lane.clone(), plan()).prop_map(|(lane, message)| Step::Restart { lane, message }),
        1 => lane.prop_map(|lane| Step::Abort { lane }),
        2 => chunk_size().prop_map(Step::ChunkSize),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        0..4_u8,
        time(),
        length(),
        8..23_u8,
        any::<u32>(),
        any::<bool>(),
    )
        .prop_map(
            |(fmt, time, length, message_type, stream, long_csid)| Plan {
                fmt,
                time,
                length,
                message_type,
                stream,
                long_csid,
            },
        )
}

/// Few message streams, times and lengths, so that headers compress.
fn send() -> impl Strategy<Value = Send> {
    let csid = prop_oneof![3 => select(&[2, 3, 64, 320][..]), 1 => csid()];
    let message = (8..10_u8, 0..2_u32, time(), length())
        .prop_map(|(message_type, stream, at, len)| raw(message_type, stream, at, vec![7; len]));
    (csid, prop::option::weighted(0.2, chunk_size()), message).prop_map(
        |(csid, new_chunk_size, message)| Send {
            csid,
            new_chunk_size,
            message,
        },
    )
}

fn csid() -> impl Strategy<Value = u32> {
    prop_oneof![2..64_u32, 64..320_u32, 320..65_600_u32]
}

fn chunk_size() -> impl Strategy<Value = u32> {
    prop_oneof![
        1..10_u32,
        10..300_u32,
        select(&[4096, 0xFF_FFFF, 0x7FFF_FFFF][..])
    ]
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 1..6_usize, 120..140_usize, 0..500_usize]
}

fn time() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => 0..50_u32,
        1 => 9_990..10_010_u32,
        2 => 0xFF_FFFD..0x100_0002_u32,
        1 => 0x7FFF_FFFE..0x8000_0002_u32,
        1 => 0xFFFF_FFF0..=u32::MAX,
        1 => any::<u32>(),
    ]
}

fn split() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        vec(1..8_usize, 1..10),
        vec(1..300_usize, 1..10),
        // Empty pieces, as chained buffers have them.
        vec(0..3_usize, 1..10).prop_map(|mut split| {
            split.push(1);
            split
        }),
    ]
}

/// Bytes that open headers, mark extensions and make short lengths.
const TELLING_BYTES: &[u8] = &[0, 1, 2, 3, 0x43, 0x83, 0xC3, 0xC0, 0xFF];
