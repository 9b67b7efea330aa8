//! What waits to be written: copied headers and shared payloads, in order.

use alloc::vec::Vec;
use core::{fmt, mem, slice};
#[cfg(feature = "std")]
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::chunk::{CONTINUATION_LEN_MAX, Continuation};

/// The output of a session: an ordered queue of bytes.
///
/// Headers and small pieces are copied into one reused buffer; large payloads are queued by
/// reference, so a frame sent to many players exists once, and queueing it costs the same whatever
/// its size. The order of the pieces is part of the
/// wire format (chunk headers depend on those before them), hence nothing is ever taken out of the
/// queue except by being written.
pub struct SendQueue {
    /// Shorter pieces are copied.
    share_threshold: usize,
    /// What was copied, of which `copied_sent` bytes have been written.
    copied: Vec<u8>,
    copied_sent: usize,
    /// The last bytes of `copied`, which no shared piece follows: most queues hold nothing else.
    copied_last: usize,
    /// Pieces queued by reference, of which the first `shared_sent` have been written. Not a
    /// `VecDeque`, which would go through its memory, and so through the cache, piece by piece.
    shared: Vec<Shared>,
    shared_sent: usize,
    queued: usize,
    /// Bytes ever written: a measure of progress, wraps never in practice.
    written: u64,
}

/// A piece queued by reference.
struct Shared {
    /// So many bytes of `SendQueue::copied` come before it.
    copied: usize,
    chunked: Chunked,
}

impl SendQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::coalescing(SHARE_THRESHOLD, 0)
    }

    /// An empty queue that copies pieces shorter than `len`, with room for `room` bytes of them.
    pub(crate) fn coalescing(len: usize, room: usize) -> Self {
        Self {
            share_threshold: len,
            copied: Vec::with_capacity(room),
            copied_sent: 0,
            copied_last: 0,
            shared: Vec::new(),
            shared_sent: 0,
            queued: 0,
            written: 0,
        }
    }

    /// What waits, as pieces that can be shared.
    pub(crate) fn into_pieces(self) -> Vec<Bytes> {
        let mut copied = Bytes::from(self.copied);
        copied.advance(self.copied_sent);
        let mut pieces = Vec::new();
        for piece in self.shared.into_iter().skip(self.shared_sent) {
            pieces.push(copied.split_to(piece.copied));
            // A header, or as little payload.
            let slice = |slice: &[u8]| match slice.len() {
                ..=CONTINUATION_LEN_MAX => Bytes::copy_from_slice(slice),
                _ => piece.chunked.payload.slice_ref(slice),
            };
            pieces.extend(piece.chunked.slices().map(slice));
        }
        pieces.push(copied);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// Pieces shorter than this are copied.
    pub(crate) fn share_threshold(&self) -> usize {
        self.share_threshold
    }

    /// What waits to be written, `None` when nothing does.
    #[inline]
    pub fn transmit(&mut self) -> Option<Transmit<'_>> {
        (!self.is_empty()).then_some(Transmit { queue: self })
    }

    /// Bytes queued and not written.
    pub fn len(&self) -> usize {
        self.queued
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Bytes written since the beginning.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes ever queued since the beginning.
    pub fn total(&self) -> u64 {
        self.written + self.queued as u64
    }

    /// Queues a copy of `bytes`.
    pub fn copy(&mut self, bytes: &[u8]) {
        self.write(|copied| copied.extend_from_slice(bytes));
    }

    /// Queues `bytes`: by reference, or as a copy if that is cheaper.
    pub fn share(&mut self, bytes: Bytes) {
        if bytes.len() < self.share_threshold {
            return self.copy(&bytes);
        }
        let len = bytes.len();
        self.share_chunks(bytes, len, Continuation::default());
    }

    /// Queues `payload` by reference, in chunks of `chunk_size` bytes with `header` between them.
    pub(crate) fn share_chunks(&mut self, payload: Bytes, chunk_size: usize, header: Continuation) {
        if payload.is_empty() {
            return;
        }
        let chunks = payload.len().div_ceil(chunk_size);
        self.queued += payload.len() + (chunks - 1) * header.bytes().len();
        self.shared.push(Shared {
            copied: mem::take(&mut self.copied_last),
            chunked: Chunked {
                payload,
                chunk_size,
                header,
                header_left: 0,
                chunk_left: chunk_size,
            },
        });
    }

    /// Queues what `append` adds to the buffer it is given.
    #[inline]
    pub(crate) fn write(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let before = self.copied.len();
        if self.copied.capacity() == 0 {
            self.copied.reserve(COPY_BUFFER_FIRST);
        }
        append(&mut self.copied);
        let count = self.copied.len() - before;
        self.queued += count;
        self.copied_last += count;
    }

    /// The pieces that wait, in order.
    #[inline]
    fn slices(&self) -> Slices<'_> {
        Slices {
            copied: self.copied.get(self.copied_sent..).unwrap_or_default(),
            shared: self.waiting_shared().iter(),
            chunks: ChunkSlices::default(),
        }
    }

    /// The shared pieces that wait, the first perhaps in part.
    #[inline]
    fn waiting_shared(&self) -> &[Shared] {
        self.shared.get(self.shared_sent..).unwrap_or_default()
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        assert!(count <= self.queued, "cannot advance past what is queued");
        self.written += count as u64;
        if count < self.queued {
            return self.advance_within(count);
        }
        self.queued = 0;
        self.copied_last = 0;
        self.shared.clear();
        self.shared_sent = 0;
        self.reuse_copied();
    }

    fn advance_within(&mut self, mut count: usize) {
        self.queued -= count;
        while let Some(first) = self.shared.get_mut(self.shared_sent) {
            let copied = count.min(first.copied);
            first.copied -= copied;
            self.copied_sent += copied;
            count -= copied;
            count -= first.chunked.advance(count);
            if !first.chunked.payload.is_empty() {
                return self.compact();
            }
            // Nobody else may want it any more.
            first.chunked.payload = Bytes::new();
            self.shared_sent += 1;
        }
        self.copied_last -= count;
        self.copied_sent += count;
        self.compact();
    }

    /// Gives back what was written: of the copy buffer, at once when all of it is; else when the written
    /// part outweighs the rest, so that each byte and piece is moved at most once.
    fn compact(&mut self) {
        if self.shared_sent > SHARED_KEPT && self.shared_sent > self.shared.len() / 2 {
            self.shared.drain(..self.shared_sent);
            self.shared_sent = 0;
        }
        if self.copied_sent == self.copied.len() {
            self.reuse_copied();
        } else if self.copied_sent > COPY_BUFFER_KEPT && self.copied_sent > self.copied.len() / 2 {
            self.copied.drain(..self.copied_sent);
            self.copied_sent = 0;
        }
    }

    /// Begins the copy buffer anew: all of it is written.
    #[inline]
    fn reuse_copied(&mut self) {
        // Not what is about to be filled again.
        let is_idle = self.copied.len() < self.copied.capacity() / 4;
        self.copied.clear();
        self.copied_sent = 0;
        if is_idle && self.copied.capacity() > COPY_BUFFER_KEPT {
            self.copied.shrink_to(COPY_BUFFER_KEPT);
        }
    }
}

impl Default for SendQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SendQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendQueue")
            .field("queued", &self.queued)
            .field("shared", &self.waiting_shared().len())
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// A payload on its way out, cut into chunks as it is written.
struct Chunked {
    /// What is left of it.
    payload: Bytes,
    chunk_size: usize,
    /// Before every chunk but the first.
    header: Continuation,
    /// Bytes to come of the header before the current chunk.
    header_left: usize,
    /// Bytes to come of the current chunk, if the payload has as many.
    chunk_left: usize,
}

impl Chunked {
    fn slices(&self) -> ChunkSlices<'_> {
        let header = self.header.bytes();
        ChunkSlices {
            payload: &self.payload,
            chunk_size: self.chunk_size,
            header,
            header_left: header
                .get(header.len() - self.header_left..)
                .unwrap_or_default(),
            chunk_left: self.chunk_left,
        }
    }

    /// Bytes of payload before the next header.
    fn payload_ahead(&self) -> usize {
        match self.header_left {
            0 => self.chunk_left.min(self.payload.len()),
            _ => 0,
        }
    }

    /// Passes over up to `count` bytes; returns how many.
    fn advance(&mut self, count: usize) -> usize {
        let mut left = count;
        while left > 0 && !self.payload.is_empty() {
            let header = left.min(self.header_left);
            self.header_left -= header;
            left -= header;
            let payload = left.min(self.chunk_left).min(self.payload.len());
            self.payload.advance(payload);
            self.chunk_left -= payload;
            left -= payload;
            if self.chunk_left == 0 {
                self.chunk_left = self.chunk_size;
                self.header_left = self.header.bytes().len();
            }
        }
        count - left
    }
}

/// The slices of a queue.
struct Slices<'a> {
    copied: &'a [u8],
    shared: slice::Iter<'a, Shared>,
    chunks: ChunkSlices<'a>,
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(slice) = self.chunks.next() {
            return Some(slice);
        }
        let Some(piece) = self.shared.next() else {
            let last = mem::take(&mut self.copied);
            return (!last.is_empty()).then_some(last);
        };
        self.chunks = piece.chunked.slices();
        let (copied, rest) = self
            .copied
            .split_at_checked(piece.copied)
            .expect("the copied bytes before each piece add up to the buffer's");
        self.copied = rest;
        match copied.is_empty() {
            true => self.chunks.next(),
            false => Some(copied),
        }
    }

    /// In nested loops, which is faster.
    #[inline]
    fn fold<B, F: FnMut(B, &'a [u8]) -> B>(self, init: B, mut f: F) -> B {
        let mut copied = self.copied;
        let mut folded = self.chunks.fold(init, &mut f);
        for piece in self.shared {
            let (before, rest) = copied
                .split_at_checked(piece.copied)
                .expect("the copied bytes before each piece add up to the buffer's");
            copied = rest;
            if !before.is_empty() {
                folded = f(folded, before);
            }
            folded = piece.chunked.slices().fold(folded, &mut f);
        }
        match copied.is_empty() {
            true => folded,
            false => f(folded, copied),
        }
    }
}

/// The slices of one payload: chunks with headers between them.
#[derive(Default)]
struct ChunkSlices<'a> {
    payload: &'a [u8],
    chunk_size: usize,
    header: &'a [u8],
    /// What is to come of the header before the current chunk.
    header_left: &'a [u8],
    chunk_left: usize,
}

impl<'a> Iterator for ChunkSlices<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.payload.is_empty() {
            return None;
        }
        if !self.header_left.is_empty() {
            return Some(mem::take(&mut self.header_left));
        }
        let len = self.chunk_left.min(self.payload.len());
        let (chunk, rest) = self.payload.split_at(len);
        self.payload = rest;
        self.chunk_left = self.chunk_size;
        self.header_left = self.header;
        Some(chunk)
    }
}

/// Bytes ready to be written to the transport, borrowed from a session.
///
/// A [`Buf`]: read the pieces with [`chunk`](Buf::chunk) or, better, all at once with
/// `chunks_vectored` (feature `std`), write what the transport takes and report it with
/// [`advance`](Buf::advance). Bytes that were not reported stay queued; dropping a `Transmit` loses
/// nothing.
#[must_use = "bytes that are not written and advanced over stay queued"]
pub struct Transmit<'a> {
    queue: &'a mut SendQueue,
}

impl Transmit<'_> {
    /// The pieces that wait, in order, none of them empty.
    #[inline]
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.queue.slices()
    }
}

impl Buf for Transmit<'_> {
    fn remaining(&self) -> usize {
        self.queue.len()
    }

    fn chunk(&self) -> &[u8] {
        self.queue.slices().next().unwrap_or_default()
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'b>(&'b self, slices: &mut [IoSlice<'b>]) -> usize {
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(self.queue.slices()) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.queue.advance(count);
    }

    /// The next `len` bytes, which count as written: for writers that own what they write. A payload
    /// is shared if they are of one piece, so ask for [`chunk`](Buf::chunk) by `chunk`.
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        match self.queue.waiting_shared().first() {
            Some(first) if first.copied == 0 && len <= first.chunked.payload_ahead() => {
                let bytes = first.chunked.payload.slice(..len);
                self.advance(len);
                bytes
            }
            _ => {
                assert!(len <= self.remaining(), "cannot copy more than is queued");
                let mut bytes = BytesMut::with_capacity(len);
                bytes.put(self.take(len));
                bytes.freeze()
            }
        }
    }
}

impl fmt::Debug for Transmit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmit")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// Pieces shorter than this are copied: a reference costs about as much as copying this many bytes,
/// and small pieces cost an I/O slice each.
const SHARE_THRESHOLD: usize = 1024;

/// Capacity of the copy buffer to begin with: most of what a session says before there is media.
const COPY_BUFFER_FIRST: usize = 512;

/// Written pieces kept before the others are moved to their place.
const SHARED_KEPT: usize = 16;

/// Capacity of the copy buffer that a session keeps once it sends little.
const COPY_BUFFER_KEPT: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::chunk::ChunkStreamId;

    fn drain(queue: &mut SendQueue, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(mut transmit) = queue.transmit() {
            let take = transmit.chunk().len().min(step);
            out.extend_from_slice(&transmit.chunk()[..take]);
            transmit.advance(take);
        }
        out
    }

    #[test]
    fn pieces_leave_in_order_at_any_write_size() {
        for step in [1, 3, 1000, 5000, usize::MAX] {
            let mut queue = SendQueue::default();
            let big: Bytes = vec![7; 2 * SHARE_THRESHOLD].into();
            let mut expected = Vec::new();
            for round in 0..5_u8 {
                queue.copy(&[round; 11]);
                queue.share(big.clone());
                queue.share(Bytes::copy_from_slice(&[round; 5]));
                expected.extend_from_slice(&[round; 11]);
                expected.extend_from_slice(&big);
                expected.extend_from_slice(&[round; 5]);
            }
            assert_eq!(queue.len(), expected.len());
            assert_eq!(drain(&mut queue, step), expected);
            assert!(queue.is_empty());
            assert_eq!(queue.written(), expected.len() as u64);
        }
    }

    /// A vectored write may end anywhere, many pieces later.
    #[test]
    fn writes_end_anywhere() {
        let big: Bytes = (0..=255).cycle().take(SHARE_THRESHOLD).collect();
        let fill = |queue: &mut SendQueue| {
            for _ in 0..3 {
                queue.copy(b"header");
                queue.share(big.clone());
            }
        };
        let mut queue = SendQueue::default();
        fill(&mut queue);
        let total = queue.len();
        let expected = drain(&mut queue, usize::MAX);
        for first in 0..=total {
            let mut queue = SendQueue::default();
            fill(&mut queue);
            queue.transmit().unwrap().advance(first);
            assert_eq!(queue.len(), total - first);
            assert_eq!(drain(&mut queue, usize::MAX), expected[first..]);
            assert_eq!(queue.total(), total as u64);
        }
    }

    /// Headers appear between the chunks wherever writes end, and the payload stays where it is.
    #[test]
    fn chunked_payloads_leave_at_any_write_size() {
        let payload: Bytes = (0..=255).cycle().take(2500).collect();
        let csid = ChunkStreamId::new(365).unwrap();
        let header = Continuation::new(csid, Some(0x0102_0304));
        let mut expected = b"head".to_vec();
        for (index, chunk) in payload.chunks(1000).enumerate() {
            if index > 0 {
                expected.extend_from_slice(header.bytes());
            }
            expected.extend_from_slice(chunk);
        }
        expected.extend_from_slice(b"tail");
        let filled = || {
            let mut queue = SendQueue::new();
            queue.copy(b"head");
            queue.share_chunks(payload.clone(), 1000, header);
            queue.copy(b"tail");
            queue
        };
        assert_eq!(filled().len(), expected.len());
        for step in [1, 3, 7, 1003, usize::MAX] {
            assert_eq!(drain(&mut filled(), step), expected, "step {step}");
        }
        for first in 0..=expected.len() {
            let mut queue = filled();
            queue.transmit().unwrap().advance(first);
            assert_eq!(queue.len(), expected.len() - first);
            assert_eq!(queue.slices().flatten().count(), queue.len());
            assert_eq!(drain(&mut queue, usize::MAX), expected[first..]);
        }
        let queue = filled();
        let chunks = queue.slices().skip(1).step_by(2).map(<[u8]>::as_ptr);
        let expected = payload.chunks(1000).map(<[u8]>::as_ptr);
        assert!(chunks.take(3).eq(expected));
    }

    #[cfg(feature = "std")]
    #[test]
    fn vectored_pieces_are_the_pieces() {
        let mut queue = SendQueue::default();
        queue.copy(b"header");
        queue.share(vec![7; SHARE_THRESHOLD].into());
        queue.copy(b"header");
        queue.advance(2);
        let transmit = queue.transmit().unwrap();
        for slots in 0..5 {
            let mut slices = vec![IoSlice::new(&[]); slots];
            assert_eq!(transmit.chunks_vectored(&mut slices), slots.min(3));
            for (slice, piece) in slices.iter().zip(transmit.slices()) {
                assert_eq!(**slice, *piece);
            }
        }
    }

    /// Written pieces go while the queue never empties, and their payloads at once.
    #[test]
    fn many_pieces_leave_in_order_while_more_come() {
        let payload = |round: u8| Bytes::from(vec![round; SHARE_THRESHOLD]);
        let mut queue = SendQueue::default();
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let first = payload(0);
        queue.share(first.clone());
        expected.extend_from_slice(&first);
        for round in 1..=200 {
            queue.copy(&[round; 7]);
            queue.share(payload(round));
            expected.extend_from_slice(&[round; 7]);
            expected.extend_from_slice(&payload(round));
            let mut transmit = queue.transmit().unwrap();
            // A little less than was queued.
            found.extend_from_slice(&transmit.copy_to_bytes(SHARE_THRESHOLD));
            assert!(first.is_unique(), "after {round}");
        }
        assert!(queue.shared.len() < 4 * SHARED_KEPT);
        assert_eq!(queue.len(), expected.len() - found.len());
        found.extend(drain(&mut queue, 1000));
        assert_eq!(found, expected);
        assert!(queue.shared.is_empty());
    }

    #[test]
    fn large_payloads_are_not_copied() {
        let mut queue = SendQueue::default();
        let big: Bytes = vec![7; SHARE_THRESHOLD].into();
        queue.copy(b"header");
        queue.share(big.clone());
        let pieces: Vec<_> = queue.slices().map(<[u8]>::as_ptr).collect();
        assert_eq!(pieces[1], big.as_ptr());
    }

    /// Writers that own their buffers take the same bytes in any portions, and whole payloads as they
    /// are.
    #[test]
    fn owned_pieces() {
        let big: Bytes = (0..=255).cycle().take(SHARE_THRESHOLD).collect();
        let fill = |queue: &mut SendQueue| {
            for _ in 0..2 {
                queue.copy(b"header");
                queue.share(big.clone());
            }
        };
        let mut queue = SendQueue::default();
        fill(&mut queue);
        let expected = drain(&mut queue, usize::MAX);
        for portion in [1, 5, 6, 7, 1000, SHARE_THRESHOLD + 7, usize::MAX] {
            let mut queue = SendQueue::default();
            fill(&mut queue);
            let mut out = Vec::new();
            while let Some(mut transmit) = queue.transmit() {
                let portion = portion.min(transmit.remaining());
                out.extend_from_slice(&transmit.copy_to_bytes(portion));
            }
            assert_eq!(out, expected, "portions of {portion}");
            assert_eq!(queue.written(), expected.len() as u64);
        }

        fill(&mut queue);
        let mut transmit = queue.transmit().unwrap();
        assert_eq!(transmit.copy_to_bytes(6), "header");
        assert!(transmit.copy_to_bytes(0).is_empty());
        assert_eq!(transmit.copy_to_bytes(10).as_ptr(), big.as_ptr());
        let rest = transmit.copy_to_bytes(transmit.chunk().len());
        assert_eq!(rest.as_ptr(), big[10..].as_ptr());
        assert_eq!(transmit.copy_to_bytes(7), b"header\0"[..]);
    }

    #[test]
    #[should_panic(expected = "cannot copy more than is queued")]
    fn more_than_there_is() {
        let mut queue = SendQueue::default();
        queue.copy(b"header");
        queue.transmit().unwrap().copy_to_bytes(7);
    }

    #[test]
    fn copy_buffer_shrinks_when_it_is_not_filled() {
        let mut queue = SendQueue::default();
        queue.copy(&[0; 100 * COPY_BUFFER_KEPT]);
        queue.advance(queue.len());
        assert!(queue.copied.capacity() >= 100 * COPY_BUFFER_KEPT);
        queue.copy(&[0; 100]);
        queue.advance(100);
        assert!(queue.copied.capacity() <= 2 * COPY_BUFFER_KEPT);
    }

    #[test]
    fn copy_buffer_stays_small_while_the_queue_never_empties() {
        let mut queue = SendQueue::default();
        queue.copy(&[0; 100]);
        for _ in 0..100_000 {
            queue.copy(&[0; 100]);
            queue.advance(100);
        }
        assert!(queue.copied.capacity() < 8 * COPY_BUFFER_KEPT);
    }
}
