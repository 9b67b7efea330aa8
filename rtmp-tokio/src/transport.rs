//! Byte streams: TCP, or TLS over it.

use std::{fmt, net::SocketAddr, time::Duration};

use rtmp_proto::RtmpUrl;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    time::Instant,
};

use crate::{error::Error, timer::within, tls};

/// Any byte stream that a connection can run over.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// A byte stream whose kind is known at run time.
pub type BoxedTransport = Box<dyn Transport>;

/// Connects to the host of `url`: over TCP, or over TLS for `rtmps://`.
///
/// # Errors
///
/// The name does not resolve, the host refuses, TLS fails or is not available, or all this takes
/// longer than `limit`; or the URL asks for RTMP in HTTP.
pub async fn dial(
    url: &RtmpUrl,
    tls: Option<&tls::Connector>,
    limit: Duration,
) -> Result<BoxedTransport, Error> {
    if url.is_tunnelled() {
        return Err(Error::Tunnelled);
    }
    if url.is_tls() && tls.is_none() {
        return Err(Error::NoTls);
    }
    let began = Instant::now();
    let connected = within(limit, TcpStream::connect((url.host(), url.port()))).await;
    let tcp = connected.ok_or(Error::ConnectTimeout { limit })??;
    tcp.set_nodelay(true)?;
    match tls {
        Some(connector) if url.is_tls() => {
            let rest = limit.saturating_sub(began.elapsed());
            let agreed = within(rest, connector.connect(url.host(), tcp)).await;
            agreed.unwrap_or(Err(Error::TlsTimeout { limit }))
        }
        _ => Ok(Box::new(tcp)),
    }
}

/// Accepts TCP connections, and runs TLS over them if it was given a certificate.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<tls::Acceptor>,
}

impl Listener {
    /// Listens on `address`.
    ///
    /// # Errors
    ///
    /// The address is in use, not this machine's, or not allowed.
    pub async fn bind(address: impl ToSocketAddrs) -> Result<Self, Error> {
        let tcp = TcpListener::bind(address).await?;
        Ok(Self { tcp, tls: None })
    }

    /// The same, for `rtmps://`.
    #[must_use]
    pub fn with_tls(mut self, acceptor: tls::Acceptor) -> Self {
        self.tls = Some(acceptor);
        self
    }

    /// Whether connections are TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The operating system cannot tell.
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.tcp.local_addr()?)
    }

    /// Waits for the next connection. Cancel-safe. TLS is not negotiated yet, so a slow client does
    /// not hold up the next one.
    ///
    /// # Errors
    ///
    /// The process or the system is out of a resource; trying again later may work.
    pub async fn accept(&self) -> Result<(Incoming, SocketAddr), Error> {
        let (tcp, peer) = self.tcp.accept().await?;
        let incoming = Incoming {
            tcp,
            tls: self.tls.clone(),
        };
        Ok((incoming, peer))
    }
}

/// An accepted connection before TLS.
#[derive(Debug)]
pub struct Incoming {
    tcp: TcpStream,
    tls: Option<tls::Acceptor>,
}

impl Incoming {
    /// Negotiates TLS if the listener has a certificate. Bound the time this may take.
    ///
    /// # Errors
    ///
    /// The connection is gone, or TLS fails.
    pub async fn establish(self) -> Result<BoxedTransport, Error> {
        self.tcp.set_nodelay(true)?;
        match self.tls {
            Some(acceptor) => acceptor.accept(self.tcp).await,
            None => Ok(Box::new(self.tcp)),
        }
    }
}
