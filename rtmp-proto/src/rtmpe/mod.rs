//! RTMPE: RTMP behind a key exchange and a stream cipher.
//!
//! ```text
//! C0 = 6, C1 with a public key     ->
//!                                 <-  S0 = 6, S1 with a public key, S2
//! C2                               ->
//! chunk stream, each direction XORed with a keystream of its own
//! ```
//!
//! The handshake is that of the digest variant, with the public key of a Diffie-Hellman exchange in
//! C1 and S1 and a first byte of 6. Offer it with
//! [`HandshakeMode::Encrypted`](crate::handshake::HandshakeMode::Encrypted), take it with
//! [`ServerConfig::accepts_encryption`](crate::ServerConfig::accepts_encryption).
//!
//! This is for compatibility, not security: nothing proves who is at the other end, so whoever sits
//! in between reads all; RC4 and a group of 1024 bits are broken or nearly so; and bytes that were
//! changed on the way are not noticed. Use `rtmps://` where there is a choice.
//!
//! Not documented by Adobe; what librtmp, ffmpeg and gortmplib do. Their types 8 and 9, which add
//! ciphers to the signatures only, are not implemented.

mod dh;
mod keystream;

pub(crate) use self::{
    dh::{KeyExchange, PUBLIC_KEY_LEN},
    keystream::{Decryptor, Keystream},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The two directions of an encrypted chunk stream, at its beginning.
#[derive(Debug)]
pub(crate) struct Ciphers {
    pub(crate) incoming: Decryptor,
    pub(crate) outgoing: Keystream,
}

impl Ciphers {
    /// The ciphers that follow from the shared secret and both public keys.
    ///
    /// Each direction is keyed by the public key of the side that reads it. The first 1536 bytes of
    /// either keystream are thrown away.
    pub(crate) fn new(
        secret: &[u8; PUBLIC_KEY_LEN],
        own_public: &[u8; PUBLIC_KEY_LEN],
        peer_public: &[u8; PUBLIC_KEY_LEN],
    ) -> Self {
        Self {
            incoming: Decryptor::new(keystream(secret, own_public)),
            outgoing: keystream(secret, peer_public),
        }
    }
}

fn keystream(secret: &[u8], reader: &[u8]) -> Keystream {
    let digest = hmac_sha256(secret, reader);
    let (key, _) = digest.split_at(KEY_LEN);
    let mut keystream = Keystream::new(key);
    keystream.skip(SKIPPED);
    keystream
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(data);
    hmac.finalize().into_bytes().into()
}

/// Bytes of a digest that are the key.
const KEY_LEN: usize = 16;

/// The length of a handshake packet.
const SKIPPED: usize = 1536;
