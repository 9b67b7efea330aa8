//! SWF verification: how a player shows Adobe's server which SWF file it runs.
//!
//! ```text
//! 01 01  size(32)  size(32)  HMAC-SHA256(key: end of S1, hash of the SWF file)(32 bytes)
//! ```
//!
//! It proves nothing: whoever has the file knows its hash.
//!
//! Not documented by Adobe; what librtmp and ffmpeg answer.

use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::UserControl;
use crate::handshake::{HandshakeReport, PeerTail};

/// What a server may ask about the SWF file of a player.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwfVerification {
    /// HMAC-SHA256 of the decompressed file, keyed with `Genuine Adobe Flash Player 001`.
    pub hash: [u8; 32],
    /// Bytes of the decompressed file.
    pub size: u32,
}

impl SwfVerification {
    /// The file with this hash and size.
    pub const fn new(hash: [u8; 32], size: u32) -> Self {
        Self { hash, size }
    }

    /// The answer to [`UserControl::SwfVerifyRequest`] on the connection that began with the
    /// handshake of `report`; `None` before S1 has come.
    pub fn answer(&self, report: &HandshakeReport) -> Option<UserControl> {
        let PeerTail(key) = report.peer_tail?;
        let mut hmac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        hmac.update(&self.hash);
        let mut proof = Vec::with_capacity(42);
        proof.extend_from_slice(&[1, 1]);
        proof.extend_from_slice(&self.size.to_be_bytes());
        proof.extend_from_slice(&self.size.to_be_bytes());
        proof.extend_from_slice(&hmac.finalize().into_bytes());
        Some(UserControl::SwfVerifyResponse(proof.into()))
    }
}

impl fmt::Debug for SwfVerification {
    /// Leaves the hash out: some operators treat it as a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwfVerification")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// UC-25. The HMAC is that of Python's `hmac.digest(b"\x02" * 32, b"\x01" * 32, "sha256")`.
    #[test]
    fn vector() {
        let swf = SwfVerification::new([1; 32], 0x0102_0304);
        let mut report = HandshakeReport::default();
        assert_eq!(swf.answer(&report), None);
        report.peer_tail = Some(PeerTail([2; 32]));
        let proof = hex!(
            "01 01 01020304 01020304"
            "a580c1f29ec1828ef7e5156878fe2a33b72125af667d11e447080fa414dd3ace"
        );
        assert_eq!(
            swf.answer(&report),
            Some(UserControl::SwfVerifyResponse(proof.to_vec().into()))
        );
    }
}
