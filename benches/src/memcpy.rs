//! The limit: the copies that a socket costs anyway.

use bytes::Bytes;

use crate::{
    contender::{Contender, Encode, Encoder, Outcome, Sink},
    dialogue::Dialogue,
    socket::{Receiver, Sender},
    wire,
    workload::{Message, Workload},
};

/// Copies the bytes of the wire and does nothing with them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Memcpy {
    /// The chunks of what is to be encoded.
    encoded: Vec<u8>,
    ends: Vec<usize>,
}

impl Memcpy {
    /// The limit for `workload`.
    pub fn of(workload: &Workload) -> Self {
        Self {
            encoded: workload.wire.bytes.clone(),
            ends: workload.wire.ends.clone(),
        }
    }

    /// The limit for the first `count` messages.
    #[must_use]
    pub fn only(mut self, count: usize) -> Self {
        self.ends.truncate(count);
        self
    }
}

impl Contender for Memcpy {
    fn name(&self) -> &'static str {
        "memcpy"
    }

    fn decode(&self, workload: &Workload, piece: usize, _: Sink<'_>) -> Outcome {
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        while receiver.read().is_some() {}
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        self.fan_out(messages, chunk_size, 1)
    }

    fn relay(&self, workload: &Workload, piece: usize, out: &mut Sender) -> Outcome {
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        while let Some(bytes) = receiver.read() {
            out.write(bytes);
        }
        Ok(())
    }

    fn fan_out(&self, _: &[Message], _: usize, players: usize) -> Outcome<Encoder> {
        let Self { encoded, ends } = self.clone();
        Ok(Box::new(move |out| {
            let mut begin = 0;
            for &end in &ends {
                for _ in 0..players {
                    out.write(&encoded[begin..end]);
                }
                begin = end;
            }
        }))
    }

    fn encode_for_each(
        &self,
        messages: &[Message],
        chunk_size: usize,
        players: usize,
    ) -> Outcome<Encoder> {
        self.fan_out(messages, chunk_size, players)
    }

    fn read_flv(&self, file: &[u8], piece: usize, _: Sink<'_>) -> Outcome {
        let mut receiver = Receiver::new(file, piece);
        while receiver.read().is_some() {}
        Ok(())
    }

    fn write_flv(&self, messages: &[Message]) -> Outcome<Encode> {
        let file = wire::flv_file(messages);
        Ok(Box::new(move |out| out.extend_from_slice(&file)))
    }

    fn ingest(&self, _: &Dialogue, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        self.decode(workload, piece, sink)
    }
}

/// What can be had by hand: decoding, the bytes of each message copied into memory of exactly its
/// size, without looking at them; encoding, each chunk and its header written from where they are.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing in it")]
pub struct ByHand;

impl Contender for ByHand {
    fn name(&self) -> &'static str {
        "by hand"
    }

    fn decodes(&self) -> bool {
        false
    }

    fn decode(&self, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        let mut messages = workload.messages.iter();
        let mut message = messages.next();
        let mut payload = Vec::new();
        while let Some(mut bytes) = receiver.read() {
            while let Some(next) = message
                && !bytes.is_empty()
            {
                let len = next.payload.len();
                if payload.capacity() == 0 {
                    payload.reserve_exact(len);
                }
                let (now, after) = bytes.split_at(bytes.len().min(len - payload.len()));
                payload.extend_from_slice(now);
                bytes = after;
                if payload.len() == len {
                    let payload = Bytes::from(std::mem::take(&mut payload));
                    sink(next.message_type, next.timestamp, &payload);
                    message = messages.next();
                }
            }
        }
        Ok(())
    }

    fn encoder(&self, messages: &[Message], chunk_size: usize) -> Outcome<Encoder> {
        self.fan_out(messages, chunk_size, 1)
    }

    fn encode_for_each(
        &self,
        messages: &[Message],
        chunk_size: usize,
        players: usize,
    ) -> Outcome<Encoder> {
        self.fan_out(messages, chunk_size, players)
    }

    fn fan_out(&self, messages: &[Message], chunk_size: usize, players: usize) -> Outcome<Encoder> {
        let messages: Vec<_> = messages
            .iter()
            .map(|message| {
                let (csid, len) = (wire::csid(message), message.payload.len());
                let (time, message_type) = (message.timestamp, message.message_type);
                let first = wire::full_header(csid, time, len, message_type, 1);
                (first, [0xC0 | csid], message.payload.clone())
            })
            .collect();
        Ok(Box::new(move |out| {
            for (first, following, payload) in &messages {
                for _ in 0..players {
                    out.write(first);
                    for (index, chunk) in payload.chunks(chunk_size).enumerate() {
                        if index > 0 {
                            out.write(following);
                        }
                        out.write(chunk);
                    }
                }
            }
        }))
    }

    /// Without a session.
    fn ingest(&self, _: &Dialogue, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        self.decode(workload, piece, sink)
    }
}
