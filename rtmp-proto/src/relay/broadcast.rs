//! One stream on its way from its publisher to its players.

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::{cmp::Ordering, fmt, mem, time::Duration};

use super::{
    Batch, Cached, DropCounts, FRAME_OVERHEAD, GopCache, GopLimits, Timeline, TrackSet,
    queue::LaneKind, singles::Singles,
};
use crate::{chunk::ChunkSize, flv::Frame, time::Instant};

/// One stream on its way from its publisher to any number of players.
///
/// What is published is kept once, in batches. Each player has a [`Cursor`] on them and reads at its
/// own pace; so publishing costs the same with one player and with ten thousand, and a slow player
/// costs only what it has not read yet, shared with all that are as slow. A player that joins begins
/// with headers and the current group of pictures.
///
/// # Slow players
///
/// A player that is further behind than half of [`BroadcastLimits`] loses the video up to the latest
/// key frame, and as long as there is none, all video; its audio goes on. One that falls behind the
/// limits themselves begins anew, as if it had just joined. Video never goes on without a key frame,
/// for each track.
///
/// # Publishers that come and go
///
/// Times go on from one publication to the next, see [`Timeline`]. Players hear of the end when
/// [`announce_end`](Self::announce_end) was called and they have read what there is.
pub struct Broadcast {
    /// Beyond it a player begins anew.
    whole: Lag,
    /// Beyond it a player loses video.
    half: Lag,
    chunk_size: ChunkSize,
    cache: GopCache,
    timeline: Timeline,
    /// Video tracks that have had a key frame since the publication began.
    ready: TrackSet,
    /// Published since the last [`flush`](Self::flush).
    pending: Vec<Frame>,
    /// Their charge.
    pending_charge: u64,
    batches: VecDeque<Entry>,
    /// The charge of all batches that are gone.
    released: u64,
    /// The number of the first of them.
    first: u64,
    /// Batches put together since the last flush.
    joined: Vec<Joined>,
    /// The number of the latest batch with a key frame.
    latest_key: u64,
    /// Cursors that have read everything.
    idle: usize,
    cursors: usize,
    totals: Totals,
    is_over: bool,
}

struct Entry {
    batch: Arc<Batch>,
    /// Cursors whose next batch this is.
    readers: usize,
    at: Instant,
    /// Video tracks of which a player must have had a key frame to decode this batch and what follows.
    needs: TrackSet,
    /// The counts up to its end.
    until: Totals,
}

/// What several players are to get next, as one batch: for each of them it is cheaper to queue and to
/// write than many.
struct Joined {
    first: u64,
    /// The number of the batch after it.
    until: u64,
    batch: Arc<Batch>,
}

/// Of all that was ever flushed.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    /// What [`BroadcastLimits::bytes`] bounds.
    charge: u64,
    /// Coded frames.
    audio: u64,
    video: u64,
}

/// Bounds of a [`Broadcast`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastLimits {
    /// For how long the slowest player is kept what it has not read. Default 20 s: at half of that it
    /// loses video, which is long enough for the hiccups of a mobile network.
    pub duration: Duration,
    /// Bytes kept for the slowest player, each frame with 128 bytes on top of its payload. Default
    /// 32 MiB: 20 seconds at 13 Mbit/s.
    pub bytes: usize,
    /// Of what late joiners begin with.
    pub group: GopLimits,
}

impl Default for BroadcastLimits {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(20),
            bytes: 32 << 20,
            group: GopLimits::default(),
        }
    }
}

/// How far a player may be behind.
#[derive(Clone, Copy, Debug)]
struct Lag {
    duration: Duration,
    bytes: u64,
}

impl Lag {
    /// One of so many parts of the limits.
    fn part(limits: BroadcastLimits, parts: u32) -> Self {
        Self {
            duration: limits.duration / parts,
            bytes: limits.bytes as u64 / u64::from(parts),
        }
    }
}

/// What a player is to get next.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "players must handle each")]
pub enum Portion {
    /// The stream has a publisher again, after [`Unpublished`](Self::Unpublished).
    Published,
    /// Frames.
    Batch(Arc<Batch>),
    /// A single frame: at the beginning, and after something was left out.
    Frame(Frame),
    /// The publisher is gone and does not return.
    Unpublished,
}

/// A player's place in a [`Broadcast`]. Give it back with [`leave`](Broadcast::leave).
#[derive(Debug)]
pub struct Cursor {
    /// The next batch.
    next: u64,
    /// The counts up to there.
    seen: Totals,
    /// The player is to begin, or to begin anew.
    is_starting: bool,
    /// Frames to be looked at one by one before the next batch.
    singles: Singles,
    /// The player can decode all that comes. Else frames are looked at one by one.
    is_synced: bool,
    /// Video before this batch is left out.
    video_from: u64,
    /// Video tracks whose next frame can be decoded.
    ready: TrackSet,
    /// The player knows that the stream is over.
    was_told_end: bool,
    dropped: DropCounts,
}

impl Cursor {
    /// Lets the player begin anew with the current group of pictures when it [next](Broadcast::next)
    /// asks: it missed something.
    pub const fn restart(&mut self) {
        self.is_starting = true;
    }

    /// What the player was too slow for.
    pub const fn dropped(&self) -> DropCounts {
        self.dropped
    }

    fn wants(&mut self, frame: &Frame, number: u64) -> bool {
        if LaneKind::of(frame) != LaneKind::Video {
            return true;
        }
        let track = frame.track().unwrap_or_default();
        let is_wanted =
            number >= self.video_from && (frame.is_key_frame() || self.ready.contains(track));
        if is_wanted {
            self.ready.insert(track);
        } else {
            self.dropped.video += 1;
        }
        is_wanted
    }
}

impl Broadcast {
    /// A stream that has had no publisher, for players with chunks of up to `chunk_size` bytes.
    pub fn new(limits: BroadcastLimits, chunk_size: ChunkSize) -> Self {
        Self {
            whole: Lag::part(limits, 1),
            half: Lag::part(limits, 2),
            chunk_size,
            cache: GopCache::new(limits.group),
            timeline: Timeline::default(),
            ready: TrackSet::default(),
            pending: Vec::new(),
            pending_charge: 0,
            batches: VecDeque::new(),
            released: 0,
            first: 0,
            joined: Vec::new(),
            latest_key: 0,
            idle: 0,
            cursors: 0,
            totals: Totals::default(),
            is_over: false,
        }
    }

    /// What is pushed from now on is another publisher's.
    pub fn begin(&mut self) {
        self.end();
        self.timeline.restart();
        self.is_over = false;
    }

    /// The publisher is gone: who joins now gets nothing of it. Others do not hear of it.
    pub fn end(&mut self) {
        self.cache.clear();
        self.ready.clear();
    }

    /// Players are to hear that the stream has ended, once they have read what there is.
    pub const fn announce_end(&mut self) {
        self.is_over = true;
    }

    /// Publishes a frame. Players get it after the next [`flush`](Self::flush).
    ///
    /// Left out are repeated headers, and video that no player could decode: before the first key frame
    /// of its track.
    pub fn push(&mut self, frame: &Frame) {
        let frame = self.timeline.place(frame.clone());
        if LaneKind::of(&frame) == LaneKind::Video {
            let track = frame.track().unwrap_or_default();
            if frame.is_key_frame() {
                self.ready.insert(track);
            } else if !self.ready.contains(track) {
                return;
            }
        }
        if self.cache.push(&frame) == Cached::New && self.cursors > 0 {
            self.pending_charge += charge(&frame);
            self.pending.push(frame);
        }
    }

    /// Whether frames wait for a [`flush`](Self::flush).
    pub const fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Lets players have what was pushed.
    pub fn flush(&mut self, now: Instant) {
        if self.pending.is_empty() {
            return;
        }
        self.joined.clear();
        let frames = mem::take(&mut self.pending);
        self.totals.charge += mem::take(&mut self.pending_charge);
        if frames.iter().any(Frame::is_key_frame) {
            self.latest_key = self.end_number();
        }
        let mut needs = self.ready;
        for frame in &frames {
            if LaneKind::of(frame) == LaneKind::Video {
                // Of a publication that has ended since, perhaps.
                needs.insert(frame.track().unwrap_or_default());
            }
            self.totals.audio += u64::from(frame.is_audio() && frame.is_coded_media());
            self.totals.video += u64::from(frame.is_video() && frame.is_coded_media());
        }
        self.batches.push_back(Entry {
            batch: Arc::new(Batch::new(frames, self.chunk_size)),
            readers: mem::take(&mut self.idle),
            at: now,
            needs,
            until: self.totals,
        });
        self.release(|broadcast, entry| broadcast.is_behind(entry, now, broadcast.whole));
        self.release_unread();
    }

    /// A place for a player, which begins when it [asks](Self::next) for the first time.
    pub fn join(&mut self) -> Cursor {
        self.cursors += 1;
        let next = self.end_number();
        self.arrive(next);
        Cursor {
            next,
            seen: self.totals,
            is_starting: true,
            singles: Singles::default(),
            is_synced: false,
            video_from: 0,
            ready: TrackSet::default(),
            was_told_end: self.is_over,
            dropped: DropCounts::default(),
        }
    }

    /// A player has gone.
    pub fn leave(&mut self, cursor: &Cursor) {
        self.cursors = self.cursors.saturating_sub(1);
        self.depart(cursor.next);
        if self.cursors == 0 {
            self.pending = Vec::new();
            self.pending_charge = 0;
        }
    }

    /// Players that have joined and not left.
    pub const fn players(&self) -> usize {
        self.cursors
    }

    /// Bytes that are held: what slow players have not read, what waits for a [`flush`](Self::flush), and
    /// what late joiners begin with; payloads, and 128 for each frame.
    ///
    /// Payloads that are both in the group and unread exist once and count twice; the copies that batches
    /// have of small ones do not count. So what is allocated may be half of this, or twice.
    pub fn held_bytes(&self) -> usize {
        self.cache.held_bytes().saturating_add(self.unread_bytes())
    }

    /// Holds no more than `bytes` from now on, or as much as headers and what waits for a
    /// [`flush`](Self::flush) take. For streams that share a bound of the caller's.
    ///
    /// First goes what slow players have not read, the oldest first, down to half: they begin anew. Then
    /// the group goes, and who joins waits for the next key frame.
    pub fn shed(&mut self, bytes: usize) {
        self.joined.clear();
        self.release(|it, _| it.held_bytes() > bytes && it.unread_bytes() > bytes / 2);
        if self.held_bytes() > bytes {
            self.cache.drop_group();
        }
        self.release(|it, _| it.held_bytes() > bytes);
        self.release_unread();
    }

    /// What the player is to get next, `None` when it has everything. Ask only while it has room.
    pub fn next(&mut self, cursor: &mut Cursor, now: Instant) -> Option<Portion> {
        loop {
            if cursor.was_told_end && !self.is_over {
                cursor.was_told_end = false;
                return Some(Portion::Published);
            }
            if cursor.next < self.first {
                // What it was to read is gone.
                self.catch_up(cursor, now);
            }
            if cursor.is_starting {
                self.start(cursor, now);
            }
            // They are of the batch before the next, if they are of one.
            let number = cursor.next.saturating_sub(1);
            while let Some(frame) = cursor.singles.next() {
                if cursor.wants(&frame, number) {
                    return Some(Portion::Frame(frame));
                }
            }
            let Some(entry) = self.entry(cursor.next) else {
                let is_news = self.is_over && !cursor.was_told_end;
                cursor.was_told_end |= is_news;
                return is_news.then_some(Portion::Unpublished);
            };
            if self.is_behind(entry, now, self.half) {
                self.skip_video(cursor);
            } else if cursor.ready.contains_all(&entry.needs) && cursor.next >= cursor.video_from {
                cursor.is_synced = true;
            }
            let number = cursor.next;
            let (batch, until) = match cursor.is_synced {
                true => self.ahead(number)?,
                false => (Arc::clone(&entry.batch), number + 1),
            };
            cursor.seen = self.entry(until - 1)?.until;
            cursor.next = until;
            self.arrive(until);
            self.depart(number);
            if cursor.is_synced {
                return Some(Portion::Batch(batch));
            }
            cursor.singles = Singles::batch(batch);
        }
    }

    /// The batch with this number, joined with those after it if several players are there, and the
    /// number of the next.
    fn ahead(&mut self, number: u64) -> Option<(Arc<Batch>, u64)> {
        let mut joined = self.joined.iter();
        if let Some(joined) = joined.find(|joined| joined.first == number) {
            return Some((Arc::clone(&joined.batch), joined.until));
        }
        // Who follows the first of several is one of several, too.
        let is_following = self.joined.iter().any(|joined| joined.until == number);
        let entry = self.entry(number)?;
        let single = (Arc::clone(&entry.batch), number + 1);
        let is_last = number + 1 == self.end_number();
        if is_last || entry.readers < JOINED_READERS && !is_following {
            return Some(single);
        }
        let mut len = 0;
        let batches: Vec<_> = (number..self.end_number())
            .map_while(|number| Some(&*self.entry(number)?.batch))
            .take_while(|batch| {
                len += batch.wire_len();
                len <= JOINED_LEN
            })
            .collect();
        if batches.len() < 2 {
            return Some(single);
        }
        let until = number + batches.len() as u64;
        let batch = Arc::new(Batch::join(&batches, self.chunk_size));
        if self.joined.len() >= JOINED_MAX {
            self.joined.clear();
        }
        self.joined.push(Joined {
            first: number,
            until,
            batch: Arc::clone(&batch),
        });
        Some((batch, until))
    }

    /// The player begins with headers and the current group.
    fn start(&mut self, cursor: &mut Cursor, now: Instant) {
        // The group has it too.
        self.flush(now);
        self.depart(cursor.next);
        cursor.next = self.end_number();
        self.arrive(cursor.next);
        cursor.seen = self.totals;
        cursor.singles = self.cache.singles();
        cursor.ready.clear();
        cursor.video_from = 0;
        cursor.is_synced = false;
        cursor.is_starting = false;
    }

    /// The player begins anew, and what it misses thereby is counted.
    fn catch_up(&mut self, cursor: &mut Cursor, now: Instant) {
        let seen = cursor.seen;
        self.start(cursor, now);
        let count = |is_kind: fn(&Frame) -> bool| {
            let frames = cursor.singles.clone();
            frames
                .filter(|it| it.is_coded_media() && is_kind(it))
                .count() as u64
        };
        let (audio, video) = (count(Frame::is_audio), count(Frame::is_video));
        cursor.dropped.audio += (self.totals.audio - seen.audio).saturating_sub(audio);
        cursor.dropped.video += (self.totals.video - seen.video).saturating_sub(video);
    }

    /// The player gets no more video before the latest key frame, if that is still ahead, or the next
    /// one.
    fn skip_video(&self, cursor: &mut Cursor) {
        match self.latest_key.cmp(&cursor.next) {
            Ordering::Equal => return,
            Ordering::Greater => cursor.video_from = self.latest_key,
            Ordering::Less => {}
        }
        cursor.ready.clear();
        cursor.is_synced = false;
    }

    /// Whether what came after `entry` is more than `lag`.
    fn is_behind(&self, entry: &Entry, now: Instant, lag: Lag) -> bool {
        let charge = self.totals.charge - entry.until.charge;
        charge > lag.bytes || now > entry.at + lag.duration
    }

    /// In batches, and on its way there.
    fn unread_bytes(&self) -> usize {
        let bytes = self.totals.charge - self.released + self.pending_charge;
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn end_number(&self) -> u64 {
        self.first + self.batches.len() as u64
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        let index = number.checked_sub(self.first)?;
        self.batches.get(usize::try_from(index).ok()?)
    }

    /// A cursor's next batch is this one.
    fn arrive(&mut self, number: u64) {
        *self.readers(number) += 1;
    }

    /// A cursor's next batch is not this one any more. What nobody is to read goes.
    fn depart(&mut self, number: u64) {
        if number >= self.first {
            let readers = self.readers(number);
            *readers = readers.saturating_sub(1);
        }
        self.release_unread();
    }

    fn release_unread(&mut self) {
        self.release(|_, entry| entry.readers == 0);
    }

    /// Drops batches from the front on. Whoever was to read them begins anew.
    fn release(&mut self, is_due: impl Fn(&Self, &Entry) -> bool) {
        while self
            .batches
            .front()
            .is_some_and(|entry| is_due(self, entry))
        {
            self.released = self
                .batches
                .pop_front()
                .map_or(self.released, |entry| entry.until.charge);
            self.first += 1;
        }
        if self.batches.is_empty() {
            self.joined.clear();
        }
    }

    fn readers(&mut self, number: u64) -> &mut usize {
        let index = number.checked_sub(self.first);
        let index = index.and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| self.batches.get_mut(index)) {
            Some(entry) => &mut entry.readers,
            None => &mut self.idle,
        }
    }
}

/// What a frame counts in [`BroadcastLimits::bytes`].
const fn charge(frame: &Frame) -> u64 {
    (frame.payload.len() + FRAME_OVERHEAD) as u64
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("cursors", &self.cursors)
            .field("batches", &self.batches.len())
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// For fewer players putting batches together costs more than it saves.
const JOINED_READERS: usize = 4;

/// Bytes on the wire of batches put together, at most: about what a player's socket takes at once.
const JOINED_LEN: usize = 64 << 10;

/// So many of them are kept.
const JOINED_MAX: usize = 8;

#[cfg(test)]
mod tests;
