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
}

impl Handshake {
    /// A client's side, with C0 and C1 ready to be sent.
    ///
    /// `now` goes into C1.
    pub fn client(now: Instant, mode: HandshakeMode, random: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        let mut handshake = Self::new(Role::Client, random);
        handshake.own.set_time(now);
        if mode == HandshakeMode::Digest {
            handshake.sign_own(CLIENT_VERSION, DigestBase::At8);
        }
        handshake.transmit.push(PROTOCOL_VERSION);
        handshake.transmit.extend_from_slice(&handshake.own.0[..]);
        handshake
    }

    /// A server's side, waiting for C0.
    pub fn server(random: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        Self::new(Role::Server, random)
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
                        self.on_opening(now, &packet);
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

    fn new(role: Role, random: [u8; HANDSHAKE_RANDOM_LEN]) -> Self {
        Self {
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
        self.state = match self.role.check_version(version) {
            Ok(()) => State::AwaitOpening,
            Err(error) => State::Failed(error),
        };
    }

    /// C1 or S1 has come.
    fn on_opening(&mut self, now: Instant, peer: &Packet) {
        let found = match self.role {
            // A client that offered no digest gets none, whatever the server says about itself.
            Role::Client if self.own_digest.is_none() => None,
            role => digest::find(peer, role.peer_signer()),
        };
        self.report.peer_version = Some(peer.version());
        self.report.variant = Some(match found {
            Some((base, _)) => HandshakeVariant::Digest(base),
            None => HandshakeVariant::Simple,
        });
        if self.role == Role::Server {
            self.own.set_time(now);
            // Without a digest the version stays 0: ffmpeg's player looks for one otherwise.
            if let Some((base, _)) = found {
                self.sign_own(SERVER_VERSION, base);
            }
            self.transmit.reserve_exact(1 + 2 * PACKET_LEN);
            self.transmit.push(PROTOCOL_VERSION);
            self.transmit.extend_from_slice(&self.own.0[..]);
        }
        // The whole packet is repeated, the field `time2` included: OBS, librtmp and krtmp compare
        // all of S2 with C1, and nobody reads the time at which a packet was received.
        let mut reply = peer.clone();
        if let Some((_, digest)) = found {
            digest::sign_reply(&mut reply, self.role.signer(), &digest);
        }
        self.transmit.extend_from_slice(&reply.0[..]);
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
}

/// The variant that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeVariant {
    /// Packets are repeated.
    Simple,
    /// Packets are signed; the peer's digest was found here.
    Digest(DigestBase),
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

/// Flash Player 9.0.124.2, as in ffmpeg's C1.
const CLIENT_VERSION: u32 = 0x0900_7C02;

/// As in nginx-rtmp's S1. Any number will do whose first byte is at least 3.
const SERVER_VERSION: u32 = 0x0D0E_0A0D;

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};
    use core::time::Duration;

    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    const NOW: Instant = Instant::from_origin(Duration::from_millis(0x0001_0203));
    const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
    const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";
    const TAIL: [u8; 32] =
        hex_literal::hex!("F0EEC24A8068BEE8 2E00D0D1029E7E57 6EEC5D2D29806FAB 93B8E636CFEB31AE");

    fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        hmac.update(data);
        hmac.finalize().into_bytes().to_vec()
    }

    /// The digest a packet carries and the one it ought to carry.
    fn digests(packet: &[u8], base: usize, key: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let sum: usize = packet[base..base + 4].iter().map(|&b| usize::from(b)).sum();
        let at = sum % 728 + base + 4;
        let rest = [&packet[..at], &packet[at + 32..]].concat();
        (packet[at..at + 32].to_vec(), hmac(key, &rest))
    }

    fn signature(reply: &[u8], key: &[u8], answered: &[u8]) -> Vec<u8> {
        hmac(&hmac(&[key, &TAIL].concat(), answered), &reply[..1504])
    }

    /// C0 and a C1 of `version`, with a digest at `base`.
    fn opening(version: u32, base: Option<usize>) -> Vec<u8> {
        let mut c1: Vec<u8> = (0..1536_u32).map(|i| (i * 7 % 251) as u8).collect();
        c1[4..8].copy_from_slice(&version.to_be_bytes());
        if let Some(base) = base {
            let sum: usize = c1[base..base + 4].iter().map(|&b| usize::from(b)).sum();
            let at = sum % 728 + base + 4;
            let (_, digest) = digests(&c1, base, PLAYER);
            c1[at..at + 32].copy_from_slice(&digest);
        }
        [&[3], &c1[..]].concat()
    }

    /// A server fed `input`, and what it sent.
    fn serve(mut input: &[u8]) -> (Handshake, Vec<u8>) {
        let mut server = Handshake::server([9; 32]);
        server.handle_input(NOW, &mut input).unwrap();
        assert!(input.is_empty());
        let output = server.poll_transmit().unwrap_or_default();
        (server, output)
    }

    /// Runs both roles against each other, `step` bytes at a time.
    fn run(mode: HandshakeMode, step: usize) -> (HandshakeReport, HandshakeReport) {
        let mut client = Handshake::client(NOW, mode, [1; 32]);
        let mut server = Handshake::server([2; 32]);
        while !client.is_finished() || !server.is_finished() {
            let mut progress = false;
            for _ in 0..2 {
                while let Some(bytes) = client.poll_transmit() {
                    progress = true;
                    for mut piece in bytes.chunks(step) {
                        server.handle_input(NOW, &mut piece).unwrap();
                        assert!(piece.is_empty());
                    }
                }
                mem::swap(&mut client, &mut server);
            }
            assert!(progress, "the handshake stands still");
        }
        assert_eq!(client.poll_transmit(), None);
        assert_eq!(server.poll_transmit(), None);
        (client.report(), server.report())
    }

    /// HS-28 to HS-32, HS-34.
    #[test]
    fn both_roles_understand_each_other_at_any_split() {
        for step in [1, 2, 1535, 1536, 1537, 1538, 4000] {
            let (client, server) = run(HandshakeMode::Simple, step);
            for report in [client, server] {
                assert_eq!(report.peer_protocol, Some(3));
                assert_eq!(report.peer_version, Some(0));
                assert_eq!(report.variant, Some(HandshakeVariant::Simple));
                assert_eq!(report.reply, Some(HandshakeReply::Echo));
            }
            let (client, server) = run(HandshakeMode::Digest, step);
            assert_eq!(client.peer_version, Some(0x0D0E_0A0D));
            assert_eq!(server.peer_version, Some(0x0900_7C02));
            for report in [client, server] {
                let variant = HandshakeVariant::Digest(DigestBase::At8);
                assert_eq!(report.variant, Some(variant));
                assert_eq!(report.reply, Some(HandshakeReply::Signed));
            }
        }
    }

    /// HS-5 to HS-7, HS-9, HS-10, HS-16, HS-19, HS-23, HS-25, A-17.
    #[test]
    fn simple_reply_is_sent_at_once_and_repeats_c1() {
        let c0c1 = opening(0, None);
        let (_, early) = serve(&c0c1[..1536]);
        assert_eq!(early, []);
        let (server, out) = serve(&c0c1);
        assert_eq!(out.len(), 3073);
        assert_eq!(out[..9], hex_literal::hex!("03 00010203 00000000"));
        assert_eq!(out[1537..], c0c1[1..]);
        assert!(!server.is_finished());
    }

    /// HS-2, HS-3, HS-16, HS-17, HS-19, HS-29.
    #[test]
    fn client_sends_c0_c1_at_once_and_c2_after_s1() {
        let mut client = Handshake::client(NOW, HandshakeMode::default(), [1; 32]);
        let c0c1 = client.poll_transmit().unwrap();
        assert_eq!(c0c1.len(), 1537);
        assert_eq!(c0c1[..9], hex_literal::hex!("03 00010203 00000000"));
        let (_, reply) = serve(&c0c1);
        client.handle_input(NOW, &mut &reply[..1536]).unwrap();
        assert_eq!(client.poll_transmit(), None);
        client.handle_input(NOW, &mut &reply[1536..1537]).unwrap();
        assert_eq!(client.poll_transmit().unwrap(), reply[1..1537]);
        client.handle_input(NOW, &mut &reply[1537..3072]).unwrap();
        assert!(!client.is_finished());
        client.handle_input(NOW, &mut &reply[3072..]).unwrap();
        assert!(client.is_finished());
    }

    /// HS-31, HS-33.
    #[test]
    fn what_follows_the_handshake_stays_in_the_input() {
        let mut server = Handshake::server([9; 32]);
        let bytes = [&opening(0, None)[..], &[0; 1536], b"chunks"].concat();
        let mut input = &bytes[..];
        server.handle_input(NOW, &mut input).unwrap();
        assert!(server.is_finished());
        assert_eq!(input, b"chunks");
        server.handle_input(NOW, &mut input).unwrap();
        assert_eq!(input, b"chunks");

        let mut client = Handshake::client(NOW, HandshakeMode::Digest, [1; 32]);
        let (_, reply) = serve(&client.poll_transmit().unwrap());
        let bytes = [&reply[..], b"chunks"].concat();
        let mut input = &bytes[..];
        client.handle_input(NOW, &mut input).unwrap();
        assert!(client.is_finished());
        assert_eq!(input, b"chunks");
        assert_eq!(client.poll_transmit().unwrap().len(), 1536);
    }

    #[test]
    fn input_may_be_in_several_pieces() {
        let bytes = opening(0, None);
        let (a, b) = bytes.split_at(700);
        let mut input = a.chain(b);
        let mut server = Handshake::server([9; 32]);
        server.handle_input(NOW, &mut input).unwrap();
        assert_eq!(server.poll_transmit().unwrap()[1537..], bytes[1..]);
    }

    /// HS-20, HS-35 to HS-37: both bases, whatever the version says, checked by hand.
    #[test]
    fn digests_are_answered_at_their_base() {
        for (offset, base) in [(8, DigestBase::At8), (772, DigestBase::At772)] {
            for version in [0, 0x0900_7C02, 0x8000_0302] {
                let c0c1 = opening(version, Some(offset));
                let (mut server, out) = serve(&c0c1);
                let (s1, s2) = (&out[1..1537], &out[1537..]);
                let variant = HandshakeVariant::Digest(base);
                assert_eq!(server.report().variant, Some(variant));
                assert_eq!(server.report().peer_version, Some(version));
                assert!(s1[4] >= 3);
                let (s1_digest, expected) = digests(s1, offset, SERVER);
                assert_eq!(s1_digest, expected);
                let (c1_digest, _) = digests(&c0c1[1..], offset, PLAYER);
                assert_eq!(s2[1504..], signature(s2, SERVER, &c1_digest));

                let mut c2 = vec![0x55; 1536];
                let sign = signature(&c2, PLAYER, &s1_digest);
                c2[1504..].copy_from_slice(&sign);
                server.handle_input(NOW, &mut &c2[..]).unwrap();
                assert_eq!(server.report().reply, Some(HandshakeReply::Signed));
            }
        }
    }

    /// HS-34 to HS-37 for the client, checked by hand.
    #[test]
    fn client_signs_c1_and_c2() {
        let mut client = Handshake::client(NOW, HandshakeMode::Digest, [1; 32]);
        let c0c1 = client.poll_transmit().unwrap();
        assert_eq!(c0c1[5..9], hex_literal::hex!("09007C02"));
        let (digest, expected) = digests(&c0c1[1..], 8, PLAYER);
        assert_eq!(digest, expected);
        let (_, reply) = serve(&c0c1);
        let (s1_digest, _) = digests(&reply[1..1537], 8, SERVER);
        client.handle_input(NOW, &mut &reply[..]).unwrap();
        let c2 = client.poll_transmit().unwrap();
        assert_eq!(c2[1504..], signature(&c2, PLAYER, &s1_digest));
    }

    /// HS-38: ffmpeg's player aborts if S1 shows a version and has no digest.
    #[test]
    fn a_version_without_valid_digest_gets_the_simple_reply() {
        let mut wrong = opening(0x0900_7C02, Some(8));
        wrong[1536] ^= 1;
        for c0c1 in [opening(0x0900_7C02, None), wrong] {
            let (server, out) = serve(&c0c1);
            assert_eq!(server.report().variant, Some(HandshakeVariant::Simple));
            assert_eq!(out[5..9], [0; 4]);
            assert_eq!(out[1537..], c0c1[1..]);
        }
    }

    /// HS-38 for the client: a server without digests.
    #[test]
    fn a_client_offering_a_digest_accepts_a_simple_server() {
        let mut client = Handshake::client(NOW, HandshakeMode::Digest, [1; 32]);
        let c0c1 = client.poll_transmit().unwrap();
        let s1 = [0x11; 1536];
        let reply = [&[3], &s1[..], &c0c1[1..]].concat();
        client.handle_input(NOW, &mut &reply[..]).unwrap();
        assert_eq!(client.poll_transmit().unwrap(), s1);
        assert_eq!(client.report().variant, Some(HandshakeVariant::Simple));
        assert_eq!(client.report().reply, Some(HandshakeReply::Echo));
    }

    /// HS-27: reported, not enforced.
    #[test]
    fn any_reply_is_accepted() {
        for c0c1 in [opening(0, None), opening(0x0C00_0D0E, Some(8))] {
            let (mut server, out) = serve(&c0c1);
            server.handle_input(NOW, &mut &[0xAB; 1536][..]).unwrap();
            assert!(server.is_finished());
            assert_eq!(server.report().reply, Some(HandshakeReply::Unrelated));

            // ffmpeg's publisher echoes S1 even to a server with digests; GStreamer writes its own
            // time into bytes 4 to 7.
            let (mut server, _) = serve(&c0c1);
            let mut c2 = out[1..1537].to_vec();
            c2[4..8].copy_from_slice(&[1, 2, 3, 4]);
            server.handle_input(NOW, &mut &c2[..]).unwrap();
            assert_eq!(server.report().reply, Some(HandshakeReply::Echo));
        }
    }

    /// HS-11 to HS-15, HS-39, A-15.
    #[test]
    fn first_byte() {
        let first = |mut handshake: Handshake, byte: u8| {
            let bytes = [byte, 0xFF];
            let mut input = &bytes[..];
            let result = handshake.handle_input(NOW, &mut input);
            assert_eq!(input.is_empty(), result.is_ok());
            // Whatever it was, it stays so.
            assert_eq!(handshake.handle_input(NOW, &mut &[][..]), result);
            assert_eq!(handshake.report().peer_protocol, Some(byte));
            result
        };
        let client = || Handshake::client(NOW, HandshakeMode::Simple, [1; 32]);
        for byte in 0..=255 {
            let as_server = first(Handshake::server([1; 32]), byte);
            let as_client = first(client(), byte);
            let common = match byte {
                0x15 | 0x16 => Err(HandshakeError::Tls { first: byte }),
                b'C' | b'D' | b'G' | b'H' | b'O' | b'P' | b'T' => {
                    Err(HandshakeError::Http { first: byte })
                }
                32.. => Err(HandshakeError::NotRtmp { first: byte }),
                _ => Ok(()),
            };
            assert_eq!(as_client, common);
            match byte {
                0..=2 => assert_eq!(
                    as_server,
                    Err(HandshakeError::ObsoleteVersion { version: byte })
                ),
                _ => assert_eq!(as_server, common),
            }
        }
    }

    /// HS-13.
    #[test]
    fn rtmpe_is_answered_with_version_3() {
        let mut c0c1 = opening(0x8000_0302, Some(772));
        c0c1[0] = 6;
        let (server, out) = serve(&c0c1);
        assert_eq!(out[0], 3);
        assert_eq!(server.report().peer_protocol, Some(6));
    }

    proptest! {
        /// GEN-13.
        #[test]
        fn arbitrary_bytes_at_arbitrary_splits(
            first in 0_u8..40,
            bytes in proptest::collection::vec(any::<u8>(), 0..4000),
            steps in proptest::collection::vec(1_usize..2000, 1..50),
            is_client in any::<bool>(),
        ) {
            let start = || match is_client {
                true => Handshake::client(NOW, HandshakeMode::Digest, [1; 32]),
                false => Handshake::server([1; 32]),
            };
            let bytes = [&[first], &bytes[..]].concat();
            let mut whole = start();
            let mut rest = &bytes[..];
            let result = whole.handle_input(NOW, &mut rest);

            let mut split = start();
            let mut input = &bytes[..];
            let mut sent = Vec::new();
            let mut split_result = Ok(());
            for step in steps.into_iter().cycle() {
                let mut piece = &input[..step.min(input.len())];
                let len = piece.len();
                split_result = split.handle_input(NOW, &mut piece);
                input = &input[len - piece.len()..];
                sent.extend(split.poll_transmit().unwrap_or_default());
                if input.is_empty() || split.is_finished() || split_result.is_err() {
                    break;
                }
            }
            prop_assert_eq!(split_result, result);
            prop_assert_eq!(input, rest);
            prop_assert_eq!(split.report(), whole.report());
            prop_assert_eq!(sent, whole.poll_transmit().unwrap_or_default());
        }
    }
}
