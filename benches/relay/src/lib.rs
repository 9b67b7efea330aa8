//! What the programs share: the stream, clients, and the measure.

mod link;

use std::{
    fs,
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use rtmp_proto::{Timestamp, flv::Frame};

pub use link::{Link, publish};

/// A stream of 30 pictures and 43 packets of sound a second.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Pattern {
    /// Bytes of a picture.
    picture: usize,
}

impl Pattern {
    /// About so many bits a second.
    pub const fn new(bitrate: usize) -> Self {
        let sound = SOUND_LEN * 43;
        let picture = (bitrate / 8).saturating_sub(sound) / 30;
        Self {
            picture: if picture < MARK_LEN {
                MARK_LEN
            } else {
                picture
            },
        }
    }

    /// The messages of one second in order: when, in milliseconds, and how long.
    pub fn second(self) -> Vec<(u64, usize)> {
        let pictures = (0..30).map(|n| (n * 1000 / 30, self.picture));
        let sound = (0..43).map(|n| (n * 1000 / 43, SOUND_LEN));
        let mut messages: Vec<_> = pictures.chain(sound).collect();
        messages.sort_unstable();
        messages
    }

    /// A message as a frame that can be recognised, see [`Mark`]: sound if it is short, else a picture,
    /// a key frame each two seconds.
    pub fn frame(self, at: Timestamp, length: usize, mark: Mark) -> Frame {
        let is_sound = length == SOUND_LEN && self.picture != SOUND_LEN;
        let is_key = at.as_millis() % 2000 < 30;
        let head: &[u8] = match (is_sound, is_key) {
            (true, _) => &[0xAF, 1],
            (false, true) => &[0x17, 1, 0, 0, 0],
            (false, false) => &[0x27, 1, 0, 0, 0],
        };
        let mut payload = BytesMut::with_capacity(length);
        payload.put_slice(head);
        payload.put_u64(mark.number);
        payload.put_u64(mark.sent_nanos);
        payload.resize(length, 0xAB);
        match is_sound {
            true => Frame::audio(at, payload.freeze()),
            false => Frame::video(at, payload.freeze()),
        }
    }
}

/// What tells a frame from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is what is written")]
pub struct Mark {
    /// Its number.
    pub number: u64,
    /// When it was sent, since a moment that the programme knows.
    pub sent_nanos: u64,
}

impl Mark {
    /// That of a frame made by [`Pattern::frame`].
    pub fn of(frame: &Frame) -> Option<Self> {
        let head = if frame.is_audio() { 2 } else { 5 };
        let mut payload: Bytes = frame
            .payload
            .get(head..)
            .map(|_| frame.payload.slice(head..))?;
        Some(Self {
            number: bytes::Buf::try_get_u64(&mut payload).ok()?,
            sent_nanos: bytes::Buf::try_get_u64(&mut payload).ok()?,
        })
    }
}

/// CPU time a process has used. Zero if there is none.
pub fn cpu_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything: user and system time are the 12th and 13th.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in bytes.
pub fn memory(process: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|field| field.parse().ok());
    pages.unwrap_or(0_u64) * 4096
}

/// Nanoseconds since `origin`.
pub fn nanos_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

const SOUND_LEN: usize = 200;
const MARK_LEN: usize = 5 + 16;
