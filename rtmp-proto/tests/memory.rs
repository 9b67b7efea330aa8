//! What a peer can make a session allocate, counted by the allocator.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::scripted::{COMMANDS, Scripted, app, command, handshake};
use peak_alloc::PeakAlloc;
use rtmp_proto::{
    ClientConfig, ClientSession, Driver, Instant, Limits, MessageStreamId, Role, Server,
    ServerConfig, ServerEvent, ServerSession, Session, SessionState, Timestamp,
    amf::{Object, Value},
    flv::Frame,
    message::AggregateBuilder,
};

/// One test for all, since what others allocate meanwhile would be counted, too.
#[test]
fn allocations_are_bounded() {
    idle_sessions();
    before_connect();
    declared_and_not_sent();
    incomplete_messages();
    chunk_streams();
    values();
    replies_nobody_reads();
    tiny_messages();
    aggregates();
    nothing_is_left_behind();
    kept_frames();
    kept_frame_of_many();
    kept_frame_of_a_short_read();
}

/// What every connection costs.
fn idle_sessions() {
    let mut session = None;
    let peak = peak(|| session = Some(server(|_| {})));
    assert!(peak < 8 * KIB, "server: {peak}");
    let mut session = session.unwrap();
    let handshake = handshake();
    let opened = feed(&mut session, &handshake);
    assert!(opened < 16 * KIB, "handshake: {opened}");
    let peak = self::peak(|| {
        ClientSession::new(Instant::ORIGIN, Arc::new(ClientConfig::default()), [1; 32]);
    });
    assert!(peak < 16 * KIB, "client: {peak}");
}

/// All that a peer can do to a server that has not let it in, in one session.
fn before_connect() {
    let early = Limits::default().before_connect;
    let mut session = server(|_| {});
    let mut wire = handshake();
    // Two messages begun, and all but sent.
    let length = early.incomplete_bytes / 2 - 4000;
    for csid in [10, 11] {
        wire.extend(begin(csid, length, 9, 128));
        for sent in (128..length - 128).step_by(128) {
            wire.push(0xC0 | csid);
            wire.extend(vec![0x17; 128.min(length - sent)]);
        }
    }
    let mut peer = Scripted::connected();
    for csid in (12..70).filter(|csid| *csid != 64) {
        wire.extend(peer.encode(csid, 8, 0, 0, &[0xAF]));
    }
    let incomplete = feed(&mut session, &wire);
    assert!(!session.is_closed());
    assert!(incomplete > early.incomplete_bytes / 2, "{incomplete}");
    // Questions, and no answer read.
    let storm = peer.encode(3, 20, 0, 0, &command("createStream", 2.0, &[Value::Null]));
    let replies = feed(&mut session, &storm.repeat(10_000));
    assert!(!session.wants_read());
    assert!(replies < 4 * early.output_queue, "{replies}");
    take_output(&mut session);
    // A `connect` of a few kilobytes that decodes into as much as it may.
    let mut payload = command("connect", 1.0, &[app("live")]);
    payload.extend([3, 0, 1, b'a', 2, 0x0F, 0xA0]);
    payload.extend(vec![b'x'; 4000]);
    payload.extend([0, 0, 9]);
    payload.extend([7, 0, 1].repeat(15));
    payload.extend([3, 0, 0, 9].repeat(900));
    let wire = peer.encode(3, 20, 0, 0, &payload);
    let values = feed(&mut session, &wire);
    assert_eq!(session.state(), SessionState::Connected);
    let sum = incomplete + replies + values;
    assert!(
        sum < 512 * KIB,
        "{incomplete} + {replies} + {values} = {sum}"
    );
}

/// Lengths cost next to nothing: memory comes with the bytes, but for 128 KiB in all and 8 KiB for each
/// message.
fn declared_and_not_sent() {
    let mut session = open(|_| {});
    let wire = begin(3, 0xFF_FFFF, 20, 128);
    let peak = feed(&mut session, &wire);
    assert!(peak < 10 * KIB, "one: {peak}");

    for length in [2000, 40_000, 400_000] {
        let mut session = open(|_| {});
        let mut wire: Vec<u8> = (3..62)
            .flat_map(|csid| begin(csid, length, 9, 128))
            .collect();
        // What arrives with them is another message's.
        wire.extend(begin(62, 60_000, 9, 128));
        for _ in 0..400 {
            wire.push(0xC0 | 62);
            wire.extend([0x17; 128]);
        }
        let peak = feed(&mut session, &wire);
        assert!(
            peak < (128 + 59 * 9 + 120) * KIB,
            "sixty of {length} bytes: {peak}"
        );
        assert!(!session.is_closed());
    }
}

/// All that may be incomplete, sent but for the last byte of each.
fn incomplete_messages() {
    let limit = 1 << 20;
    let mut session = open(|limits| {
        limits.incomplete_bytes = limit;
        limits.incomplete_messages = 8;
    });
    let length = limit / 8 - 1;
    let mut wire = Vec::new();
    for csid in 3..11 {
        wire.extend(begin(csid, length, 9, 128));
        for sent in (128..length - 128).step_by(128) {
            wire.push(0xC0 | csid);
            wire.extend(vec![0x17; 128.min(length - sent)]);
        }
    }
    let peak = feed(&mut session, &wire);
    assert!(!session.is_closed());
    assert!((limit / 2..limit + limit / 4).contains(&peak), "{peak}");
}

/// As many chunk streams as there are.
fn chunk_streams() {
    let mut session = open(|_| {});
    let mut peer = Scripted::connected();
    let wire: Vec<u8> = (3..65_599)
        .flat_map(|csid| peer.encode(csid, 8, 0, 0, &[0xAF]))
        .collect();
    let peak = feed(&mut session, &wire);
    assert!(peak < 512 * KIB, "{peak}");
}

/// Small messages that decode into much.
fn values() {
    let limits = Limits::default();
    let nested = (0..31).fold(Value::Null, |inner, _| Value::StrictArray(vec![inner]));
    let many = |value: Value| Value::StrictArray(vec![value; 4000]);
    let mut wide = Object::new();
    for index in 0..4000 {
        wide = wide.with(format!("{index}"), Value::Null);
    }
    // A strict array that says it has 2^32 - 1 elements.
    let lying = [
        command("call", 1.0, &[Value::Null]),
        vec![10, 255, 255, 255, 255],
    ]
    .concat();
    // A string of 60 000 bytes in an object, and references to it.
    let mut references = command("call", 1.0, &[]);
    references.extend([3, 0, 1, b'a', 2, 0xEA, 0x60]);
    references.extend(vec![b'x'; 60_000]);
    references.extend([0, 0, 9]);
    for _ in 0..1000 {
        references.extend([7, 0, 0]);
    }
    for (name, payload) in [
        ("nested", command("call", 1.0, &vec![nested; 100])),
        ("nulls", command("call", 1.0, &[many(Value::Null)])),
        (
            "arrays",
            command("call", 1.0, &[many(Value::StrictArray(vec![]))]),
        ),
        (
            "objects",
            command("call", 1.0, &[many(Object::new().into())]),
        ),
        ("strings", command("call", 1.0, &[many("x".into())])),
        ("names", command("call", 1.0, &[wide.into()])),
        ("lying", lying),
        ("references", references),
    ] {
        let mut session = open(|_| {});
        let mut peer = Scripted::connected();
        let wire = peer.encode(3, 20, 0, 0, &payload);
        let peak = feed(&mut session, &wire);
        // The message itself, twice while it grows; strings; values with what their containers reserve.
        let bound =
            2 * payload.len() + limits.command.string_bytes + limits.command.nodes * 200 + 64 * KIB;
        assert!(peak < bound, "{name}: {peak} of {bound}");
    }
}

/// Questions without end from a peer that reads no answer.
fn replies_nobody_reads() {
    let limit = 100_000;
    for values in [
        ("createStream", vec![Value::Null]),
        ("FCPublish", vec![Value::Null, "x".repeat(2000).into()]),
        ("connect", vec![app("live")]),
        ("what", vec![Value::Null]),
    ] {
        let mut session = open(|limits| limits.output_queue = limit);
        let mut peer = Scripted::connected();
        let wire: Vec<u8> = (0..20_000)
            .flat_map(|_| peer.encode(3, 20, 0, 0, &command(values.0, 5.0, &values.1)))
            .collect();
        let peak = feed(&mut session, &wire);
        assert!(peak < 3 * limit, "{}: {peak}", values.0);
    }
}

/// A million messages and not one that is kept.
fn tiny_messages() {
    let mut session = open(|_| {});
    let mut peer = Scripted::connected();
    let wire: Vec<u8> = (0..100_000)
        .flat_map(|time| peer.encode(4, 8, 1, time, &[0xAF, 1]))
        .collect();
    let peak = feed(&mut session, &wire);
    assert!(peak < 8 * KIB, "{peak}");
}

/// The parts of an aggregate become events one by one, be they taken or not.
fn aggregates() {
    let mut builder = AggregateBuilder::new();
    for _ in 0..Limits::default().aggregate_parts {
        let frame = Frame::audio(Timestamp::ZERO, Bytes::from_static(&[0xAF, 1, 2]));
        builder.push(&frame).unwrap();
    }
    let payload = builder
        .finish(MessageStreamId::new(1))
        .unwrap()
        .into_payload();
    let mut peer = Scripted::connected();
    for is_taken in [true, false] {
        let mut session = open(|_| {});
        let mut wire = peer.encode(3, 20, 0, 0, &command("createStream", 2.0, &[Value::Null]));
        wire.extend(peer.encode(
            3,
            20,
            1,
            0,
            &command("publish", 3.0, &[Value::Null, "x".into()]),
        ));
        feed(&mut session, &wire);
        let wire = peer.encode(6, 22, 1, 0, &payload);
        let mut frames = 0;
        let peak = peak(|| {
            let mut input = &wire[..];
            session.handle_input(Instant::ORIGIN, &mut input);
            assert!(input.is_empty());
            while is_taken && let Some(event) = session.poll_event() {
                frames += usize::from(matches!(event, ServerEvent::Frame { .. }));
            }
        });
        assert!(peak < 2 * payload.len() + 8 * KIB, "{peak}");
        let parts = Limits::default().aggregate_parts;
        assert_eq!(frames, if is_taken { parts } else { 0 });
    }
}

/// The same message over and over, in every state: what the first of them leave is all there will be.
fn nothing_is_left_behind() {
    let mut peer = Scripted::connected();
    let values = [Value::Null, "key".into(), 1.0.into()];
    let stream = |name: &str, peer: &mut Scripted<_>| {
        let mut wire = peer.encode(3, 20, 0, 0, &command("createStream", 2.0, &[Value::Null]));
        wire.extend(peer.encode(
            3,
            20,
            1,
            0,
            &command(name, 3.0, &[Value::Null, "key".into()]),
        ));
        wire
    };
    let states = [
        vec![],
        stream("publish", &mut peer),
        stream("play", &mut peer),
    ];
    let commands = COMMANDS
        .iter()
        .flat_map(|name| [(20, command(name, 5.0, &values))]);
    let others =
        (0..=25).flat_map(|kind| [(kind, vec![0, 6, 0, 0, 0, 1]), (kind, vec![0, 0, 0, 3])]);
    for (kind, payload) in commands.chain(others) {
        for state in &states {
            let mut session = open(|_| {});
            feed(&mut session, state);
            take_output(&mut session);
            let wire = peer.encode(3, kind, 1, 0, &payload);
            let mut round = |count: usize| {
                for _ in 0..count {
                    feed(&mut session, &wire);
                    take_output(&mut session);
                }
                ALLOCATOR.current_usage()
            };
            let before = round(50);
            let after = round(200);
            // Lists may double once more.
            assert!(
                after < before + 4 * KIB,
                "{kind} {payload:x?}: {before} {after}"
            );
        }
    }
}

/// A group of pictures with its audio takes at most 1.5 times its payload, however frames are cut and
/// read.
fn kept_frames() {
    for chunk_size in [128, 4096, 60_000] {
        for (frame, key) in [(2000, 9000), (15_000, 60_000), (100_000, 400_000)] {
            for step in [1460, 16_384, 262_144] {
                let wire = media(frame, key, chunk_size);
                let mut frames = Vec::with_capacity(200);
                let before = ALLOCATOR.current_usage();
                let mut driver = publishing();
                read(&mut driver, &wire, step, &mut frames);
                drop(driver);
                let kept = ALLOCATOR.current_usage() - before;
                let payload: usize = frames.iter().map(Bytes::len).sum();
                assert_eq!(frames.len(), 146);
                assert!(
                    2 * kept <= 3 * payload,
                    "frames of {frame} in chunks of {chunk_size}, reads of {step}: {kept} for {payload}"
                );
            }
        }
    }
}

/// One frame alone keeps at most four times its length, though it may be a slice of what was read.
fn kept_frame_of_many() {
    for (frame, key) in [(2000, 9000), (15_000, 60_000), (100_000, 400_000)] {
        for step in [1460, 16_384, 262_144] {
            let wire = media(frame, key, 0xFF_FFFF);
            for chosen in 0..146 {
                let mut frames = Vec::with_capacity(200);
                let before = ALLOCATOR.current_usage();
                let mut driver = publishing();
                read(&mut driver, &wire, step, &mut frames);
                drop(driver);
                let chosen = frames.swap_remove(chosen);
                frames.clear();
                let kept = ALLOCATOR.current_usage() - before;
                let len = chosen.len();
                assert!(kept <= 4 * len + 64, "{len} keeps {kept}");
            }
        }
    }
}

/// The same for one that comes alone when reads have become large.
fn kept_frame_of_a_short_read() {
    let large = media(15_000, 60_000, 0xFF_FFFF);
    let alone = chunks(6, 9, 5000, 0xFF_FFFF);
    let mut frames = Vec::with_capacity(200);
    let before = ALLOCATOR.current_usage();
    let mut driver = publishing();
    read(&mut driver, &large, usize::MAX, &mut frames);
    frames.clear();
    read(&mut driver, &alone, usize::MAX, &mut frames);
    drop(driver);
    let kept = ALLOCATOR.current_usage() - before;
    assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), [5000]);
    assert!(kept <= 4 * 5000, "{kept}");
}

/// 2 s of video and audio behind a key frame, on chunk streams of their own. Lengths are averages,
/// a quarter more or less.
fn media(frame: usize, key: usize, chunk_size: usize) -> Vec<u8> {
    let mut wire = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
    wire.extend(u32::try_from(chunk_size).unwrap().to_be_bytes());
    let mut noise = 1_u64;
    let mut audio = 0;
    for index in 0..60 {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let average = if index == 0 { key } else { frame };
        let len = average * 3 / 4 + (noise >> 33) as usize % (average / 2);
        wire.extend(chunks(6, 9, len, chunk_size));
        while audio < (index + 1) * 86 / 60 {
            wire.extend(chunks(4, 8, 370, chunk_size));
            audio += 1;
        }
    }
    wire
}

fn chunks(csid: u8, message_type: u8, len: usize, chunk_size: usize) -> Vec<u8> {
    let mut wire = begin(csid, len, message_type, len.min(chunk_size));
    // The stream on which it is published.
    if let Some(stream) = wire.get_mut(8) {
        *stream = 1;
    }
    let mut sent = chunk_size;
    while sent < len {
        wire.push(0xC0 | csid);
        wire.extend(vec![0x17; chunk_size.min(len - sent)]);
        sent += chunk_size;
    }
    wire
}

fn publishing() -> Driver<Server> {
    Driver::new(Scripted::publishing().session)
}

/// Reads `wire` as adapters do, up to `step` bytes at a time, and adds payloads to `frames`.
fn read(driver: &mut Driver<Server>, mut wire: &[u8], step: usize, frames: &mut Vec<Bytes>) {
    let now = Instant::ORIGIN;
    while !wire.is_empty() {
        let mut buffer = driver.take_buffer();
        let (piece, rest) = wire.split_at(wire.len().min(step).min(buffer.capacity()));
        buffer.extend_from_slice(piece);
        wire = rest;
        driver.handle_input(now, buffer);
        while let Some(event) = driver.poll_event(now) {
            if let ServerEvent::Frame { frame, .. } = event {
                frames.push(frame.payload);
            }
        }
        assert!(!driver.session().is_closed());
    }
}

/// What is allocated at most while the session takes `wire`, beyond what was allocated before. Requests
/// are accepted, other events dropped, and nothing is written.
fn feed(session: &mut ServerSession, mut wire: &[u8]) -> usize {
    peak(|| {
        loop {
            let before = wire.len();
            session.handle_input(Instant::ORIGIN, &mut wire);
            let mut moved = wire.len() < before;
            while let Some(event) = session.poll_event() {
                moved = true;
                answer(session, event);
            }
            if !moved {
                return;
            }
        }
    })
}

fn answer(session: &mut ServerSession, event: ServerEvent) {
    if let Some(event) = common::accept_all(session, Instant::ORIGIN, event) {
        // An answer for which there is no room is left out.
        let _ = session.answer_by_default(Instant::ORIGIN, event);
    }
}

fn peak(run: impl FnOnce()) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    run();
    ALLOCATOR.peak_usage() - before
}

/// The first chunk of a message of `length` bytes, with `sent` of them.
fn begin(csid: u8, length: usize, message_type: u8, sent: usize) -> Vec<u8> {
    let [.., high, middle, low] = length.to_be_bytes();
    let mut bytes = vec![csid, 0, 0, 0, high, middle, low, message_type, 0, 0, 0, 0];
    bytes.resize(bytes.len() + sent, 0x17);
    bytes
}

fn server(change: impl FnOnce(&mut Limits)) -> ServerSession {
    let mut config = ServerConfig::default();
    change(&mut config.connection.limits);
    Session::new(Instant::ORIGIN, Arc::new(config), [2; 32])
}

/// A server that has accepted `connect`, with nothing to be written.
fn open(change: impl FnOnce(&mut Limits)) -> ServerSession {
    let mut session = server(change);
    feed(&mut session, &handshake());
    let mut peer = Scripted::connected();
    let wire = peer.encode(3, 20, 0, 0, &command("connect", 1.0, &[app("live")]));
    feed(&mut session, &wire);
    take_output(&mut session);
    session
}

fn take_output<R: Role>(session: &mut Session<R>) {
    common::take_output(session, &mut bytes::BytesMut::new());
}

const KIB: usize = 1024;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;
