//! One stream: its publisher, its players and what late joiners start with.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rtmp_proto::{
    StreamName,
    flv::Frame,
    relay::{Cached, GopCache, QueueLimits},
};
use tokio::sync::Notify;

use super::feed::Feed;
use crate::args::OnDuplicate;

/// A stream that has a publisher or players.
pub(super) struct Channel {
    name: StreamName,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    publisher: Option<Arc<Publisher>>,
    cache: GopCache,
    feeds: HashMap<u64, Arc<Feed>>,
    next_feed: u64,
    /// Publishers so far: tells whether somebody has come since.
    publications: u64,
    /// Players were told that the stream has ended.
    is_over: bool,
}

/// One publisher's hold on a channel.
pub(super) struct Publisher {
    is_replaced: AtomicBool,
    wake: Arc<Notify>,
}

impl Publisher {
    /// Another publisher has taken over.
    pub(super) fn is_replaced(&self) -> bool {
        self.is_replaced.load(Ordering::Acquire)
    }
}

impl Channel {
    pub(super) fn new(name: StreamName) -> Self {
        Self {
            name,
            state: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &StreamName {
        &self.name
    }

    /// Makes the caller the publisher, unless there is one and it is to stay. `wake` is called when
    /// it is replaced.
    pub(super) fn publish(
        &self,
        wake: Arc<Notify>,
        on_duplicate: OnDuplicate,
    ) -> Option<Arc<Publisher>> {
        let mut state = self.lock();
        if let Some(previous) = &state.publisher {
            if on_duplicate == OnDuplicate::Reject {
                return None;
            }
            previous.is_replaced.store(true, Ordering::Release);
            previous.wake.notify_one();
        }
        let publisher = Arc::new(Publisher {
            is_replaced: AtomicBool::new(false),
            wake,
        });
        state.publisher = Some(Arc::clone(&publisher));
        state.publications += 1;
        state.cache.clear();
        let was_over = std::mem::take(&mut state.is_over);
        for feed in state.feeds.values() {
            feed.resync();
            if was_over {
                feed.published();
            }
        }
        Some(publisher)
    }

    /// Passes a frame on to every player; whether `publisher` still is the publisher.
    pub(super) fn push(&self, publisher: &Publisher, frame: &Frame) -> bool {
        let mut state = self.lock();
        if publisher.is_replaced() {
            return false;
        }
        if state.cache.push(frame) == Cached::New {
            for feed in state.feeds.values() {
                feed.push(frame.clone());
            }
        }
        true
    }

    /// Ends `publisher`'s hold. Returns a number for [`end_if_still`](Self::end_if_still) if nobody
    /// has taken over and there are players to be told.
    pub(super) fn unpublish(&self, publisher: &Publisher) -> Option<u64> {
        let mut state = self.lock();
        if publisher.is_replaced() {
            return None;
        }
        state.publisher = None;
        state.cache.clear();
        (!state.feeds.is_empty()).then_some(state.publications)
    }

    /// Tells players that the stream is over, unless there was a publisher since `publication`.
    pub(super) fn end_if_still(&self, publication: u64) {
        let mut state = self.lock();
        if state.publications == publication {
            state.is_over = true;
            for feed in state.feeds.values() {
                feed.unpublished();
            }
        }
    }

    /// A feed of this stream, still to be [started](Self::start), and its number.
    pub(super) fn subscribe(&self, limits: QueueLimits, wake: Arc<Notify>) -> (u64, Arc<Feed>) {
        let mut state = self.lock();
        let feed = Arc::new(Feed::new(limits, wake));
        feed.restart();
        let number = state.next_feed;
        state.next_feed += 1;
        state.feeds.insert(number, Arc::clone(&feed));
        (number, feed)
    }

    pub(super) fn unsubscribe(&self, number: u64) {
        self.lock().feeds.remove(&number);
    }

    /// Starts `feed` with what a late joiner needs; what is pushed from now on follows.
    pub(super) fn start(&self, feed: &Feed) {
        let state = self.lock();
        feed.start_with(state.cache.frames());
    }

    pub(super) fn is_unused(&self) -> bool {
        let state = self.lock();
        state.publisher.is_none() && state.feeds.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock leaves a half-made state behind when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
