//! Frames that many readers share while more are added.

use alloc::{sync::Arc, vec::Vec};

use crate::flv::Frame;

/// A list of frames that grows at its end. A clone is the list of that moment and shares its frames: it
/// takes a pointer for each [`SEGMENT_LEN`] of them.
#[derive(Clone, Default)]
pub(super) struct Segments {
    /// All but the last are full, and none is empty.
    segments: Vec<Arc<Vec<Frame>>>,
}

impl Segments {
    pub(super) fn push(&mut self, frame: Frame) {
        match self.segments.last_mut() {
            // Copied if somebody shares it, and then not again until somebody else does.
            Some(last) if last.len() < SEGMENT_LEN => Arc::make_mut(last).push(frame),
            _ => self.segments.push(Arc::new(Vec::from([frame]))),
        }
    }

    pub(super) fn len(&self) -> usize {
        let last = self.segments.last().map_or(0, |last| last.len());
        self.segments.len().saturating_sub(1) * SEGMENT_LEN + last
    }

    pub(super) fn get(&self, index: usize) -> Option<&Frame> {
        self.segments
            .get(index / SEGMENT_LEN)?
            .get(index % SEGMENT_LEN)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.segments.iter().flat_map(|segment| segment.iter())
    }
}

const SEGMENT_LEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Kind, frame, numbers},
        *,
    };

    /// Whatever is added later, a clone stays as it was.
    #[test]
    fn clones_are_of_their_moment() {
        let lengths = [0, 1, 63, 64, 65, 128, 200];
        let mut clones = Vec::new();
        let mut segments = Segments::default();
        for number in 0..=200 {
            if lengths.contains(&segments.len()) {
                clones.push(segments.clone());
            }
            segments.push(frame(Kind::Audio, 0, number, 0));
        }
        for (len, clone) in lengths.into_iter().zip(&clones) {
            assert_eq!(clone.len(), len);
            let expected: Vec<u32> = (0..).take(len).collect();
            assert_eq!(numbers(clone.iter().cloned()), expected);
            let one_by_one = (0..).map_while(|index| clone.get(index).cloned());
            assert_eq!(numbers(one_by_one), expected);
        }
        assert_eq!(clones.len(), lengths.len());
    }
}
