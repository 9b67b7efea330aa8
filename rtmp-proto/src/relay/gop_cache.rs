//! The group of pictures a late joiner starts with.

use alloc::vec::Vec;
use core::fmt;

use super::{
    FRAME_OVERHEAD, Slot, TrackSet, headers::Headers, segments::Segments, singles::Singles,
};
use crate::{flv::Frame, timestamp::Timestamp};

/// What a late joiner needs to see a picture at once: metadata, decoder configurations and the
/// frames since the last key frame.
///
/// A group begins at a key frame of the default track (the lowest track seen) and holds everything
/// that follows; a stream without video has none. Coded frames of other tracks are part of it from
/// their own first key frame on. Memory is bounded by [`GopLimits`].
#[derive(Clone)]
pub struct GopCache {
    limits: GopLimits,
    /// The headers in force now.
    headers: Headers,
    group: Option<Group>,
    /// The lowest video track that has sent coded frames.
    lead: Option<u8>,
    /// Of the latest audio or video message.
    latest: Timestamp,
}

/// Bounds of a [`GopCache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GopLimits {
    /// Payload bytes of the group. Default 32 MiB: 5 seconds at 50 Mbit/s. Beyond: the group is
    /// dropped and the cache waits for the next key frame.
    pub bytes: usize,
    /// Frames of the group, each about 100 bytes besides its payload. Default 8192: 90 seconds of
    /// 30 pictures and 50 sound packets a second. Beyond: as above.
    pub frames: usize,
    /// Payload bytes of metadata and configurations; those in force now and those in force when
    /// the group began are kept, so memory is twice this. Default 1 MiB, ordinary streams need
    /// 2 KiB. Beyond: the oldest are forgotten.
    pub header_bytes: usize,
}

impl Default for GopLimits {
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            frames: 8192,
            header_bytes: 1 << 20,
        }
    }
}

/// What a frame was to a [`GopCache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "either it is new or it is not")]
pub enum Cached {
    /// To be forwarded.
    New,
    /// The same bytes as the metadata or configuration in force. Players have it already; some
    /// cameras repeat it every second.
    Repeat,
}

impl GopCache {
    /// An empty cache.
    pub const fn new(limits: GopLimits) -> Self {
        Self {
            limits,
            headers: Headers::new(),
            group: None,
            lead: None,
            latest: Timestamp::ZERO,
        }
    }

    /// Takes note of the next frame of the stream and tells whether it says anything new.
    pub fn push(&mut self, frame: &Frame) -> Cached {
        if frame.is_audio() || frame.is_video() {
            self.latest = frame.timestamp;
        }
        self.headers.forget_if_told(frame);
        if let Some(slot) = Slot::of(frame) {
            if self.headers.holds(slot, frame) {
                return Cached::Repeat;
            }
            self.headers.insert(slot, frame, self.limits.header_bytes);
        }
        if frame.is_video() && frame.is_coded_media() {
            self.push_coded_video(frame);
        } else if let Some(group) = &mut self.group {
            group.push(frame);
        }
        if let Some(group) = &self.group
            && (group.bytes > self.limits.bytes || group.frames.len() > self.limits.frames)
        {
            self.group = None;
        }
        Cached::New
    }

    /// What a player that joins now is to be sent, in this order: metadata, configurations in
    /// order of arrival, the group.
    ///
    /// Metadata and configurations are those that were in force when the group began; without a
    /// group, those in force now. Configurations are restamped to the group's first frame (or the
    /// latest frame), so that the player's timeline begins there, and metadata to 0: ffmpeg takes
    /// metadata at any other time for a subtitle stream. Later ones are in their places within the
    /// group.
    pub fn frames(&self) -> impl Iterator<Item = Frame> + '_ {
        let group = self.group.iter().flat_map(|group| group.frames.iter());
        self.start_headers().chain(group.cloned())
    }

    /// The same for a player that takes its time: shares the group instead of copying it.
    pub(super) fn singles(&self) -> Singles {
        let headers: Vec<_> = self.start_headers().collect();
        let group = self.group.as_ref().map(|group| group.frames.clone());
        Singles::start(headers.into_iter(), group)
    }

    /// Metadata and configurations for a player that joins now.
    fn start_headers(&self) -> impl Iterator<Item = Frame> + '_ {
        let (headers, start) = match &self.group {
            Some(group) => (&group.headers, group.start),
            None => (&self.headers, self.latest),
        };
        headers.iter().map(move |frame| {
            let is_metadata = frame.is_metadata();
            let timestamp = if is_metadata { Timestamp::ZERO } else { start };
            frame.clone().with_timestamp(timestamp)
        })
    }

    /// Whether a player that joins now gets a picture at once.
    pub const fn has_group(&self) -> bool {
        self.group.is_some()
    }

    /// Bytes that are held: payloads, and 128 for each frame.
    pub fn held_bytes(&self) -> usize {
        let group = self.group.as_ref().map_or(0, |group| {
            group.bytes + group.frames.len() * FRAME_OVERHEAD + group.headers.bytes()
        });
        self.headers.bytes() + group
    }

    /// Forgets the group, and waits for the next key frame.
    pub fn drop_group(&mut self) {
        self.group = None;
    }

    /// Forgets everything, because the stream was unpublished: a publisher that follows may have
    /// other tracks.
    pub fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    fn push_coded_video(&mut self, frame: &Frame) {
        let track = frame.track().unwrap_or_default();
        let lead = self.lead.map_or(track, |lead| lead.min(track));
        self.lead = Some(lead);
        if frame.is_key_frame() && track == lead {
            self.group = Some(Group {
                headers: self.headers.clone(),
                start: frame.timestamp,
                frames: Segments::default(),
                bytes: 0,
                ready: TrackSet::default(),
            });
        }
        let Some(group) = &mut self.group else {
            return;
        };
        if frame.is_key_frame() {
            group.ready.insert(track);
        }
        if group.ready.contains(track) {
            group.push(frame);
        }
    }
}

impl Default for GopCache {
    fn default() -> Self {
        Self::new(GopLimits::default())
    }
}

impl fmt::Debug for GopCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GopCache")
            .field("headers", &self.headers.len())
            .field(
                "frames",
                &self.group.as_ref().map(|group| group.frames.len()),
            )
            .field("bytes", &self.group.as_ref().map(|group| group.bytes))
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Group {
    /// In force when the group began.
    headers: Headers,
    start: Timestamp,
    frames: Segments,
    bytes: usize,
    /// Video tracks with a key frame in the group.
    ready: TrackSet,
}

impl Group {
    fn push(&mut self, frame: &Frame) {
        self.bytes += frame.payload.len();
        self.frames.push(frame.clone());
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{
        super::testing::{Kind, any_kind, frame, number, numbers},
        *,
    };

    fn cache(kinds: &[Kind]) -> GopCache {
        let mut cache = GopCache::default();
        for (index, kind) in (0..).zip(kinds) {
            cache.push(&frame(*kind, index * 20, index, 0));
        }
        cache
    }

    #[test]
    fn late_joiner_gets_headers_and_group() {
        use Kind::*;
        let cache = cache(&[
            AudioHeader,
            VideoHeader(0),
            Metadata,
            Audio,
            Inter(0),
            Key(0),
            Inter(0),
            Audio,
            Key(0),
            Audio,
            Data,
            Inter(0),
        ]);
        assert_eq!(numbers(cache.frames()), [2, 0, 1, 8, 9, 10, 11]);
        let times: Vec<_> = cache
            .frames()
            .map(|frame| frame.timestamp.as_millis())
            .collect();
        assert_eq!(times, [0, 160, 160, 160, 180, 200, 220]);
    }

    /// Before a key frame, and without video, there are headers alone, at the latest time.
    #[test]
    fn no_group_without_key_frame() {
        use Kind::*;
        for kinds in [
            &[Metadata, AudioHeader, Audio, Audio][..],
            &[Metadata, AudioHeader, Audio, Inter(0)],
        ] {
            let cache = cache(kinds);
            assert!(!cache.has_group());
            assert_eq!(numbers(cache.frames()), [0, 1]);
            let times = cache.frames().map(|frame| frame.timestamp.as_millis());
            assert!(times.eq([0, 60]));
        }
    }

    /// MSG-24: from the next group on there is no metadata; within this one it is taken back where it
    /// was in the stream.
    #[test]
    fn metadata_is_taken_back() {
        use Kind::*;
        let mut cache = cache(&[Metadata, VideoHeader(0), Key(0)]);
        let payload = b"\x02\x00\x0F@clearDataFrame\x02\x00\x0AonMetaData\x00\x00\x00\x03";
        let clear = Frame::data(Timestamp::from_millis(60), Bytes::from_static(payload));
        assert_eq!(cache.push(&clear), Cached::New);
        assert_eq!(numbers(cache.frames()), [0, 1, 2, 3]);
        cache.push(&frame(Key(0), 80, 4, 0));
        assert_eq!(numbers(cache.frames()), [1, 4]);
    }

    /// The frames before a new configuration need the old one.
    #[test]
    fn configuration_within_a_group_keeps_its_place() {
        use Kind::*;
        let kinds = [
            VideoHeader(0),
            Key(0),
            AudioHeader,
            VideoHeader(0),
            Inter(0),
            Key(0),
        ];
        assert_eq!(numbers(cache(&kinds[..5]).frames()), [0, 1, 2, 3, 4]);
        assert_eq!(numbers(cache(&kinds).frames()), [2, 3, 5]);
    }

    #[test]
    fn repeats_are_told_and_not_kept() {
        use Kind::*;
        let mut cache = cache(&[Metadata, VideoHeader(0), Key(0)]);
        assert_eq!(cache.push(&frame(VideoHeader(0), 60, 1, 0)), Cached::Repeat);
        assert_eq!(cache.push(&frame(Metadata, 60, 0, 0)), Cached::Repeat);
        assert_eq!(cache.push(&frame(VideoHeader(1), 60, 1, 0)), Cached::New);
        assert_eq!(cache.push(&frame(VideoHeader(0), 60, 7, 0)), Cached::New);
        assert_eq!(cache.push(&frame(VideoHeader(0), 60, 1, 0)), Cached::New);
        assert_eq!(cache.push(&frame(Audio, 60, 1, 0)), Cached::New);
        assert_eq!(cache.push(&frame(Audio, 60, 1, 0)), Cached::New);
        assert_eq!(numbers(cache.frames()), [0, 1, 2, 1, 7, 1, 1, 1]);
    }

    /// ERTMP-101, ERTMP-102: the two sequence starts of Lavf62.3.100, in either order.
    #[test]
    fn empty_sequence_start_replaces_nothing() {
        let video = |payload| Frame::video(Timestamp::ZERO, payload);
        let empty = video(Bytes::from_static(b"\x90av01"));
        let full = video(Bytes::from_static(b"\x90av01\x81"));
        let mut cache = GopCache::default();
        for frame in [&empty, &full, &empty] {
            assert_eq!(cache.push(frame), Cached::New);
        }
        assert_eq!(cache.frames().collect::<Vec<_>>(), [full]);
    }

    #[test]
    fn other_tracks_join_at_their_key_frame() {
        use Kind::*;
        let cache = cache(&[
            Key(0),
            Key(1),
            Inter(1),
            Key(0),
            Inter(1),
            Inter(0),
            Key(1),
            Inter(1),
        ]);
        assert_eq!(numbers(cache.frames()), [3, 5, 6, 7]);
    }

    #[test]
    fn group_beyond_the_limits_is_dropped() {
        use Kind::*;
        for (bytes, frames) in [(1000, 1 << 20), (1 << 20, 3)] {
            let mut cache = GopCache::new(GopLimits {
                bytes,
                frames,
                ..GopLimits::default()
            });
            cache.push(&frame(VideoHeader(0), 0, 0, 0));
            cache.push(&frame(Key(0), 0, 1, 300));
            for number in 2..10 {
                cache.push(&frame(Inter(0), 0, number, 300));
            }
            assert_eq!(numbers(cache.frames()), [0]);
            cache.push(&frame(Key(0), 0, 10, 300));
            assert_eq!(numbers(cache.frames()), [0, 10]);
        }
    }

    #[test]
    fn headers_beyond_the_limit_are_forgotten() {
        let limits = GopLimits {
            header_bytes: 1000,
            ..GopLimits::default()
        };
        let mut cache = GopCache::new(limits);
        for track in 0..=255 {
            cache.push(&frame(Kind::VideoHeader(track), 0, track.into(), 300));
        }
        assert_eq!(numbers(cache.frames()), vec![253, 254, 255]);
    }

    #[test]
    fn clear_forgets_everything() {
        let mut cache = cache(&[Kind::Metadata, Kind::VideoHeader(0), Kind::Key(0)]);
        cache.clear();
        assert_eq!(cache.frames().count(), 0);
    }

    proptest! {
        /// The replay is in order, its video begins with key frames, and each coded frame follows
        /// the configuration it followed in the stream.
        #[test]
        fn replay_is_decodable(kinds in proptest::collection::vec(any_kind(), 0..200)) {
            let stream: Vec<_> = (0..).zip(&kinds).map(|(n, kind)| frame(*kind, n, n, 0)).collect();
            let mut cache = GopCache::default();
            for frame in &stream {
                cache.push(frame);
            }
            let mut ready = TrackSet::default();
            let mut current = Headers::new();
            for frame in cache.frames() {
                if let Some(slot) = Slot::of(&frame) {
                    current.insert(slot, &frame, usize::MAX);
                }
                if !frame.is_coded_media() {
                    continue;
                }
                if frame.is_video() {
                    let track = frame.track().expect("video has a track");
                    if frame.is_key_frame() {
                        ready.insert(track);
                    }
                    prop_assert!(ready.contains(track));
                }
                let mut expected = Headers::new();
                for earlier in stream.iter().take_while(|f| number(f) < number(&frame)) {
                    if let Some(slot) = Slot::of(earlier) {
                        expected.insert(slot, earlier, usize::MAX);
                    }
                }
                let mut expected = numbers(expected.iter().cloned());
                let mut actual = numbers(current.iter().cloned());
                expected.sort_unstable();
                actual.sort_unstable();
                prop_assert_eq!(actual, expected);
            }
        }
    }
}
