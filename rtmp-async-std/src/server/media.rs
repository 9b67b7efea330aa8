//! Media of an accepted connection: frames in, or a sink for them.

use std::{fmt, mem};

use futures_io::{AsyncRead, AsyncWrite};
use rtmp_proto::{
    CloseReason, MessageStreamId, SEND_AHEAD, SendError, ServerEvent, flv::Frame, relay::Portion,
};

use super::connection::ServerConnection;
use crate::{error::Error, transport::BoxedTransport};

/// The frames that a client publishes.
///
/// As long as nobody asks for them, the client is not read from: TCP holds it back.
pub struct FrameSource<'a, T = BoxedTransport> {
    connection: &'a mut ServerConnection<T>,
    stream: MessageStreamId,
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin> FrameSource<'a, T> {
    pub(super) fn new(connection: &'a mut ServerConnection<T>, stream: MessageStreamId) -> Self {
        Self { connection, stream }
    }

    /// The next frame: `onMetaData` and other data, headers and coded frames as they come. `None` when
    /// the client has ended the stream, or asks for something else. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the session ends without such a word, as it does when the client just
    /// closes the connection and when the server shuts down; [`Error::Io`] if the transport fails.
    pub async fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        if self.connection.next.is_some() {
            return Ok(None);
        }
        loop {
            match self.connection.next_event().await? {
                ServerEvent::Frame { stream, frame } if stream == self.stream => {
                    return Ok(Some(frame));
                }
                ServerEvent::PublishStopped { stream } if stream == self.stream => {
                    return Ok(None);
                }
                event @ (ServerEvent::Publish(_) | ServerEvent::Play(_)) => {
                    self.connection.next = Some(event);
                    return Ok(None);
                }
                event => self.connection.handle(event)?,
            }
        }
    }
}

impl<T> fmt::Debug for FrameSource<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSource")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// Takes frames for a client that plays.
///
/// What is sent waits in the connection until the network takes it: [`queued_len`](Self::queued_len) tells
/// how much. [`send`](Self::send) waits for a slow player; a sender that would rather leave frames out
/// keeps them in a [`relay::Queue`](rtmp_proto::relay::Queue), which knows which ones can go, and moves
/// them here with [`queue`](Self::queue) while little waits.
///
/// Everything is written while one of the methods that wait is waiting, so let
/// [`next_event`](Self::next_event) wait when there is nothing to send.
pub struct FrameSink<'a, T = BoxedTransport> {
    connection: &'a mut ServerConnection<T>,
    stream: MessageStreamId,
    has_resumed: bool,
    has_stopped: bool,
}

/// What happens to a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlayerEvent {
    /// It had paused, or had video switched off, and goes on: best with headers and a key frame.
    Resumed,
    /// It ended the stream, or asks for something else.
    Stopped,
    /// The server shuts down: send what is left, then [`finish`](FrameSink::finish).
    ShuttingDown,
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin> FrameSink<'a, T> {
    pub(super) fn new(connection: &'a mut ServerConnection<T>, stream: MessageStreamId) -> Self {
        connection.presence.set_sourceless();
        Self {
            connection,
            stream,
            has_resumed: false,
            has_stopped: false,
        }
    }

    /// Queues `frame` behind what waits.
    ///
    /// # Errors
    ///
    /// See [`SendError`]: the player has left, or more waits than
    /// [`Limits::output_queue`](rtmp_proto::Limits::output_queue).
    pub fn queue(&mut self, frame: &Frame) -> Result<(), SendError> {
        let (_, session) = self.connection.session();
        session.send_frame(self.stream, frame)
    }

    /// Queues what a [`Broadcast`](rtmp_proto::relay::Broadcast) has next for the player.
    ///
    /// # Errors
    ///
    /// The player has left, or more waits than
    /// [`Limits::output_queue`](rtmp_proto::Limits::output_queue).
    pub fn queue_portion(&mut self, portion: &Portion) -> Result<(), Error> {
        let (_, session) = self.connection.session();
        Ok(session.send_portion(self.stream, portion)?)
    }

    /// Sends `frame`: returns as soon as it is queued, unless more than 256 KiB wait, which the
    /// network must take first. Cancel-safe: it is queued whole or not at all.
    ///
    /// # Errors
    ///
    /// The transport fails, or the player leaves.
    pub async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        self.drained(SEND_AHEAD).await?;
        if let Err(SendError::TooLong(payload)) = self.queue(frame) {
            let length = payload.len();
            return Err(Error::FrameTooLong { length });
        }
        // What can be written without waiting. If there was no stream to queue it on, this tells why.
        self.drained(usize::MAX).await
    }

    /// Bytes that wait to be written.
    pub fn queued_len(&mut self) -> usize {
        self.connection.session().1.queued_len()
    }

    /// Waits until at most `len` bytes wait to be written. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The transport fails, or the player leaves: [`Error::StreamEnded`] if the connection goes on.
    pub async fn drained(&mut self, len: usize) -> Result<(), Error> {
        loop {
            if self.has_stopped {
                return Err(Error::StreamEnded);
            }
            let ServerConnection {
                connection,
                presence,
                ..
            } = &mut *self.connection;
            let event = presence.unless_aborted(connection.next_event_or_room(len));
            match event.await.unwrap_or(Err(ABORTED))? {
                Some(event) => self.handle(event)?,
                None => return Ok(()),
            }
        }
    }

    /// Waits for something that a sender has to know, writing meanwhile. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the session ends, as it does when the player just closes the connection;
    /// [`Error::Io`] if the transport fails.
    pub async fn next_event(&mut self) -> Result<PlayerEvent, Error> {
        loop {
            if let Some(event) = self.noted() {
                return Ok(event);
            }
            let ServerConnection {
                connection,
                presence,
                ..
            } = &mut *self.connection;
            match presence.unless_stopping(connection.next_event()).await {
                Some(event) => self.handle(event?)?,
                None => return Ok(PlayerEvent::ShuttingDown),
            }
        }
    }

    /// Waits for such an event, or until at most `len` bytes wait to be written (`None`): what a sender
    /// waits for that has more. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub async fn next_event_or_room(&mut self, len: usize) -> Result<Option<PlayerEvent>, Error> {
        loop {
            if let Some(event) = self.noted() {
                return Ok(Some(event));
            }
            let ServerConnection {
                connection,
                presence,
                ..
            } = &mut *self.connection;
            let event = presence.unless_stopping(connection.next_event_or_room(len));
            match event.await {
                Some(Ok(Some(event))) => self.handle(event)?,
                Some(Ok(None)) => return Ok(None),
                Some(Err(error)) => return Err(error),
                None => return Ok(Some(PlayerEvent::ShuttingDown)),
            }
        }
    }

    /// An event that came while something else was waited for.
    fn noted(&mut self) -> Option<PlayerEvent> {
        if self.has_stopped {
            return Some(PlayerEvent::Stopped);
        }
        mem::take(&mut self.has_resumed).then_some(PlayerEvent::Resumed)
    }

    /// Tells the player that its stream has a publisher (again).
    ///
    /// # Errors
    ///
    /// The player has left.
    pub fn notify_published(&mut self) -> Result<(), Error> {
        let (_, session) = self.connection.session();
        Ok(session.notify_published(self.stream)?)
    }

    /// Tells the player that its stream has no publisher any more. ffmpeg leaves then, others wait.
    ///
    /// # Errors
    ///
    /// The player has left.
    pub fn notify_unpublished(&mut self) -> Result<(), Error> {
        let (_, session) = self.connection.session();
        Ok(session.notify_unpublished(self.stream)?)
    }

    /// Tells the player that this was all, and ends the connection in good order: what waits has 5 s to
    /// be written.
    ///
    /// # Errors
    ///
    /// The transport fails, or is too slow.
    pub async fn finish(self) -> Result<(), Error> {
        self.connection.close().await
    }

    fn handle(&mut self, event: ServerEvent) -> Result<(), Error> {
        match event {
            ServerEvent::PlayStopped { stream } if stream == self.stream => {
                self.has_stopped = true;
            }
            event @ (ServerEvent::Publish(_) | ServerEvent::Play(_)) => {
                self.connection.next = Some(event);
                self.has_stopped = true;
            }
            event if event.is_resumption(self.stream) => self.has_resumed = true,
            event => self.connection.handle(event)?,
        }
        Ok(())
    }
}

impl<T> fmt::Debug for FrameSink<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSink")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

const ABORTED: Error = Error::Closed(CloseReason::Local);
