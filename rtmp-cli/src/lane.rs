//! The way from the source of a relay to one destination.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rtmp_proto::{
    flv::Frame,
    relay::{Queue, QueueLimits},
};
use tokio::sync::Notify;

/// A bounded queue between two tasks: the source is never held up.
pub(crate) struct Lane {
    state: Mutex<State>,
    wake: Notify,
}

/// What comes next out of a [`Lane`].
pub(crate) enum Item {
    Frame(Frame),
    /// Not now.
    Nothing,
    /// Not ever.
    End,
}

struct State {
    queue: Queue,
    is_closed: bool,
}

impl Lane {
    /// Adds a frame, or drops it or others if the destination's task does not come round to taking
    /// them.
    pub(crate) fn push(&self, frame: &Frame) {
        // What finds no room even though it must not be dropped does not matter more than the rest.
        let _ = self.lock().queue.push(frame.clone());
        self.wake.notify_one();
    }

    /// What comes next is another publication's: video goes on with a key frame.
    pub(crate) fn resync(&self) {
        self.lock().queue.resync();
    }

    /// Nothing more will be added.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_one();
    }

    pub(crate) fn pop(&self) -> Item {
        let mut state = self.lock();
        match state.queue.pop() {
            Some(frame) => Item::Frame(frame),
            None if state.is_closed => Item::End,
            None => Item::Nothing,
        }
    }

    /// Waits for something to change.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock leaves a half-made state behind when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                queue: Queue::new(QueueLimits::default()),
                is_closed: false,
            }),
            wake: Notify::new(),
        }
    }
}
