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
    admission::{Admission, Refusal},
    channel::{Channel, Pace, Place, Player, Publisher},
    feed::Feed,
    permit::Permit,
    recorder,
};
use crate::args::OnDuplicate;

/// What a hub does with streams.
#[derive(Debug)]
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
    /// How much there may be of everything.
    pub(super) admission: Arc<Admission>,
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

    /// Publishes `name`, unless it has a publisher that is to stay, or there are too many others. `wake`
    /// is called when another one takes over.
    pub(super) fn publish(
        self: &Arc<Self>,
        name: &StreamName,
        wake: Arc<Notify>,
    ) -> Result<Publication, Refusal> {
        let admission = &self.policy.admission;
        let mut channels = self.lock();
        let channel = self.channel(&mut channels, name);
        let permit = || admission.publisher();
        let publisher = channel.publish(wake, self.policy.on_duplicate, permit);
        drop(channels);
        let publisher = publisher.inspect_err(|_| self.tidy(&channel))?;
        let recorder = self.policy.record.as_ref().map(|directory| {
            let feed = Arc::new(Feed::new(recorder::limits(), admission.account()));
            let recorder = Arc::downgrade(&feed);
            self.recordings()
                .spawn(recorder::record(directory.clone(), name.clone(), feed));
            recorder
        });
        Ok(Publication {
            hub: Arc::clone(self),
            channel,
            publisher,
            recorder,
        })
    }

    /// Plays `name`, whether it has a publisher or not, unless there are too many players. `player` is
    /// told when there may be something new.
    pub(super) fn play(
        self: &Arc<Self>,
        name: &StreamName,
        player: Weak<dyn Player>,
    ) -> Result<Subscription, Refusal> {
        // Nobody else joins while this is held.
        let mut channels = self.lock();
        let players = channels.get(name).map_or(0, |channel| channel.players());
        let permit = self.policy.admission.player(players)?;
        let channel = self.channel(&mut channels, name);
        Ok(Subscription {
            hub: Arc::clone(self),
            place: channel.join(player),
            channel,
            _permit: permit,
        })
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
            let account = self.policy.admission.account();
            let chunk_size = self.policy.chunk_size;
            Arc::new(Channel::new(name.clone(), pace, chunk_size, account))
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
    _permit: Permit,
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
    use crate::args::{Limits, Maximum};

    fn policy() -> Policy {
        policy_with(|_| {})
    }

    fn policy_with(change: impl FnOnce(&mut Limits)) -> Policy {
        let mut limits = Limits::none();
        change(&mut limits);
        Policy {
            on_duplicate: OnDuplicate::Replace,
            republish_wait: Duration::from_millis(1),
            flush_interval: Duration::ZERO,
            chunk_size: ChunkSize::INITIAL,
            record: None,
            admission: Arc::new(Admission::new(&limits)),
        }
    }

    fn hub() -> Arc<Hub> {
        Hub::new(policy())
    }

    fn hub_with(change: impl FnOnce(&mut Limits)) -> Arc<Hub> {
        Hub::new(policy_with(change))
    }

    fn name() -> StreamName {
        StreamTarget::new("live", "stream").name
    }

    impl Player for Notify {
        fn advance(&self) {
            self.notify_one();
        }
    }

    fn nobody() -> Weak<dyn Player> {
        Weak::<Notify>::new()
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
        let account = hub.policy.admission.account();
        let forgotten = Arc::new(Channel::new(name(), pace, ChunkSize::INITIAL, account));
        let publication = hub.publish(&name(), Arc::default()).unwrap();
        hub.tidy(&forgotten);
        let mut player = hub.play(&name(), nobody()).unwrap();
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
                let listener: Arc<dyn Player> = wake.clone();
                let mut player = hub.play(&name(), Arc::downgrade(&listener)).unwrap();
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

    /// Coming and going leaves nothing behind, be it that nobody publishes.
    #[tokio::test]
    async fn players_leave_nothing_behind() {
        let hub = hub();
        let mut first = hub.play(&name(), nobody()).unwrap();
        assert!(first.next().is_none());
        for _ in 0..100 {
            let mut player = hub.play(&name(), nobody()).unwrap();
            assert!(player.next().is_none());
        }
        assert_eq!(first.channel.listed(), 1);
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

    /// Publishing under one name after the other does not fill the map, and neither do those who are
    /// refused.
    #[tokio::test]
    async fn streams_without_players_are_forgotten_at_once() {
        let hub = hub_with(|limits| limits.max_publishers = Maximum::from(1));
        let one = hub.publish(&name(), Arc::default()).unwrap();
        let other = StreamTarget::new("live", "other").name;
        let refused = hub.publish(&other, Arc::default());
        assert_eq!(refused.err(), Some(Refusal::TooManyPublishers));
        assert_eq!(hub.lock().len(), 1);
        drop(one);
        assert!(hub.lock().is_empty());
        hub.publish(&other, Arc::default()).unwrap();
    }

    /// An encoder that comes back before its old connection is known to be dead needs no second place.
    #[tokio::test]
    async fn who_takes_over_takes_the_place_too() {
        let hub = hub_with(|limits| limits.max_publishers = Maximum::from(1));
        let first = hub.publish(&name(), Arc::default()).unwrap();
        let second = hub.publish(&name(), Arc::default()).unwrap();
        assert!(first.is_replaced());
        let other = StreamTarget::new("live", "other").name;
        assert!(hub.publish(&other, Arc::default()).is_err());
        drop(first);
        assert!(hub.publish(&other, Arc::default()).is_err());
        drop(second);
        hub.publish(&other, Arc::default()).unwrap();
    }

    #[tokio::test]
    async fn players_are_limited_for_a_stream_and_in_all() {
        let hub = hub_with(|limits| {
            limits.max_players = Maximum::from(3);
            limits.max_players_per_stream = Maximum::from(2);
        });
        let other = StreamTarget::new("live", "other").name;
        let play = |name: &StreamName| hub.play(name, nobody());
        let first = play(&name()).unwrap();
        let _second = play(&name()).unwrap();
        assert_eq!(play(&name()).err(), Some(Refusal::StreamIsFull));
        let third = play(&other).unwrap();
        assert_eq!(play(&other).err(), Some(Refusal::TooManyPlayers));
        drop(third);
        assert_eq!(hub.lock().len(), 1);
        drop(first);
        play(&name()).unwrap();
    }

    /// Streams that nobody reads keep no more than the limit together; players that keep up lose
    /// nothing.
    #[tokio::test]
    async fn streams_share_what_may_be_kept() {
        let limit = 1 << 20;
        let hub = hub_with(|limits| limits.max_buffered = "1".parse().unwrap());
        let mut streams: Vec<_> = (0..8)
            .map(|n| {
                let name = StreamTarget::new("live", &format!("stream{n}")).name;
                let publication = hub.publish(&name, Arc::default()).unwrap();
                let mut players = [(); 2].map(|()| hub.play(&name, nobody()).unwrap());
                for player in &mut players {
                    assert!(player.next().is_none());
                }
                (publication, players)
            })
            .collect();
        let payload = |first: u8| {
            let mut payload = vec![first, 1, 0, 0, 0];
            payload.resize(10_000, 0);
            Bytes::from(payload)
        };
        for n in 0..200u32 {
            let first = if n % 50 == 0 { 0x17 } else { 0x27 };
            let frame = Frame::video(Timestamp::from_millis(n), payload(first));
            for (publication, [quick, _stalled]) in &mut streams {
                publication.push(&frame);
                match quick.next() {
                    Some(Portion::Frame(got)) => assert_eq!(got, frame),
                    Some(Portion::Batch(got)) => {
                        assert_eq!(got.frames(), std::slice::from_ref(&frame))
                    }
                    other => panic!("{other:?} instead of {n}"),
                }
                assert!(quick.next().is_none());
                assert_eq!(quick.dropped().video, 0);
            }
            let held = hub.policy.admission.held_bytes();
            assert!(held <= limit, "{held} bytes after {n}");
        }
        assert!(hub.policy.admission.held_bytes() > limit / 2);
        drop(streams);
        time::sleep(Duration::from_millis(5)).await;
        assert_eq!(hub.policy.admission.held_bytes(), 0);
    }

    /// What is to be passed on later is kept as well.
    #[tokio::test]
    async fn what_waits_for_others_is_limited() {
        let mut limits = Limits::none();
        limits.max_buffered = "1".parse().unwrap();
        let hub = Hub::new(Policy {
            flush_interval: Duration::from_secs(10),
            admission: Arc::new(Admission::new(&limits)),
            ..policy()
        });
        let publication = hub.publish(&name(), Arc::default()).unwrap();
        let mut player = hub.play(&name(), nobody()).unwrap();
        assert!(player.next().is_none());
        let mut payload = vec![0xAF, 1];
        payload.resize(100_000, 0);
        let frame = Frame::audio(Timestamp::ZERO, payload.into());
        for _ in 0..30 {
            publication.push(&frame);
            assert!(hub.policy.admission.held_bytes() <= 1 << 20);
        }
        assert!(hub.policy.admission.held_bytes() > 1 << 18);
    }

    /// A recording that the disk holds up is cut down with the rest, and keeps its headers.
    #[test]
    fn recordings_share_what_may_be_kept() {
        let mut limits = Limits::none();
        limits.max_buffered = "1".parse().unwrap();
        let admission = Admission::new(&limits);
        let feed = Feed::new(recorder::limits(), admission.account());
        let header = Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 0x4D, 0x40, 0x1F]);
        let header = Frame::video(Timestamp::ZERO, header);
        feed.push(header.clone());
        for n in 0..20 {
            let mut payload = vec![0x17, 1, 0, 0, 0];
            payload.resize(100_000, 0);
            feed.push(Frame::video(Timestamp::from_millis(n), payload.into()));
            assert!(admission.held_bytes() <= 1 << 20);
        }
        assert!(feed.dropped().video > 0);
        assert_eq!(feed.pop(), Some(header));
        assert!(std::iter::from_fn(|| feed.pop()).count() > 1);
        assert_eq!(admission.held_bytes(), 0);
    }
}
