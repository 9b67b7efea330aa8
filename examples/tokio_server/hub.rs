//! Streams and who plays them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rtmp_proto::{
    Instant, StreamName,
    chunk::ChunkSize,
    flv::Frame,
    relay::{Broadcast, BroadcastLimits, Cursor, Portion},
};
use tokio::{sync::watch, time};

/// All streams. With many of them, give the map a lock of its own kind.
pub(crate) struct Hub {
    chunk_size: ChunkSize,
    streams: Mutex<HashMap<StreamName, Arc<Stream>>>,
}

struct Stream {
    origin: time::Instant,
    state: Mutex<State>,
    /// Told each time there is something new.
    news: watch::Sender<()>,
}

struct State {
    is_published: bool,
    broadcast: Broadcast,
}

impl Hub {
    /// For players with chunks of this size.
    pub(crate) fn new(chunk_size: ChunkSize) -> Self {
        Self {
            chunk_size,
            streams: Mutex::default(),
        }
    }

    /// Unless somebody publishes `name` already.
    pub(crate) fn publish(&self, name: &StreamName) -> Option<Publication> {
        let stream = self.stream(name);
        let mut state = stream.state.lock().unwrap();
        if state.is_published {
            return None;
        }
        state.is_published = true;
        state.broadcast.begin();
        drop(state);
        Some(Publication(stream))
    }

    pub(crate) fn play(&self, name: &StreamName) -> Seat {
        let stream = self.stream(name);
        let cursor = stream.state.lock().unwrap().broadcast.join();
        Seat {
            news: stream.news.subscribe(),
            stream,
            cursor,
        }
    }

    fn stream(&self, name: &StreamName) -> Arc<Stream> {
        let mut streams = self.streams.lock().unwrap();
        // Those that only the map knows.
        streams.retain(|_, stream| Arc::strong_count(stream) > 1);
        let new = || {
            Arc::new(Stream {
                origin: time::Instant::now(),
                state: Mutex::new(State {
                    is_published: false,
                    broadcast: Broadcast::new(BroadcastLimits::default(), self.chunk_size),
                }),
                news: watch::Sender::new(()),
            })
        };
        Arc::clone(streams.entry(name.clone()).or_insert_with(new))
    }
}

impl Stream {
    fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }
}

/// The right to publish a stream, up to its drop.
pub(crate) struct Publication(Arc<Stream>);

impl Publication {
    pub(crate) fn push(&self, frame: &Frame) {
        let mut state = self.0.state.lock().unwrap();
        state.broadcast.push(frame);
        // With thousands of players, do this every few frames only.
        state.broadcast.flush(self.0.now());
        drop(state);
        self.0.news.send_replace(());
    }
}

impl Drop for Publication {
    /// Players stay: if the stream is published again, time goes on for them.
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap();
        state.is_published = false;
        state.broadcast.end();
    }
}

/// A player's place.
pub(crate) struct Seat {
    stream: Arc<Stream>,
    cursor: Cursor,
    news: watch::Receiver<()>,
}

impl Seat {
    pub(crate) fn next(&mut self) -> Option<Portion> {
        // From here on, news is news.
        self.news.mark_unchanged();
        let mut state = self.stream.state.lock().unwrap();
        state.broadcast.next(&mut self.cursor, self.stream.now())
    }

    pub(crate) fn restart(&mut self) {
        self.cursor.restart();
    }

    /// Waits for something new.
    pub(crate) async fn changed(&mut self) {
        // The sender lives as long as the stream, which this holds.
        let _ = self.news.changed().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.stream
            .state
            .lock()
            .unwrap()
            .broadcast
            .leave(&self.cursor);
    }
}
