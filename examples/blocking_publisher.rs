//! Publishes an FLV file in real time with nothing but `std::net`: one thread, blocking calls.
//!
//! ```sh
//! cargo run -p rtmp-examples --example blocking_publisher -- movie.flv rtmp://localhost/live/test
//! ```
//!
//! The socket blocks for no longer than until the next frame is due, so one loop can send on time,
//! answer the server, and notice when it hangs up.
#![expect(
    clippy::indexing_slicing,
    reason = "a read gives no more than there is room for"
)]

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind::*, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{self, Duration},
};

use anyhow::{Context, bail};
use bytes::Buf;
use rtmp_proto::{
    Client, ClientConfig, ClientEvent, CloseReason, Driver, Instant, MessageStreamId, RtmpUrl,
    Session,
    flv::{FileReader, Frame},
    handshake::HANDSHAKE_RANDOM_LEN,
};

fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let (Some(path), Some(url), None) = (args.next(), args.next(), args.next()) else {
        bail!("usage: blocking_publisher FILE.flv rtmp://HOST/APP/STREAM");
    };
    let url: RtmpUrl = url.parse()?;
    if url.is_tls() {
        bail!("rtmps:// needs TLS; wrap the socket, the rest stays as it is");
    }
    let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
    let (mut file, mut reader) = (BufReader::new(file), FileReader::new());
    let mut next = next_frame(&mut file, &mut reader)?;

    let mut io = TcpStream::connect((url.host(), url.port()))
        .with_context(|| format!("cannot connect to {}:{}", url.host(), url.port()))?;
    io.set_nodelay(true)?;
    io.set_write_timeout(Some(BLOCK_MAX))?;
    let origin = time::Instant::now();
    let now = || Instant::from_origin(origin.elapsed());
    let mut random = [0; HANDSHAKE_RANDOM_LEN];
    getrandom::fill(&mut random)?;
    let mut session = Session::new(now(), Arc::new(ClientConfig::default()), random);
    session.publish_to(now(), &url)?;
    let mut driver: Driver<Client> = Driver::new(session);
    let mut publishing: Option<(MessageStreamId, Instant)> = None;
    let (mut first, mut buffer) = (None, [0; 4096]);

    loop {
        while let Some(event) = driver.poll_event(now()) {
            match event {
                ClientEvent::Publishing { stream } => {
                    println!("publishing {path}");
                    publishing = Some((stream, now()));
                }
                ClientEvent::Status { status, .. } => println!("server says: {status}"),
                // The last event; the socket is shut down already.
                ClientEvent::Closed(CloseReason::Local) => return Ok(()),
                ClientEvent::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
        if driver.is_finished() {
            bail!("connection lost");
        }
        let mut due = None; // the first frame that has to wait
        if let Some((stream, start)) = publishing {
            while let Some(frame) = &next {
                let at = match frame.is_coded_media() {
                    true => {
                        let first = *first.get_or_insert(frame.timestamp);
                        let millis = frame.timestamp.signed_millis_since(first).max(0);
                        start + Duration::from_millis(millis.unsigned_abs().into())
                    }
                    false => start, // headers and metadata go at once
                };
                if at > now() || driver.session().queued_len() > QUEUED_MAX {
                    due = Some(at);
                    break;
                }
                driver.session_mut().send_frame(stream, frame)?;
                next = next_frame(&mut file, &mut reader)?;
            }
            if next.is_none() {
                driver.session_mut().close(now());
            }
        }
        while let Some(mut transmit) = driver.poll_transmit() {
            match io.write(transmit.chunk()) {
                Ok(count) if count > 0 => transmit.advance(count),
                Err(error) if is_timeout(&error) => break,
                _ => driver.handle_write_failure(now()),
            }
        }
        if driver.wants_shutdown() {
            // If this fails, the connection is gone, which the next read tells.
            let _ = io.shutdown(Shutdown::Write);
            driver.handle_shutdown();
        }
        if !driver.feed(now()) && driver.wants_read() {
            let deadline = due.into_iter().chain(driver.poll_timeout()).min();
            let wait = deadline.map_or(BLOCK_MAX, |at| at.saturating_duration_since(now()));
            io.set_read_timeout(Some(wait.clamp(BLOCK_MIN, BLOCK_MAX)))?;
            match io.read(&mut buffer) {
                Ok(0) => driver.handle_eof(now()),
                Ok(count) => driver.handle_input(now(), &buffer[..count]),
                Err(error) if is_timeout(&error) => {}
                Err(_) => driver.handle_read_failure(now()),
            }
        }
        driver.handle_timeout(now());
    }
}

/// The next frame of a file. One that is cut off ends there.
fn next_frame(file: &mut impl BufRead, reader: &mut FileReader) -> anyhow::Result<Option<Frame>> {
    loop {
        let mut input = file.fill_buf().context("cannot read the file")?;
        let len = input.len();
        let frame = reader.decode(&mut input)?;
        let used = len - input.len();
        file.consume(used);
        if frame.is_some() || len == 0 {
            return Ok(frame);
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    // Which of the first two it is depends on the system.
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// How long one call may block: zero would mean for ever, and the server is to be answered.
const BLOCK_MIN: Duration = Duration::from_millis(1);
const BLOCK_MAX: Duration = Duration::from_millis(500);

/// Output that may wait before the file is held back.
const QUEUED_MAX: usize = 256 << 10;
