//! One connection whose reads and writes own their buffers.

use std::{
    cell::Cell,
    future,
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, Waker},
    time::{self, Duration},
};

use anyhow::bail;
use bytes::{Buf, Bytes, BytesMut};
use compio::{
    BufResult,
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use rtmp_examples::{Client, Hub};
use rtmp_proto::{
    CloseReason, Driver, Instant, Server, ServerEvent, Session, handshake::HANDSHAKE_RANDOM_LEN,
};

/// An operation that owns its buffer, and gives it back.
type Operation<B> = Pin<Box<dyn Future<Output = BufResult<usize, B>>>>;

/// One connection, from its handshake to its end.
pub(crate) async fn serve(mut io: TcpStream, hub: &Hub) -> anyhow::Result<CloseReason> {
    let origin = time::Instant::now();
    let now = || Instant::from_origin(origin.elapsed());
    let mut random = [0; HANDSHAKE_RANDOM_LEN];
    getrandom::fill(&mut random)?;
    let mut driver = Driver::<Server>::new(Session::new(now(), Default::default(), random));
    let waker = Rc::new(Cell::new(None::<Waker>));
    let sleeper = Rc::clone(&waker);
    let wake = move || sleeper.take().into_iter().for_each(Waker::wake);
    let mut client = Client::new(hub, wake);
    let mut reading: Option<Operation<BytesMut>> = None;
    let mut writing: Option<Operation<Vec<Bytes>>> = None;
    loop {
        while let Some(event) = driver.poll_event(now()) {
            if let ServerEvent::Closed(reason) = event {
                // The last event; the socket is shut down already.
                return Ok(reason);
            }
            client.handle(now(), driver.session_mut(), event)?;
        }
        if driver.is_finished() {
            bail!("connection lost");
        }
        client.fill(now(), driver.session_mut());
        if writing.is_none()
            && let Some(mut transmit) = driver.poll_transmit()
        {
            // They count as written from now on, so it should not be too long a write.
            let (mut pieces, mut len) = (Vec::new(), 0);
            while transmit.has_remaining() && len < WRITE_SIZE {
                // Shares payloads.
                let piece = transmit.copy_to_bytes(transmit.chunk().len());
                len += piece.len();
                pieces.push(piece);
            }
            let mut io = io.clone();
            writing = Some(Box::pin(async move {
                let BufResult(result, pieces) = io.write_vectored_all(pieces).await;
                BufResult(result.map(|()| len), pieces)
            }));
        }
        if writing.is_none() && driver.wants_shutdown() {
            // If this fails, the connection is gone, which the next read tells.
            let _ = io.shutdown().await;
            driver.handle_shutdown();
            continue;
        }
        if driver.feed(now()) {
            continue;
        }
        if reading.is_none() && driver.wants_read() {
            let buffer = driver.take_buffer();
            let mut io = io.clone();
            reading = Some(Box::pin(async move { io.read(buffer).await }));
        }
        let deadline = driver.poll_timeout();
        let wait = deadline.map_or(FOR_EVER, |at| at.saturating_duration_since(now()));
        let mut timer = pin!(sleep(wait));
        future::poll_fn(|cx| {
            waker.set(Some(cx.waker().clone()));
            let mut moved = timer.as_mut().poll(cx).is_ready();
            moved |= writing.is_none() && client.wants_fill();
            if let Some(operation) = &mut reading
                && let Poll::Ready(BufResult(result, buffer)) = operation.as_mut().poll(cx)
            {
                (reading, moved) = (None, true);
                match result {
                    Ok(0) => driver.handle_eof(now()),
                    Ok(_) => driver.handle_input(now(), buffer),
                    Err(_) => driver.handle_read_failure(now()),
                }
            }
            if let Some(operation) = &mut writing
                && let Poll::Ready(BufResult(result, _)) = operation.as_mut().poll(cx)
            {
                (writing, moved) = (None, true);
                if result.is_err() {
                    driver.handle_write_failure(now());
                }
            }
            if moved {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        driver.handle_timeout(now());
    }
}

const WRITE_SIZE: usize = 64 << 10;
const FOR_EVER: Duration = Duration::from_secs(3600);
