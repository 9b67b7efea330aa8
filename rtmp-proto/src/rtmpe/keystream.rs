//! RC4 over the chunk stream.

use alloc::vec::Vec;
use core::fmt;

use bytes::Buf;
use rc4::{KeyInit, Rc4, StreamCipher};

/// A keystream, and how far it is used.
pub(crate) struct Keystream(Rc4);

impl Keystream {
    /// The keystream of `key`, which is not empty.
    pub(super) fn new(key: &[u8]) -> Self {
        Self(Rc4::new_from_slice(key).expect("RC4 takes keys of 1 to 256 bytes"))
    }

    /// Encrypts or decrypts the next bytes.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }

    /// Leaves out `count` bytes.
    pub(super) fn skip(&mut self, count: usize) {
        self.apply(&mut alloc::vec![0; count]);
    }
}

impl fmt::Debug for Keystream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keystream")
    }
}

/// Decrypts input of which not all is consumed.
///
/// Bytes are decrypted a block ahead of where the reader is, each of them once. What was decrypted
/// and not consumed is kept for the next time, when the same bytes come first again.
#[derive(Debug)]
pub(crate) struct Decryptor {
    keystream: Keystream,
    /// The plain text of the first bytes that are not consumed yet.
    ahead: Vec<u8>,
    /// Bytes of `ahead` that have been consumed.
    position: usize,
}

impl Decryptor {
    pub(super) const fn new(keystream: Keystream) -> Self {
        Self {
            keystream,
            ahead: Vec::new(),
            position: 0,
        }
    }

    /// `input` as plain text: what is consumed of it is consumed of `input`.
    pub(crate) fn read<'a, B: Buf>(&'a mut self, input: &'a mut B) -> Decrypting<'a, B> {
        let mut decrypting = Decrypting {
            decryptor: self,
            input,
        };
        decrypting.decrypt_ahead();
        decrypting
    }

    fn plain(&self) -> &[u8] {
        self.ahead.get(self.position..).unwrap_or_default()
    }
}

/// Encrypted input, read as plain text.
pub(crate) struct Decrypting<'a, B> {
    decryptor: &'a mut Decryptor,
    input: &'a mut B,
}

impl<B: Buf> Decrypting<'_, B> {
    fn decrypt_ahead(&mut self) {
        let Decryptor {
            keystream,
            ahead,
            position,
        } = &mut *self.decryptor;
        if *position == ahead.len() {
            let block = self.input.chunk();
            let block = block.get(..BLOCK_LEN).unwrap_or(block);
            ahead.clear();
            ahead.extend_from_slice(block);
            keystream.apply(ahead);
            *position = 0;
        }
    }
}

impl<B: Buf> Buf for Decrypting<'_, B> {
    fn remaining(&self) -> usize {
        self.input.remaining()
    }

    fn chunk(&self) -> &[u8] {
        let plain = self.decryptor.plain();
        plain.get(..self.input.remaining()).unwrap_or(plain)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining(), "cannot advance past the input");
        while count > 0 {
            let step = count.min(self.decryptor.plain().len());
            self.decryptor.position += step;
            self.input.advance(step);
            count -= step;
            self.decrypt_ahead();
        }
    }
}

/// Bytes decrypted at a time.
const BLOCK_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// The test vectors that came with RC4's publication.
    #[test]
    fn rc4_vectors() {
        for (key, plain, cipher) in [
            (
                &b"Key"[..],
                &b"Plaintext"[..],
                &hex!("BBF316E8D940AF0AD3")[..],
            ),
            (b"Wiki", b"pedia", &hex!("1021BF0420")),
        ] {
            let mut bytes = plain.to_vec();
            Keystream::new(key).apply(&mut bytes);
            assert_eq!(bytes, cipher);
        }
    }

    proptest! {
        /// However input is cut, and however much of it is consumed at a time.
        #[test]
        fn any_split(
            len in 0..12_000_usize,
            steps in prop::collection::vec((1..9000_usize, 0..9000_usize), 1..12),
        ) {
            let plain: Vec<u8> = (0..251_u8).cycle().take(len).collect();
            let mut wire = plain.clone();
            Keystream::new(b"key").apply(&mut wire);
            let mut decryptor = Decryptor::new(Keystream::new(b"key"));
            let mut out = Vec::new();
            let mut at = 0;
            for (given, consumed) in steps.into_iter().cycle().take(200) {
                let mut input = &wire[at..(at + given).min(len)];
                let before = input.len();
                let mut read = decryptor.read(&mut input);
                for _ in 0..consumed.min(before) {
                    out.push(read.chunk()[0]);
                    read.advance(1);
                }
                at += before - input.len();
            }
            let mut rest = &wire[at..];
            let mut read = decryptor.read(&mut rest);
            while read.has_remaining() {
                out.extend_from_slice(read.chunk());
                let len = read.chunk().len();
                read.advance(len);
            }
            prop_assert_eq!(out, plain);
        }
    }
}
