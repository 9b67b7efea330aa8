//! What a server keeps between a publisher and its players.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use rtmp_proto::{
    flv::Frame,
    relay::{Cached, GopCache, GopLimits, Pushed, Queue, QueueLimits, Resume, Timeline},
};

use crate::stream::{PAYLOAD_LEN_MAX, Player, Published};

/// A player gets whole groups of pictures with the headers they were made with, however slowly it takes
/// them and however small the bounds.
pub fn relay(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(bits) = u.arbitrary::<u8>() else {
        return;
    };
    let mut relay = Relay::new(bits);
    while !u.is_empty() {
        if relay.step(&mut u).is_err() {
            break;
        }
    }
    while relay.pop() {}
    assert!(relay.queue.is_empty());
    assert_eq!(relay.queue.bytes(), 0);
    assert_eq!(relay.queue.duration(), Duration::ZERO);
}

struct Relay {
    cache: GopCache,
    queue: Queue,
    limits: QueueLimits,
    timeline: Timeline,
    resume: Resume,
    published: Published,
    player: Player,
}

impl Relay {
    fn new(bits: u8) -> Self {
        let mut limits = QueueLimits::default();
        let mut group = GopLimits::default();
        if bits & 1 != 0 {
            limits.bytes = 5000;
            limits.duration = Duration::from_millis(500);
        }
        if bits & 2 != 0 {
            limits.kept_bytes = 2000;
        }
        if bits & 4 != 0 {
            group.bytes = 2000;
            group.frames = 10;
        }
        Self {
            cache: GopCache::new(group),
            queue: Queue::new(limits),
            limits,
            timeline: Timeline::default(),
            resume: Resume::new(),
            published: Published::default(),
            player: Player::default(),
        }
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=15)? {
            0..=8 => {
                let frame = self.published.frame(u)?;
                self.push(frame);
            }
            9..=12 => {
                self.pop();
            }
            13 => {
                // A player that joins, or begins anew.
                self.queue.start_with(self.cache.frames());
                self.player = Player::default();
            }
            14 => match u.int_in_range(0..=2)? {
                0 => self.queue.resync(),
                1 => {
                    let headers: Vec<_> = self.resume.restart().collect();
                    assert!(headers.iter().all(|frame| !frame.is_coded_media()));
                }
                _ => {
                    // Another publisher, whose headers are its own.
                    self.cache.clear();
                    self.timeline.restart();
                    self.published.restart();
                }
            },
            _ => self.published.time = u.arbitrary()?,
        }
        Ok(())
    }

    fn push(&mut self, frame: Frame) {
        let frame = self.timeline.place(frame);
        let _ = self.resume.admit(&frame);
        if self.cache.push(&frame) == Cached::Repeat {
            return;
        }
        match self.queue.push(frame) {
            Pushed::Refused => self.player.is_refused = true,
            Pushed::Queued { .. } | Pushed::Dropped => {}
        }
        // One message may be beyond the bounds, and what a player starts with.
        let bound = self.limits.bytes + self.limits.kept_bytes + 2 * PAYLOAD_LEN_MAX;
        assert!(self.queue.bytes() <= bound);
    }

    fn pop(&mut self) -> bool {
        let Some(frame) = self.queue.pop() else {
            return false;
        };
        self.player.take(&frame, &self.published);
        true
    }
}
