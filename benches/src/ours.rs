//! `rtmp-proto` as a contender.

use std::{hint::black_box, iter, sync::Arc};

use bytes::{Buf, BytesMut};
use rtmp_proto::{
    AmfLimits, Instant, Leniency, Limits, MessageStreamId, SendQueue, ServerConfig, ServerEvent,
    ServerSession, Session, Timestamp, Transmit,
    amf::{amf0, amf3},
    chunk::{
        ChunkDecoder, ChunkEncoder, ChunkSize, ChunkStreamId, HeaderCompression, MessageType,
        RawMessage,
    },
    flv::{FileReader, FileWriter, Frame},
    handshake::Handshake,
    relay::{Broadcast, BroadcastLimits},
};

use crate::{
    contender::{Contender, Encode, Encoder, Outcome, Sink},
    dialogue::Dialogue,
    socket::{Receiver, Sender},
    values::Sample,
    workload::{AUDIO, Message, Workload},
};

/// `rtmp-proto`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing in it")]
pub struct Ours;

impl Ours {
    /// Serves a client that sends `wire`, accepting everything.
    ///
    /// # Errors
    ///
    /// The session has ended.
    pub fn serve(&self, wire: &[u8]) -> Outcome {
        let mut input = BytesMut::from(wire);
        let sink = &mut |_, _, payload: &[u8]| {
            black_box(payload);
        };
        take(&mut server(), &mut input, sink).map(drop)
    }
}

impl Contender for Ours {
    fn name(&self) -> &'static str {
        "rtmp-proto"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        let mut decoder = decoder(workload.wire.chunk_size);
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        let mut input = BytesMut::new();
        while receiver.read_into(&mut input) {
            while let Some(message) = decoder.decode(&mut input).map_err(|e| e.to_string())? {
                let timestamp = message.timestamp.as_millis();
                sink(message.message_type.0, timestamp, message.payload());
            }
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        let messages: Vec<_> = messages.iter().map(to_raw).collect();
        let mut encoder = encoder(chunk_size);
        let mut queue = SendQueue::new();
        Ok(Box::new(move |out| {
            for (csid, message) in &messages {
                encoder.encode(*csid, message, &mut queue);
                flush(&mut queue, out);
            }
        }))
    }

    fn relay(&self, workload: &Workload, piece: usize, out: &mut Sender) -> Outcome {
        let mut decoder = decoder(workload.wire.chunk_size);
        let mut encoder = encoder(workload.wire.chunk_size);
        let mut queue = SendQueue::new();
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        let mut input = BytesMut::new();
        while receiver.read_into(&mut input) {
            while let Some(message) = decoder.decode(&mut input).map_err(|e| e.to_string())? {
                encoder.encode(csid(message.message_type), &message, &mut queue);
                flush(&mut queue, out);
            }
        }
        Ok(())
    }

    /// Each message is cut into chunks once, which all queues share.
    fn fan_out(&self, messages: &[Message], chunk_size: usize, players: usize) -> Outcome<Encoder> {
        let messages: Vec<_> = messages.iter().map(to_raw).collect();
        let mut encoder = encoder(chunk_size);
        let mut queue = SendQueue::new();
        let mut players: Vec<_> = iter::repeat_with(SendQueue::new).take(players).collect();
        Ok(Box::new(move |out| {
            for (csid, message) in &messages {
                encoder.encode(*csid, message, &mut queue);
                let len = queue.len();
                let mut transmit = queue.transmit().expect("a message");
                let chunks = transmit.copy_to_bytes(len);
                for player in &mut players {
                    player.share(chunks.clone());
                    flush(player, out);
                }
            }
        }))
    }

    /// As `rtmp serve` does it: what is published goes to a [`Broadcast`], which is flushed every
    /// 20 ms of the stream, and each player is a session with a cursor on it.
    fn serve_players(
        &self,
        messages: &[Message],
        chunk_size: usize,
        players: usize,
    ) -> Outcome<Encoder> {
        let frames: Vec<_> = messages.iter().map(to_frame).collect();
        let mut broadcast = Broadcast::new(BroadcastLimits::default(), to_chunk_size(chunk_size));
        let dialogue = Dialogue::playing(chunk_size);
        let mut config = ServerConfig::default();
        config.connection.chunk_size = to_chunk_size(chunk_size);
        let config = Arc::new(config);
        let mut players: Vec<_> = iter::repeat_with(|| {
            let mut session = Session::new(Instant::ORIGIN, Arc::clone(&config), [7; 32]);
            let mut input = &dialogue.bytes()[..];
            take(&mut session, &mut input, &mut |_, _, _| {})?;
            let mut cursor = broadcast.join();
            match broadcast.next(&mut cursor, Instant::ORIGIN) {
                None => Ok((session, cursor)),
                Some(_) => Err("there is something to play already".to_owned()),
            }
        })
        .take(players)
        .collect::<Outcome<_>>()?;
        Ok(Box::new(move |out| {
            broadcast.begin();
            let is_same = |first: &Frame, next: &Frame| {
                next.timestamp.signed_millis_since(first.timestamp) < FLUSH_MILLIS
            };
            let mut rest = &frames[..];
            while let Some(first) = rest.first() {
                let count = rest.iter().take_while(|next| is_same(first, next)).count();
                let (now, later) = rest.split_at(count);
                rest = later;
                now.iter().for_each(|frame| broadcast.push(frame));
                broadcast.flush(Instant::ORIGIN);
                for (session, cursor) in &mut players {
                    while let Some(portion) = broadcast.next(cursor, Instant::ORIGIN) {
                        let sent = session.send_portion(MessageStreamId::new(1), &portion);
                        sent.expect("it plays");
                    }
                    while let Some(transmit) = session.poll_transmit() {
                        write_out(transmit, out);
                    }
                }
            }
        }))
    }

    fn encode_for_each(
        &self,
        messages: &[Message],
        chunk_size: usize,
        players: usize,
    ) -> Outcome<Encoder> {
        let messages: Vec<_> = messages.iter().map(to_raw).collect();
        let mut players: Vec<_> = (0..players)
            .map(|_| (encoder(chunk_size), SendQueue::new()))
            .collect();
        Ok(Box::new(move |out| {
            for (csid, message) in &messages {
                for (encoder, queue) in &mut players {
                    encoder.encode(*csid, message, queue);
                    flush(queue, out);
                }
            }
        }))
    }

    fn ingest(
        &self,
        dialogue: &Dialogue,
        workload: &Workload,
        piece: usize,
        sink: Sink<'_>,
    ) -> Outcome {
        let mut session = server();
        let mut input = BytesMut::from(&dialogue.bytes()[..]);
        take(&mut session, &mut input, sink)?;
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        while receiver.read_into(&mut input) {
            take(&mut session, &mut input, sink)?;
        }
        Ok(())
    }

    fn set_up(&self, dialogue: &Dialogue) -> Outcome<usize> {
        let mut session = server();
        let mut answered = 0;
        for part in [&dialogue.handshake, &dialogue.commands] {
            let mut input = &part[..];
            answered += take(&mut session, &mut input, &mut |_, _, _| {})?;
        }
        match session.stream_state(MessageStreamId::new(1)) {
            Some(rtmp_proto::StreamState::Publishing) => Ok(answered),
            state => Err(format!("the stream is {state:?}")),
        }
    }

    fn digest_handshake(&self, input: &[u8]) -> Outcome<Vec<u8>> {
        let mut handshake = Handshake::server([7; 32]);
        let mut input = input;
        handshake
            .handle_input(Instant::ORIGIN, &mut input)
            .map_err(|error| error.to_string())?;
        let mut answer = Vec::with_capacity(1 + 2 * 1536);
        while let Some(bytes) = handshake.poll_transmit() {
            answer.extend_from_slice(&bytes);
        }
        Ok(answer)
    }

    fn decode_values(&self, bytes: &[u8]) -> Outcome<usize> {
        match amf0::decode(bytes, &AmfLimits::COMMAND) {
            Ok(values) => Ok(values.len()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn encode_values(&self, sample: &Sample) -> Outcome<Encode> {
        let values =
            amf0::decode(&sample.bytes, &AmfLimits::COMMAND).map_err(|error| error.to_string())?;
        Ok(Box::new(move |out| amf0::encode_all(&values, out)))
    }

    fn decode_amf3(&self, bytes: &[u8]) -> Outcome<usize> {
        match amf3::decode(bytes, &AmfLimits::COMMAND) {
            Ok(values) => Ok(values.len()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn encode_amf3(&self, sample: &Sample) -> Outcome<Encode> {
        let values =
            amf3::decode(&sample.bytes, &AmfLimits::COMMAND).map_err(|error| error.to_string())?;
        Ok(Box::new(move |out| amf3::encode_all(&values, out)))
    }

    fn read_flv(&self, file: &[u8], piece: usize, sink: Sink<'_>) -> Outcome {
        let mut reader = FileReader::new();
        for mut piece in file.chunks(piece) {
            while let Some(frame) = reader.decode(&mut piece).map_err(|e| e.to_string())? {
                let kind = frame.message_type().0;
                sink(kind, frame.timestamp.as_millis(), &frame.payload);
            }
        }
        Ok(())
    }

    fn write_flv(&self, messages: &[Message]) -> Outcome<Encode> {
        let frames: Vec<_> = messages.iter().map(to_frame).collect();
        Ok(Box::new(move |out| {
            out.extend_from_slice(&FileWriter::header(true, true));
            let mut writer = FileWriter::new();
            for frame in &frames {
                writer.encode(frame, out).expect("frames in order");
            }
        }))
    }
}

/// Drives `session` as far as `input` goes, accepting everything; returns the bytes it answered.
fn take(session: &mut ServerSession, input: &mut impl Buf, sink: Sink<'_>) -> Outcome<usize> {
    let now = Instant::ORIGIN;
    let mut answered = 0;
    loop {
        session.handle_input(now, input);
        let mut is_news = false;
        while let Some(event) = session.poll_event() {
            is_news = true;
            match event {
                ServerEvent::Frame { frame, .. } => sink(
                    frame.message_type().0,
                    frame.timestamp.as_millis(),
                    &frame.payload,
                ),
                ServerEvent::Connect(request) => accept(session, request)?,
                ServerEvent::Publish(request) => accept(session, request)?,
                ServerEvent::Play(request) => accept(session, request)?,
                ServerEvent::Closed(reason) => return Err(format!("closed: {reason:?}")),
                _ => {}
            }
        }
        while let Some(mut transmit) = session.poll_transmit() {
            let len = transmit.remaining();
            answered += len;
            transmit.advance(len);
        }
        if !is_news && !input.has_remaining() {
            return Ok(answered);
        }
    }
}

fn accept(session: &mut ServerSession, request: impl rtmp_proto::Request) -> Outcome {
    session
        .accept(Instant::ORIGIN, request)
        .map_err(|error| error.to_string())
}

fn server() -> ServerSession {
    Session::new(Instant::ORIGIN, Arc::new(ServerConfig::default()), [7; 32])
}

fn decoder(chunk_size: usize) -> ChunkDecoder {
    let mut decoder = ChunkDecoder::new(&Limits::default(), Leniency::default());
    decoder.set_chunk_size(to_chunk_size(chunk_size));
    decoder
}

fn encoder(chunk_size: usize) -> ChunkEncoder {
    let mut encoder = ChunkEncoder::new(HeaderCompression::Off);
    encoder.set_chunk_size(to_chunk_size(chunk_size));
    encoder
}

fn to_chunk_size(bytes: usize) -> ChunkSize {
    let bytes = u32::try_from(bytes).expect("a chunk size");
    ChunkSize::new(bytes).expect("a chunk size")
}

fn to_raw(message: &Message) -> (ChunkStreamId, RawMessage) {
    let message_type = MessageType(message.message_type);
    let raw = RawMessage::new(
        message_type,
        MessageStreamId::new(1),
        Timestamp::from_millis(message.timestamp),
        message.payload.clone(),
    );
    (csid(message_type), raw.expect("a short payload"))
}

fn csid(message_type: MessageType) -> ChunkStreamId {
    match message_type {
        MessageType(AUDIO) => ChunkStreamId::AUDIO,
        _ => ChunkStreamId::VIDEO,
    }
}

fn to_frame(message: &Message) -> Frame {
    let timestamp = Timestamp::from_millis(message.timestamp);
    match message.message_type {
        AUDIO => Frame::audio(timestamp, message.payload.clone()),
        _ => Frame::video(timestamp, message.payload.clone()),
    }
}

fn flush(queue: &mut SendQueue, out: &mut Sender) {
    if let Some(transmit) = queue.transmit() {
        write_out(transmit, out);
    }
}

fn write_out(mut transmit: Transmit<'_>, out: &mut Sender) {
    transmit.slices().for_each(|slice| out.write(slice));
    transmit.advance(transmit.remaining());
}

/// The flush interval of `rtmp serve` unless it is told another one.
const FLUSH_MILLIS: i32 = 20;
