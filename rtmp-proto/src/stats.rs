//! Counters of one session.

use crate::{chunk::ChunkSize, flv::FrameKind, time::Instant};

/// What a session has done so far. A snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// When the session began.
    pub started: Instant,
    /// When the last byte arrived, or `started`.
    pub last_activity: Instant,
    /// Bytes received, handshake included.
    pub bytes_received: u64,
    /// Bytes written to the transport, handshake included.
    pub bytes_sent: u64,
    /// Messages received.
    pub received: MessageCounts,
    /// Messages queued for sending.
    pub sent: MessageCounts,
    /// Messages received and ignored: of unknown types, empty, undecodable, or for streams that were
    /// not publishing or playing.
    pub ignored: u64,
    /// Messages the peer began and did not finish.
    pub dropped_by_peer: u64,
    /// Bytes the peer says it has received, modulo 2^32; 0 if it never said.
    pub acknowledged: u32,
    /// Chunk size of what the peer sends.
    pub chunk_size_in: ChunkSize,
    /// Chunk size of what we send.
    pub chunk_size_out: ChunkSize,
    /// The acknowledgement window the peer announced, if it did.
    pub window_in: Option<u32>,
    /// The acknowledgement window announced to the peer, if it was.
    pub window_out: Option<u32>,
}

/// Messages of one direction by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageCounts {
    /// All messages, protocol control included.
    pub messages: u64,
    /// Audio messages.
    pub audio: u64,
    /// Video messages.
    pub video: u64,
    /// Data messages.
    pub data: u64,
}

impl MessageCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.audio += other.audio;
        self.video += other.video;
        self.data += other.data;
    }

    pub(crate) fn count_frame(&mut self, kind: &FrameKind) {
        match kind {
            FrameKind::Audio(_) => self.audio += 1,
            FrameKind::Video(_) => self.video += 1,
            FrameKind::Data(_) => self.data += 1,
        }
    }
}
