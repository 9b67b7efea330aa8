//! Chunks written and read without `rtmp-proto`, so that it is not measured against its own idea of
//! the format.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::workload::{AUDIO, Message};

/// Chunked messages.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Wire {
    /// All chunks.
    pub bytes: Vec<u8>,
    /// The chunk size in force from the beginning.
    pub chunk_size: usize,
    /// Where each message ends, if they are not interleaved.
    pub ends: Vec<usize>,
}

/// How messages begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Headers {
    /// With the shortest header, as librtmp and so OBS write it.
    Compressed,
    /// With a type 0 header.
    Full,
}

/// Writes `messages`. Interleaved, audio goes between the chunks of a video message that is begun.
/// Returns the messages in the order in which they are complete.
pub fn write(
    messages: Vec<Message>,
    chunk_size: usize,
    headers: Headers,
    is_interleaved: bool,
) -> (Vec<Message>, Wire) {
    let mut writer = Writer {
        wire: Wire {
            chunk_size,
            ..Wire::default()
        },
        headers,
        previous: HashMap::new(),
    };
    let mut waiting = VecDeque::from(messages);
    let mut done = Vec::new();
    while let Some(message) = waiting.pop_front() {
        let mut sent = writer.first_chunk(&message);
        while sent < message.payload.len() {
            let is_audio_next = waiting
                .front()
                .is_some_and(|next| next.message_type == AUDIO);
            if is_interleaved && is_audio_next && message.message_type != AUDIO {
                let audio = waiting.pop_front().expect("it is there");
                let mut sent = writer.first_chunk(&audio);
                while sent < audio.payload.len() {
                    sent = writer.next_chunk(&audio, sent);
                }
                writer.wire.ends.push(writer.wire.bytes.len());
                done.push(audio);
            }
            sent = writer.next_chunk(&message, sent);
        }
        writer.wire.ends.push(writer.wire.bytes.len());
        done.push(message);
    }
    (done, writer.wire)
}

/// One message alone with a full header, as scripts of dialogues need it.
pub fn write_one(
    out: &mut Vec<u8>,
    csid: u8,
    message_type: u8,
    stream: u32,
    payload: &[u8],
    chunk_size: usize,
) {
    out.extend(full_header(csid, 0, payload.len(), message_type, stream));
    for (index, chunk) in payload.chunks(chunk_size).enumerate() {
        if index > 0 {
            out.push(0xC0 | csid);
        }
        out.extend(chunk);
    }
}

/// A type 0 header.
pub fn full_header(csid: u8, timestamp: u32, len: usize, message_type: u8, stream: u32) -> Vec<u8> {
    let mut out = vec![csid];
    out.extend(u24(timestamp.min(0xFF_FFFF) as usize));
    out.extend(u24(len));
    out.push(message_type);
    out.extend(stream.to_le_bytes());
    if timestamp >= 0xFF_FFFF {
        out.extend(timestamp.to_be_bytes());
    }
    out
}

/// An FLV file of `messages`.
pub fn flv_file(messages: &[Message]) -> Vec<u8> {
    let mut out = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    for message in messages {
        let begin = out.len();
        let [time_high, time @ ..] = message.timestamp.to_be_bytes();
        out.push(message.message_type);
        out.extend(u24(message.payload.len()));
        out.extend(time);
        out.extend([time_high, 0, 0, 0]);
        out.extend(&message.payload);
        let len = u32::try_from(out.len() - begin).expect("a short payload");
        out.extend(len.to_be_bytes());
    }
    out
}

/// Reads chunks that begin with the first of the connection; the reference for encoders.
///
/// # Errors
///
/// Tells what is wrong with `bytes`.
pub fn read(bytes: &[u8], chunk_size: usize) -> Result<Vec<Message>, String> {
    let mut chunk_size = chunk_size;
    let mut rest = bytes;
    let mut streams: HashMap<u32, Reading> = HashMap::new();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let [first] = take(&mut rest)?;
        let csid = match first & 0x3F {
            0 => u32::from(take::<1>(&mut rest)?[0]) + 64,
            1 => u32::from(u16::from_le_bytes(take(&mut rest)?)) + 64,
            id => u32::from(id),
        };
        let chunk_type = first >> 6;
        let stream = streams.entry(csid).or_default();
        if chunk_type < 3 {
            let field = number(&take::<3>(&mut rest)?);
            if chunk_type < 2 {
                stream.len = number(&take::<3>(&mut rest)?) as usize;
                stream.message_type = take::<1>(&mut rest)?[0];
            }
            if chunk_type == 0 {
                take::<4>(&mut rest)?;
            }
            stream.is_extended = field == 0xFF_FFFF;
            let time = match stream.is_extended {
                true => number(&take::<4>(&mut rest)?),
                false => field,
            };
            stream.delta = time;
            stream.timestamp = match chunk_type {
                0 => time,
                _ => stream.timestamp.wrapping_add(time),
            };
        } else {
            if stream.is_extended {
                take::<4>(&mut rest)?;
            }
            if stream.payload.is_empty() {
                stream.timestamp = stream.timestamp.wrapping_add(stream.delta);
            }
        }
        let len = (stream.len - stream.payload.len()).min(chunk_size);
        let (chunk, after) = rest.split_at_checked(len).ok_or("a chunk is cut short")?;
        rest = after;
        stream.payload.extend(chunk);
        if stream.payload.len() == stream.len {
            let payload = std::mem::take(&mut stream.payload);
            if stream.message_type == 1 {
                chunk_size = number(&payload) as usize;
                continue;
            }
            messages.push(Message {
                message_type: stream.message_type,
                timestamp: stream.timestamp,
                payload: payload.into(),
            });
        }
    }
    match streams.values().all(|stream| stream.payload.is_empty()) {
        true => Ok(messages),
        false => Err("a message is incomplete".into()),
    }
}

struct Writer {
    wire: Wire,
    headers: Headers,
    /// Timestamp, delta, if known, and length of the last message of each type.
    previous: HashMap<u8, (u32, Option<u32>, usize)>,
}

impl Writer {
    /// Returns the number of payload bytes written.
    fn first_chunk(&mut self, message: &Message) -> usize {
        let csid = csid(message);
        let len = message.payload.len();
        let previous = match self.headers {
            Headers::Compressed => self.previous.get(&message.message_type).copied(),
            Headers::Full => None,
        };
        let out = &mut self.wire.bytes;
        let mut delta = None;
        match previous {
            None => {
                let Message {
                    message_type,
                    timestamp,
                    ..
                } = *message;
                out.extend(full_header(csid, timestamp, len, message_type, 1));
            }
            Some((timestamp, before, length)) => {
                let step = message.timestamp - timestamp;
                delta = Some(step);
                if length != len {
                    out.push(0x40 | csid);
                    out.extend(u24(step as usize));
                    out.extend(u24(len));
                    out.push(message.message_type);
                } else if before != delta {
                    out.push(0x80 | csid);
                    out.extend(u24(step as usize));
                } else {
                    out.push(0xC0 | csid);
                }
            }
        }
        let state = (message.timestamp, delta, len);
        self.previous.insert(message.message_type, state);
        self.payload(message, 0)
    }

    fn next_chunk(&mut self, message: &Message, sent: usize) -> usize {
        self.wire.bytes.push(0xC0 | csid(message));
        if self.headers == Headers::Full && message.timestamp >= 0xFF_FFFF {
            self.wire.bytes.extend(message.timestamp.to_be_bytes());
        }
        self.payload(message, sent)
    }

    fn payload(&mut self, message: &Message, sent: usize) -> usize {
        let end = message.payload.len().min(sent + self.wire.chunk_size);
        self.wire.bytes.extend(&message.payload[sent..end]);
        end
    }
}

#[derive(Default)]
struct Reading {
    timestamp: u32,
    delta: u32,
    len: usize,
    message_type: u8,
    is_extended: bool,
    payload: Vec<u8>,
}

/// Where the message travels.
pub fn csid(message: &Message) -> u8 {
    match message.message_type {
        AUDIO => 4,
        _ => 6,
    }
}

fn u24(value: usize) -> [u8; 3] {
    let [.., a, b, c] = value.to_be_bytes();
    [a, b, c]
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, &byte| n << 8 | u32::from(byte))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (taken, after) = rest.split_first_chunk().ok_or("a header is cut short")?;
    *rest = after;
    Ok(*taken)
}

/// Compares what was decoded with what was meant.
///
/// # Errors
///
/// Tells the first difference.
pub fn compare(expected: &[Message], found: &[Message]) -> Result<(), String> {
    for (index, expected) in expected.iter().enumerate() {
        let found = found
            .get(index)
            .ok_or_else(|| format!("message {index} is missing"))?;
        let wrong = if found.message_type != expected.message_type {
            "type"
        } else if found.timestamp != expected.timestamp {
            "timestamp"
        } else if found.payload != expected.payload {
            "payload"
        } else {
            continue;
        };
        return Err(format!("message {index} has a wrong {wrong}"));
    }
    match found.len() == expected.len() {
        true => Ok(()),
        false => Err(format!(
            "{} messages too many",
            found.len() - expected.len()
        )),
    }
}

impl Message {
    /// A message of these parts.
    pub fn new(message_type: u8, timestamp: u32, payload: impl Into<Bytes>) -> Self {
        Self {
            message_type,
            timestamp,
            payload: payload.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn reader_reads_what_the_writer_writes() {
        for (name, workload) in Workload::all() {
            let found = read(&workload.wire.bytes, workload.wire.chunk_size).expect(name);
            compare(&workload.messages, &found).expect(name);
        }
    }

    #[test]
    fn differences_are_told() {
        let message = |timestamp| Message::new(AUDIO, timestamp, vec![1]);
        let expected = [message(1), message(2)];
        assert!(compare(&expected, &expected).is_ok());
        assert!(compare(&expected, &expected[..1]).is_err());
        assert!(compare(&expected[..1], &expected).is_err());
        assert!(compare(&expected, &[message(1), message(3)]).is_err());
    }
}
