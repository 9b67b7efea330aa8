//! A healthy publisher and a healthy player, which must not notice anything.

use std::{
    panic,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Instant,
};

use rtmp_proto::{RtmpUrl, Timestamp, flv::Frame};
use rtmp_tokio::{Player, Publisher};
use tokio::{runtime, time};

use crate::{
    common::{DEADLINE, live::config},
    wire::Noise,
};

/// They go on until they are told to stop; every frame sent arrives, in order and intact, or the test
/// fails.
pub(crate) struct Bystanders {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Bystanders {
    /// The player plays `from` what is published `to`.
    pub(crate) fn start(from: &str, to: &str) -> Self {
        let parse = |url: &str| url.parse::<RtmpUrl>().expect("a URL of ours");
        let (from, to) = (parse(from), parse(to));
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let _end = End(&theirs);
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("a runtime")
                .block_on(run(&theirs, &from, &to));
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Waits until `count` more frames have arrived.
    pub(crate) fn go_on(&self, count: usize) {
        let started = Instant::now();
        let mut state = self.shared.lock();
        let wanted = state.arrived + count;
        while state.arrived < wanted && !state.is_over {
            let left = DEADLINE.checked_sub(started.elapsed());
            let left = left.expect("the stream goes on");
            let waited = self.shared.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        // If they have failed, their thread tells why.
    }

    /// Waits for all that was sent.
    pub(crate) fn finish(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.shared.lock().is_stopping = true;
        if let Some(Err(failure)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            panic::resume_unwind(failure);
        }
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        self.join();
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    arrived: usize,
    is_stopping: bool,
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// However it ends, those who wait hear of it.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

async fn run(shared: &Shared, from: &RtmpUrl, to: &RtmpUrl) {
    let player = Player::connect(from, config(), None).await;
    let mut player = player.expect("it may play");
    let publisher = Publisher::connect(to, config(), None).await;
    let mut publisher = publisher.expect("it may publish");
    let (mut sent, mut arrived) = (0, 0);
    loop {
        let is_stopping = shared.lock().is_stopping;
        if is_stopping && arrived == sent {
            break;
        }
        while !is_stopping && sent < arrived + AHEAD {
            publisher
                .send(&frame(sent))
                .await
                .expect("the server takes it");
            sent += 1;
        }
        let next = time::timeout(DEADLINE, player.next_frame()).await;
        let next = next.unwrap_or_else(|_| panic!("frame {arrived} does not arrive"));
        let next = next.unwrap_or_else(|error| panic!("no frame {arrived}: {error}"));
        let next = next.unwrap_or_else(|| panic!("the stream ends at frame {arrived}"));
        if !next.is_audio() && !next.is_video() {
            // What the server itself tells players.
            continue;
        }
        assert!(next == frame(arrived), "frame {arrived} is {next:?}");
        arrived += 1;
        shared.lock().arrived = usize::try_from(arrived).expect("not that many");
        shared.changed.notify_all();
    }
    publisher
        .finish()
        .await
        .expect("the publisher ends in good order");
    player
        .finish()
        .await
        .expect("the player ends in good order");
}

/// The frame of that number: a key frame of 20 kB every so often, pictures and sound between.
fn frame(number: u32) -> Frame {
    let time = Timestamp::from_millis(number.wrapping_mul(20));
    let (head, len): (&[u8], _) = match number {
        n if n.is_multiple_of(30) => (&[0x17, 1, 0, 0, 0], 20_000),
        n if n % 3 == 2 => (&[0xAF, 1], 300),
        _ => (&[0x27, 1, 0, 0, 0], 3000),
    };
    let mut payload = head.to_vec();
    payload.extend(number.to_be_bytes());
    payload.extend(Noise::new(number.into()).bytes(len));
    match head.len() {
        2 => Frame::audio(time, payload.into()),
        _ => Frame::video(time, payload.into()),
    }
}

/// Frames on their way at a time. The pace is that at which the server passes them on.
const AHEAD: u32 = 8;
