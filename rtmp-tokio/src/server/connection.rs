//! One accepted connection and what its client asks for.

use std::{fmt, sync::Arc};

use rtmp_proto::{
    CloseReason, Instant, PlayRequest, PublishRequest, ServerConfig, ServerEvent, ServerSession,
    Status,
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    media::{FrameSink, FrameSource},
    shutdown::Presence,
};
use crate::{connection::Connection, error::Error, transport::BoxedTransport};

/// A client of a server: it publishes one stream, or plays one, at a time.
///
/// Everything but media is answered here: `connect` is accepted, unknown commands and seeking are
/// refused. For several streams at once, or to look at `connect`, take the
/// [parts](Self::into_parts) and handle the session's events.
pub struct ServerConnection<T = BoxedTransport> {
    pub(super) connection: Connection<T, rtmp_proto::Server>,
    pub(super) presence: Presence,
    /// A request that came while another stream was active.
    pub(super) next: Option<ServerEvent>,
    /// The caller was given a request, and has not answered it.
    is_asked: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> ServerConnection<T> {
    /// Serves a client over `io`, a fresh connection that no [`Server`](super::Server) accepted.
    ///
    /// # Errors
    ///
    /// The operating system has no random bytes.
    pub fn over(io: T, config: Arc<ServerConfig>) -> Result<Self, Error> {
        Self::new(io, config, Presence::alone())
    }

    pub(super) fn new(io: T, config: Arc<ServerConfig>, presence: Presence) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::new(io, config)?,
            presence,
            next: None,
            is_asked: false,
        })
    }

    /// Waits until the client wants to publish or to play. Once that has ended, call it again: the
    /// client may want more.
    ///
    /// Cancel-safe. A request that is dropped without an answer ends the connection with the next
    /// call.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the session ends, which is how every connection ends;
    /// [`Error::Io`] if the transport fails.
    pub async fn next_request(&mut self) -> Result<Request<'_, T>, Error> {
        if self.is_asked {
            let (now, session) = self.session();
            session.close(now);
        }
        loop {
            let event = match self.next.take() {
                Some(event) => event,
                None => self.next_event().await?,
            };
            match event {
                ServerEvent::Publish(request) => {
                    self.is_asked = true;
                    return Ok(Request::Publish(Asked {
                        connection: self,
                        request,
                    }));
                }
                ServerEvent::Play(request) => {
                    self.is_asked = true;
                    return Ok(Request::Play(Asked {
                        connection: self,
                        request,
                    }));
                }
                event => self.handle(event)?,
            }
        }
    }

    /// The connection, for those who handle its events themselves, and its place in the shutdown of
    /// its server.
    pub fn into_parts(self) -> (Connection<T, rtmp_proto::Server>, Presence) {
        (self.connection, self.presence)
    }

    /// The connection, for queries and commands beside what is typed here.
    pub fn connection(&mut self) -> &mut Connection<T, rtmp_proto::Server> {
        &mut self.connection
    }

    /// The next event; when the server shuts down, the connection is closed in good order.
    pub(super) async fn next_event(&mut self) -> Result<ServerEvent, Error> {
        let next = self.connection.next_event();
        if let Some(event) = self.presence.unless_stopping(next).await {
            return event;
        }
        // Its last frame has been passed on.
        self.presence.set_sourceless();
        self.close().await?;
        Err(Error::Closed(CloseReason::Local))
    }

    /// Ends the connection in good order, unless the server cannot wait that long.
    pub(super) async fn close(&mut self) -> Result<(), Error> {
        let closed = self.presence.unless_aborted(self.connection.close());
        closed.await.unwrap_or(Ok(()))
    }

    /// Answers an event without a meaning for the caller.
    pub(super) fn handle(&mut self, event: ServerEvent) -> Result<(), Error> {
        if let ServerEvent::Closed(reason) = event {
            return Err(Error::Closed(reason));
        }
        let (now, session) = self.session();
        Ok(session.answer_by_default(now, event)?)
    }

    pub(super) fn session(&mut self) -> (Instant, &mut ServerSession) {
        (self.connection.now(), self.connection.session())
    }
}

impl<T> fmt::Debug for ServerConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection.fmt(f)
    }
}

/// What a client asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request<'a, T = BoxedTransport> {
    /// To publish a stream.
    Publish(Asked<'a, T, PublishRequest>),
    /// To play a stream.
    Play(Asked<'a, T, PlayRequest>),
}

/// A request that waits for an answer, and with it the client.
#[must_use = "the client waits for the answer"]
pub struct Asked<'a, T, R> {
    connection: &'a mut ServerConnection<T>,
    request: R,
}

impl<T, R> Asked<'_, T, R> {
    /// What is asked for: stream name, query and more.
    pub fn request(&self) -> &R {
        &self.request
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, R: rtmp_proto::Request> Asked<'_, T, R> {
    /// Tells the client why not, and ends the connection in good order.
    ///
    /// # Errors
    ///
    /// The transport fails, or the client has left meanwhile.
    pub async fn reject(self, status: Status) -> Result<(), Error> {
        let Self {
            connection,
            request,
        } = self;
        connection.is_asked = false;
        let (now, session) = connection.session();
        session.reject(now, request, status)?;
        connection.close().await
    }
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin> Asked<'a, T, PublishRequest> {
    /// Lets the client publish: its frames come out of what is returned.
    ///
    /// # Errors
    ///
    /// The session has ended.
    pub fn accept(self) -> Result<FrameSource<'a, T>, Error> {
        let (stream, connection) = (self.request.stream(), self.connection);
        connection.is_asked = false;
        let (now, session) = connection.session();
        session.accept(now, self.request)?;
        Ok(FrameSource::new(connection, stream))
    }
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin> Asked<'a, T, PlayRequest> {
    /// Lets the client play: what is returned takes frames.
    ///
    /// # Errors
    ///
    /// The session has ended.
    pub fn accept(self) -> Result<FrameSink<'a, T>, Error> {
        let (stream, connection) = (self.request.stream(), self.connection);
        connection.is_asked = false;
        let (now, session) = connection.session();
        session.accept(now, self.request)?;
        Ok(FrameSink::new(connection, stream))
    }
}

impl<T, R: fmt::Debug> fmt::Debug for Asked<'_, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.fmt(f)
    }
}
