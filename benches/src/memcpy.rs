//! The limit: the copies that a socket costs anyway.

use crate::{
    contender::{Contender, Outcome, Sink},
    dialogue::Dialogue,
    socket::{Receiver, Sender},
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

    fn encode(&self, _: &[Message], _: usize, out: &mut Sender) -> Outcome {
        let mut begin = 0;
        for &end in &self.ends {
            out.write(&self.encoded[begin..end]);
            begin = end;
        }
        Ok(())
    }

    fn relay(&self, workload: &Workload, piece: usize, out: &mut Sender) -> Outcome {
        let mut receiver = Receiver::new(&workload.wire.bytes, piece);
        while let Some(bytes) = receiver.read() {
            out.write(bytes);
        }
        Ok(())
    }

    fn fan_out(&self, _: &[Message], _: usize, players: usize, out: &mut Sender) -> Outcome {
        let mut begin = 0;
        for &end in &self.ends {
            for _ in 0..players {
                out.write(&self.encoded[begin..end]);
            }
            begin = end;
        }
        Ok(())
    }

    fn ingest(&self, _: &Dialogue, workload: &Workload, piece: usize, sink: Sink<'_>) -> Outcome {
        self.decode(workload, piece, sink)
    }
}
