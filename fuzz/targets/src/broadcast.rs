//! One publisher and the players of its stream.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use rtmp_proto::{
    Instant,
    chunk::ChunkSize,
    relay::{Broadcast, BroadcastLimits, Cursor, Portion},
};

use crate::stream::{Player, Published};

/// Each player gets whole groups of pictures with the headers they were made with, however slow it and
/// others are.
pub fn broadcast(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(bits) = u.arbitrary::<u8>() else {
        return;
    };
    let mut limits = BroadcastLimits::default();
    if bits & 1 != 0 {
        limits.bytes = 5000;
    }
    if bits & 2 != 0 {
        limits.duration = Duration::from_secs(2);
    }
    if bits & 4 != 0 {
        limits.group.bytes = 2000;
        limits.group.frames = 10;
    }
    let mut stream = Stream {
        broadcast: Broadcast::new(limits, ChunkSize::INITIAL),
        published: Published::default(),
        players: Vec::new(),
        now: Instant::ORIGIN,
    };
    while !u.is_empty() {
        if stream.step(&mut u).is_err() {
            break;
        }
    }
    stream.finish();
}

struct Stream {
    broadcast: Broadcast,
    published: Published,
    players: Vec<(Cursor, Player)>,
    now: Instant,
}

impl Stream {
    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=15)? {
            0..=6 => {
                let frame = self.published.frame(u)?;
                self.broadcast.push(&frame);
            }
            7 | 8 => self.broadcast.flush(self.now),
            9 if self.players.len() < 4 => {
                let cursor = self.broadcast.join();
                self.players.push((cursor, Player::default()));
            }
            10 => {
                if let Some(index) = self.index(u)? {
                    let (cursor, _) = self.players.remove(index);
                    self.broadcast.leave(&cursor);
                }
            }
            11 => {
                if let Some(index) = self.index(u)? {
                    self.players[index].0.restart();
                }
            }
            12 => self.now += Duration::from_millis(u.int_in_range(0..=3000)?),
            13 => match u.int_in_range(0..=3)? {
                0 => {
                    self.broadcast.begin();
                    self.published.restart();
                }
                1 => {
                    self.broadcast.end();
                    self.published.restart();
                }
                2 => self.broadcast.announce_end(),
                _ => self.published.time = u.arbitrary()?,
            },
            _ => {
                if let Some(index) = self.index(u)? {
                    self.next(index);
                }
            }
        }
        assert_eq!(self.broadcast.players(), self.players.len());
        Ok(())
    }

    fn index(&self, u: &mut Unstructured<'_>) -> Result<Option<usize>> {
        match self.players.len() {
            0 => Ok(None),
            len => u.choose_index(len).map(Some),
        }
    }

    /// The player at `index` takes what is next.
    fn next(&mut self, index: usize) -> bool {
        let (cursor, player) = &mut self.players[index];
        match self.broadcast.next(cursor, self.now) {
            None => return false,
            Some(Portion::Published | Portion::Unpublished) => {}
            Some(Portion::Frame(frame)) => player.take(&frame, &self.published),
            Some(Portion::Batch(batch)) => {
                for frame in batch.frames() {
                    player.take(frame, &self.published);
                }
            }
        }
        true
    }

    /// All get what there is, in bounded time, and leave.
    fn finish(mut self) {
        self.broadcast.flush(self.now);
        for index in 0..self.players.len() {
            let mut portions = 0;
            while self.next(index) {
                portions += 1;
                assert!(portions < 100_000, "no end");
            }
        }
        for (cursor, _) in &self.players {
            self.broadcast.leave(cursor);
        }
        assert_eq!(self.broadcast.players(), 0);
    }
}
