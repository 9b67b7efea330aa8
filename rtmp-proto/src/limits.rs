//! Bounds on what a peer can make a session hold or do.

use core::time::Duration;

/// Every bound a session enforces, with defaults that deployed peers never reach.
///
/// A leaf: each layer is given the values it enforces. Fields say what they bound, the memory they
/// imply and what happens beyond them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest message accepted, in payload bytes. Default 16 777 215, the most the format can
    /// express [RTMP 1.0 §5.4.1]. Beyond: the connection ends.
    pub message_len: usize,
    /// Declared lengths of all incomplete messages of a connection added up, in bytes. Memory grows
    /// with the bytes that arrive, but for 128 KiB in all and 8 KiB of each message, so this is the
    /// ceiling an attacker can reach by sending them. Default 24 MiB. Beyond: the connection ends.
    pub incomplete_bytes: usize,
    /// Messages begun and not finished, over all chunk streams. Default 64. Beyond: the connection
    /// ends.
    pub incomplete_messages: usize,
    /// Chunk streams in use, each of which is remembered to the end in about 150 bytes. Default 1024;
    /// peers known use fewer than 64, the format has 65 598. Beyond: the connection ends.
    pub chunk_streams: usize,
    /// Chunks one message may be cut into: the work budget that stops a chunk size of 1 from
    /// turning megabytes into millions of header parses. Default 131 072, which is a message of the
    /// greatest length at the protocol's initial chunk size of 128; 0 is taken for 1. Beyond: the
    /// connection ends.
    pub chunks_per_message: u32,
    /// Parts of one aggregate. They are taken one by one and each becomes an event of its own, so this
    /// bounds what one message can keep an application busy with. Default 8192, which is more than a
    /// minute of pictures and sound; deployed servers put in a few dozen. Beyond: the connection ends,
    /// after the parts up to there.
    pub aggregate_parts: usize,
    /// Bounds for the AMF values of one command. Default [`AmfLimits::COMMAND`].
    pub command: AmfLimits,
    /// Bounds for the AMF values of one data message. Default [`AmfLimits::DATA`].
    pub data: AmfLimits,
    /// Message streams a peer may create. Default 32. Beyond: `createStream` gets `_error`.
    pub message_streams: usize,
    /// Calls of our own that wait for an answer. Default 256. Beyond: the command that would add
    /// one fails and nothing is sent.
    pub pending_calls: usize,
    /// Bytes encoded and not yet written to the transport. Default 4 MiB. Beyond: `send_*` gives
    /// the payload back and the session stops asking for input until the queue drains.
    pub output_queue: usize,
    /// What holds instead of the bounds above until `connect` was accepted. Default
    /// [`EarlyLimits::default`].
    pub before_connect: EarlyLimits,
    /// From the start to the last byte of the peer's handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// From the end of the handshake to `connect` (server) or its answer (client). Default 10 s.
    pub connect_timeout: Duration,
    /// From the acceptance of `connect` to the first `publish` or `play` (server), or from a
    /// request to its answer (client). Default 20 s.
    pub request_timeout: Duration,
    /// From the acceptance of a `publish` to the first message of its stream that holds audio, video
    /// or data other than metadata, configurations included; the application's own time for answering
    /// requests does not count. A stream that is reserved and not used is held against other
    /// publishers. Players and clients have no such deadline. Default 20 s. Beyond: the server ends the
    /// connection.
    pub first_media_timeout: Duration,
    /// Time without a complete message of a publishing peer after which the server ends the
    /// connection; the application's own time for answering requests does not count. Default 30 s.
    pub idle_timeout: Duration,
    /// Time with output queued and no byte of it written after which the connection ends.
    /// Default 10 s; noticed at most half as much later.
    pub write_stall_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_len: 0xFF_FFFF,
            incomplete_bytes: 24 << 20,
            incomplete_messages: 64,
            chunk_streams: 1024,
            chunks_per_message: 1 << 17,
            aggregate_parts: 8192,
            command: AmfLimits::COMMAND,
            data: AmfLimits::DATA,
            message_streams: 32,
            pending_calls: 256,
            output_queue: 4 << 20,
            before_connect: EarlyLimits::default(),
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            first_media_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            write_stall_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// These bounds as they are before `connect` was accepted: the lower of both.
    pub(crate) fn early(&self) -> Self {
        let early = &self.before_connect;
        Self {
            message_len: self.message_len.min(early.message_len),
            incomplete_bytes: self.incomplete_bytes.min(early.incomplete_bytes),
            chunk_streams: self.chunk_streams.min(early.chunk_streams),
            command: self.command.lower(early.command),
            data: self.data.lower(early.command),
            output_queue: self.output_queue.min(early.output_queue),
            ..self.clone()
        }
    }
}

/// Bounds on a peer before `connect`: until the application has accepted it (server), or the peer has
/// (client).
///
/// With the defaults they come to half a mebibyte, all in all. Where [`Limits`] has a lower value, that
/// holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EarlyLimits {
    /// As [`Limits::message_len`]. Default 64 KiB; `connect` takes less than 4 KiB from every encoder
    /// and player known.
    pub message_len: usize,
    /// As [`Limits::incomplete_bytes`]. Default 128 KiB.
    pub incomplete_bytes: usize,
    /// As [`Limits::chunk_streams`]. Default 64.
    pub chunk_streams: usize,
    /// As [`Limits::command`], and in the place of [`Limits::data`]. Default depth 32, 1024 values, 64 KiB
    /// of strings.
    pub command: AmfLimits,
    /// As [`Limits::output_queue`]. Default 64 KiB.
    pub output_queue: usize,
}

impl Default for EarlyLimits {
    fn default() -> Self {
        Self {
            message_len: 64 << 10,
            incomplete_bytes: 128 << 10,
            chunk_streams: 64,
            command: AmfLimits::COMMAND
                .with_nodes(1024)
                .with_string_bytes(64 << 10),
            output_queue: 64 << 10,
        }
    }
}

/// Bounds on one run of AMF values: one message's worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmfLimits {
    /// Containers within containers; a scalar at the top has depth 0.
    pub depth: usize,
    /// Values in all, those in containers and those copied by a reference included. A value takes
    /// 32 bytes, with a name 56, besides strings and names longer than 24 bytes.
    pub nodes: usize,
    /// Bytes of strings, property names, byte arrays and vectors of numbers in all, those copied by
    /// a reference included, and numbers that are keys as digits.
    pub string_bytes: usize,
}

impl AmfLimits {
    /// For commands: depth 32, 4096 values, 1 MiB of strings.
    pub const COMMAND: Self = Self {
        depth: 32,
        nodes: 4096,
        string_bytes: 1 << 20,
    };

    /// For data messages, which may hold long keyframe tables: depth 32, 65 536 values, 4 MiB of
    /// strings.
    pub const DATA: Self = Self {
        depth: 32,
        nodes: 1 << 16,
        string_bytes: 4 << 20,
    };

    fn lower(self, other: Self) -> Self {
        Self {
            depth: self.depth.min(other.depth),
            nodes: self.nodes.min(other.nodes),
            string_bytes: self.string_bytes.min(other.string_bytes),
        }
    }

    /// These bounds with another depth.
    #[must_use]
    pub const fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// These bounds with another number of values.
    #[must_use]
    pub const fn with_nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// These bounds with another number of string bytes.
    #[must_use]
    pub const fn with_string_bytes(mut self, string_bytes: usize) -> Self {
        self.string_bytes = string_bytes;
        self
    }
}
