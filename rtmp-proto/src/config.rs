//! How sessions behave: values shared by all sessions of an endpoint.

use alloc::{borrow::Cow, string::String};
use core::time::Duration;

use crate::{
    capabilities::Capabilities,
    chunk::{ChunkSize, HeaderCompression},
    handshake::HandshakeMode,
    leniency::Leniency,
    limits::Limits,
    message::SwfVerification,
};

/// What clients and servers configure alike.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionConfig {
    /// Bounds on what the peer can make the session hold or do.
    pub limits: Limits,
    /// Where deployed peers are followed instead of the specification.
    pub leniency: Leniency,
    /// Size of outgoing chunks, announced before the first long message. Default 65 536: most frames
    /// fit one chunk, and every peer known accepts it.
    pub chunk_size: ChunkSize,
    /// Headers of outgoing chunks. Default off, so that the same chunks serve every player.
    pub header_compression: HeaderCompression,
    /// Whether small messages are sent between the chunks of large ones, so that audio, answers and
    /// acknowledgements do not wait behind a key frame on a slow network
    /// ([`Interleaver`](crate::chunk::Interleaver)). It takes small chunks to be of use, 4096 bytes
    /// for instance. Default off: some deployed readers keep one message at a time for all chunk
    /// streams, or count chunks from the beginning of a message (older membrane, HPRTMP, lal and
    /// Node-Media-Server with changing chunk sizes).
    pub interleaving: bool,
    /// The window announced to the peer: it is to acknowledge at least every so many bytes.
    /// Default 2 500 000 (SRS, mediamtx).
    pub window_ack_size: u32,
    /// Whether media is held back when the peer's bandwidth limit is unacknowledged
    /// [RTMP 1.0 §5.4.5]. Default off: many peers never acknowledge anything.
    pub enforce_peer_bandwidth: bool,
    /// Silence of the peer after which it is pinged; the connection ends after as much silence
    /// again. Default 60 s; `None` or zero never pings. A peer that still sends anything, or still takes
    /// output, is never dropped for a missing answer.
    pub ping_interval: Option<Duration>,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            leniency: Leniency::default(),
            chunk_size: ChunkSize::new(65_536).expect("within 1..=0x7FFFFFFF"),
            header_compression: HeaderCompression::Off,
            interleaving: false,
            window_ack_size: 2_500_000,
            enforce_peer_bandwidth: false,
            ping_interval: Some(Duration::from_secs(60)),
        }
    }
}

/// How server sessions behave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What clients and servers configure alike.
    pub connection: ConnectionConfig,
    /// `fmsVer` in the answer to `connect`. Default as nginx-rtmp and SRS write it, since some
    /// encoders look for a version of Adobe's server.
    pub fms_version: Cow<'static, str>,
    /// What is said in the answer to a client that says what it can do. Default
    /// [`Capabilities::forwarding`]: everything passes through.
    pub capabilities: Capabilities,
    /// Whether clients that ask for RTMPE get it. Default off: it is for compatibility, not security,
    /// and the random bytes of each session must then be unpredictable.
    #[cfg(feature = "rtmpe")]
    pub accepts_encryption: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connection: ConnectionConfig::default(),
            fms_version: "FMS/3,5,7,7009".into(),
            capabilities: Capabilities::forwarding(),
            #[cfg(feature = "rtmpe")]
            accepts_encryption: false,
        }
    }
}

/// How client sessions behave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What clients and servers configure alike. A client does not ping unless told to.
    pub connection: ConnectionConfig,
    /// The handshake offered. Default simple, as OBS and librtmp.
    pub handshake: HandshakeMode,
    /// `flashVer` in `connect` when publishing.
    pub publisher_version: String,
    /// `flashVer` in `connect` when playing.
    pub player_version: String,
    /// What to answer a server that asks which SWF file the player runs. Default `None`: the
    /// question becomes an event.
    pub swf_verification: Option<SwfVerification>,
    /// What a player tells the server it buffers. Default 3 s, as ffmpeg.
    pub buffer: Duration,
    /// What an adapter that connects by URL lets name resolution, TCP and TLS take together. Default
    /// 10 s. The session begins after that, with deadlines of its own ([`Limits`]).
    pub dial_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connection: ConnectionConfig {
                ping_interval: None,
                ..ConnectionConfig::default()
            },
            handshake: HandshakeMode::Simple,
            publisher_version: "FMLE/3.0 (compatible; rtmp-proto)".into(),
            player_version: "LNX 9,0,124,2".into(),
            swf_verification: None,
            buffer: Duration::from_secs(3),
            dial_timeout: Duration::from_secs(10),
        }
    }
}
