//! One session against a peer that may say anything.

use std::{fmt::Debug, sync::Arc};

use arbitrary::{Result, Unstructured};
use bytes::{Buf, Bytes};
use rtmp_proto::{
    Client, ClientConfig, ClientEvent, ClientSession, CloseReason, Instant, MessageStreamId, Role,
    RtmpUrl, SendQueue, Server, ServerConfig, ServerEvent, ServerSession, Session, Timestamp,
    amf::{Object, Value, amf0},
    chunk::{ChunkEncoder, ChunkSize, ChunkStreamId, HeaderCompression, MessageType, RawMessage},
    message::{AggregateBuilder, BandwidthLimit, Command, Control, SwfVerification, TransactionId},
};

use crate::{
    flv::frame,
    input::{SMALL_QUEUE, configure, payload, take_output, text, value},
    shared_object::shared_object_message,
};

/// A server session gives the same events and the same answers at any split of its input, and ends
/// once.
///
/// The first byte is the configuration and how far the dialogue has come, the second the length of the
/// pieces.
pub fn server_session(data: &[u8]) {
    let [config, piece, wire @ ..] = data else {
        return;
    };
    check_split(|| server(*config), wire, *piece);
}

/// The same for a client session.
pub fn client_session(data: &[u8]) {
    let [config, piece, wire @ ..] = data else {
        return;
    };
    check_split(|| client(*config), wire, *piece);
}

/// The same with whole messages: commands with names, values and streams that mean something, in any
/// order.
pub fn dialogue(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok([is_server, config, piece]) = u.arbitrary::<[u8; 3]>() else {
        return;
    };
    let mut peer = Peer::new();
    while !u.is_empty() && peer.wire.len() < 200_000 {
        if any_message(&mut u, &mut peer).is_err() {
            break;
        }
    }
    match is_server & 1 {
        0 => check_split(|| client(config), &peer.wire, piece),
        _ => check_split(|| server(config), &peer.wire, piece),
    }
}

/// What an application does with a session of a role.
pub(crate) trait Application: Role<Event: Debug> {
    /// Takes an event; requests are accepted.
    fn answer(session: &mut Session<Self>, event: Self::Event);
    /// The reason, if `event` is the end.
    fn closed(event: &Self::Event) -> Option<&CloseReason>;
    fn payload(event: &Self::Event) -> Option<&Bytes>;
}

impl Application for Server {
    fn answer(session: &mut Session<Self>, event: ServerEvent) {
        let now = Instant::ORIGIN;
        let answer = match event {
            ServerEvent::Connect(request) => session.accept(now, request),
            ServerEvent::Publish(request) => session.accept(now, request),
            ServerEvent::Play(request) => session.accept(now, request),
            ServerEvent::Seek(request) => session.accept(now, request),
            other => session.answer_by_default(now, other),
        };
        // There may be no room for the error that an unknown command gets.
        let _ = answer;
    }

    fn closed(event: &ServerEvent) -> Option<&CloseReason> {
        match event {
            ServerEvent::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    fn payload(event: &ServerEvent) -> Option<&Bytes> {
        match event {
            ServerEvent::Frame { frame, .. } => Some(&frame.payload),
            _ => None,
        }
    }
}

impl Application for Client {
    fn answer(session: &mut Session<Self>, event: ClientEvent) {
        if let ClientEvent::Call(call) = event {
            let _ = session.respond(call, Ok(Value::Null));
        }
    }

    fn closed(event: &ClientEvent) -> Option<&CloseReason> {
        match event {
            ClientEvent::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    fn payload(event: &ClientEvent) -> Option<&Bytes> {
        match event {
            ClientEvent::Frame { frame, .. } => Some(&frame.payload),
            _ => None,
        }
    }
}

fn check_split<R: Application>(make: impl Fn() -> Session<R>, wire: &[u8], piece: u8) {
    let whole = run(make(), wire, usize::MAX);
    let pieces = run(make(), wire, 1 + usize::from(piece));
    assert_eq!(whole, pieces);
    starve(make(), wire);
}

/// The events, the payloads in them, and the output.
pub(crate) type Outcome = (Vec<String>, Vec<Bytes>, Vec<u8>);

pub(crate) fn run<R: Application>(mut session: Session<R>, wire: &[u8], piece: usize) -> Outcome {
    let now = Instant::ORIGIN;
    let (mut events, mut payloads, mut output) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = wire;
    let mut closed = 0;
    loop {
        let mut moved = false;
        while let Some(event) = session.poll_event() {
            assert_eq!(closed, 0, "an event after the last");
            moved = true;
            closed += usize::from(R::closed(&event).is_some());
            events.push(format!("{event:?}"));
            payloads.extend(R::payload(&event).cloned());
            R::answer(&mut session, event);
        }
        // Everything up to the end, at places that do not depend on the split.
        let before = output.len();
        if !session.wants_read() || left.is_empty() {
            take_output(&mut session, &mut output);
        }
        moved |= output.len() > before;
        if left.is_empty() && !session.is_closed() {
            session.handle_eof(now);
            continue;
        }
        let mut bytes = &left[..left.len().min(piece)];
        let before = bytes.len();
        session.handle_input(now, &mut bytes);
        left.advance(before - bytes.len());
        moved |= bytes.len() < before;
        if !moved {
            assert!(session.is_closed(), "wedged: {session:?}");
            assert_eq!(closed, 1);
            assert!(session.close_reason().is_some());
            assert_eq!(session.poll_timeout(), None);
            return (events, payloads, output);
        }
    }
}

/// Nothing is written: whatever comes in, what waits to go out is bounded, and time ends it.
fn starve<R: Application>(mut session: Session<R>, wire: &[u8]) {
    let mut left = wire;
    let mut now = Instant::ORIGIN;
    loop {
        let before = left.len();
        session.handle_input(now, &mut left);
        let mut moved = left.len() < before;
        while let Some(event) = session.poll_event() {
            moved = true;
            R::answer(&mut session, event);
        }
        if !moved {
            break;
        }
    }
    // The limit, and the largest answer to one message: an echo of its values.
    assert!(
        session.queued_len() <= session_queue_limit(&session) + 12_000,
        "{} bytes wait",
        session.queued_len()
    );
    for _ in 0..1000 {
        let Some(at) = session.poll_timeout() else {
            break;
        };
        now = now.max(at);
        session.handle_timeout(now);
        while session.poll_event().is_some() {}
        let next = session.poll_timeout();
        assert!(next.is_none_or(|next| next > now), "no progress at {now:?}");
    }
}

fn session_queue_limit<R: Application>(session: &Session<R>) -> usize {
    // What the bits of the configuration picked shows in what it was made of.
    let text = format!("{:?}", session.config());
    match text.contains(&format!("output_queue: {SMALL_QUEUE},")) {
        true => SMALL_QUEUE,
        false => 8 << 20,
    }
}

/// Bits 0 to 2 are the configuration, 3 to 5 how far the dialogue has come, 7 whether calls wait for
/// their answers.
fn server(bits: u8) -> ServerSession {
    let mut config = ServerConfig::default();
    configure(&mut config.connection, bits);
    let mut session = Session::new(Instant::ORIGIN, Arc::new(config), [2; 32]);
    let mut peer = Peer::new();
    let stage = bits >> 3 & 7;
    if stage > 0 {
        peer.wire.extend(plain_handshake());
    }
    if stage > 1 {
        let object = Object::new().with("app", "live");
        peer.command(0, "connect", 1.0, &[object.into()]);
    }
    if stage > 2 {
        peer.command(0, "createStream", 2.0, &[Value::Null]);
    }
    match stage {
        4 => peer.command(
            1,
            "publish",
            3.0,
            &[Value::Null, "key".into(), "live".into()],
        ),
        5.. => peer.command(1, "play", 3.0, &[Value::Null, "key".into()]),
        _ => {}
    }
    feed(&mut session, &peer.wire);
    if bits & 0x80 != 0 {
        call(&mut session);
    }
    session
}

/// The same; bit 6 is whether it knows what to say of the file that plays.
fn client(bits: u8) -> ClientSession {
    let mut config = ClientConfig::default();
    configure(&mut config.connection, bits);
    if bits & 0x40 != 0 {
        config.swf_verification = Some(SwfVerification::new([7; 32], 1000));
    }
    let now = Instant::ORIGIN;
    let mut session = ClientSession::new(now, Arc::new(config), [1; 32]);
    let url: RtmpUrl = "rtmp://host/live/key?token=1".parse().expect("a URL");
    let mut peer = Peer::new();
    let stage = bits >> 3 & 7;
    if stage > 0 {
        let is_publisher = stage % 2 == 1;
        let told = match is_publisher {
            true => session.publish_to(now, &url),
            false => session.play_from(now, &url),
        };
        told.expect("a fresh session");
    }
    if stage > 2 {
        peer.wire.extend(plain_handshake());
    }
    if stage > 4 {
        let success = Object::new().with("code", "NetConnection.Connect.Success");
        peer.command(0, "_result", 1.0, &[Value::Null, success.into()]);
        for id in [2.0, 3.0, 4.0] {
            peer.command(0, "_result", id, &[Value::Null, 1.0.into()]);
        }
    }
    let started = match stage {
        7 => "NetStream.Publish.Start",
        6 => "NetStream.Play.Start",
        _ => "",
    };
    if !started.is_empty() {
        let status = Object::new().with("level", "status").with("code", started);
        peer.command(1, "onStatus", 0.0, &[Value::Null, status.into()]);
    }
    feed(&mut session, &peer.wire);
    if bits & 0x80 != 0 {
        call(&mut session);
    }
    session
}

/// Some calls, if it is connected.
fn call<R: Application>(session: &mut Session<R>) {
    for name in ["first", "second"] {
        let _ = session.call(name, Value::Null, [true.into()]);
    }
}

/// Gives a session all of `wire` and takes its output.
fn feed<R: Application>(session: &mut Session<R>, mut wire: &[u8]) {
    let mut output = Vec::new();
    loop {
        let before = wire.len();
        session.handle_input(Instant::ORIGIN, &mut wire);
        let mut moved = wire.len() < before;
        while let Some(event) = session.poll_event() {
            moved = true;
            R::answer(session, event);
        }
        take_output(session, &mut output);
        if !moved {
            assert!(!session.is_closed(), "{session:?}");
            return;
        }
    }
}

/// C0, C1, C2 or S0, S1, S2 without digests.
fn plain_handshake() -> Vec<u8> {
    let mut bytes = vec![0; 1 + 2 * 1536];
    bytes[0] = 3;
    bytes
}

/// Writes what a peer sends.
struct Peer {
    encoder: ChunkEncoder,
    wire: Vec<u8>,
}

impl Peer {
    fn new() -> Self {
        Self {
            encoder: ChunkEncoder::new(HeaderCompression::Deltas),
            wire: Vec::new(),
        }
    }

    fn command(&mut self, stream: u32, name: &str, id: f64, values: &[Value]) {
        let mut payload = Vec::new();
        amf0::encode(&name.into(), &mut payload);
        amf0::encode(&id.into(), &mut payload);
        amf0::encode_all(values, &mut payload);
        let stream = MessageStreamId::new(stream);
        self.send(
            ChunkStreamId::COMMAND,
            MessageType::COMMAND,
            stream,
            0,
            payload.into(),
        );
    }

    fn send(
        &mut self,
        csid: ChunkStreamId,
        message_type: MessageType,
        stream: MessageStreamId,
        time: u32,
        payload: Bytes,
    ) {
        let timestamp = Timestamp::from_millis(time);
        if let Ok(raw) = RawMessage::new(message_type, stream, timestamp, payload) {
            self.raw(csid, &raw);
        }
    }

    fn raw(&mut self, csid: ChunkStreamId, raw: &RawMessage) {
        let mut queue = SendQueue::new();
        self.encoder.encode(csid, raw, &mut queue);
        while let Some(mut transmit) = queue.transmit() {
            let len = transmit.chunk().len();
            self.wire.extend_from_slice(transmit.chunk());
            transmit.advance(len);
        }
    }
}

fn any_message(u: &mut Unstructured<'_>, peer: &mut Peer) -> Result<()> {
    let stream = MessageStreamId::new(u.int_in_range(0..=3)?);
    let csid = ChunkStreamId::new(u.int_in_range(2..=8)?).expect("within bounds");
    let time = u.arbitrary::<u16>()?.into();
    match u.int_in_range(0..=10)? {
        0..=3 => {
            let id = TransactionId::new(u.int_in_range(0..=9)?);
            let mut command = Command::new(text(u)?, id).with_object(value(u, 3)?);
            for _ in 0..u.int_in_range(0..=3)? {
                command = command.with(value(u, 3)?);
            }
            let payload = command.encode();
            let (kind, payload) = match u.ratio(1, 8)? {
                true => (MessageType::COMMAND_AMF3, [&[0], &*payload].concat()),
                false => (MessageType::COMMAND, payload),
            };
            peer.send(csid, kind, stream, time, payload.into());
        }
        4 => {
            let kind = *u.choose(&[MessageType::AUDIO, MessageType::VIDEO])?;
            peer.send(csid, kind, stream, time, payload(u)?);
        }
        5 => {
            let mut payload = Vec::new();
            amf0::encode(&text(u)?.into(), &mut payload);
            amf0::encode(&value(u, 4)?, &mut payload);
            peer.send(csid, MessageType::DATA, stream, time, payload.into());
        }
        6 => {
            let control = match u.int_in_range(0..=4)? {
                0 => {
                    let size = ChunkSize::new(u.int_in_range(1..=70_000)?).expect("not 0");
                    Control::SetChunkSize(size)
                }
                1 => Control::Abort { csid: csid.get() },
                2 => Control::WindowAckSize {
                    window: u.arbitrary()?,
                },
                3 => Control::SetPeerBandwidth {
                    window: u.arbitrary()?,
                    limit: BandwidthLimit(u.int_in_range(0..=3)?),
                },
                _ => Control::Acknowledgement {
                    sequence: u.arbitrary()?,
                },
            };
            peer.raw(ChunkStreamId::CONTROL, &control.encode());
            if let Control::SetChunkSize(size) = control {
                peer.encoder.set_chunk_size(size);
            }
        }
        7 => {
            let event_type = u.int_in_range(0..=33_u16)?.to_be_bytes();
            let [first, second] = [stream.get().to_be_bytes(), u.arbitrary()?];
            let payload = [&event_type[..], &first, &second].concat();
            let kind = MessageType::USER_CONTROL;
            peer.send(csid, kind, MessageStreamId::CONTROL, 0, payload.into());
        }
        8 => {
            let payload = shared_object_message(u)?.encode();
            let kind = MessageType::SHARED_OBJECT;
            peer.send(csid, kind, stream, time, payload.into());
        }
        9 => {
            let mut aggregate = AggregateBuilder::new();
            for _ in 0..u.int_in_range(1..=4)? {
                aggregate.push(&frame(u)?).expect("short enough");
            }
            let raw = aggregate.finish(stream).expect("there are some");
            peer.raw(csid, &raw);
        }
        _ => {
            let message_type = MessageType(u.int_in_range(2..=23)?);
            peer.send(csid, message_type, stream, time, payload(u)?);
        }
    }
    Ok(())
}
