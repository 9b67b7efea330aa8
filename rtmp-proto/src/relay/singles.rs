//! Frames that a player looks at one by one.

use alloc::{sync::Arc, vec};

use super::{Batch, segments::Segments};
use crate::flv::Frame;

/// What a player begins with, or a batch of which it may not want all. Shares the frames, so that many
/// players that do not get ahead hold little more than one.
#[derive(Clone, Debug, Default)]
pub(super) struct Singles {
    headers: vec::IntoIter<Frame>,
    rest: Rest,
    /// The index of the next frame of the rest.
    next: usize,
}

#[derive(Clone, Default)]
enum Rest {
    #[default]
    Nothing,
    Group(Segments),
    Batch(Arc<Batch>),
}

impl Singles {
    /// Headers, of which there are few, and then a group.
    pub(super) fn start(headers: vec::IntoIter<Frame>, group: Option<Segments>) -> Self {
        Self {
            headers,
            rest: group.map_or(Rest::Nothing, Rest::Group),
            next: 0,
        }
    }

    pub(super) fn batch(batch: Arc<Batch>) -> Self {
        Self {
            rest: Rest::Batch(batch),
            ..Self::default()
        }
    }
}

impl Iterator for Singles {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        if let Some(header) = self.headers.next() {
            return Some(header);
        }
        let frame = match &self.rest {
            Rest::Nothing => return None,
            Rest::Group(group) => group.get(self.next).cloned(),
            Rest::Batch(batch) => batch.frames().get(self.next).cloned(),
        };
        match frame {
            Some(_) => self.next += 1,
            // Nobody is to hold on to what has been read.
            None => *self = Self::default(),
        }
        frame
    }
}

impl core::fmt::Debug for Rest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Group(_) => "Group",
            Self::Batch(_) => "Batch",
        })
    }
}
