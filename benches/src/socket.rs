//! A socket's two copies: what the kernel does when it hands bytes over.

use std::hint::black_box;

use bytes::BytesMut;

/// The receiving side: hands out `wire` in pieces.
#[derive(Debug)]
pub struct Receiver<'a> {
    pieces: std::slice::Chunks<'a, u8>,
    buffer: Vec<u8>,
}

impl<'a> Receiver<'a> {
    /// Hands out `wire` in pieces of `piece` bytes.
    pub fn new(wire: &'a [u8], piece: usize) -> Self {
        Self {
            pieces: wire.chunks(piece),
            buffer: vec![0; piece],
        }
    }

    /// Reads into a buffer that is used again each time.
    pub fn read(&mut self) -> Option<&[u8]> {
        let piece = self.pieces.next()?;
        let buffer = self
            .buffer
            .get_mut(..piece.len())
            .expect("room for a piece");
        buffer.copy_from_slice(piece);
        Some(black_box(buffer))
    }

    /// Appends to `buffer` as the adapters do; whether there was anything.
    pub fn read_into(&mut self, buffer: &mut BytesMut) -> bool {
        let Some(piece) = self.pieces.next() else {
            return false;
        };
        buffer.reserve(self.buffer.len());
        buffer.extend_from_slice(piece);
        true
    }
}

/// The sending side: takes bytes and forgets them, or keeps them to be looked at.
#[derive(Debug)]
pub struct Sender {
    buffer: Vec<u8>,
    filled: usize,
    kept: Option<Vec<u8>>,
}

impl Sender {
    /// A sender that forgets.
    pub fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER_LEN],
            filled: 0,
            kept: None,
        }
    }

    /// A sender that keeps.
    pub fn keeping() -> Self {
        Self {
            kept: Some(Vec::new()),
            ..Self::new()
        }
    }

    /// Copies `bytes`.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        match self.buffer.get_mut(self.filled..end) {
            Some(free) if self.kept.is_none() => {
                free.copy_from_slice(bytes);
                self.filled = end;
            }
            _ => self.write_around(bytes),
        }
    }

    /// Copies `bytes`, going on at the beginning of the buffer where it ends.
    fn write_around(&mut self, mut bytes: &[u8]) {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
            return;
        }
        while !bytes.is_empty() {
            let free = &mut self.buffer[self.filled..];
            let (now, later) = bytes.split_at(bytes.len().min(free.len()));
            free[..now.len()].copy_from_slice(now);
            self.filled = (self.filled + now.len()) % BUFFER_LEN;
            bytes = later;
        }
        black_box(&mut self.buffer);
    }

    /// What was kept.
    pub fn into_kept(self) -> Vec<u8> {
        self.kept.unwrap_or_default()
    }
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

/// Of a socket's send buffer.
const BUFFER_LEN: usize = 256 << 10;
