//! One connection over a socket that does not block: as it is, for any loop around `poll`, `epoll` or
//! `kqueue`.
#![expect(
    clippy::indexing_slicing,
    reason = "a read gives no more than there is room for"
)]

use std::{
    io::{ErrorKind::*, Read, Write},
    net::Shutdown,
    time::Duration,
};

use bytes::Buf;
use mio::net::TcpStream;
use rtmp_examples::{Client, Hub};
use rtmp_proto::{Driver, Instant, Server, Session, handshake::HANDSHAKE_RANDOM_LEN};

pub(crate) struct Peer {
    io: TcpStream,
    driver: Driver<Server>,
    client: Client,
}

impl Peer {
    /// `wake` is called when it has something to do that is no event of its socket.
    pub(crate) fn new(
        io: TcpStream,
        now: Instant,
        hub: &Hub,
        wake: impl Fn() + 'static,
    ) -> anyhow::Result<Self> {
        let mut random = [0; HANDSHAKE_RANDOM_LEN];
        getrandom::fill(&mut random)?;
        let driver = Driver::new(Session::new(now, Default::default(), random));
        let client = Client::new(hub, wake);
        Ok(Self { io, driver, client })
    }

    /// When it wants a turn even if nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        // The system's timers may be early by a tick.
        self.driver.poll_timeout().map(|at| at + TICK)
    }

    /// How it ended, if it did.
    pub(crate) fn outcome(&self) -> Option<String> {
        if !self.driver.is_finished() {
            return None;
        }
        let reason = self.driver.session().close_reason()?;
        Some(match self.driver.has_failed() {
            true => "lost".into(),
            false => reason.to_string(),
        })
    }

    /// Does a little of what there is to do; whether there may be more.
    pub(crate) fn turn(&mut self, now: Instant, buffer: &mut [u8]) -> bool {
        let Self { io, driver, client } = self;
        let mut moved = false;
        while let Some(event) = driver.poll_event(now) {
            moved = true;
            let session = driver.session_mut();
            if client.handle(now, session, event).is_err() {
                session.close(now);
            }
        }
        client.fill(now, driver.session_mut());
        while let Some(mut transmit) = driver.poll_transmit() {
            match io.write(transmit.chunk()) {
                Ok(count) if count > 0 => transmit.advance(count),
                Err(error) if error.kind() == Interrupted => {}
                Err(error) if error.kind() == WouldBlock => break,
                _ => driver.handle_write_failure(now),
            }
            moved = true;
        }
        if driver.wants_shutdown() {
            // If this fails, the connection is gone, which the next read tells.
            let _ = io.shutdown(Shutdown::Write);
            driver.handle_shutdown();
            moved = true;
        }
        if driver.feed(now) {
            moved = true;
        } else if driver.wants_read() {
            let result = io.read(buffer);
            moved |= !matches!(&result, Err(error) if error.kind() == WouldBlock);
            match result {
                Ok(0) => driver.handle_eof(now),
                Ok(count) => driver.handle_input(now, &buffer[..count]),
                Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {}
                Err(_) => driver.handle_read_failure(now),
            }
        }
        if driver.poll_timeout().is_some_and(|at| at <= now) {
            driver.handle_timeout(now);
            moved = true;
        }
        moved
    }
}

const TICK: Duration = Duration::from_millis(1);
