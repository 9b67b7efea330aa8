//! Messages of several chunk streams, chunk by chunk in turns.

use alloc::collections::{BTreeMap, VecDeque};
use core::fmt;

use bytes::Bytes;

use super::{
    ChunkEncoder, ChunkStreamId, MessageStreamId, MessageType, RawMessage,
    header::{BasicHeader, Continuation, HEADER_LEN_MAX},
};
use crate::{timestamp::Timestamp, transmit::SendQueue};

/// Holds messages back and writes them one chunk at a time, so that small ones need not wait behind
/// a large one.
///
/// Before each chunk it looks which chunk stream is the most urgent of those that have something to
/// say: control, commands, data, audio, video, then the others by number. What has begun on the
/// others waits. On one chunk stream messages keep their order, so whatever the turns, the peer
/// receives the messages of each as they were pushed. [RTMP 1.0 §5.3]
///
/// Between chunk streams the order changes within limits: see [`Turn`]. And audio and data never
/// begin more than a second of the stream's time ahead of video that waits.
///
/// How long a message waits depends on the chunk size: it is for small chunks.
#[derive(Default)]
pub struct Interleaver {
    /// Messages that may be reordered among each other, then those that must follow all of them,
    /// and so on. None is empty, but for the first while something of it is in progress.
    rounds: VecDeque<Round>,
    /// The messages of the first round that have begun.
    begun: BTreeMap<Rank, Begun>,
    pending: usize,
}

/// What a message may overtake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "all there is between nothing and everything"
)]
pub enum Turn {
    /// All that is less urgent: acknowledgements, pings, answers.
    AtOnce,
    /// What is less urgent of all that was pushed since the last [`AfterAll`](Self::AfterAll): media.
    InTurn,
    /// Nothing, and what is pushed later does not overtake it either unless `AtOnce`: what begins or
    /// ends a stream.
    AfterAll,
}

impl Interleaver {
    /// Without messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `message` to those that wait for `csid`.
    pub fn push(&mut self, csid: ChunkStreamId, message: RawMessage, turn: Turn) {
        let rank = Rank::of(csid);
        let has_lane = |round: &Round| round.lanes.contains_key(&rank);
        // Never before what waits for the same chunk stream.
        let earliest = self.rounds.iter().rposition(has_lane).unwrap_or(0);
        let last = self.rounds.len().saturating_sub(1);
        let is_closed = self.rounds.back().is_some_and(|round| round.is_closed);
        let round = match turn {
            Turn::AtOnce => earliest,
            Turn::InTurn if !is_closed => last,
            Turn::InTurn | Turn::AfterAll => self.rounds.len(),
        };
        if self.rounds.len() <= round {
            self.rounds.push_back(Round::default());
        }
        self.pending += message.payload().len() + HEADER_LEN_MAX;
        if let Some(round) = self.rounds.get_mut(round) {
            round.is_closed |= turn == Turn::AfterAll;
            let lane = round.lanes.entry(rank).or_default();
            lane.push_back((csid, message));
        }
    }

    /// Writes the next chunk to `queue`, false if there is none.
    ///
    /// The encoder's chunk size may change between chunks, if the peer is told in a message between
    /// the same chunks.
    pub fn write_chunk(&mut self, encoder: &mut ChunkEncoder, queue: &mut SendQueue) -> bool {
        let Some(rank) = self.next_rank() else {
            return false;
        };
        let begun = match self.begun.remove(&rank) {
            Some(begun) => begun,
            None => match self.rounds.front_mut().and_then(|round| round.pop(rank)) {
                Some((csid, message)) => {
                    self.pending -= HEADER_LEN_MAX;
                    Begun::new(csid, &message, encoder, queue)
                }
                None => return false,
            },
        };
        let (written, rest) = begun.write_chunk(encoder, queue);
        self.pending -= written;
        if let Some(rest) = rest {
            self.begun.insert(rank, rest);
        }
        self.settle();
        true
    }

    /// Drops what is left of the message that has begun on `csid`, if one has, and gives the Abort
    /// Message that tells the peer, which must be pushed [`AtOnce`](Turn::AtOnce).
    ///
    /// Only for peers known to understand it: ffmpeg's and VLC's players do not.
    /// [RTMP 1.0 §5.4.2]
    #[must_use = "the peer must be told"]
    pub fn abort(&mut self, csid: ChunkStreamId) -> Option<RawMessage> {
        let begun = self.begun.remove(&Rank::of(csid))?;
        self.pending -= begun.rest.len();
        self.settle();
        let payload = Bytes::copy_from_slice(&csid.get().to_be_bytes());
        let control = MessageStreamId::CONTROL;
        RawMessage::new(MessageType::ABORT, control, Timestamp::ZERO, payload).ok()
    }

    /// Bytes that wait, headers counted at their longest.
    pub fn pending_len(&self) -> usize {
        self.pending
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// Goes on to the next round when the first is over.
    fn settle(&mut self) {
        let is_over = |round: &Round| round.lanes.is_empty();
        if self.begun.is_empty() && self.rounds.front().is_some_and(is_over) {
            self.rounds.pop_front();
        }
    }

    /// The most urgent chunk stream of those that may speak.
    fn next_rank(&self) -> Option<Rank> {
        let round = self.rounds.front()?;
        let begun = self.begun.keys().next();
        let mut waiting = round.lanes.keys();
        let waiting = waiting.find(|&&rank| !self.runs_ahead(round, rank));
        [begun, waiting].into_iter().flatten().min().copied()
    }

    /// Whether the next message of a chunk stream is too far ahead of a less urgent one.
    fn runs_ahead(&self, round: &Round, rank: Rank) -> bool {
        let Some((_, message)) = round.lanes.get(&rank).and_then(VecDeque::front) else {
            return false;
        };
        let begun = self.begun.iter().map(|(rank, begun)| (*rank, begun.time));
        let waiting = round.lanes.iter().filter_map(|(rank, lane)| {
            let (_, first) = lane.front()?;
            Some((*rank, (first.stream, first.timestamp)))
        });
        rank >= Rank::MEDIA
            && begun.chain(waiting).any(|(other, (stream, timestamp))| {
                let lead = message.timestamp.signed_millis_since(timestamp);
                other > rank && stream == message.stream && lead > LEAD_MILLIS
            })
    }
}

impl fmt::Debug for Interleaver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interleaver")
            .field("pending", &self.pending)
            .field("rounds", &self.rounds.len())
            .field("begun", &self.begun.len())
            .finish()
    }
}

/// Messages that may be reordered among each other, by chunk stream. No lane is empty.
#[derive(Default)]
struct Round {
    /// Its first message was pushed to come after all, and nothing joins it but what is urgent.
    is_closed: bool,
    lanes: BTreeMap<Rank, VecDeque<(ChunkStreamId, RawMessage)>>,
}

impl Round {
    fn pop(&mut self, rank: Rank) -> Option<(ChunkStreamId, RawMessage)> {
        let lane = self.lanes.get_mut(&rank)?;
        let message = lane.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&rank);
        }
        message
    }
}

/// How urgent a chunk stream is: one for each, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u32);

impl Rank {
    /// What comes from here on has a time.
    const MEDIA: Self = Self(2);

    const fn of(csid: ChunkStreamId) -> Self {
        match csid {
            ChunkStreamId::CONTROL => Self(0),
            ChunkStreamId::COMMAND => Self(1),
            // Players want metadata before anything else.
            ChunkStreamId::DATA => Self::MEDIA,
            other => Self(other.get()),
        }
    }
}

/// A message of which the header is written, and perhaps some chunks.
struct Begun {
    rest: Bytes,
    /// Before each chunk but the first.
    header: Continuation,
    is_first: bool,
    time: (MessageStreamId, Timestamp),
}

impl Begun {
    fn new(
        csid: ChunkStreamId,
        message: &RawMessage,
        encoder: &mut ChunkEncoder,
        queue: &mut SendQueue,
    ) -> Self {
        let header = encoder.message_header(csid, message);
        queue.write(|out| {
            let chunk_type = header.chunk_type();
            BasicHeader { chunk_type, csid }.encode(out);
            header.encode(out);
        });
        Self {
            rest: message.payload().clone(),
            header: Continuation::new(csid, header.extended_field()),
            is_first: true,
            time: (message.stream, message.timestamp),
        }
    }

    /// Writes a chunk; gives its payload bytes, and what is left if something is.
    fn write_chunk(
        mut self,
        encoder: &ChunkEncoder,
        queue: &mut SendQueue,
    ) -> (usize, Option<Self>) {
        if !self.is_first {
            queue.copy(self.header.bytes());
        }
        self.is_first = false;
        let len = self.rest.len().min(encoder.chunk_size().as_usize());
        queue.share(self.rest.split_to(len));
        (len, (!self.rest.is_empty()).then_some(self))
    }
}

/// How far audio and data may be ahead of video: what players buffer at least.
const LEAD_MILLIS: i32 = 1000;

#[cfg(test)]
mod tests;
