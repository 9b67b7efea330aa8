//! The metadata and configurations in force.

use alloc::vec::Vec;

use super::Slot;
use crate::flv::{Frame, FrameKind};

/// The latest frame of each slot, in order of arrival.
#[derive(Clone)]
pub(super) struct Headers {
    entries: Vec<(Slot, Frame)>,
    bytes: usize,
}

impl Headers {
    pub(super) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn holds(&self, slot: Slot, frame: &Frame) -> bool {
        self.entries
            .iter()
            .any(|(other, held)| *other == slot && held.payload == frame.payload)
    }

    pub(super) fn insert(&mut self, slot: Slot, frame: &Frame, max_bytes: usize) {
        if let Some(index) = self.entries.iter().position(|(other, _)| *other == slot) {
            self.remove(index);
        }
        self.bytes += frame.payload.len();
        self.entries.push((slot, frame.clone()));
        while self.bytes > max_bytes || self.entries.len() > MAX_HEADERS {
            self.remove(0);
        }
    }

    /// Forgets the metadata if `frame` takes it back: `@clearDataFrame`, as FMLE says at the end of a
    /// stream.
    pub(super) fn forget_if_told(&mut self, frame: &Frame) {
        let is_data = matches!(frame.kind, FrameKind::Data(_));
        if is_data && frame.payload.starts_with(CLEAR_DATA_FRAME) {
            let metadata = self.entries.iter().position(|(_, held)| held.is_metadata());
            if let Some(index) = metadata {
                self.remove(index);
            }
        }
    }

    fn remove(&mut self, index: usize) {
        let (_, frame) = self.entries.remove(index);
        self.bytes -= frame.payload.len();
    }

    /// Metadata first, then in order of arrival.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Frame> {
        let frames = || self.entries.iter().map(|(_, frame)| frame);
        frames()
            .filter(|frame| frame.is_metadata())
            .chain(frames().filter(|frame| !frame.is_metadata()))
    }
}

/// The AMF0 string that such a message begins with.
const CLEAR_DATA_FRAME: &[u8] = b"\x02\x00\x0F@clearDataFrame";

/// Keeps the linear search short; 256 tracks could otherwise fill thousands of slots.
const MAX_HEADERS: usize = 128;
