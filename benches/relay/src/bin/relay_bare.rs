//! Writes the same bytes to every socket, with the pattern of a relay, and does nothing else: the least
//! that the kernel makes a relay pay.

use std::{
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Parser;
use rtmp_relay_bench::Pattern;

#[derive(Debug, Parser)]
struct Args {
    /// Where to listen.
    address: SocketAddr,
    /// Sockets to wait for.
    players: usize,
    /// Bits a second for each.
    #[arg(long, default_value = "2000000")]
    bitrate: usize,
    /// Between two writes to a socket, in milliseconds; 0 writes each message at once.
    #[arg(long, default_value = "0")]
    flush_interval: u64,
    /// For how many seconds.
    #[arg(long, default_value = "10")]
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.address).context("cannot listen")?;
    let mut sockets = Vec::new();
    while sockets.len() < args.players {
        let (socket, _) = listener.accept()?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    let messages = Pattern::new(args.bitrate).second();
    // Sockets take turns, as in the relay, in groups 20 ms apart.
    let groups = usize::try_from((args.flush_interval / 20).max(1))?;
    let tick = Duration::from_millis(args.flush_interval.max(1)) / u32::try_from(groups)?;
    let mut late = 0_u64;
    let begin = Instant::now();
    let end = Duration::from_secs(args.seconds);
    if args.flush_interval == 0 {
        'all: for second in 0.. {
            for &(at, length) in &messages {
                let at = Duration::from_secs(second) + Duration::from_millis(at);
                if at > end {
                    break 'all;
                }
                wait_until(begin + at);
                let payload = vec![0xAB; length + 12];
                late += write_to_all(&mut sockets, &payload)?;
            }
        }
    } else {
        let len = args.bitrate / 8 * usize::try_from(args.flush_interval)? / 1000;
        let payload = vec![0xAB; len];
        let group_len = sockets.len().div_ceil(groups);
        for n in 0.. {
            let at = tick * n;
            if at > end {
                break;
            }
            wait_until(begin + at);
            let mut groups = sockets.chunks_mut(group_len);
            let turn = usize::try_from(n)? % groups.len();
            if let Some(group) = groups.nth(turn) {
                late += write_to_all(group, &payload)?;
            }
        }
    }
    println!("{late} writes did not fit");
    Ok(())
}

fn write_to_all(sockets: &mut [TcpStream], payload: &[u8]) -> anyhow::Result<u64> {
    let mut late = 0;
    for socket in sockets {
        match socket.write(payload) {
            Ok(written) => late += u64::from(written < payload.len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => late += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(late)
}

fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}
