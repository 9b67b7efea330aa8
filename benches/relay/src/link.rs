//! Clients that wait for their sockets.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use rtmp_proto::{
    ClientEvent, ClientSession, Instant as Moment, MessageStreamId, RtmpUrl, Session, Timestamp,
};

use crate::{Mark, Pattern, nanos_since};

/// A session over a blocking socket.
#[derive(Debug)]
pub struct Link {
    /// The socket.
    pub socket: TcpStream,
    /// The session.
    pub session: ClientSession,
    /// What it has not taken yet.
    pub input: BytesMut,
    origin: Instant,
}

impl Link {
    /// Connects to the host of `url`; the session says nothing but its handshake yet.
    ///
    /// # Errors
    ///
    /// Nobody listens.
    pub fn connect(url: &RtmpUrl, origin: Instant) -> anyhow::Result<Self> {
        let socket = TcpStream::connect((url.host(), url.port())).context("cannot connect")?;
        socket.set_nodelay(true)?;
        let now = Moment::from_origin(origin.elapsed());
        Ok(Self {
            socket,
            session: Session::new(now, Arc::default(), [7; 32]),
            input: BytesMut::new(),
            origin,
        })
    }

    /// For the session.
    pub fn now(&self) -> Moment {
        Moment::from_origin(self.origin.elapsed())
    }

    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// The connection or the session ends.
    pub fn next_event(&mut self) -> anyhow::Result<ClientEvent> {
        let mut buffer = [0; 4096];
        loop {
            let now = self.now();
            self.session.handle_input(now, &mut self.input);
            let event = self.session.poll_event();
            self.write()?;
            match event {
                Some(ClientEvent::Closed(reason)) => bail!("session ended: {reason}"),
                Some(event) => return Ok(event),
                None => {}
            }
            match self.socket.read(&mut buffer)? {
                0 => bail!("connection closed by the relay"),
                count => self
                    .input
                    .extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    /// Writes what waits.
    ///
    /// # Errors
    ///
    /// The connection ends.
    pub fn write(&mut self) -> anyhow::Result<()> {
        while let Some(mut transmit) = self.session.poll_transmit() {
            let written = self.socket.write(transmit.chunk())?;
            transmit.advance(written);
        }
        Ok(())
    }
}

/// Publishes up to the end of the program.
///
/// # Errors
///
/// The relay does not take it.
pub fn publish(url: &RtmpUrl, pattern: Pattern, origin: Instant) -> anyhow::Result<()> {
    let mut link = Link::connect(url, origin)?;
    let now = link.now();
    link.session.publish_to(now, url)?;
    let stream: MessageStreamId = loop {
        if let ClientEvent::Publishing { stream } = link.next_event()? {
            break stream;
        }
    };
    let begin = Instant::now();
    let messages = pattern.second();
    let mut number = 0;
    for second in 0..u32::MAX {
        for &(at, length) in &messages {
            let at = u64::from(second) * 1000 + at;
            let moment = begin + Duration::from_millis(at);
            thread::sleep(moment.saturating_duration_since(Instant::now()));
            let mark = Mark {
                number,
                sent_nanos: nanos_since(origin),
            };
            number += 1;
            let timestamp = Timestamp::from_millis(u32::try_from(at)?);
            link.session
                .send_frame(stream, &pattern.frame(timestamp, length, mark))?;
            link.write()?;
        }
    }
    Ok(())
}
