//! Clients: publish to a URL, or play one.

use std::{future, pin::pin, sync::Arc, task::Poll};

use futures_io::{AsyncRead, AsyncWrite};
use rtmp_proto::{
    Client, ClientConfig, ClientEvent, CloseReason, MessageStreamId, RtmpUrl, SendError, Stats,
    StatusCode, flv::Frame, message::Level,
};

use crate::{connection::Connection, error::Error, transport::BoxedTransport};
#[cfg(feature = "async-std")]
use crate::{tls, transport::dial};

/// Publishes one stream.
#[derive(Debug)]
pub struct Publisher<T = BoxedTransport> {
    connection: Connection<T, Client>,
    stream: MessageStreamId,
}

#[cfg(feature = "async-std")]
impl Publisher {
    /// Connects to the host of `url` and publishes to it.
    ///
    /// # Errors
    ///
    /// The host cannot be reached, or the server refuses.
    pub async fn connect(
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        tls: Option<&tls::Connector>,
    ) -> Result<Self, Error> {
        Self::over(dial(url, tls).await?, url, config).await
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Publisher<T> {
    /// Publishes to `url` over `io`, a fresh connection to its host.
    ///
    /// # Errors
    ///
    /// The transport fails, or the server refuses.
    pub async fn over(io: T, url: &RtmpUrl, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let mut connection = Connection::new(io, config)?;
        let now = connection.now();
        connection.session().publish_to(now, url)?;
        loop {
            match connection.next_event().await? {
                ClientEvent::Publishing { stream } => return Ok(Self { connection, stream }),
                ClientEvent::Closed(reason) => return Err(Error::Closed(reason)),
                _ => {}
            }
        }
    }

    /// Sends `frame`: returns as soon as it is queued, unless more than 256 KiB wait, which the
    /// network must take first.
    ///
    /// Cancel-safe in the sense that a frame is queued whole or not at all.
    ///
    /// # Errors
    ///
    /// The transport fails, the session ends, or the server stops the stream with an error status.
    pub async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        self.connection.flush_to(QUEUED_LEN_MAX).await?;
        match self.connection.session().send_frame(self.stream, frame) {
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
                    if let Some(error) = ending(event) {
                        return error;
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

/// What an event says about the end of a publisher's stream. Some servers (nginx-rtmp) report an
/// error after the start and go on reading without using anything.
fn ending(event: ClientEvent) -> Option<Error> {
    match event {
        ClientEvent::Closed(reason) => Some(Error::Closed(reason)),
        ClientEvent::Status { status, .. } if status.level == Level::Error => {
            Some(Error::Closed(CloseReason::Refused(status)))
        }
        _ => None,
    }
}

/// Plays one stream.
#[derive(Debug)]
pub struct Player<T = BoxedTransport> {
    connection: Connection<T, Client>,
}

#[cfg(feature = "async-std")]
impl Player {
    /// Connects to the host of `url` and plays it.
    ///
    /// # Errors
    ///
    /// The host cannot be reached, or the server refuses.
    pub async fn connect(
        url: &RtmpUrl,
        config: Arc<ClientConfig>,
        tls: Option<&tls::Connector>,
    ) -> Result<Self, Error> {
        Self::over(dial(url, tls).await?, url, config).await
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Player<T> {
    /// Plays `url` over `io`, a fresh connection to its host.
    ///
    /// # Errors
    ///
    /// The transport fails, or the server refuses.
    pub async fn over(io: T, url: &RtmpUrl, config: Arc<ClientConfig>) -> Result<Self, Error> {
        let mut connection = Connection::new(io, config)?;
        let now = connection.now();
        connection.session().play_from(now, url)?;
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
    /// The transport fails, or the session ends without such a word.
    pub async fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            match self.connection.next_event().await? {
                ClientEvent::Frame { frame, .. } => return Ok(Some(frame)),
                ClientEvent::Status { status, .. } if END_OF_STREAM.contains(&status.code) => {
                    return Ok(None);
                }
                ClientEvent::Status { status, .. } if status.level == Level::Error => {
                    return Err(Error::Closed(CloseReason::Refused(status)));
                }
                ClientEvent::Closed(reason) => return Err(Error::Closed(reason)),
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

/// What servers say when a stream is over.
const END_OF_STREAM: [StatusCode; 3] = [
    StatusCode::PLAY_STOP,
    StatusCode::PLAY_UNPUBLISH_NOTIFY,
    StatusCode::PLAY_COMPLETE,
];

/// Output that may wait before a publisher holds back: some tenths of a second of high-quality video.
pub(crate) const QUEUED_LEN_MAX: usize = 256 << 10;
