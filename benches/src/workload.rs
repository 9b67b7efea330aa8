//! What is decoded and encoded: streams such as encoders send them.

use bytes::Bytes;

use crate::wire::{Headers, Wire, write};

/// A message, on message stream 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The message type: 8 for audio, 9 for video.
    pub message_type: u8,
    /// Absolute, in milliseconds.
    pub timestamp: u32,
    /// The body of an FLV tag.
    pub payload: Bytes,
}

/// A stream of messages with the bytes they take on the wire.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Workload {
    /// What it is.
    pub name: &'static str,
    /// The messages in the order in which they are complete.
    pub messages: Vec<Message>,
    /// Their chunks.
    pub wire: Wire,
}

impl Workload {
    /// 4 Mbit/s with 30 frames a second, in chunks of `chunk_size` bytes: a key frame of 60 kB each
    /// 2 s, frames of about 15 kB between, and 43 audio frames a second. 4 s of it.
    pub fn live(chunk_size: usize) -> Self {
        Self::new("4 Mbit/s", live(0), chunk_size, Headers::Compressed, false)
    }

    /// 50 Mbit/s with 60 frames a second in chunks of 65 536 bytes. 2 s of it.
    pub fn high_rate() -> Self {
        let video = Video {
            frame_rate: 60,
            key_frame: 400_000,
            frame: 100_000,
        };
        let messages = media(0, 2, Some(video));
        Self::new("50 Mbit/s", messages, 65_536, Headers::Compressed, false)
    }

    /// Audio alone: 23 s of frames of 370 bytes, in chunks of 4096 bytes.
    pub fn audio() -> Self {
        let messages = media(0, 23, None);
        Self::new("audio", messages, 4096, Headers::Compressed, false)
    }

    /// As [`live`](Self::live) in chunks of 4096 bytes, from 4 h 40 min on, with full headers: each
    /// chunk has an extended timestamp.
    pub fn extended() -> Self {
        let messages = live(0x0100_0000);
        Self::new("extended timestamps", messages, 4096, Headers::Full, false)
    }

    /// As [`live`](Self::live) in chunks of 4096 bytes, with audio between the chunks of video.
    pub fn interleaved() -> Self {
        Self::new("interleaved", live(0), 4096, Headers::Compressed, true)
    }

    /// `count` video messages of `len` bytes each, in chunks of `chunk_size` bytes.
    pub fn uniform(count: usize, len: usize, chunk_size: usize) -> Self {
        let mut noise = Noise(1);
        let messages = (0_u32..)
            .take(count)
            .map(|n| Message {
                message_type: VIDEO,
                timestamp: 33 * n,
                payload: tag_body(&[0x27, 1, 0, 0, 0], len, &mut noise),
            })
            .collect();
        Self::new("uniform", messages, chunk_size, Headers::Compressed, false)
    }

    /// Every workload by which decoders are judged.
    pub fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("128", Self::live(128)),
            ("4096", Self::live(4096)),
            ("65536", Self::live(65_536)),
            ("50 Mbit/s", Self::high_rate()),
            ("audio", Self::audio()),
            ("extended", Self::extended()),
            ("interleaved", Self::interleaved()),
        ]
    }

    /// The bytes of all payloads.
    pub fn payload_len(&self) -> usize {
        self.messages.iter().map(|m| m.payload.len()).sum()
    }

    fn new(
        name: &'static str,
        messages: Vec<Message>,
        chunk_size: usize,
        headers: Headers,
        is_interleaved: bool,
    ) -> Self {
        let (messages, wire) = write(messages, chunk_size, headers, is_interleaved);
        Self {
            name,
            messages,
            wire,
        }
    }
}

/// Frame sizes are averages, in bytes.
struct Video {
    frame_rate: u32,
    key_frame: usize,
    frame: usize,
}

fn live(start: u32) -> Vec<Message> {
    let video = Video {
        frame_rate: 30,
        key_frame: 60_000,
        frame: 15_000,
    };
    media(start, 4, Some(video))
}

fn media(start: u32, seconds: u32, video: Option<Video>) -> Vec<Message> {
    let mut noise = Noise(1);
    let mut messages: Vec<_> = (0..43 * seconds)
        .map(|n| Message {
            message_type: AUDIO,
            timestamp: start + n * 1000 / 43,
            payload: tag_body(&[0xAF, 1], 370, &mut noise),
        })
        .collect();
    if let Some(video) = video {
        messages.extend((0..video.frame_rate * seconds).map(|n| {
            let is_key = n % (2 * video.frame_rate) == 0;
            let (head, len) = match is_key {
                true => (0x17, video.key_frame),
                false => (0x27, video.frame),
            };
            // A quarter more or less.
            let len = len * 3 / 4 + noise.below(len / 2);
            Message {
                message_type: VIDEO,
                timestamp: start + n * 1000 / video.frame_rate,
                payload: tag_body(&[head, 1, 0, 0, 0], len, &mut noise),
            }
        }));
    }
    messages.sort_by_key(|message| message.timestamp);
    messages
}

fn tag_body(head: &[u8], len: usize, noise: &mut Noise) -> Bytes {
    let mut body = head.to_vec();
    body.resize_with(len, || noise.byte());
    body.into()
}

/// The same random numbers each time (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 32).expect("32 bits") % limit
    }
}

pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
