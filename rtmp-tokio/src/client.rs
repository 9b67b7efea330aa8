//! Clients: publish to a URL, or play one.

use std::{future, pin::pin, sync::Arc, task::Poll};

use rtmp_proto::{
    Client, ClientConfig, ClientEvent, ConnectParams, MessageStreamId, Playback, RtmpUrl,
    SEND_AHEAD, SendError, Stats, flv::Frame,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    connection::Connection, error::Error, sign_in::sign_in, tls, transport::BoxedTransport,
};

/// Publishes one stream.
#[derive(Debug)]
pub struct Publisher<T = BoxedTransport> {
    connection: Connection<T, Client>,
    stream: MessageStreamId,
}

impl Publisher {
    /// Connects to the host of `url` and publishes to it. If the server wants a user and a password,
    /// with those of `url`, which takes up to three connections.
    ///
    /// # Errors
    ///
    /// The host cannot be reached in time ([`ClientConfig::dial_timeout`]), or the server refuses.
    pub async fn connect(
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        tls: Option<&tls::Connector>,
    ) -> Result<Self, Error> {
        Self::connect_with(url, config, tls, ConnectParams::publisher(url)).await
    }

    /// As [`connect`](Self::connect), with other parameters for `connect`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        tls: Option<&tls::Connector>,
        params: ConnectParams,
    ) -> Result<Self, Error> {
        sign_in(url, config.dial_timeout, tls, &params, |io, params| {
            Self::with_params(io, url, Arc::clone(&config), params)
        })
        .await
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Publisher<T> {
    /// Publishes to `url` over `io`, a fresh connection to its host.
    ///
    /// # Errors
    ///
    /// The transport fails, or the server refuses.
    pub async fn over(io: T, url: &RtmpUrl, config: Arc<ClientConfig>) -> Result<Self, Error> {
        Self::with_params(io, url, config, ConnectParams::publisher(url)).await
    }

    /// As [`over`](Self::over), with other parameters for `connect`.
    ///
    /// # Errors
    ///
    /// The transport fails, or the server refuses.
    pub async fn with_params(
        io: T,
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        params: ConnectParams,
    ) -> Result<Self, Error> {
        let mut connection = Connection::new(io, config)?;
        let now = connection.now();
        connection.session().publish_with(now, url, params)?;
        loop {
            match connection.next_event().await? {
                ClientEvent::Publishing { stream } => return Ok(Self { connection, stream }),
                ClientEvent::Closed(reason) => return Err(Error::Closed(reason)),
                _ => {}
            }
        }
    }

    /// Sends `frame`: returns as soon as it is queued, unless more than [`SEND_AHEAD`] bytes wait, which the
    /// network must take first.
    ///
    /// Cancel-safe in the sense that a frame is queued whole or not at all.
    ///
    /// # Errors
    ///
    /// The transport fails, the session ends, or the server stops the stream with an error status.
    pub async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        self.connection.flush_to(SEND_AHEAD).await?;
        match self.queue(frame) {
            Ok(()) => {}
            Err(SendError::TooLong(payload)) => {
                let length = payload.len();
                return Err(Error::FrameTooLong { length });
            }
            // The room was waited for, so only the stream or the session can have ended.
            Err(_) => return Err(self.ended().await),
        }
        self.look_around().await
    }

    /// Waits until something ends the session; to be selected against the wait for the next frame.
    /// Cancel-safe.
    pub async fn ended(&mut self) -> Error {
        loop {
            match self.connection.next_event().await {
                Ok(event) => {
                    if let Some(reason) = event.publish_end() {
                        return Error::Closed(reason);
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// Ends the stream in good order: everything sent is written first.
    ///
    /// # Errors
    ///
    /// The transport fails.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.connection.flush().await?;
        self.connection.close().await
    }

    /// What was sent so far.
    pub fn stats(&mut self) -> Stats {
        self.connection.session().stats()
    }

    /// For those who drive the connection themselves.
    pub(crate) fn connection_mut(&mut self) -> &mut Connection<T, Client> {
        &mut self.connection
    }

    /// Queues `frame` behind whatever waits.
    pub(crate) fn queue(&mut self, frame: &Frame) -> Result<(), SendError> {
        self.connection.session().send_frame(self.stream, frame)
    }

    /// Writes and reads what goes without waiting.
    async fn look_around(&mut self) -> Result<(), Error> {
        let mut ended = pin!(self.ended());
        future::poll_fn(|cx| match ended.as_mut().poll(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }
}

/// Plays one stream.
#[derive(Debug)]
pub struct Player<T = BoxedTransport> {
    connection: Connection<T, Client>,
}

impl Player {
    /// Connects to the host of `url` and plays it. If the server wants a user and a password, with those
    /// of `url`, which takes up to three connections.
    ///
    /// # Errors
    ///
    /// The host cannot be reached in time ([`ClientConfig::dial_timeout`]), or the server refuses.
    pub async fn connect(
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        tls: Option<&tls::Connector>,
    ) -> Result<Self, Error> {
        Self::connect_with(url, config, tls, ConnectParams::player(url)).await
    }

    /// As [`connect`](Self::connect), with other parameters for `connect`: those of a player that
    /// [reconnects](ConnectParams::reconnecting) when it is asked to.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        tls: Option<&tls::Connector>,
        params: ConnectParams,
    ) -> Result<Self, Error> {
        sign_in(url, config.dial_timeout, tls, &params, |io, params| {
            Self::with_params(io, url, Arc::clone(&config), params)
        })
        .await
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Player<T> {
    /// Plays `url` over `io`, a fresh connection to its host.
    ///
    /// # Errors
    ///
    /// The transport fails, or the server refuses.
    pub async fn over(io: T, url: &RtmpUrl, config: Arc<ClientConfig>) -> Result<Self, Error> {
        Self::with_params(io, url, config, ConnectParams::player(url)).await
    }

    /// As [`over`](Self::over), with other parameters for `connect`: those of a player that
    /// [reconnects](ConnectParams::reconnecting) when it is asked to.
    ///
    /// # Errors
    ///
    /// The transport fails, or the server refuses.
    pub async fn with_params(
        io: T,
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        params: ConnectParams,
    ) -> Result<Self, Error> {
        let mut connection = Connection::new(io, config)?;
        let now = connection.now();
        connection.session().play_with(now, url, params)?;
        loop {
            match connection.next_event().await? {
                ClientEvent::Playing { .. } => return Ok(Self { connection }),
                ClientEvent::Closed(reason) => return Err(Error::Closed(reason)),
                _ => {}
            }
        }
    }

    /// The next frame, `None` when the server says that the stream has ended. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The transport fails, or the session ends without such a word. [`Error::ReconnectRequest`] ends
    /// nothing: who wants to stay calls again.
    pub async fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            match self.connection.next_event().await?.playback() {
                Some(Playback::Frame(frame)) => return Ok(Some(frame)),
                Some(Playback::Ended) => return Ok(None),
                Some(Playback::ReconnectRequest(status)) => {
                    return Err(Error::ReconnectRequest(status));
                }
                Some(Playback::Failed(reason)) => return Err(Error::Closed(reason)),
                _ => {}
            }
        }
    }

    /// Ends the connection in good order.
    ///
    /// # Errors
    ///
    /// The transport fails.
    pub async fn finish(mut self) -> Result<(), Error> {
        self.connection.close().await
    }

    /// What was received so far.
    pub fn stats(&mut self) -> Stats {
        self.connection.session().stats()
    }
}
