//! Where a session and its message streams stand.

use alloc::string::String;
use core::{fmt, time::Duration};

use smallvec::SmallVec;

use crate::{
    chunk::MessageStreamId,
    flv::{Frame, FrameKind},
    time::Instant,
};

/// Where a session stands.
///
/// ```text
/// Handshaking -> Open -> Connecting -> Connected <-> Publishing
///                                          ^   <-> Playing
///      any state -> Closed
/// ```
///
/// Every change but the last is an event `StateChanged`; the last is `Closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionState {
    /// The handshake is going on.
    Handshaking,
    /// The handshake is done and there was no `connect` yet.
    Open,
    /// `connect` waits for its answer.
    Connecting,
    /// Connected; no message stream publishes or plays.
    Connected,
    /// At least one message stream publishes.
    Publishing,
    /// At least one message stream plays, and none publishes.
    Playing,
    /// The end.
    Closed,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Handshaking => "handshaking",
            Self::Open => "open",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Publishing => "publishing",
            Self::Playing => "playing",
            Self::Closed => "closed",
        })
    }
}

/// Where a message stream stands.
///
/// ```text
/// Idle -> PublishRequested -> Publishing -> Idle
/// Idle -> PlayRequested    -> Playing    -> Idle
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamState {
    /// Created, not in use.
    Idle,
    /// `publish` waits for its answer.
    PublishRequested,
    /// Media goes from client to server.
    Publishing,
    /// `play` waits for its answer.
    PlayRequested,
    /// Media goes from server to client.
    Playing,
}

impl fmt::Display for StreamState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::PublishRequested => "publish requested",
            Self::Publishing => "publishing",
            Self::PlayRequested => "play requested",
            Self::Playing => "playing",
        })
    }
}

/// One message stream.
pub(super) struct Stream {
    pub(super) id: MessageStreamId,
    pub(super) state: StreamState,
    /// The name given to `publish` or `play`, as sent. A secret.
    pub(super) name: String,
    pub(super) is_paused: bool,
    pub(super) wants_audio: bool,
    pub(super) wants_video: bool,
    /// Until when the publisher owes its first media, while it does.
    pub(super) first_media_due: Option<Instant>,
}

impl Stream {
    fn new(id: MessageStreamId) -> Self {
        Self {
            id,
            state: StreamState::Idle,
            name: String::new(),
            is_paused: false,
            wants_audio: true,
            wants_video: true,
            first_media_due: None,
        }
    }

    /// Whether the peer wants `frame` now.
    pub(super) fn wants(&self, frame: &Frame) -> bool {
        !self.is_paused
            && match frame.kind {
                FrameKind::Audio(_) => self.wants_audio,
                FrameKind::Video(_) => self.wants_video,
                FrameKind::Data(_) => true,
            }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The message streams of a session: few, and bounded, so a list will do.
#[derive(Debug)]
pub(super) struct Streams {
    list: SmallVec<[Stream; 1]>,
    /// [`Leniency::misplaced_messages`](crate::Leniency::misplaced_messages)
    tolerates_misplaced: bool,
}

impl Streams {
    pub(super) fn new(tolerates_misplaced: bool) -> Self {
        Self {
            list: SmallVec::new(),
            tolerates_misplaced,
        }
    }

    /// Adds the stream `id`, idle, unless there is one already.
    pub(super) fn create(&mut self, id: MessageStreamId) {
        if self.get(id).is_none() {
            self.list.push(Stream::new(id));
        }
    }

    /// The lowest ID from 1 on that is free. Servers count from 1, and some clients insist on it.
    pub(super) fn free_id(&self) -> MessageStreamId {
        (1..)
            .map(MessageStreamId::new)
            .find(|&id| self.get(id).is_none())
            .expect("there are fewer streams than numbers")
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, id: MessageStreamId) -> Option<&Stream> {
        self.list.iter().find(|stream| stream.id == id)
    }

    pub(super) fn get_mut(&mut self, id: MessageStreamId) -> Option<&mut Stream> {
        self.list.iter_mut().find(|stream| stream.id == id)
    }

    pub(super) fn remove(&mut self, id: MessageStreamId) -> Option<Stream> {
        let index = self.list.iter().position(|stream| stream.id == id)?;
        Some(self.list.remove(index))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.list.iter()
    }

    /// The stream that a message on stream `id` belongs to, among those in a state that
    /// `is_candidate`: the one named, or with leniency the only one if the message is on stream 0 or
    /// on a stream that does not exist.
    pub(super) fn resolve(
        &self,
        id: MessageStreamId,
        is_candidate: impl Fn(StreamState) -> bool,
    ) -> Option<MessageStreamId> {
        let index = self.position(id, is_candidate)?;
        Some(self.list.get(index)?.id)
    }

    /// As [`resolve`](Self::resolve), for changing it.
    pub(super) fn resolve_mut(
        &mut self,
        id: MessageStreamId,
        is_candidate: impl Fn(StreamState) -> bool,
    ) -> Option<&mut Stream> {
        let index = self.position(id, is_candidate)?;
        self.list.get_mut(index)
    }

    fn position(
        &self,
        id: MessageStreamId,
        is_candidate: impl Fn(StreamState) -> bool,
    ) -> Option<usize> {
        let mut streams = self.list.iter().enumerate();
        if let Some((index, stream)) = streams.find(|(_, stream)| stream.id == id) {
            return is_candidate(stream.state).then_some(index);
        }
        if !self.tolerates_misplaced {
            return None;
        }
        let streams = self.list.iter().enumerate();
        let mut candidates = streams.filter(|(_, stream)| is_candidate(stream.state));
        match (candidates.next(), candidates.next()) {
            (Some((only, _)), None) => Some(only),
            _ => None,
        }
    }

    /// Until when the first publisher that owes its first media has time.
    pub(super) fn first_media_due(&self) -> Option<Instant> {
        self.iter()
            .filter_map(|stream| stream.first_media_due)
            .min()
    }

    /// Gives publishers that owe their first media so much more time.
    pub(super) fn postpone_first_media(&mut self, by: Duration) {
        for stream in &mut self.list {
            stream.first_media_due = stream.first_media_due.map(|due| due + by);
        }
    }

    pub(super) fn any_in(&self, state: StreamState) -> bool {
        self.list.iter().any(|stream| stream.state == state)
    }
}
