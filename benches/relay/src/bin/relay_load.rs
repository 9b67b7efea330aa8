//! Publishes a stream and plays it many times, and tells what the relay in between makes of it: CPU per
//! delivered gigabyte, latency and losses.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use bytes::Buf;
use clap::Parser;
use mio::{Events, Interest, Poll, Token};
use rtmp_proto::{ClientEvent, ClientSession, Instant as Moment, RtmpUrl};
use rtmp_relay_bench::{Link, Mark, Pattern, cpu_time, memory, nanos_since, publish};

#[derive(Debug, Parser)]
struct Args {
    /// Of the stream to publish and to play.
    url: RtmpUrl,
    /// How many play it.
    players: usize,
    /// Bits a second.
    #[arg(long, default_value = "2000000")]
    bitrate: usize,
    /// For how many seconds to measure.
    #[arg(long, default_value = "10")]
    seconds: u64,
    /// Seconds before that, in which players catch up with what was sent while others joined: the more of
    /// them there are, the longer it takes.
    #[arg(long, default_value = "3")]
    settle: u64,
    /// The relay's process, whose CPU time is measured.
    #[arg(long)]
    pid: Option<u32>,
    /// Connect only, without RTMP: for `relay_bare`.
    #[arg(long)]
    bare: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let origin = Instant::now();
    let mut poll = Poll::new()?;
    let mut players = Vec::new();
    let begin = Instant::now();
    if !args.bare {
        // Players join a stream that is there.
        let (url, pattern) = (args.url.clone(), Pattern::new(args.bitrate));
        thread::spawn(move || publish(&url, pattern, origin).expect("the relay takes the stream"));
        thread::sleep(Duration::from_millis(300));
    }
    for index in 0..args.players {
        let player = match args.bare {
            true => Player::connect_only(&args.url)?,
            // Reading each message of all would take more time than the relay has.
            false => Player::play(&args.url, origin, index % SAMPLED == 0)?,
        };
        players.push(player);
    }
    println!(
        "{} players in {:.1} s",
        players.len(),
        begin.elapsed().as_secs_f64()
    );
    for (index, player) in players.iter_mut().enumerate() {
        poll.registry()
            .register(&mut player.socket, Token(index), Interest::READABLE)?;
    }
    // What was sent meanwhile arrives at once, and is not measured.
    let mut measure = Measure::default();
    read_until(
        &mut poll,
        &mut players,
        Instant::now() + Duration::from_secs(args.settle),
        &mut measure,
    )?;
    let mut measure = Measure::default();
    let cpu = args.pid.map(cpu_time);
    let begin = Instant::now();
    read_until(
        &mut poll,
        &mut players,
        begin + Duration::from_secs(args.seconds),
        &mut measure,
    )?;
    measure.print(begin.elapsed(), &players);
    if let (Some(process), Some(before)) = (args.pid, cpu) {
        let used = cpu_time(process).saturating_sub(before).as_secs_f64();
        println!(
            "relay: {used:.2} s CPU, {:.3} s/GB, {} KiB a player, {:.1} MB in all",
            used / (measure.bytes as f64 / 1e9),
            memory(process) / 1024 / args.players.max(1) as u64,
            memory(process) as f64 / 1e6,
        );
    }
    Ok(())
}

fn read_until(
    poll: &mut Poll,
    players: &mut [Player],
    until: Instant,
    measure: &mut Measure,
) -> anyhow::Result<()> {
    let mut events = Events::with_capacity(4096);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if let Some(player) = players.get_mut(event.token().0) {
                player.read(&mut buffer, measure)?;
            }
        }
    }
}

struct Player {
    socket: mio::net::TcpStream,
    /// Of those whose messages are looked at.
    sample: Option<Sample>,
}

struct Sample {
    session: ClientSession,
    origin: Instant,
    next: Option<u64>,
}

impl Player {
    fn connect_only(url: &RtmpUrl) -> anyhow::Result<Self> {
        let socket = TcpStream::connect((url.host(), url.port()))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: mio::net::TcpStream::from_std(socket),
            sample: None,
        })
    }

    fn play(url: &RtmpUrl, origin: Instant, is_sampled: bool) -> anyhow::Result<Self> {
        let mut link = Link::connect(url, origin)?;
        let now = link.now();
        link.session.play_from(now, url)?;
        while !matches!(link.next_event()?, ClientEvent::Playing { .. }) {}
        link.socket.set_nonblocking(true)?;
        let mut player = Self {
            socket: mio::net::TcpStream::from_std(link.socket),
            sample: is_sampled.then_some(Sample {
                session: link.session,
                origin,
                next: None,
            }),
        };
        if let Some(sample) = &mut player.sample {
            // What came with the last answer.
            sample.look(&mut &*link.input, &mut Measure::default())?;
        }
        Ok(player)
    }

    /// Takes all there is.
    fn read(&mut self, buffer: &mut [u8], measure: &mut Measure) -> anyhow::Result<()> {
        loop {
            let count = match self.socket.read(buffer) {
                Ok(0) => bail!("the relay has closed a connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            measure.bytes += count as u64;
            if let (Some(sample), Some(mut input)) = (&mut self.sample, buffer.get(..count)) {
                sample.look(&mut input, measure)?;
            }
            if count < buffer.len() {
                return Ok(());
            }
        }
    }
}

impl Sample {
    fn look(&mut self, input: &mut &[u8], measure: &mut Measure) -> anyhow::Result<()> {
        let now = Moment::from_origin(self.origin.elapsed());
        while !input.is_empty() {
            self.session.handle_input(now, input);
            while let Some(event) = self.session.poll_event() {
                let frame = match event {
                    ClientEvent::Frame { frame, .. } => frame,
                    ClientEvent::Closed(reason) => bail!("session ended: {reason}"),
                    _ => continue,
                };
                if let Some(mark) = Mark::of(&frame) {
                    let late = nanos_since(self.origin).saturating_sub(mark.sent_nanos);
                    *measure.latencies.entry(late / 1_000_000).or_default() += 1;
                    measure.lost += self.next.map_or(0, |next| mark.number.abs_diff(next));
                    self.next = Some(mark.number + 1);
                }
            }
            // Acknowledgements are not needed for seconds.
            while let Some(mut transmit) = self.session.poll_transmit() {
                let len = transmit.remaining();
                transmit.advance(len);
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Measure {
    bytes: u64,
    /// By milliseconds, how many messages took that long.
    latencies: BTreeMap<u64, u64>,
    lost: u64,
}

impl Measure {
    fn print(&self, time: Duration, players: &[Player]) {
        println!(
            "{:.3} GB in {:.1} s, {:.0} kbit/s each",
            self.bytes as f64 / 1e9,
            time.as_secs_f64(),
            self.bytes as f64 * 8.0 / 1000.0 / time.as_secs_f64() / players.len().max(1) as f64,
        );
        if let (Some(p50), Some(p99)) = (self.percentile(50), self.percentile(99)) {
            println!(
                "latency p50 {p50} ms, p99 {p99} ms; {} frames lost",
                self.lost
            );
        }
    }

    fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = self.latencies.values().sum::<u64>() * percent / 100;
        let mut seen = 0;
        self.latencies.iter().find_map(|(millis, count)| {
            seen += count;
            (seen > rank).then_some(*millis)
        })
    }
}

/// One of so many players is looked at closely.
const SAMPLED: usize = 50;
