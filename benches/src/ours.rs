//! `rtmp-proto` as a contender.

use std::{hint::black_box, sync::Arc};

use bytes::{Buf, BytesMut};
use rtmp_proto::{
    AmfLimits, Instant, Leniency, Limits, MessageStreamId, SendQueue, ServerConfig, ServerEvent,
    ServerSession, Session, Timestamp,
    amf::amf0,
    chunk::{
        ChunkDecoder, ChunkEncoder, ChunkSize, ChunkStreamId, HeaderCompression, MessageType,
        RawMessage,
    },
    handshake::Handshake,
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

    fn fan_out(&self, messages: &[Message], chunk_size: usize, players: usize) -> Outcome<Encoder> {
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

fn flush(queue: &mut SendQueue, out: &mut Sender) {
    if let Some(mut transmit) = queue.transmit() {
        for slice in transmit.slices() {
            out.write(slice);
        }
        transmit.advance(transmit.remaining());
    }
}
