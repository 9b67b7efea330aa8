//! Streams and who plays them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use rtmp_proto::{
    StreamName,
    flv::Frame,
    relay::{Cached, GopCache, Pushed, Queue, QueueLimits, Timeline},
};
use tokio::sync::Notify;

/// All streams. With many of them, give each a lock of its own.
#[derive(Default)]
pub(crate) struct Hub {
    channels: Mutex<HashMap<StreamName, Channel>>,
}

#[derive(Default)]
struct Channel {
    is_published: bool,
    cache: GopCache,
    timeline: Timeline,
    feeds: Vec<Weak<Feed>>,
}

/// What one player is to get; no queue if it took nothing for far too long.
pub(crate) struct Feed {
    pub(crate) queue: Mutex<Option<Queue>>,
    pub(crate) wake: Notify,
}

impl Hub {
    /// Whether nobody publishes `name` already.
    pub(crate) fn publish(&self, name: &StreamName) -> bool {
        let mut channels = self.channels.lock().unwrap();
        let channel = channels.entry(name.clone()).or_default();
        !std::mem::replace(&mut channel.is_published, true)
    }

    pub(crate) fn push(&self, name: Option<&StreamName>, frame: Frame) {
        let mut channels = self.channels.lock().unwrap();
        let Some(channel) = name.and_then(|name| channels.get_mut(name)) else {
            return;
        };
        let frame = channel.timeline.place(frame);
        if channel.cache.push(&frame) == Cached::New {
            for feed in channel.feeds.iter().filter_map(Weak::upgrade) {
                let mut queue = feed.queue.lock().unwrap();
                queue.take_if(|queue| queue.push(frame.clone()) == Pushed::Refused);
                feed.wake.notify_one();
            }
        }
    }

    /// Players stay: if it is published again, time goes on for them.
    pub(crate) fn unpublish(&self, name: Option<StreamName>) {
        let mut channels = self.channels.lock().unwrap();
        let Some(channel) = name.and_then(|name| channels.get_mut(&name)) else {
            return;
        };
        channel.is_published = false;
        channel.cache.clear();
        channel.timeline.restart();
        for feed in channel.feeds.iter().filter_map(Weak::upgrade) {
            feed.queue.lock().unwrap().as_mut().map(Queue::resync);
        }
    }

    pub(crate) fn play(&self, name: &StreamName) -> Arc<Feed> {
        let mut channels = self.channels.lock().unwrap();
        for channel in channels.values_mut() {
            channel.feeds.retain(|feed| feed.strong_count() > 0);
        }
        channels.retain(|_, channel| channel.is_published || !channel.feeds.is_empty());
        let channel = channels.entry(name.clone()).or_default();
        let mut queue = Queue::new(QueueLimits::default());
        queue.start_with(channel.cache.frames());
        let (queue, wake) = (Mutex::new(Some(queue)), Notify::new());
        let feed = Arc::new(Feed { queue, wake });
        channel.feeds.push(Arc::downgrade(&feed));
        feed
    }
}
