//! The frames that wait for one player.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{fmt, time::Duration};

use super::{FRAME_OVERHEAD, Slot, TrackSet};
use crate::{flv::Frame, timestamp::Timestamp};

/// The frames that wait for one player, bounded in playing time and in bytes.
///
/// Frames come out in the order they went in. When the player is too slow, this is what goes:
///
/// 1. A video frame that does not fit is dropped, and with it all video until the next key frame.
/// 2. When that key frame does not fit either, the video that waits is dropped in its favour.
/// 3. Audio is dropped, oldest first, when it waits for too long, or when dropping all video was
///    not enough.
///
/// Headers, metadata and data messages are not dropped, except those that a later one supersedes
/// with no frame in between; if a player lets too many of them pile up, it cannot be served
/// ([`Pushed::Refused`]).
///
/// Video begins with a key frame, for each track: at first, after every gap, and after
/// [`resync`](Self::resync). The cost of a push is constant on average, however long the queue
/// stays full.
#[derive(Clone)]
pub struct Queue {
    limits: QueueLimits,
    /// What the player starts with: a cache's frames, which exist once for all players and are no
    /// sign of slowness, so no bound applies.
    start: VecDeque<Frame>,
    /// Coded video, and video messages nobody understands.
    video: Lane,
    /// Audio without its headers.
    audio: Lane,
    /// What is not dropped.
    kept: Lane,
    /// Tracks whose next frame can be decoded.
    ready: TrackSet,
    next_number: u64,
    /// Charges of the frames kept since superseded ones were last looked for.
    kept_since: usize,
    dropped: DropCounts,
}

/// Bounds of a [`Queue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Playing time of the video that waits, and of the audio. Default 10 s: long enough for the
    /// hiccups of a mobile network, and a player further behind does better to skip.
    pub duration: Duration,
    /// Bytes of audio and video, each frame with 128 bytes on top of its payload; the last eighth
    /// is for audio. Default 16 MiB: 10 seconds at 13 Mbit/s. One key frame is taken whatever its
    /// size, so memory may exceed this by one message.
    pub bytes: usize,
    /// Bytes of everything else, counted likewise. Default 4 MiB. Beyond: [`Pushed::Refused`].
    pub kept_bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(10),
            bytes: 16 << 20,
            kept_bytes: 4 << 20,
        }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a refused frame means that the player cannot be served"]
#[expect(
    clippy::exhaustive_enums,
    reason = "nothing else can happen to a frame"
)]
pub enum Pushed {
    /// It waits in the queue.
    Queued {
        /// Audio and video frames that were dropped to make room.
        dropped: usize,
    },
    /// It was dropped: there is no room, or the frames it depends on are missing.
    Dropped,
    /// It must not be dropped and there is no room for it: the player takes nothing, and is
    /// best disconnected.
    Refused,
}

/// Frames a [`Queue`] has dropped since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DropCounts {
    /// Video frames, those before the first key frame included.
    pub video: u64,
    /// Audio frames.
    pub audio: u64,
    /// Headers and metadata that a later one superseded.
    pub superseded: u64,
    /// Headers, metadata and data messages refused.
    pub refused: u64,
}

impl Queue {
    /// An empty queue, waiting for a key frame.
    pub const fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            start: VecDeque::new(),
            video: Lane::new(),
            audio: Lane::new(),
            kept: Lane::new(),
            ready: TrackSet([0; 4]),
            next_number: 0,
            kept_since: 0,
            dropped: DropCounts {
                video: 0,
                audio: 0,
                superseded: 0,
                refused: 0,
            },
        }
    }

    /// Begins anew with `frames`, what a [`GopCache`](super::GopCache) holds: for a player that
    /// joins, or that missed something because it paused. What waits is dropped; the bounds apply to
    /// what is pushed from now on.
    pub fn start_with(&mut self, frames: impl IntoIterator<Item = Frame>) {
        self.dropped.video += self.video.clear() as u64;
        self.dropped.audio += self.audio.clear() as u64;
        self.kept.clear();
        self.ready.clear();
        self.start = frames.into_iter().collect();
        for frame in self.start.iter().filter(|frame| frame.is_key_frame()) {
            self.ready.insert(frame.track().unwrap_or_default());
        }
    }

    /// Appends a frame, dropping it or others if there is no room.
    pub fn push(&mut self, frame: Frame) -> Pushed {
        match LaneKind::of(&frame) {
            LaneKind::Video => self.push_video(frame),
            LaneKind::Audio => self.push_audio(frame),
            LaneKind::Kept => self.push_kept(frame),
        }
    }

    /// Takes the oldest frame.
    pub fn pop(&mut self) -> Option<Frame> {
        if let Some(frame) = self.start.pop_front() {
            return Some(frame);
        }
        [&mut self.video, &mut self.audio, &mut self.kept]
            .into_iter()
            .filter(|lane| !lane.entries.is_empty())
            .min_by_key(|lane| lane.front_number())?
            .pop_front()
    }

    /// Drops further video until the next key frame, because the player missed some (it paused, or
    /// had video switched off). What waits already stays.
    pub fn resync(&mut self) {
        self.ready.clear();
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.start.len()
            + self.video.entries.len()
            + self.audio.entries.len()
            + self.kept.entries.len()
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Payload bytes that wait, without those of [`start_with`](Self::start_with).
    pub const fn bytes(&self) -> usize {
        self.video.bytes + self.audio.bytes + self.kept.bytes
    }

    /// Bytes that are held: [`bytes`](Self::bytes), and 128 for each frame.
    pub fn held_bytes(&self) -> usize {
        self.bytes() + self.len() * FRAME_OVERHEAD
    }

    /// Holds no more than `bytes` from now on, or as much as headers, metadata and data messages take:
    /// drops all video if there is too much, then the oldest audio. For queues that share a bound of the
    /// caller's.
    pub fn shed(&mut self, bytes: usize) {
        if self.held_bytes() > bytes {
            self.drop_video();
            self.drop_audio_until(|queue| queue.held_bytes() <= bytes);
        }
    }

    /// Playing time that waits: that of the video or that of the audio, whichever is longer.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.video.span().max(self.audio.span()))
    }

    /// What has been dropped since the beginning.
    pub const fn dropped(&self) -> DropCounts {
        self.dropped
    }

    fn push_video(&mut self, frame: Frame) -> Pushed {
        let position = self.video.clock.observe(frame.timestamp);
        let track = frame.track().unwrap_or_default();
        let is_key = frame.is_key_frame();
        if !is_key && !self.ready.contains(track) {
            self.dropped.video += 1;
            return Pushed::Dropped;
        }
        // Charging no more than the whole share lets a key frame in whatever its size, and never
        // a second one beside it.
        let share = self.limits.bytes - self.limits.bytes / AUDIO_SHARE;
        let charge = charge(&frame).min(share);
        let fits = self.video.span_to(position) <= self.max_span()
            && self.media_charge() + charge <= share;
        let mut dropped = 0;
        if !fits {
            if !is_key {
                self.ready.clear();
                self.dropped.video += 1;
                return Pushed::Dropped;
            }
            dropped = self.drop_video();
            dropped +=
                self.drop_audio_until(|queue| queue.media_charge() + charge <= queue.limits.bytes);
            self.drop_superseded();
        }
        if is_key {
            self.ready.insert(track);
        }
        let number = self.take_number();
        self.video.push(number, position, charge, frame);
        Pushed::Queued { dropped }
    }

    fn push_audio(&mut self, frame: Frame) -> Pushed {
        let position = self.audio.clock.observe(frame.timestamp);
        let charge = charge(&frame);
        if charge > self.limits.bytes {
            self.dropped.audio += 1;
            return Pushed::Dropped;
        }
        let max_span = self.max_span();
        let mut dropped = self.drop_audio_until(|queue| queue.audio.span_to(position) <= max_span);
        if self.media_charge() + charge > self.limits.bytes {
            dropped += self.drop_video();
            dropped +=
                self.drop_audio_until(|queue| queue.media_charge() + charge <= queue.limits.bytes);
        }
        let number = self.take_number();
        self.audio.push(number, position, charge, frame);
        Pushed::Queued { dropped }
    }

    fn push_kept(&mut self, frame: Frame) -> Pushed {
        let charge = charge(&frame);
        let number = self.take_number();
        self.kept_since += charge;
        self.kept.push(number, 0, charge, frame);
        if self.kept.charge > self.limits.kept_bytes {
            self.drop_superseded();
        }
        if self.kept.charge > self.limits.kept_bytes {
            self.kept.pop_back();
            self.dropped.refused += 1;
            return Pushed::Refused;
        }
        Pushed::Queued { dropped: 0 }
    }

    fn drop_video(&mut self) -> usize {
        let count = self.video.clear();
        self.dropped.video += count as u64;
        self.ready.clear();
        count
    }

    /// Drops audio, oldest first, until there is enough room or no audio left.
    fn drop_audio_until(&mut self, enough: impl Fn(&Self) -> bool) -> usize {
        let mut count = 0;
        while !enough(self) && self.audio.pop_front().is_some() {
            count += 1;
        }
        self.dropped.audio += count as u64;
        count
    }

    /// Drops the kept frames that a later one supersedes, with no frame in between that it is for.
    ///
    /// Only if few frames are kept or an eighth of them has come since the last time: a queue that
    /// stays full must not look at all of them at every push.
    fn drop_superseded(&mut self) {
        if self.kept.entries.len() > FEW_KEPT && self.kept_since < self.kept.charge / 8 {
            return;
        }
        self.kept_since = 0;
        let mut next = BTreeMap::new();
        let mut superseded = BTreeSet::new();
        for entry in self.kept.entries.iter().rev() {
            let Some(slot) = Slot::of(&entry.frame) else {
                continue;
            };
            if let Some(next) = next.insert(slot, entry.number)
                && !self.has_media_between(&entry.frame, entry.number, next)
            {
                superseded.insert(entry.number);
            }
        }
        if !superseded.is_empty() {
            self.kept.remove(&superseded);
            self.dropped.superseded += superseded.len() as u64;
        }
    }

    fn has_media_between(&self, header: &Frame, first: u64, last: u64) -> bool {
        let lane = match (header.is_video(), header.is_audio()) {
            (true, _) => &self.video,
            (_, true) => &self.audio,
            _ => return false,
        };
        let after = lane.entries.partition_point(|entry| entry.number < first);
        lane.entries
            .get(after)
            .is_some_and(|entry| entry.number < last)
    }

    const fn media_charge(&self) -> usize {
        self.video.charge + self.audio.charge
    }

    fn max_span(&self) -> u64 {
        u64::try_from(self.limits.duration.as_millis()).unwrap_or(u64::MAX)
    }

    const fn take_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new(QueueLimits::default())
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .field("duration", &self.duration())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// Frames with one fate, in order. Lanes are merged by the entries' numbers, so that dropping from
/// one does not search through the others.
#[derive(Clone)]
struct Lane {
    entries: VecDeque<Entry>,
    bytes: usize,
    charge: usize,
    clock: MediaClock,
}

#[derive(Clone)]
struct Entry {
    number: u64,
    position: u64,
    charge: usize,
    frame: Frame,
}

impl Lane {
    const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            charge: 0,
            clock: MediaClock {
                newest: None,
                position: 0,
            },
        }
    }

    fn push(&mut self, number: u64, position: u64, charge: usize, frame: Frame) {
        self.bytes += frame.payload.len();
        self.charge += charge;
        self.entries.push_back(Entry {
            number,
            position,
            charge,
            frame,
        });
    }

    fn pop_front(&mut self) -> Option<Frame> {
        let entry = self.entries.pop_front();
        entry.map(|entry| self.release(entry))
    }

    fn pop_back(&mut self) -> Option<Frame> {
        let entry = self.entries.pop_back();
        entry.map(|entry| self.release(entry))
    }

    fn clear(&mut self) -> usize {
        let count = self.entries.len();
        self.entries.clear();
        self.bytes = 0;
        self.charge = 0;
        count
    }

    fn remove(&mut self, numbers: &BTreeSet<u64>) {
        let entries: Vec<_> = self.entries.drain(..).collect();
        for entry in entries {
            if numbers.contains(&entry.number) {
                self.release(entry);
            } else {
                self.entries.push_back(entry);
            }
        }
    }

    fn release(&mut self, entry: Entry) -> Frame {
        self.bytes -= entry.frame.payload.len();
        self.charge -= entry.charge;
        entry.frame
    }

    fn front_number(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.number)
    }

    /// Milliseconds from the first frame to the last.
    fn span(&self) -> u64 {
        self.entries
            .back()
            .map_or(0, |last| self.span_to(last.position))
    }

    /// Milliseconds from the first frame to `position`.
    fn span_to(&self, position: u64) -> u64 {
        self.entries
            .front()
            .map_or(0, |first| position - first.position)
    }
}

/// What may be dropped, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneKind {
    Video,
    Audio,
    Kept,
}

impl LaneKind {
    pub(super) fn of(frame: &Frame) -> Self {
        if frame.is_configuration() || frame.is_sequence_end() {
            Self::Kept
        } else if frame.is_video() {
            Self::Video
        } else if frame.is_audio() {
            Self::Audio
        } else {
            Self::Kept
        }
    }
}

/// Playing time that never goes backwards, from timestamps that may wrap, restart or jump.
#[derive(Clone)]
struct MediaClock {
    newest: Option<Timestamp>,
    position: u64,
}

impl MediaClock {
    /// The position of a frame with this timestamp.
    fn observe(&mut self, timestamp: Timestamp) -> u64 {
        let step = self
            .newest
            .map_or(0, |newest| timestamp.signed_millis_since(newest));
        match u64::try_from(step) {
            Ok(forward @ 0..=MAX_STEP_MILLIS) => {
                self.position += forward;
                self.newest = Some(timestamp);
            }
            // Frames of several tracks overlap a little.
            Err(_) if step >= -MAX_OVERLAP_MILLIS => {}
            // A new timeline, at a moment nobody knows: time goes on from here.
            _ => self.newest = Some(timestamp),
        }
        self.position
    }
}

fn charge(frame: &Frame) -> usize {
    frame.payload.len() + FRAME_OVERHEAD
}

/// One part in so many of the byte bound is for audio alone, so that sound goes on while video
/// waits for a key frame.
const AUDIO_SHARE: usize = 8;
/// Looking for superseded frames among so many is cheap enough to be done at any time.
const FEW_KEPT: usize = 32;
/// A longer step forward is a jump of the timeline, not playing time.
const MAX_STEP_MILLIS: u64 = 10_000;
/// A longer step backward is a restart of the timeline.
const MAX_OVERLAP_MILLIS: i32 = 1000;

#[cfg(test)]
mod tests;
