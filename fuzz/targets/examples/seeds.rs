//! Makes the seed corpora from captures of real peers: `cargo run -p rtmp-fuzz-targets --example seeds`.
//!
//! They are small, since libFuzzer is better with small inputs, and end where the targets need nothing
//! more: of each kind of message there are a few. `rtmp-proto/tests/data/PROVENANCE.md` says where the
//! captures come from.
#![allow(clippy::indexing_slicing, reason = "the captures are known")]

use std::{
    collections::BTreeMap,
    fs,
    io::Result,
    path::{Path, PathBuf},
};

use bytes::{Buf, Bytes};
use rtmp_proto::{
    AmfLimits, Leniency, Limits, MessageStreamId, SendQueue, Timestamp,
    amf::{Object, Value, amf0, amf3},
    chunk::{
        ChunkDecoder, ChunkEncoder, ChunkStreamId, HeaderCompression, MessageType, RawMessage,
    },
    flv::{FileWriter, Frame},
    message::{
        AggregateBuilder, Control, SharedName, SharedObject, SharedObjectEvent, Slot, decode_data,
    },
};

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = Corpus(root.join("../corpus"));
    for (name, capture) in captures(&root.join("../../rtmp-proto/tests/data"))? {
        let is_server = name.ends_with("server");
        // 1 is the tail of a fresh server's or client's input, the others begin behind the handshake.
        let (head, chunks) = capture.split_at(HANDSHAKE_LEN.min(capture.len()));
        corpus.add(
            "handshake",
            &name,
            &[&[if is_server { 1 } else { 2 }, 0], head],
        )?;
        if chunks.is_empty() {
            continue;
        }
        let chunks = &chunks[..chunks.len().min(CHUNKS_LEN_MAX)];
        corpus.add("chunk_decoder", &name, &[&[0xFC], chunks])?;
        // A session behind its handshake, with nothing said yet; or a player that was told to play.
        let (target, stage) = match (is_server, name.contains("play")) {
            (false, _) => ("server_session", 1),
            (true, true) => ("client_session", 4),
            (true, false) => ("client_session", 3),
        };
        corpus.add(target, &name, &[&[stage << 3, 0xFF], chunks])?;
        add_messages(&corpus, &name, &messages(chunks))?;
    }
    add_texts(&corpus)?;
    add_others(&corpus)?;
    add_dialogues(&corpus)?;
    add_bits(&corpus)
}

/// One of each kind and first byte.
fn add_messages(corpus: &Corpus, capture: &str, messages: &[RawMessage]) -> Result<()> {
    let mut kinds = BTreeMap::new();
    let mut frames: Vec<Frame> = Vec::new();
    for message in messages {
        let payload = message.payload();
        if payload.is_empty() || payload.len() > PAYLOAD_LEN_MAX {
            continue;
        }
        let make = match message.message_type {
            MessageType::AUDIO => Some(Frame::audio as fn(_, _) -> _),
            MessageType::VIDEO => Some(Frame::video as _),
            MessageType::DATA => Some(Frame::data as _),
            _ => None,
        };
        frames.extend(make.map(|make| make(message.timestamp, payload.clone())));
        let count = kinds.entry((
            message.message_type.0,
            payload[..payload.len().min(2)].to_vec(),
        ));
        let count = count.and_modify(|count| *count += 1).or_insert(0);
        let is_command = message.message_type == MessageType::COMMAND;
        if *count > if is_command { 8 } else { 0 } {
            continue;
        }
        let kind = message.message_type.0;
        let name = format!("{capture}-{kind}-{:02x}-{count}", payload[0]);
        corpus.add("message", &name, &[&[kind], payload])?;
        match message.message_type {
            MessageType::COMMAND | MessageType::DATA => {
                corpus.add("amf0", &name, &[payload])?;
                let values = decode_data(payload, &AmfLimits::DATA).expect("a capture");
                let mut encoded = Vec::new();
                amf3::encode_all(&values, &mut encoded);
                corpus.add("amf3", &name, &[&encoded])?;
                for value in values.iter().filter(|value| value.as_object().is_some()) {
                    let name = format!("{name}-{}", value.as_object().map_or(0, |o| o.len()));
                    let mut encoded = vec![0];
                    amf0::encode(value, &mut encoded);
                    corpus.add("amf_typed", &format!("{name}-amf0"), &[&encoded])?;
                    let mut encoded = vec![1];
                    amf3::encode(value, &mut encoded);
                    corpus.add("amf_typed", &format!("{name}-amf3"), &[&encoded])?;
                }
            }
            MessageType::AUDIO | MessageType::VIDEO => corpus.add("flv_body", &name, &[payload])?,
            _ => {}
        }
    }
    for frame in frames.iter().filter(|frame| frame.is_sequence_header()) {
        // AVC is the first of the target's codecs, AAC the seventh.
        let (codec, name) = match frame.is_video() {
            true => (0, format!("{capture}-avc")),
            false => (6, format!("{capture}-aac")),
        };
        corpus.add("flv_config", &name, &[&[codec], &frame.body()])?;
    }
    if frames.is_empty() {
        return Ok(());
    }
    let mut aggregate = AggregateBuilder::new();
    for frame in frames.iter().take(4) {
        aggregate.push(frame).expect("short enough");
    }
    let aggregate = aggregate.finish(MessageStreamId::new(1)).expect("frames");
    corpus.add("aggregate", capture, &[&[0; 5], aggregate.payload()])?;
    let mut file = FileWriter::header(true, true).to_vec();
    let mut writer = FileWriter::new();
    for frame in frames.iter().take(12) {
        writer
            .encode(frame, &mut file)
            .expect("a message's payload");
    }
    corpus.add("flv_file", capture, &[&[0xFF], &file])
}

fn add_texts(corpus: &Corpus) -> Result<()> {
    for (name, text) in [
        ("plain", "rtmp://host/live/key\nrtmp://other/live"),
        (
            "secrets",
            "rtmps://user:pass@[::1]:443/app?token=x/key?sign=y\n/elsewhere?a=b",
        ),
        (
            "instance",
            "rtmp://host:1935/app/_definst_/mp4:a/b\n//other:1936/app/",
        ),
        ("app-and-name", "live/_definst_?a=1\n/key?b=%20&c"),
        ("segment", "rtmp://host/a/b/c\nd"),
    ] {
        corpus.add("url", name, &[text.as_bytes()])?;
    }
    Ok(())
}

/// What the captures have nothing of.
fn add_others(corpus: &Corpus) -> Result<()> {
    for (name, path) in [
        ("open", "/open/1"),
        ("send", "/send/session/17"),
        ("ident", "/fcs/ident2?x"),
    ] {
        // The first byte says that it is one.
        corpus.add("rtmpt", name, &[&[0], path.as_bytes()])?;
    }
    // Behind the handshake of a client and a server, at the first chunk and further on.
    for (name, head) in [
        ("client-handshake", [0, 9, 0, 9]),
        ("client-first", [0, 99, 0x0C, 0x01]),
        ("client-last", [0, 255, 0x10, 0]),
        ("server-handshake", [1, 9, 0, 0]),
        ("server-first", [1, 99, 0x0C, 0x01]),
        ("server-last", [1, 255, 0x0D, 0]),
    ] {
        corpus.add("rtmpe", name, &[&head, &[0, 0, 1, 0, 0]])?;
    }
    let name = SharedName::new("scores").expect("short enough");
    let slot = Slot {
        name: SharedName::new("player").expect("short enough"),
        value: 7.0.into(),
    };
    let events = [
        SharedObjectEvent::Use,
        SharedObjectEvent::UseSuccess,
        SharedObjectEvent::Clear,
        SharedObjectEvent::RequestChange(vec![slot.clone()]),
        SharedObjectEvent::Change(vec![slot]),
        SharedObjectEvent::Success(name.clone()),
        SharedObjectEvent::SendMessage(vec!["handler".into(), Value::Null]),
        SharedObjectEvent::Status {
            code: name.clone(),
            level: name.clone(),
        },
        SharedObjectEvent::Remove(name.clone()),
        SharedObjectEvent::Release,
    ];
    let message = events
        .into_iter()
        .fold(SharedObject::new(name), SharedObject::with);
    let message = message.encode();
    corpus.add("shared_object", "amf0", &[&[0], &message])?;
    corpus.add("shared_object", "amf3", &[&[2, 0], &message])
}

/// What the captured peers do not say, to sessions that are as far as it takes.
fn add_dialogues(corpus: &Corpus) -> Result<()> {
    let named = |name: &str| [Value::Null, name.into()];
    let play2 = Object::new()
        .with("oldStreamName", "key")
        .with("streamName", "other")
        .with("transition", "switch");
    let player = Script::default()
        .command(1, "pause", 4.0, &[Value::Null, true.into(), 10.0.into()])
        .command(1, "pause", 5.0, &[Value::Null, false.into(), 10.0.into()])
        .command(1, "seek", 6.0, &[Value::Null, 1000.0.into()])
        .command(1, "receiveAudio", 0.0, &[Value::Null, false.into()])
        .command(1, "receiveVideo", 0.0, &[Value::Null, true.into()])
        .command(1, "play2", 7.0, &[Value::Null, play2.into()])
        .command(0, "getStreamLength", 8.0, &named("key"))
        .command(0, "FCUnsubscribe", 9.0, &named("key"))
        .message(
            MessageType::USER_CONTROL,
            0,
            b"\0\x03\0\0\0\x01\0\0\x0B\xB8",
        )
        .command(1, "closeStream", 0.0, &[Value::Null])
        .command(0, "close", 0.0, &[Value::Null]);
    let publisher = Script::default()
        .command(0, "FCPublish", 4.0, &named("key"))
        .message(MessageType::AUDIO, 1, b"\xAF\0\x12\x10")
        .message(MessageType::VIDEO, 1, b"\x17\x01\0\0\0picture")
        .message(MessageType::AGGREGATE, 1, AGGREGATE)
        .message(
            MessageType::DATA_AMF3,
            1,
            b"\0\x02\0\x0AonTextData\x11\x0A\x0B\x01\x01",
        )
        .command(0, "FCUnpublish", 5.0, &named("key"))
        .command(0, "deleteStream", 6.0, &[Value::Null, 1.0.into()])
        .command(0, "_checkbw", 7.0, &[Value::Null]);
    let anyone = Script::default()
        .message(MessageType::WINDOW_ACK_SIZE, 0, &[0, 0, 1, 0])
        .message(MessageType::SET_PEER_BANDWIDTH, 0, &[0, 0, 2, 0, 2])
        .message(MessageType::ACKNOWLEDGEMENT, 0, &[0, 0, 1, 0])
        .message(MessageType::ABORT, 0, &[0, 0, 0, 3])
        .message(MessageType::USER_CONTROL, 0, b"\0\x06\0\0\0\x09")
        .message(MessageType::USER_CONTROL, 0, b"\0\x1A")
        .message(MessageType::SHARED_OBJECT, 0, SHARED_OBJECT)
        .message(
            MessageType::COMMAND_AMF3,
            0,
            b"\0\x02\0\x04call\0\x40\x20\0\0\0\0\0\0\x11\x09\x03\x01\x04\x07",
        )
        .message(MessageType(99), 0, b"anything")
        .command(0, "_result", 4.0, &[Value::Null, true.into()])
        .command(0, "_error", 3.0, &[Value::Null, status("NetStream.Failed")]);
    let mut statuses = Script::default();
    for code in [
        "NetStream.Play.Reset",
        "NetStream.Play.PublishNotify",
        "NetStream.Play.UnpublishNotify",
        "NetStream.Pause.Notify",
        "NetStream.Seek.Notify",
        "NetConnection.Connect.ReconnectRequest",
        "NetStream.Play.Stop",
        "NetStream.Unpublish.Success",
    ] {
        statuses = statuses.command(1, "onStatus", 0.0, &[Value::Null, status(code)]);
    }
    let statuses = statuses
        .message(
            MessageType::DATA,
            1,
            b"\x02\0\x11|RtmpSampleAccess\x01\x01\x01\x01",
        )
        .message(
            MessageType::DATA,
            1,
            b"\x02\0\x0AonMetaData\x08\0\0\0\0\0\0\x09",
        )
        .message(MessageType::VIDEO, 1, b"\x17\x01\0\0\0picture")
        .message(MessageType::USER_CONTROL, 0, b"\0\x01\0\0\0\x01")
        .command(0, "onBWDone", 0.0, &[Value::Null])
        .command(0, "close", 0.0, &[Value::Null]);
    for (target, name, stage, script) in [
        ("server_session", "player", 5, &player),
        ("server_session", "publisher", 4, &publisher),
        ("server_session", "anyone", 3, &anyone),
        ("client_session", "player", 6, &statuses),
        ("client_session", "publisher", 7, &statuses),
        ("client_session", "anyone", 6, &anyone),
        ("client_session", "answers", 3, &anyone),
    ] {
        // With calls that wait for answers, and an answer to the question which file plays.
        let head = [stage << 3 | 0xC0, 0xFF];
        corpus.add(target, name, &[&head, &script.0])?;
    }
    Ok(())
}

fn status(code: &str) -> Value {
    Object::new()
        .with("level", "status")
        .with("code", code)
        .into()
}

/// What a peer sends, in chunks.
#[derive(Default)]
struct Script(Vec<u8>);

impl Script {
    fn command(self, stream: u32, name: &str, id: f64, values: &[Value]) -> Self {
        let mut payload = Vec::new();
        amf0::encode_all(&[name.into(), id.into()], &mut payload);
        amf0::encode_all(values, &mut payload);
        self.message(MessageType::COMMAND, stream, &payload)
    }

    fn message(mut self, kind: MessageType, stream: u32, payload: &[u8]) -> Self {
        let payload = Bytes::copy_from_slice(payload);
        let raw = RawMessage::new(kind, MessageStreamId::new(stream), Timestamp::ZERO, payload);
        let mut queue = SendQueue::new();
        let mut encoder = ChunkEncoder::new(HeaderCompression::Off);
        let raw = raw.expect("short enough");
        encoder.encode(ChunkStreamId::COMMAND, &raw, &mut queue);
        while let Some(mut transmit) = queue.transmit() {
            let len = transmit.chunk().len();
            self.0.extend_from_slice(transmit.chunk());
            transmit.advance(len);
        }
        self
    }
}

/// For structures made of bytes: a few that go on for long enough.
fn add_bits(corpus: &Corpus) -> Result<()> {
    let targets = [
        "aggregate",
        "amf_values",
        "auth",
        "broadcast",
        "chunk_messages",
        "dialogue",
        "flv_frames",
        "pair",
        "relay",
        "rtmpt",
        "shared_object",
    ];
    for target in targets {
        for seed in 1..=6_u64 {
            let mut state = seed;
            let bytes: Vec<u8> = (0..256 << (seed % 3)).map(|_| next(&mut state)).collect();
            corpus.add(target, &format!("bits-{seed}"), &[&bytes])?;
        }
    }
    Ok(())
}

/// Knuth's linear congruential generator.
fn next(state: &mut u64) -> u8 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    state.to_be_bytes()[0]
}

fn captures(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut captures = BTreeMap::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = name.replace("dialogue-", "").replace("-c0c1", "");
            captures.insert(name, fs::read(&path)?);
        }
    }
    Ok(captures)
}

fn messages(mut chunks: &[u8]) -> Vec<RawMessage> {
    let mut decoder = ChunkDecoder::new(&Limits::default(), Leniency::default());
    let mut messages = Vec::new();
    while let Some(message) = decoder.decode(&mut chunks).expect("a capture") {
        let control = Control::decode(message.message_type, message.payload());
        if let Ok(Control::SetChunkSize(size)) = control {
            decoder.set_chunk_size(size);
        }
        messages.push(message);
    }
    messages
}

struct Corpus(PathBuf);

impl Corpus {
    fn add(&self, target: &str, name: &str, parts: &[&[u8]]) -> Result<()> {
        let directory = self.0.join(target);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(name), parts.concat())
    }
}

const HANDSHAKE_LEN: usize = 1 + 2 * 1536;
const CHUNKS_LEN_MAX: usize = 4000;
const PAYLOAD_LEN_MAX: usize = 600;

/// AAC and its configuration.
const AGGREGATE: &[u8] = b"\x08\0\0\x04\0\0\0\0\0\0\0\xAF\0\x12\x10\0\0\0\x0F\
    \x08\0\0\x03\0\0\x17\0\0\0\0\xAF\x01\x21\0\0\0\x0E";

/// `so`, which the client wants to use.
const SHARED_OBJECT: &[u8] = b"\0\x02so\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0";
