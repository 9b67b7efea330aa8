//! The implementations, each in its own way that costs least.

use std::io::{self, BufReader, Read, Write};

use bytes::BytesMut;
use rtmp_benches::{
    Contender, Message, Outcome, Sink, Workload,
    contender::{Encode, Encoder},
    dialogue::Dialogue,
    socket::{Receiver, Sender},
    values::Sample,
};

use crate::{sessions, values};

/// rml_rtmp.
pub struct Rml;

impl Contender for Rml {
    fn name(&self) -> &'static str {
        "rml_rtmp 0.8"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        let mut decoder = rml_rtmp::chunk_io::ChunkDeserializer::new();
        decoder
            .set_max_chunk_size(workload.wire.chunk_size)
            .map_err(show)?;
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        while let Some(mut bytes) = receiver.read() {
            while let Some(message) = decoder.get_next_message(bytes).map_err(show)? {
                sink(message.type_id, message.timestamp.value, &message.data);
                bytes = &[];
            }
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        let mut encoder = rml_rtmp::chunk_io::ChunkSerializer::new();
        let time = rml_rtmp::time::RtmpTimestamp::new(0);
        encoder
            .set_max_chunk_size(chunk_size as u32, time)
            .map_err(show)?;
        let messages: Vec<_> = messages
            .iter()
            .map(|message| rml_rtmp::messages::MessagePayload {
                timestamp: rml_rtmp::time::RtmpTimestamp::new(message.timestamp),
                type_id: message.message_type,
                message_stream_id: 1,
                data: message.payload.clone(),
            })
            .collect();
        Ok(Box::new(move |out| {
            for message in &messages {
                // With a full header, as the others write it.
                if let Ok(packet) = encoder.serialize(message, true, false) {
                    out.write(&packet.bytes);
                }
            }
        }))
    }

    fn set_up(&self, dialogue: &Dialogue) -> Outcome<usize> {
        sessions::set_up::<sessions::rml::Server>(dialogue)
    }

    fn ingest(
        &self,
        dialogue: &Dialogue,
        workload: &Workload,
        piece: usize,
        sink: Sink<'_>,
    ) -> Outcome {
        sessions::ingest::<sessions::rml::Server>(dialogue, workload, piece, sink)
    }

    fn digest_handshake(&self, input: &[u8]) -> Outcome<Vec<u8>> {
        sessions::rml::handshake(input)
    }

    fn decode_values(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::rml::decode(bytes)?.len())
    }

    fn encode_values(&self, sample: &Sample) -> Outcome<Encode> {
        values::rml::encode(&sample.bytes)
    }
}

/// rtmp-rs.
pub struct RtmpRs;

impl Contender for RtmpRs {
    fn name(&self) -> &'static str {
        "rtmp-rs 0.6"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        let mut decoder = rtmp_rs::protocol::chunk::ChunkDecoder::new();
        decoder.set_chunk_size(workload.wire.chunk_size as u32);
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        let mut input = BytesMut::new();
        while receiver.read_into(&mut input) {
            // Nothing comes of a chunk that does not end its message, though others may follow.
            loop {
                let before = input.len();
                match decoder.decode(&mut input).map_err(show)? {
                    Some(message) => {
                        sink(message.message_type, message.timestamp, &message.payload);
                    }
                    None if input.len() == before => break,
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        let mut encoder = rtmp_rs::protocol::chunk::ChunkEncoder::new();
        encoder.set_chunk_size(chunk_size as u32);
        let messages: Vec<_> = messages
            .iter()
            .map(|message| rtmp_rs::protocol::chunk::RtmpChunk {
                csid: csid(message),
                timestamp: message.timestamp,
                message_type: message.message_type,
                stream_id: 1,
                payload: message.payload.clone(),
            })
            .collect();
        let mut buffer = BytesMut::new();
        Ok(Box::new(move |out| {
            encoder.reset();
            for message in &messages {
                buffer.clear();
                encoder.encode(message, &mut buffer);
                out.write(&buffer);
            }
        }))
    }

    fn decode_values(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::rtmp_rs::decode(bytes)?.len())
    }

    fn encode_values(&self, sample: &Sample) -> Outcome<Encode> {
        values::rtmp_rs::encode(&sample.bytes)
    }

    fn decode_amf3(&self, bytes: &[u8]) -> Outcome<usize> {
        values::rtmp_rs::decode_amf3(bytes).map(|_| 1)
    }

    fn encode_amf3(&self, sample: &Sample) -> Outcome<Encode> {
        values::rtmp_rs::encode_amf3(&sample.bytes)
    }
}

/// librtmp2.
pub struct Librtmp2;

impl Contender for Librtmp2 {
    fn name(&self) -> &'static str {
        "librtmp2 0.16"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        use librtmp2::chunk::{ChunkMessage, ChunkRegistry, chunk_read_owned};
        let mut registry = ChunkRegistry::new();
        registry.init();
        registry.set_all_chunk_size(workload.wire.chunk_size as u32);
        let mut buffer = librtmp2::buffer::Buffer::new();
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        let mut message = ChunkMessage::default();
        while let Some(bytes) = receiver.read() {
            buffer.write(bytes).map_err(show)?;
            loop {
                let before = buffer.available();
                let (code, payload) =
                    chunk_read_owned(&mut buffer, &mut registry, &mut message).map_err(show)?;
                if code == 1 && message.is_complete {
                    sink(message.msg_type_id, message.timestamp, &payload);
                }
                if buffer.available() == before {
                    break;
                }
            }
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        let messages: Vec<_> = messages
            .iter()
            .map(|message| {
                let header = librtmp2::chunk::ChunkMessage {
                    csid: csid(message),
                    fmt: 0,
                    timestamp: message.timestamp,
                    msg_length: message.payload.len() as u32,
                    msg_type_id: message.message_type,
                    msg_stream_id: 1,
                    is_complete: true,
                };
                (header, message.payload.clone())
            })
            .collect();
        let mut buffer = librtmp2::buffer::Buffer::new();
        Ok(Box::new(move |out| {
            for (header, payload) in &messages {
                let len = payload.len();
                let done =
                    librtmp2::chunk::chunk_write(&mut buffer, header, payload, len, chunk_size);
                if done.is_ok() {
                    out.write(buffer.peek());
                    buffer.drain(buffer.available());
                }
            }
        }))
    }
}

/// shiguredo_rtmp, by the module it keeps for its own tests: the public interface has sessions only.
pub struct Shiguredo;

impl Contender for Shiguredo {
    fn name(&self) -> &'static str {
        "shiguredo_rtmp 2026.1.0-canary.6"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        use shiguredo_rtmp::{ErrorKind, tests as inner};
        let mut decoder = inner::RtmpChunkDecoder::default();
        let size = inner::RtmpChunkSize::new(workload.wire.chunk_size).ok_or("chunk size")?;
        decoder.set_chunk_size(size);
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        let mut buffer: Vec<u8> = Vec::new();
        while let Some(bytes) = receiver.read() {
            buffer.extend_from_slice(bytes);
            let mut offset = 0;
            loop {
                match decoder.decode(&buffer[offset..]) {
                    Ok((len, chunk)) => {
                        offset += len;
                        if let Some(chunk) = chunk {
                            let timestamp = chunk.timestamp.as_millis();
                            sink(chunk.message_type as u8, timestamp, &chunk.payload);
                        }
                    }
                    Err(error) if error.kind == ErrorKind::InsufficientBuffer => break,
                    Err(error) => return Err(show(error)),
                }
            }
            buffer.drain(..offset);
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        use shiguredo_rtmp::tests as inner;
        let mut encoder = inner::RtmpChunkEncoder::default();
        encoder.set_chunk_size(inner::RtmpChunkSize::new(chunk_size).ok_or("chunk size")?);
        let chunks: Result<Vec<_>, _> = messages
            .iter()
            .map(|message| {
                let message_type = inner::RtmpMessageType::from_type_id(message.message_type);
                Ok::<_, shiguredo_rtmp::Error>(inner::RtmpChunk {
                    chunk_stream_id: inner::RtmpChunkStreamId::new(csid(message)).expect("small"),
                    message_stream_id: inner::RtmpMessageStreamId::FIRST,
                    message_type: message_type?,
                    timestamp: shiguredo_rtmp::RtmpTimestamp::from_millis(message.timestamp),
                    payload: message.payload.to_vec(),
                })
            })
            .collect();
        let chunks = chunks.map_err(show)?;
        let mut buffer = Vec::new();
        Ok(Box::new(move |out| {
            for chunk in &chunks {
                buffer.clear();
                encoder.encode(&mut buffer, chunk);
                out.write(&buffer);
            }
        }))
    }

    fn set_up(&self, dialogue: &Dialogue) -> Outcome<usize> {
        sessions::shiguredo::set_up(dialogue)
    }

    fn decode_values(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::shiguredo::decode(bytes)?.len())
    }

    fn encode_values(&self, sample: &Sample) -> Outcome<Encode> {
        values::shiguredo::encode(&sample.bytes)
    }

    fn decode_amf3(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::shiguredo::decode_amf3(bytes)?.len())
    }

    fn encode_amf3(&self, sample: &Sample) -> Outcome<Encode> {
        values::shiguredo::encode_amf3(&sample.bytes)
    }
}

/// rtmp-runtime.
pub struct RtmpRuntime;

impl Contender for RtmpRuntime {
    fn name(&self) -> &'static str {
        "rtmp-runtime 0.8"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        let mut decoder = rtmp_runtime::chunk::ChunkAssembler::new()
            .with_chunk_size(workload.wire.chunk_size as u32);
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        while let Some(bytes) = receiver.read() {
            for message in decoder.push(bytes).map_err(show)? {
                sink(message.message_type_id, message.timestamp, &message.payload);
            }
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        let mut encoder = rtmp_runtime::chunk::ChunkWriter::new();
        encoder.set_chunk_size(chunk_size as u32);
        let messages: Vec<_> = messages
            .iter()
            .map(|message| rtmp_runtime::chunk::Message {
                chunk_stream_id: csid(message),
                timestamp: message.timestamp,
                message_type_id: message.message_type,
                message_stream_id: 1,
                payload: message.payload.to_vec(),
            })
            .collect();
        Ok(Box::new(move |out| {
            for message in &messages {
                if let Ok(bytes) = encoder.write(message) {
                    out.write(&bytes);
                }
            }
        }))
    }

    fn set_up(&self, dialogue: &Dialogue) -> Outcome<usize> {
        sessions::set_up::<sessions::rtmp_runtime::Server>(dialogue)
    }

    fn ingest(
        &self,
        dialogue: &Dialogue,
        workload: &Workload,
        piece: usize,
        sink: Sink<'_>,
    ) -> Outcome {
        sessions::ingest::<sessions::rtmp_runtime::Server>(dialogue, workload, piece, sink)
    }

    fn decode_values(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::rtmp_runtime::decode(bytes)?.len())
    }

    fn encode_values(&self, sample: &Sample) -> Outcome<Encode> {
        values::rtmp_runtime::encode(&sample.bytes)
    }
}

/// oxideav-rtmp, which reads and writes by itself.
pub struct Oxideav;

impl Contender for Oxideav {
    fn name(&self) -> &'static str {
        "oxideav-rtmp 0.0.7"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        let socket = Socket(&workload.wire.bytes);
        let mut reader =
            oxideav_rtmp::chunk::ChunkReader::new(BufReader::with_capacity(piece, socket));
        reader.set_chunk_size(workload.wire.chunk_size);
        for _ in 0..workload.messages.len() {
            let message = reader.read_message().map_err(show)?;
            sink(message.msg_type_id, message.timestamp, &message.payload);
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        let messages: Vec<_> = messages
            .iter()
            .map(|message| {
                let inner = oxideav_rtmp::Message {
                    msg_type_id: message.message_type,
                    msg_stream_id: 1,
                    timestamp: message.timestamp,
                    payload: message.payload.to_vec(),
                };
                (csid(message), inner)
            })
            .collect();
        Ok(Box::new(move |out| {
            let mut writer = oxideav_rtmp::chunk::ChunkWriter::new(Output(out));
            writer.set_chunk_size(chunk_size);
            for (csid, message) in &messages {
                let _ = writer.write_message(*csid, message);
            }
        }))
    }

    fn decode_values(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::oxideav::decode(bytes)?.len())
    }

    fn encode_values(&self, sample: &Sample) -> Outcome<Encode> {
        values::oxideav::encode(&sample.bytes)
    }

    fn decode_amf3(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::oxideav::decode_amf3(bytes)?.len())
    }

    fn encode_amf3(&self, sample: &Sample) -> Outcome<Encode> {
        values::oxideav::encode_amf3(&sample.bytes)
    }
}

/// scuffle-rtmp.
pub struct Scuffle;

impl Contender for Scuffle {
    fn name(&self) -> &'static str {
        "scuffle-rtmp 0.2"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        let mut decoder = scuffle_rtmp::chunk::reader::ChunkReader::default();
        if !decoder.update_max_chunk_size(workload.wire.chunk_size) {
            return Err("refuses the chunk size".into());
        }
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        let mut input = BytesMut::new();
        while receiver.read_into(&mut input) {
            while let Some(chunk) = decoder.read_chunk(&mut input).map_err(show)? {
                let header = &chunk.message_header;
                sink(header.msg_type_id.0, header.timestamp, &chunk.payload);
            }
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        use scuffle_rtmp::{chunk::Chunk, messages::MessageType};
        let mut encoder = scuffle_rtmp::chunk::writer::ChunkWriter::default();
        encoder.set_chunk_size(chunk_size);
        let chunks: Vec<_> = messages
            .iter()
            .map(|message| {
                let message_type = MessageType::from(message.message_type);
                let payload = message.payload.clone();
                Chunk::new(csid(message), message.timestamp, message_type, 1, payload)
            })
            .collect();
        Ok(Box::new(move |out| {
            for chunk in &chunks {
                let _ = encoder.write_chunk(&mut Output(out), chunk.clone());
            }
        }))
    }

    fn digest_handshake(&self, input: &[u8]) -> Outcome<Vec<u8>> {
        sessions::scuffle::handshake(input)
    }

    fn decode_values(&self, bytes: &[u8]) -> Outcome<usize> {
        Ok(values::scuffle::decode(bytes)?.len())
    }

    fn encode_values(&self, sample: &Sample) -> Outcome<Encode> {
        values::scuffle::encode(&sample.bytes)
    }
}

/// xiu's rtmp, whose encoder writes to a socket of its own and so cannot be measured.
#[cfg(feature = "xiu")]
pub struct Xiu;

#[cfg(feature = "xiu")]
impl Contender for Xiu {
    fn name(&self) -> &'static str {
        "rtmp 0.6 (xiu)"
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        use rtmp::chunk::unpacketizer::{ChunkUnpacketizer, UnpackResult};
        let mut decoder = ChunkUnpacketizer::new();
        decoder.update_max_chunk_size(workload.wire.chunk_size);
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        while let Some(bytes) = receiver.read() {
            decoder.extend_data(bytes);
            // An error is how it says that there is no more.
            while let Ok(UnpackResult::Chunks(chunks)) = decoder.read_chunks() {
                for chunk in chunks {
                    let header = &chunk.message_header;
                    sink(header.msg_type_id, header.timestamp, &chunk.payload);
                }
            }
        }
        Ok(())
    }
}

/// Reads from memory.
struct Socket<'a>(&'a [u8]);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

struct Output<'a>(&'a mut Sender);

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn csid(message: &Message) -> u32 {
    match message.message_type {
        8 => 4,
        _ => 6,
    }
}

pub(crate) fn show(error: impl std::fmt::Debug) -> String {
    let mut text = format!("fails: {error:?}");
    text.truncate(60);
    text
}
