//! What waits for the disk, shared by the publisher's task and the recorder's.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rtmp_proto::{
    flv::Frame,
    relay::{DropCounts, Queue, QueueLimits, Timeline},
};
use tokio::sync::Notify;

use super::memory::Account;

/// A bounded queue of one publication's frames.
pub(super) struct Feed {
    state: Mutex<State>,
    wake: Notify,
}

struct State {
    queue: Queue,
    timeline: Timeline,
    /// Of what `queue` holds.
    account: Account,
    is_over: bool,
}

impl Feed {
    pub(super) fn new(limits: QueueLimits, account: Account) -> Self {
        let state = State {
            queue: Queue::new(limits),
            timeline: Timeline::default(),
            account,
            is_over: false,
        };
        Self {
            state: Mutex::new(state),
            wake: Notify::new(),
        }
    }

    /// Adds a frame, or drops it or others if the reader is too slow.
    pub(super) fn push(&self, frame: Frame) {
        let mut state = self.lock();
        let frame = state.timeline.place(frame);
        // The queue counts what it refuses.
        let _ = state.queue.push(frame);
        state.settle();
        drop(state);
        self.wake.notify_one();
    }

    /// The publication has ended.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.wake.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Frame> {
        let mut state = self.lock();
        let frame = state.queue.pop();
        state.settle();
        frame
    }

    /// The publication has ended, and nothing is left of it.
    pub(super) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.is_over && state.queue.is_empty()
    }

    /// Waits for something new.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn dropped(&self) -> DropCounts {
        self.lock().queue.dropped()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock leaves a half-made state behind when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Accounts for what is held, and holds less if that is too much.
    fn settle(&mut self) {
        if let Some(share) = self.account.hold(self.queue.held_bytes()) {
            self.queue.shed(share);
            // There is nothing left to give that could be asked for.
            let _ = self.account.hold(self.queue.held_bytes());
        }
    }
}
