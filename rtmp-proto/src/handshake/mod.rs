//! The handshake: what both sides exchange before the chunk stream begins.
//!
//! ```text
//! client                            server
//!   | C0 version (1), C1 (1536)       |
//!   |-------------------------------->|
//!   |  S0 version (1), S1, S2 (1536)  |
//!   |<--------------------------------|
//!   | C2 (1536)                       |
//!   |-------------------------------->|
//! ```
//!
//! In the *simple* variant S2 repeats C1 and C2 repeats S1. In the *digest* variant all four are
//! signed with keys that are public knowledge, so it proves nothing; some peers insist on it
//! (ffmpeg's player once the server shows a version of 3 or more, DJI cameras, Flash Player for
//! H.264). A server follows the client's choice, a client states it in [`HandshakeMode`].
//!
//! [RTMP 1.0 §5.2]

mod digest;
mod packet;

use alloc::vec::Vec;
use core::{fmt, mem};

use bytes::{Buf, BufMut};
use thiserror::Error;

#[cfg(feature = "rtmpe")]
use crate::rtmpe::{Ciphers, KeyExchange};
use crate::time::Instant;

pub use digest::DigestBase;
use digest::{Digest, Signer};
use packet::{PACKET_LEN, Packet};

/// Random bytes a handshake is given: a seed, expanded to the 1528 bytes of a packet.
///
/// They make it possible to recognise an answer to one's own handshake and protect nothing, so any
/// source will do.
pub const HANDSHAKE_RANDOM_LEN: usize = 32;

/// One side of a handshake.
///
/// Feed it what the peer sends until [`is_finished`](Self::is_finished), send what
/// [`poll_transmit`](Self::poll_transmit) returns. It ends when the peer's last packet has come;
/// what stands in the input after that belongs to the chunk stream and is left there.
///
/// ```text
/// AwaitVersion --C0/S0--> AwaitOpening --C1/S1--> AwaitReply --C2/S2--> Finished
///       |                              sends S0 S1 S2 or C2
///       +--not RTMP--> Failed
/// ```
///
/// C2 and S2 are read and never enforced: nginx's relay answers with random bytes, ffmpeg with an
/// echo where a signature is due. What came is in the [`report`](Self::report).
///
/// [RTMP 1.0 §5.2]
pub struct Handshake {
    role: Role,
    state: State,
    /// The part of the peer's next packet that has come.
    received: Vec<u8>,
    transmit: Vec<u8>,
    /// C1 or S1; the latter gets its header when C1 has come.
    own: Packet,
    /// The digest in `own`, if it has one.
    own_digest: Option<Digest>,
    report: HandshakeReport,
    #[cfg(feature = "rtmpe")]
    encryption: Encryption,
}

impl Handshake {
    /// A client's side, with C0 and C1 ready to be sent.
    ///
    /// `now` goes into C1.
    pub fn client(now: Instant, mode: HandshakeMode, random: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        let mut handshake = Self::new(Role::Client, random);
        handshake.own.set_time(now);
        let protocol = match mode {
            HandshakeMode::Simple => PROTOCOL_VERSION,
            HandshakeMode::Digest => {
                handshake.sign_own(CLIENT_VERSION, DigestBase::At8);
                PROTOCOL_VERSION
            }
            #[cfg(feature = "rtmpe")]
            HandshakeMode::Encrypted => {
                handshake.begin_exchange(ENCRYPTING_CLIENT_VERSION, DigestBase::At772);
                ENCRYPTED_PROTOCOL_VERSION
            }
        };
        handshake.transmit.push(protocol);
        handshake.transmit.extend_from_slice(&handshake.own.0[..]);
        handshake
    }

    /// A server's side, waiting for C0.
    pub fn server(random: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        Self::new(Role::Server, random)
    }

    /// This server's side, prepared to encrypt for clients that ask for RTMPE.
    #[cfg(feature = "rtmpe")]
    #[must_use]
    pub fn accepting_encryption(mut self) -> Self {
        self.encryption.is_accepted = true;
        self
    }

    /// Consumes what belongs to the handshake and nothing after it.
    ///
    /// `now` goes into S1.
    ///
    /// # Errors
    ///
    /// The peer's first byte shows that it does not speak RTMP; every later call says so again. The
    /// peer is owed no answer.
    pub fn handle_input(
        &mut self,
        now: Instant,
        input: &mut impl Buf,
    ) -> Result<(), HandshakeError> {
        loop {
            match self.state {
                State::Finished => return Ok(()),
                State::Failed(error) => return Err(error),
                _ if !input.has_remaining() => return Ok(()),
                State::AwaitVersion => self.on_version(input.get_u8()),
                State::AwaitOpening => {
                    if let Some(packet) = self.receive(input) {
                        self.on_opening(now, packet);
                    }
                }
                State::AwaitReply => {
                    if let Some(packet) = self.receive(input) {
                        self.on_reply(&packet);
                    }
                }
            }
        }
    }

    /// Takes the bytes to be sent next.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.transmit.is_empty()).then(|| mem::take(&mut self.transmit))
    }

    /// Whether the peer's last packet has come.
    ///
    /// The chunk stream may begin, behind the bytes that [`poll_transmit`](Self::poll_transmit) may
    /// still hold.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// What has been learnt so far.
    pub fn report(&self) -> HandshakeReport {
        self.report
    }

    /// The ciphers of the chunk stream, if it is encrypted, once the handshake is finished.
    #[cfg(feature = "rtmpe")]
    pub(crate) fn take_ciphers(&mut self) -> Option<Ciphers> {
        self.encryption.ciphers.take()
    }

    fn new(role: Role, random: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        Self {
            #[cfg(feature = "rtmpe")]
            encryption: Encryption::new(random),
            role,
            state: State::AwaitVersion,
            received: Vec::new(),
            transmit: Vec::new(),
            own: Packet::random(random),
            own_digest: None,
            report: HandshakeReport::default(),
        }
    }

    /// Takes from `input` what is missing of the peer's packet and returns it once complete.
    fn receive(&mut self, input: &mut impl Buf) -> Option<Packet> {
        let missing = PACKET_LEN - self.received.len();
        self.received.reserve_exact(missing);
        self.received.put(input.take(missing));
        if self.received.len() < PACKET_LEN {
            return None;
        }
        Packet::new(mem::take(&mut self.received))
    }

    fn on_version(&mut self, version: u8) {
        self.report.peer_protocol = Some(version);
        let checked = self.role.check_version(version);
        #[cfg(feature = "rtmpe")]
        let checked = checked.and_then(|()| self.check_encryption(version));
        self.state = match checked {
            Ok(()) => State::AwaitOpening,
            Err(error) => State::Failed(error),
        };
    }

    /// Whether S0 is what a client that asked for encryption wants, and whether C0 asks for it.
    #[cfg(feature = "rtmpe")]
    fn check_encryption(&mut self, version: u8) -> Result<(), HandshakeError> {
        let is_encrypted = version == ENCRYPTED_PROTOCOL_VERSION;
        match self.role {
            Role::Client if self.encryption.exchange.is_some() && !is_encrypted => {
                Err(HandshakeError::EncryptionRefused { version })
            }
            Role::Server if self.encryption.is_accepted && is_encrypted => {
                self.encryption.is_asked_for = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// C1 or S1 has come.
    fn on_opening(&mut self, now: Instant, mut peer: Packet) {
        let found = match self.role {
            // A client that offered no digest gets none, whatever the server says about itself.
            Role::Client if self.own_digest.is_none() => None,
            role => digest::find(&peer, role.peer_signer()),
        };
        self.report.peer_version = Some(peer.version());
        self.report.peer_tail = peer.0.last_chunk().copied().map(PeerTail);
        self.report.variant = Some(match found {
            Some((base, _)) => HandshakeVariant::Digest(base),
            None => HandshakeVariant::Simple,
        });
        #[cfg(not(feature = "rtmpe"))]
        let protocol = PROTOCOL_VERSION;
        #[cfg(feature = "rtmpe")]
        let protocol = match self.on_opening_key(&peer, found) {
            Ok(protocol) => protocol,
            Err(error) => {
                self.state = State::Failed(error);
                return;
            }
        };
        if self.role == Role::Server {
            self.own.set_time(now);
            // Without a digest the version stays 0: ffmpeg's player looks for one otherwise.
            if let Some((base, _)) = found {
                self.sign_own(SERVER_VERSION, base);
            }
            self.transmit.reserve_exact(1 + 2 * PACKET_LEN);
            self.transmit.push(protocol);
            self.transmit.extend_from_slice(&self.own.0[..]);
        }
        // The whole packet is repeated, the field `time2` included: OBS, librtmp and krtmp compare
        // all of S2 with C1, and nobody reads the time at which a packet was received.
        if let Some((_, digest)) = found {
            digest::sign_reply(&mut peer, self.role.signer(), &digest);
        }
        self.transmit.extend_from_slice(&peer.0[..]);
        self.received = peer.into_room();
        self.state = State::AwaitReply;
    }

    /// C2 or S2 has come.
    fn on_reply(&mut self, reply: &Packet) {
        let peer = self.role.peer_signer();
        let is_signed = self
            .own_digest
            .is_some_and(|digest| digest::is_signed_reply(reply, peer, &digest));
        self.report.reply = Some(if is_signed {
            HandshakeReply::Signed
        } else if reply.data() == self.own.data() {
            HandshakeReply::Echo
        } else {
            HandshakeReply::Unrelated
        });
        self.state = State::Finished;
    }

    /// Makes a key pair and puts the public key into C1.
    #[cfg(feature = "rtmpe")]
    fn begin_exchange(&mut self, version: u32, base: DigestBase) {
        let exchange = KeyExchange::new(&self.encryption.seed);
        digest::set_public_key(&mut self.own, base, exchange.public());
        self.encryption.exchange = Some(exchange);
        self.sign_own(version, base);
    }

    /// C1 or S1 has come, with a public key if the chunk stream will be encrypted. Gives S0.
    #[cfg(feature = "rtmpe")]
    fn on_opening_key(
        &mut self,
        peer: &Packet,
        found: Option<(DigestBase, Digest)>,
    ) -> Result<u8, HandshakeError> {
        if self.encryption.exchange.is_none() && !self.encryption.is_asked_for {
            return Ok(PROTOCOL_VERSION);
        }
        let (base, _) = found.ok_or(HandshakeError::NoDigest)?;
        let peer_public = digest::public_key(peer, base);
        let exchange = match self.encryption.exchange.take() {
            Some(exchange) => exchange,
            None => {
                let exchange = KeyExchange::new(&self.encryption.seed);
                digest::set_public_key(&mut self.own, base, exchange.public());
                exchange
            }
        };
        let secret = exchange
            .shared_secret(&peer_public)
            .ok_or(HandshakeError::InvalidPublicKey)?;
        let ciphers = Ciphers::new(&secret, exchange.public(), &peer_public);
        self.encryption.ciphers = Some(ciphers);
        self.report.variant = Some(HandshakeVariant::Encrypted(base));
        Ok(ENCRYPTED_PROTOCOL_VERSION)
    }

    fn sign_own(&mut self, version: u32, base: DigestBase) {
        self.own.set_version(version);
        self.own_digest = Some(digest::sign(&mut self.own, base, self.role.signer()));
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("role", &self.role)
            .field("state", &self.state)
            .field("received", &self.received.len())
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// What a client offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeMode {
    /// C1 without digest, as OBS, librtmp and GStreamer send it. Every server accepts it.
    #[default]
    Simple,
    /// C1 with a digest at base 8 and a player's version, as ffmpeg sends it. A server that knows
    /// no digests answers as in the simple variant.
    Digest,
    /// RTMPE: C1 with a public key and a digest at base 772, as ffmpeg sends it. A server that does
    /// not encrypt ends the session. The handshake's random bytes must be unpredictable.
    #[cfg(feature = "rtmpe")]
    Encrypted,
}

/// The variant that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeVariant {
    /// Packets are repeated.
    Simple,
    /// Packets are signed; the peer's digest was found here.
    Digest(DigestBase),
    /// Packets are signed, and what follows them is encrypted.
    #[cfg(feature = "rtmpe")]
    Encrypted(DigestBase),
}

/// What the peer's C2 or S2 turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeReply {
    /// It carries a valid signature over our digest.
    Signed,
    /// It repeats our random data. Times are not compared: GStreamer and gortmplib change them.
    Echo,
    /// Neither. nginx's relay sends random bytes to a server without digests.
    Unrelated,
}

/// What a handshake has learnt about the peer; `None` until the packet concerned has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeReport {
    /// C0 or S0: 3, or another number below 32 that was tolerated (6, 8 and 9 are RTMPE).
    pub peer_protocol: Option<u8>,
    /// Bytes 4 to 7 of C1 or S1, big-endian: 0, or the version of a player or server.
    pub peer_version: Option<u32>,
    /// The variant that ran.
    pub variant: Option<HandshakeVariant>,
    /// What C2 or S2 was.
    pub reply: Option<HandshakeReply>,
    /// The last 32 bytes of C1 or S1: the key of SWF verification.
    pub(crate) peer_tail: Option<PeerTail>,
}

/// The end of C1 or S1, which `Debug` leaves out for its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerTail(pub(crate) [u8; 32]);

impl fmt::Debug for PeerTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Why a peer's first byte cannot begin a handshake, with a guess at the peer's mistake.
///
/// [RTMP 1.0 §5.2.2]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A TLS record: the peer means rtmps, this port does not.
    #[error("the peer speaks TLS (first byte {first:#04x}): is it rtmps?")]
    Tls {
        /// The byte received.
        first: u8,
    },
    /// A letter that begins an HTTP method or status line, or a PROXY protocol header.
    #[error("the peer speaks HTTP or another text protocol (first byte {first:#04x})")]
    Http {
        /// The byte received.
        first: u8,
    },
    /// Versions 0 to 2: RTMP before it was published.
    #[error("protocol version {version} is obsolete")]
    ObsoleteVersion {
        /// The version asked for.
        version: u8,
    },
    /// Versions 32 and above, which do not exist.
    #[error("the peer does not speak RTMP (first byte {first:#04x})")]
    NotRtmp {
        /// The byte received.
        first: u8,
    },
    /// The server answered a request for RTMPE with another version.
    #[cfg(feature = "rtmpe")]
    #[error("the server does not encrypt (it answered with version {version})")]
    EncryptionRefused {
        /// The version it answered with.
        version: u8,
    },
    /// RTMPE without the digest that tells where the public key is.
    #[cfg(feature = "rtmpe")]
    #[error("encryption asked for without a digest")]
    NoDigest,
    /// RTMPE with a public key that would make the secret known to all.
    #[cfg(feature = "rtmpe")]
    #[error("invalid public key")]
    InvalidPublicKey,
}

/// How far the key exchange of RTMPE is.
#[cfg(feature = "rtmpe")]
struct Encryption {
    seed: [u8; HANDSHAKE_RANDOM_LEN],
    /// A server encrypts for clients that ask for it.
    is_accepted: bool,
    /// The client has asked for it.
    is_asked_for: bool,
    /// Our keys, while the peer's are awaited.
    exchange: Option<KeyExchange>,
    ciphers: Option<Ciphers>,
}

#[cfg(feature = "rtmpe")]
impl Encryption {
    const fn new(seed: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        Self {
            seed,
            is_accepted: false,
            is_asked_for: false,
            exchange: None,
            ciphers: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

impl Role {
    /// Whether C0 (for a server) or S0 (for a client) allows the handshake to go on.
    ///
    /// A server answers the reserved versions 4 to 31 with 3 and lets the client decide
    /// [RTMP 1.0 §5.2.2], among them RTMPE's 6, 8 and 9. A client warns at most, as librtmp does,
    /// even about 0 to 2.
    fn check_version(self, first: u8) -> Result<(), HandshakeError> {
        match first {
            // Handshake records, and the alert with which a TLS server answers C0.
            0x15 | 0x16 => Err(HandshakeError::Tls { first }),
            // CONNECT, DELETE, GET, HEAD or HTTP/1.1, OPTIONS, PATCH, POST, PUT, TRACE.
            b'C' | b'D' | b'G' | b'H' | b'O' | b'P' | b'T' => Err(HandshakeError::Http { first }),
            32.. => Err(HandshakeError::NotRtmp { first }),
            version @ 0..=2 if self == Self::Server => {
                Err(HandshakeError::ObsoleteVersion { version })
            }
            0..=31 => Ok(()),
        }
    }

    fn signer(self) -> Signer {
        match self {
            Self::Client => Signer::Client,
            Self::Server => Signer::Server,
        }
    }

    fn peer_signer(self) -> Signer {
        match self {
            Self::Client => Signer::Server,
            Self::Server => Signer::Client,
        }
    }
}

/// The states of [RTMP 1.0 §5.2.5], named after what is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// C0 or S0: Uninitialized for a server, Version Sent for a client.
    AwaitVersion,
    /// C1 or S1: Version Sent.
    AwaitOpening,
    /// C2 or S2: Ack Sent.
    AwaitReply,
    Finished,
    Failed(HandshakeError),
}

/// C0 and S0.
const PROTOCOL_VERSION: u8 = 3;

/// C0 and S0 of RTMPE.
#[cfg(feature = "rtmpe")]
const ENCRYPTED_PROTOCOL_VERSION: u8 = 6;

/// As in ffmpeg's C1 when it asks for RTMPE.
#[cfg(feature = "rtmpe")]
const ENCRYPTING_CLIENT_VERSION: u32 = 0x8000_0302;

/// Flash Player 9.0.124.2, as in ffmpeg's C1.
const CLIENT_VERSION: u32 = 0x0900_7C02;

/// As in nginx-rtmp's S1. Any number will do whose first byte is at least 3.
const SERVER_VERSION: u32 = 0x0D0E_0A0D;

#[cfg(test)]
mod tests;
