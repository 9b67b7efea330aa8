//! What waits for one player, shared by the publisher's task and the player's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rtmp_proto::{
    flv::Frame,
    relay::{DropCounts, Pushed, Queue, QueueLimits, Timeline},
};
use tokio::sync::Notify;

/// The next thing to tell a player.
#[derive(Debug, PartialEq)]
pub(super) enum Item {
    /// A publisher has come (back).
    Published,
    /// Media.
    Frame(Frame),
    /// The publisher is gone and did not return.
    Unpublished,
}

/// A bounded queue of frames with the news of the stream around them.
pub(super) struct Feed {
    state: Mutex<State>,
    wake: Arc<Notify>,
}

struct State {
    queue: Queue,
    timeline: Timeline,
    /// The player is to begin anew, and nothing waits until it is ready to.
    is_restarting: bool,
    /// To be told before the frames that wait.
    is_published: bool,
    /// To be told after the frames that wait.
    is_unpublished: bool,
    /// Something that must not be dropped found no room.
    is_overrun: bool,
}

impl Feed {
    /// An empty feed, which calls `wake` when something is added.
    pub(super) fn new(limits: QueueLimits, wake: Arc<Notify>) -> Self {
        let state = State {
            queue: Queue::new(limits),
            timeline: Timeline::default(),
            is_restarting: false,
            is_published: false,
            is_unpublished: false,
            is_overrun: false,
        };
        Self {
            state: Mutex::new(state),
            wake,
        }
    }

    /// Adds a frame, or drops it or others if the player is too slow.
    pub(super) fn push(&self, frame: Frame) {
        let mut state = self.lock();
        if state.is_restarting {
            // It will be in what the player starts with, if it is of any use.
            return;
        }
        let frame = state.timeline.place(frame);
        let was_empty = state.queue.is_empty();
        if state.queue.push(frame) == Pushed::Refused {
            state.is_overrun = true;
        }
        drop(state);
        // Whoever empties the queue looks again before it sleeps.
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// A publisher has come back after `unpublished` was told.
    pub(super) fn published(&self) {
        let mut state = self.lock();
        if !std::mem::take(&mut state.is_unpublished) {
            state.is_published = true;
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The publisher did not return.
    pub(super) fn unpublished(&self) {
        self.lock().is_unpublished = true;
        self.wake.notify_one();
    }

    /// What comes next is another publisher's: video goes on with a key frame, and time goes on.
    pub(super) fn resync(&self) {
        let mut state = self.lock();
        state.queue.resync();
        state.timeline.restart();
    }

    /// Drops what waits: the player is to begin anew, with [`start_with`](Self::start_with) before
    /// the next [`pop`](Self::pop). Cheap, since a player may ask for it again and again.
    pub(super) fn restart(&self) {
        let mut state = self.lock();
        state.queue.start_with([]);
        state.is_restarting = true;
    }

    /// The player is to begin anew.
    pub(super) fn is_restarting(&self) -> bool {
        self.lock().is_restarting
    }

    /// Begins anew with `start`.
    pub(super) fn start_with(&self, start: impl Iterator<Item = Frame>) {
        let mut state = self.lock();
        let State {
            queue, timeline, ..
        } = &mut *state;
        queue.start_with(start.map(|frame| timeline.place(frame)));
        state.is_restarting = false;
    }

    pub(super) fn pop(&self) -> Option<Item> {
        let mut state = self.lock();
        if std::mem::take(&mut state.is_published) {
            return Some(Item::Published);
        }
        if let Some(frame) = state.queue.pop() {
            return Some(Item::Frame(frame));
        }
        std::mem::take(&mut state.is_unpublished).then_some(Item::Unpublished)
    }

    /// Waits for something to be added.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn is_overrun(&self) -> bool {
        self.lock().is_overrun
    }

    pub(super) fn dropped(&self) -> DropCounts {
        self.lock().queue.dropped()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock leaves a half-made state behind when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
