//! Opens many connections, and tells what they cost: sessions set up a second up to the first frame, or
//! memory for each connection that waits.

use std::{
    net::TcpStream,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use rtmp_proto::{ClientEvent, ConnectParams, RtmpUrl, SessionState};
use rtmp_relay_bench::{Link, Pattern, cpu_time, memory, publish};

#[derive(Debug, Parser)]
struct Args {
    /// Of the stream to publish and to play.
    url: RtmpUrl,
    /// The relay's process.
    #[arg(long)]
    pid: u32,
    /// Instead of setting up one session after the other, hold connections that have come so far.
    #[arg(long)]
    hold: Option<Stage>,
    /// Connections at a time.
    #[arg(long, default_value = "16")]
    connections: usize,
    /// For how many seconds to set up sessions.
    #[arg(long, default_value = "5")]
    seconds: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stage {
    /// Accepted; nothing was sent.
    Accepted,
    /// The handshake is done.
    Open,
    /// `connect` was answered.
    Connected,
    /// Plays a stream that nobody publishes.
    Playing,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.hold {
        Some(stage) => hold(&args, stage),
        None => set_up(&args),
    }
}

fn hold(args: &Args, stage: Stage) -> anyhow::Result<()> {
    let origin = Instant::now();
    // What the first one makes the relay allocate is not theirs.
    let _first = reach(&args.url, origin, stage)?;
    let before = memory(args.pid);
    let held = (0..args.connections)
        .map(|_| reach(&args.url, origin, stage))
        .collect::<anyhow::Result<Vec<_>>>()?;
    thread::sleep(Duration::from_millis(500));
    let used = memory(args.pid).saturating_sub(before);
    let each = used as f64 / 1024.0 / held.len().max(1) as f64;
    println!("{} connections {stage:?}: {each:.1} KiB each", held.len());
    Ok(())
}

/// A connection that has come so far.
fn reach(url: &RtmpUrl, origin: Instant, stage: Stage) -> anyhow::Result<TcpStream> {
    if let Stage::Accepted = stage {
        return Ok(TcpStream::connect((url.host(), url.port()))?);
    }
    let mut link = Link::connect(url, origin)?;
    while link.session.state() != SessionState::Open {
        link.next_event()?;
    }
    let now = link.now();
    match stage {
        Stage::Accepted | Stage::Open => {}
        Stage::Connected => {
            link.session.connect(now, ConnectParams::player(url))?;
            while !matches!(link.next_event()?, ClientEvent::Connected(_)) {}
        }
        Stage::Playing => {
            link.session.play_from(now, url)?;
            while !matches!(link.next_event()?, ClientEvent::Playing { .. }) {}
        }
    }
    Ok(link.socket)
}

fn set_up(args: &Args) -> anyhow::Result<()> {
    let origin = Instant::now();
    let url = args.url.clone();
    thread::spawn(move || publish(&url, Pattern::new(BITRATE), origin));
    thread::sleep(Duration::from_secs(1));
    let (done, before, begin) = (AtomicU64::new(0), cpu_time(args.pid), Instant::now());
    let end = begin + Duration::from_secs(args.seconds);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..args.connections)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    while Instant::now() < end {
                        let mut link = Link::connect(&args.url, origin)?;
                        let now = link.now();
                        link.session.play_from(now, &args.url)?;
                        while !matches!(link.next_event()?, ClientEvent::Frame { .. }) {}
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().expect("a client does not panic"))
    })?;
    let done = done.into_inner() as f64;
    let used = cpu_time(args.pid).saturating_sub(before).as_secs_f64();
    println!(
        "{:.0} sessions a second; {:.0} us of the relay's CPU each, so {:.0} a second on a core",
        done / begin.elapsed().as_secs_f64(),
        used * 1e6 / done,
        done / used,
    );
    Ok(())
}

/// Of the stream that is played: a small group of pictures, since sessions are measured.
const BITRATE: usize = 500_000;
