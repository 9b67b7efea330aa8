//! All streams by name.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use rtmp_proto::{
    StreamName,
    chunk::ChunkSize,
    flv::Frame,
    relay::{DropCounts, Portion},
};
use tokio::{sync::Notify, task::JoinSet, time};

use super::{
    channel::{Channel, Pace, Place, Publisher},
    feed::Feed,
    recorder,
};
use crate::args::OnDuplicate;

/// What a hub does with streams.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) on_duplicate: OnDuplicate,
    /// How long players wait for a publisher to return.
    pub(super) republish_wait: Duration,
    /// How long frames wait for each other before they go to a player.
    pub(super) flush_interval: Duration,
    /// Of what is sent to players.
    pub(super) chunk_size: ChunkSize,
    /// The directory for recordings.
    pub(super) record: Option<PathBuf>,
}

/// The streams that have a publisher or players.
pub(super) struct Hub {
    policy: Policy,
    channels: Mutex<HashMap<StreamName, Arc<Channel>>>,
    recordings: Mutex<JoinSet<()>>,
}

impl Hub {
    pub(super) fn new(policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            policy,
            channels: Mutex::default(),
            recordings: Mutex::default(),
        })
    }

    /// Whether a second publisher takes over from the first.
    pub(super) fn replaces(&self) -> bool {
        self.policy.on_duplicate == OnDuplicate::Replace
    }

    /// Publishes `name`, unless it has a publisher that is to stay. `wake` is called when another one
    /// takes over.
    pub(super) fn publish(
        self: &Arc<Self>,
        name: &StreamName,
        wake: Arc<Notify>,
    ) -> Option<Publication> {
        let mut channels = self.lock();
        let channel = self.channel(&mut channels, name);
        let publisher = channel.publish(wake, self.policy.on_duplicate)?;
        drop(channels);
        let recorder = self.policy.record.as_ref().map(|directory| {
            let feed = Arc::new(Feed::new(recorder::limits()));
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
        let channel = self.channel(&mut channels, name);
        Subscription {
            hub: Arc::clone(self),
            place: channel.join(wake),
            channel,
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

    fn channel(
        &self,
        channels: &mut HashMap<StreamName, Arc<Channel>>,
        name: &StreamName,
    ) -> Arc<Channel> {
        let new = || {
            let pace = Pace::new(self.policy.flush_interval);
            Arc::new(Channel::new(name.clone(), pace, self.policy.chunk_size))
        };
        Arc::clone(channels.entry(name.clone()).or_insert_with(new))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Channel>>> {
        // A map is whole between any two of its operations.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            recorder.end();
        }
        let Some(publication) = self.channel.unpublish(&self.publisher) else {
            // Without players there is nothing to wait for: names may be long, and many.
            return self.hub.tidy(&self.channel);
        };
        let hub = Arc::clone(&self.hub);
        let channel = Arc::clone(&self.channel);
        tokio::spawn(async move {
            time::sleep(hub.policy.republish_wait).await;
            channel.end_if_still(publication);
            hub.tidy(&channel);
        });
    }
}

/// A player's place at a stream; gives it up when dropped.
pub(super) struct Subscription {
    hub: Arc<Hub>,
    channel: Arc<Channel>,
    place: Place,
}

impl Subscription {
    pub(super) fn name(&self) -> &StreamName {
        self.channel.name()
    }

    /// What the player is to get next. Ask only while it has room for it.
    pub(super) fn next(&mut self) -> Option<Portion> {
        self.channel.next(&mut self.place)
    }

    /// Begins anew with the latest key frame: the player missed something. Takes effect with the
    /// next [`next`](Self::next).
    pub(super) fn restart(&mut self) {
        self.place.restart();
    }

    pub(super) fn dropped(&self) -> DropCounts {
        self.place.cursor().dropped()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channel.leave(&self.place);
        self.hub.tidy(&self.channel);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtmp_proto::{StreamTarget, Timestamp};

    use super::*;

    fn policy() -> Policy {
        Policy {
            on_duplicate: OnDuplicate::Replace,
            republish_wait: Duration::from_millis(1),
            flush_interval: Duration::ZERO,
            chunk_size: ChunkSize::INITIAL,
            record: None,
        }
    }

    fn hub() -> Arc<Hub> {
        Hub::new(policy())
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
        let pace = Pace::new(Duration::ZERO);
        let forgotten = Arc::new(Channel::new(name(), pace, ChunkSize::INITIAL));
        let publication = hub.publish(&name(), Arc::default()).unwrap();
        hub.tidy(&forgotten);
        let mut player = hub.play(&name(), Arc::default());
        publication.push(&key_frame());
        match player.next() {
            Some(Portion::Frame(frame)) => assert_eq!(frame, key_frame()),
            other => panic!("{other:?}"),
        }
    }

    /// A tick carries what has come in since the one before, to one group of players after the other.
    #[tokio::test(start_paused = true)]
    async fn players_are_woken_in_groups() {
        let hub = Hub::new(Policy {
            flush_interval: Duration::from_millis(60),
            ..policy()
        });
        let publication = hub.publish(&name(), Arc::default()).unwrap();
        let mut players: Vec<_> = (0..4)
            .map(|_| {
                let wake = Arc::new(Notify::new());
                let mut player = hub.play(&name(), Arc::clone(&wake));
                assert!(player.next().is_none());
                (player, wake)
            })
            .collect();
        publication.push(&key_frame());
        publication.push(&key_frame());
        let begin = time::Instant::now();
        let mut woken = Vec::new();
        for (player, wake) in &mut players {
            wake.notified().await;
            woken.push(begin.elapsed().as_millis() / 20);
            assert_eq!(std::iter::from_fn(|| player.next()).count(), 2);
        }
        // Three groups, and the fourth player is in the first.
        assert_eq!(woken, [1, 2, 3, 3]);
        // Nobody is woken for nothing, and the ticks have stopped.
        time::sleep(Duration::from_secs(1)).await;
        for (_, wake) in &players {
            let notified = wake.notified();
            assert!(
                time::timeout(Duration::from_secs(1), notified)
                    .await
                    .is_err()
            );
        }
    }

    /// What comes after a recording has failed does not wait for it.
    #[tokio::test]
    async fn failed_recordings_hold_nothing() {
        let nowhere = PathBuf::from("/dev/null/nowhere");
        let hub = Hub::new(Policy {
            record: Some(nowhere),
            ..policy()
        });
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
