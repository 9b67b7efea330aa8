//! All streams by name.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use rtmp_proto::{
    StreamName,
    flv::Frame,
    relay::{DropCounts, QueueLimits},
};
use tokio::{sync::Notify, task::JoinSet, time};

use super::{
    channel::{Channel, Publisher},
    feed::{Feed, Item},
    recorder,
};
use crate::args::OnDuplicate;

/// The streams that have a publisher or players.
pub(super) struct Hub {
    on_duplicate: OnDuplicate,
    republish_wait: Duration,
    record: Option<PathBuf>,
    channels: Mutex<HashMap<StreamName, Arc<Channel>>>,
    recordings: Mutex<JoinSet<()>>,
}

impl Hub {
    pub(super) fn new(
        on_duplicate: OnDuplicate,
        republish_wait: Duration,
        record: Option<PathBuf>,
    ) -> Arc<Self> {
        Arc::new(Self {
            on_duplicate,
            republish_wait,
            record,
            channels: Mutex::default(),
            recordings: Mutex::default(),
        })
    }

    /// Whether a second publisher takes over from the first.
    pub(super) fn replaces(&self) -> bool {
        self.on_duplicate == OnDuplicate::Replace
    }

    /// Publishes `name`, unless it has a publisher that is to stay. `wake` is called when another one
    /// takes over.
    pub(super) fn publish(
        self: &Arc<Self>,
        name: &StreamName,
        wake: Arc<Notify>,
    ) -> Option<Publication> {
        let mut channels = self.lock();
        let channel = channel(&mut channels, name);
        let publisher = channel.publish(wake, self.on_duplicate)?;
        drop(channels);
        let recorder = self.record.as_ref().map(|directory| {
            let feed = Arc::new(Feed::new(recorder::limits(), Arc::default()));
            let recorder = Arc::downgrade(&feed);
            self.recordings()
                .spawn(recorder::record(directory.clone(), name.clone(), feed));
            recorder
        });
        Some(Publication {
            hub: Arc::clone(self),
            channel,
            publisher,
            recorder,
        })
    }

    /// Plays `name`, whether it has a publisher or not. `wake` is called when there is something new.
    pub(super) fn play(self: &Arc<Self>, name: &StreamName, wake: Arc<Notify>) -> Subscription {
        let mut channels = self.lock();
        let channel = channel(&mut channels, name);
        let (number, feed) = channel.subscribe(QueueLimits::default(), wake);
        Subscription {
            hub: Arc::clone(self),
            channel: Arc::clone(&channel),
            number,
            feed,
        }
    }

    /// Waits until everything recorded is on disk. To be called when all publishers have ended.
    pub(super) async fn finish_recordings(&self) {
        let mut recordings = std::mem::take(&mut *self.recordings());
        while recordings.join_next().await.is_some() {}
    }

    /// The recordings that go on; those that have ended are forgotten.
    fn recordings(&self) -> MutexGuard<'_, JoinSet<()>> {
        let mut recordings = self
            .recordings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while recordings.try_join_next().is_some() {}
        recordings
    }

    /// Forgets `channel` if nobody uses it. It may have been forgotten before, and another one have
    /// its name now.
    fn tidy(&self, channel: &Arc<Channel>) {
        let mut channels = self.lock();
        let is_known = channels
            .get(channel.name())
            .is_some_and(|known| Arc::ptr_eq(known, channel));
        if is_known && channel.is_unused() {
            channels.remove(channel.name());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Channel>>> {
        // A map is whole between any two of its operations.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn channel(channels: &mut HashMap<StreamName, Arc<Channel>>, name: &StreamName) -> Arc<Channel> {
    let new = || Arc::new(Channel::new(name.clone()));
    Arc::clone(channels.entry(name.clone()).or_insert_with(new))
}

/// The right to publish a stream; gives it up when dropped.
pub(super) struct Publication {
    hub: Arc<Hub>,
    channel: Arc<Channel>,
    publisher: Arc<Publisher>,
    /// Gone when the recording has ended, which a full disk may bring about at any time.
    recorder: Option<Weak<Feed>>,
}

impl Publication {
    pub(super) fn name(&self) -> &StreamName {
        self.channel.name()
    }

    /// Passes a frame on to every player and to the recording. Does nothing once another publisher
    /// has taken over.
    pub(super) fn push(&self, frame: &Frame) {
        if self.channel.push(&self.publisher, frame)
            && let Some(recorder) = self.recorder()
        {
            recorder.push(frame.clone());
        }
    }

    /// Another publisher has taken over.
    pub(super) fn is_replaced(&self) -> bool {
        self.publisher.is_replaced()
    }

    fn recorder(&self) -> Option<Arc<Feed>> {
        self.recorder.as_ref()?.upgrade()
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder() {
            recorder.unpublished();
        }
        let Some(publication) = self.channel.unpublish(&self.publisher) else {
            // Without players there is nothing to wait for: names may be long, and many.
            return self.hub.tidy(&self.channel);
        };
        let hub = Arc::clone(&self.hub);
        let channel = Arc::clone(&self.channel);
        tokio::spawn(async move {
            time::sleep(hub.republish_wait).await;
            channel.end_if_still(publication);
            hub.tidy(&channel);
        });
    }
}

/// A player's place at a stream; gives it up when dropped.
pub(super) struct Subscription {
    hub: Arc<Hub>,
    channel: Arc<Channel>,
    number: u64,
    feed: Arc<Feed>,
}

impl Subscription {
    pub(super) fn name(&self) -> &StreamName {
        self.channel.name()
    }

    /// The next thing to tell the player. Ask only while the player has room for it.
    pub(super) fn pop(&self) -> Option<Item> {
        if self.feed.is_restarting() {
            self.channel.start(&self.feed);
        }
        self.feed.pop()
    }

    /// Begins anew with the latest key frame: the player missed something. Takes effect with the
    /// next [`pop`](Self::pop).
    pub(super) fn restart(&self) {
        self.feed.restart();
    }

    /// The player is so slow that something was lost which must not be.
    pub(super) fn is_overrun(&self) -> bool {
        self.feed.is_overrun()
    }

    pub(super) fn dropped(&self) -> DropCounts {
        self.feed.dropped()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channel.unsubscribe(self.number);
        self.hub.tidy(&self.channel);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtmp_proto::{StreamTarget, Timestamp};

    use super::*;

    fn hub() -> Arc<Hub> {
        Hub::new(OnDuplicate::Replace, Duration::from_millis(1), None)
    }

    fn name() -> StreamName {
        StreamTarget::new("live", "stream").name
    }

    fn key_frame() -> Frame {
        Frame::video(Timestamp::ZERO, Bytes::from_static(&[0x17, 1, 0, 0, 0, 1]))
    }

    /// A channel that was forgotten and is looked at once more, as when the wait for its publisher
    /// ends, does not hide the stream that has its name now.
    #[tokio::test]
    async fn forgotten_channels_do_not_hide_a_stream() {
        let hub = hub();
        let forgotten = Arc::new(Channel::new(name()));
        let publication = hub.publish(&name(), Arc::default()).unwrap();
        hub.tidy(&forgotten);
        let player = hub.play(&name(), Arc::default());
        publication.push(&key_frame());
        assert_eq!(player.pop(), Some(Item::Frame(key_frame())));
    }

    /// A player that has not started yet begins with the group of pictures of that moment, and what
    /// is pushed is not kept for it.
    #[tokio::test]
    async fn players_start_when_they_have_room() {
        let hub = hub();
        let publication = hub.publish(&name(), Arc::default()).unwrap();
        let player = hub.play(&name(), Arc::default());
        for _ in 0..2 {
            for _ in 0..100 {
                publication.push(&key_frame());
            }
            assert_eq!(player.pop(), Some(Item::Frame(key_frame())));
            assert_eq!(player.pop(), None);
            player.restart();
        }
        assert_eq!(player.dropped(), DropCounts::default());
    }

    /// What comes after a recording has failed does not wait for it.
    #[tokio::test]
    async fn failed_recordings_hold_nothing() {
        let nowhere = PathBuf::from("/dev/null/nowhere");
        let hub = Hub::new(OnDuplicate::Replace, Duration::ZERO, Some(nowhere));
        let publication = hub.publish(&name(), Arc::default()).unwrap();
        publication.push(&key_frame());
        hub.finish_recordings().await;
        publication.push(&key_frame());
        assert!(publication.recorder().is_none());
    }

    /// Publishing under one name after the other does not fill the map.
    #[tokio::test]
    async fn streams_without_players_are_forgotten_at_once() {
        let hub = hub();
        drop(hub.publish(&name(), Arc::default()));
        assert!(hub.lock().is_empty());
    }
}
