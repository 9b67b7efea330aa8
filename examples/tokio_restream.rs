//! Plays one stream and publishes it to several servers, on tokio. A destination that is slow, dead or
//! away delays none of the others; it gets what is new when it is back.
//!
//! ```sh
//! cargo run -p rtmp-examples --example tokio_restream -- rtmp://localhost/live/in \
//!     rtmp://a.example/live/KEY rtmp://b.example/app/KEY rtmp://c.example/live/KEY
//! ```

use std::{env, io::ErrorKind::TimedOut, sync::Mutex, time::Duration};

use anyhow::bail;
use rtmp_proto::{
    RtmpUrl,
    flv::Frame,
    relay::{Cached, GopCache, Pushed, Queue, QueueLimits, Timeline},
};
use rtmp_tokio::{Error, Player, Publisher};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let urls = env::args().skip(1).map(|url| url.parse());
    let urls = urls.collect::<Result<Vec<RtmpUrl>, _>>()?;
    let Some((input, outputs @ [_, ..])) = urls.split_first() else {
        bail!("usage: tokio_restream INPUT-URL OUTPUT-URL...");
    };
    let (cache, outputs) = (Mutex::default(), outputs.iter().map(Output::new).collect());
    let stream: &'static Stream = Box::leak(Box::new(Stream { cache, outputs }));
    for output in &stream.outputs {
        tokio::spawn(async move {
            let mut pause = PAUSE_MIN;
            loop {
                let begin = Instant::now();
                let result = publish(stream, output).await;
                rest(&output.label(), result, begin, &mut pause).await;
            }
        });
    }
    let (mut timeline, mut pause) = (Timeline::default(), PAUSE_MIN);
    loop {
        let begin = Instant::now();
        let result = play(stream, input, &mut timeline).await;
        rest("input", result, begin, &mut pause).await;
    }
}

/// Pauses between two attempts: longer and longer, unless one went well for a while.
async fn rest(label: &str, result: Result<(), Error>, begin: Instant, pause: &mut Duration) {
    if begin.elapsed() > PAUSE_MAX {
        *pause = PAUSE_MIN;
    }
    let reason = result.map_or_else(|error| error.to_string(), |()| "ended".into());
    println!("{label}: {reason}; again in {pause:?}");
    sleep(*pause).await;
    *pause = (2 * *pause).min(PAUSE_MAX);
}

/// Plays the input until it ends.
async fn play(stream: &Stream, url: &RtmpUrl, timeline: &mut Timeline) -> Result<(), Error> {
    let mut player = in_time(Player::connect(url, Default::default(), None)).await?;
    println!("input: playing");
    // If it is back, time goes on from where it ended.
    timeline.restart();
    stream.cache.lock().unwrap().clear();
    for output in &stream.outputs {
        output.queue.lock().unwrap().as_mut().map(Queue::resync);
    }
    while let Some(frame) = player.next_frame().await? {
        let frame = timeline.place(frame);
        let mut cache = stream.cache.lock().unwrap();
        if cache.push(&frame) == Cached::New {
            for output in &stream.outputs {
                output.push(&frame);
            }
        }
    }
    Ok(())
}

/// Publishes to one output until that fails.
async fn publish(stream: &Stream, output: &Output) -> Result<(), Error> {
    let mut publisher = in_time(Publisher::connect(&output.url, Default::default(), None)).await?;
    println!("{}: publishing", output.label());
    output.start(&stream.cache.lock().unwrap());
    loop {
        while let Some(frame) = output.pop()? {
            // Waits while the network is slow; the queue drops what gets too old meanwhile.
            publisher.send(&frame).await?;
        }
        tokio::select! {
            error = publisher.ended() => return Err(error),
            () = output.wake.notified() => {}
        }
    }
}

async fn in_time<T>(connecting: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outcome = timeout(CONNECT_TIMEOUT, connecting).await;
    outcome.unwrap_or_else(|_| Err(Error::Io(TimedOut.into())))
}

struct Stream {
    cache: Mutex<GopCache>,
    outputs: Vec<Output>,
}

struct Output {
    url: RtmpUrl,
    /// What waits; none if it never started, or took nothing for far too long.
    queue: Mutex<Option<Queue>>,
    wake: Notify,
}

impl Output {
    fn new(url: &RtmpUrl) -> Self {
        let (url, (queue, wake)) = (url.clone(), Default::default());
        Self { url, queue, wake }
    }

    fn label(&self) -> String {
        format!("{}:{}", self.url.host(), self.url.port())
    }

    /// Begins with the latest key frame.
    fn start(&self, cache: &GopCache) {
        let mut queue = Queue::new(QueueLimits::default());
        queue.start_with(cache.frames());
        *self.queue.lock().unwrap() = Some(queue);
    }

    fn push(&self, frame: &Frame) {
        let mut queue = self.queue.lock().unwrap();
        queue.take_if(|queue| queue.push(frame.clone()) == Pushed::Refused);
        self.wake.notify_one();
    }

    fn pop(&self) -> Result<Option<Frame>, Error> {
        let mut queue = self.queue.lock().unwrap();
        let queue = queue.as_mut().ok_or_else(|| Error::Io(TimedOut.into()))?;
        Ok(queue.pop())
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
