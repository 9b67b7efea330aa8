//! What every implementation is asked to do.

use crate::{
    dialogue::Dialogue,
    socket::Sender,
    values::Sample,
    workload::{Message, Workload},
};

/// Takes decoded messages: type, timestamp, payload.
pub type Sink<'a> = &'a mut dyn FnMut(u8, u32, &[u8]);

/// `Err` tells why it cannot be done.
pub type Outcome<T = ()> = Result<T, String>;

/// Appends the same bytes each time.
pub type Encode = Box<dyn FnMut(&mut Vec<u8>)>;

/// Writes the same bytes each time.
pub type Encoder = Box<dyn FnMut(&mut Sender)>;

/// A closure that is measured.
pub type Work<'a> = Box<dyn FnMut() + 'a>;

/// An implementation of RTMP.
///
/// Input comes from a [`Receiver`](crate::socket::Receiver) and output goes to a [`Sender`], in the
/// way that costs the implementation least. What it has no public interface for stays as it is here.
pub trait Contender {
    /// The crate with its version.
    fn name(&self) -> &'static str;

    /// Whether it is meant to be right, not a limit to compare with.
    fn decodes(&self) -> bool {
        true
    }

    /// Decodes chunks into messages.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn decode(&self, _workload: &Workload, _piece: usize, _sink: Sink<'_>) -> Outcome {
        no_interface()
    }

    /// Prepares to encode messages into chunks of `chunk_size` bytes, again and again: what the
    /// implementation calls a message is made beforehand.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn encoder(&self, _messages: &[Message], _chunk_size: usize) -> Outcome<Encoder> {
        no_interface()
    }

    /// Decodes chunks and encodes the messages again, in chunks of the same size.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn relay(&self, _workload: &Workload, _piece: usize, _out: &mut Sender) -> Outcome {
        no_interface()
    }

    /// Prepares to make each message ready for `players` players and to write it to each.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn fan_out(
        &self,
        _messages: &[Message],
        _chunk_size: usize,
        _players: usize,
    ) -> Outcome<Encoder> {
        no_interface()
    }

    /// As [`fan_out`](Self::fan_out), by what a server has for it: sessions that play.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn serve_players(&self, _: &[Message], _chunk_size: usize, _: usize) -> Outcome<Encoder> {
        no_interface()
    }

    /// Prepares to encode each message for each of `players` players anew and to write it to each.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn encode_for_each(&self, _: &[Message], _chunk_size: usize, _: usize) -> Outcome<Encoder> {
        no_interface()
    }

    /// Serves a publisher from its first byte on.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn ingest(&self, _dialogue: &Dialogue, _: &Workload, _piece: usize, _: Sink<'_>) -> Outcome {
        no_interface()
    }

    /// Serves a publisher until it may begin; returns the number of bytes answered.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn set_up(&self, _dialogue: &Dialogue) -> Outcome<usize> {
        no_interface()
    }

    /// Answers the digest handshake of a client: `input` is C0 and C1. Returns S0, S1 and S2.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn digest_handshake(&self, _input: &[u8]) -> Outcome<Vec<u8>> {
        no_interface()
    }

    /// Decodes AMF0 values; returns how many there were on the top level.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn decode_values(&self, _bytes: &[u8]) -> Outcome<usize> {
        no_interface()
    }

    /// Prepares to encode `sample` again and again, appending to a buffer.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn encode_values(&self, _sample: &Sample) -> Outcome<Encode> {
        no_interface()
    }

    /// As [`decode_values`](Self::decode_values), of AMF3.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn decode_amf3(&self, _bytes: &[u8]) -> Outcome<usize> {
        no_interface()
    }

    /// As [`encode_values`](Self::encode_values), in AMF3.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn encode_amf3(&self, _sample: &Sample) -> Outcome<Encode> {
        no_interface()
    }

    /// Reads an FLV file that comes in pieces of `piece` bytes.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn read_flv(&self, _file: &[u8], _piece: usize, _sink: Sink<'_>) -> Outcome {
        no_interface()
    }

    /// Prepares to write an FLV file of `messages` again and again, appending to a buffer.
    ///
    /// # Errors
    ///
    /// It cannot.
    fn write_flv(&self, _messages: &[Message]) -> Outcome<Encode> {
        no_interface()
    }
}

/// There is nothing public that does this.
///
/// # Errors
///
/// Always.
pub fn no_interface<T>() -> Outcome<T> {
    Err("-".into())
}
