//! Server sessions and handshakes of the implementations.

use std::io::Cursor;

use bytes::Bytes;
use rtmp_benches::{Outcome, Sink, Workload, dialogue::Dialogue, socket::Receiver};

use crate::peers::show;

/// Serves a publisher.
pub trait Server {
    fn new() -> Self;
    fn take(&mut self, bytes: &[u8], sink: Sink<'_>) -> Outcome;
    /// Bytes answered so far, if the client publishes.
    fn answered(&self) -> Option<usize>;
}

/// Serves a client up to where it publishes; returns the bytes answered.
pub fn set_up<S: Server>(dialogue: &Dialogue) -> Outcome<usize> {
    let server: S = publishing(dialogue, &mut |_, _, _| {})?;
    server.answered().ok_or_else(|| "does not publish".into())
}

/// Serves a client that publishes `workload`, read in pieces of `piece` bytes.
pub fn ingest<S: Server>(
    dialogue: &Dialogue,
    workload: &Workload,
    piece: usize,
    sink: Sink<'_>,
) -> Outcome {
    let mut server: S = publishing(dialogue, sink)?;
    let mut receiver = Receiver::new(&workload.wire.bytes, piece);
    while let Some(bytes) = receiver.read() {
        server.take(bytes, sink)?;
    }
    Ok(())
}

fn publishing<S: Server>(dialogue: &Dialogue, sink: Sink<'_>) -> Outcome<S> {
    let mut server = S::new();
    for step in dialogue.steps() {
        server.take(step, sink)?;
    }
    Ok(server)
}

/// rml_rtmp.
pub mod rml {
    use super::*;
    use rml_rtmp::{
        handshake::{Handshake, HandshakeProcessResult, PeerType},
        sessions::{ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult},
    };

    pub struct Server {
        handshake: Handshake,
        session: Option<ServerSession>,
        answered: usize,
        is_publishing: bool,
    }

    impl super::Server for Server {
        fn new() -> Self {
            Self {
                handshake: Handshake::new(PeerType::Server),
                session: None,
                answered: 0,
                is_publishing: false,
            }
        }

        fn take(&mut self, bytes: &[u8], sink: Sink<'_>) -> Outcome {
            if let Some(session) = &mut self.session {
                let results = session.handle_input(bytes).map_err(show)?;
                return self.on_results(results, sink);
            }
            match self.handshake.process_bytes(bytes).map_err(show)? {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.answered += response_bytes.len();
                    Ok(())
                }
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    self.answered += response_bytes.len();
                    let (session, results) =
                        ServerSession::new(ServerSessionConfig::new()).map_err(show)?;
                    self.session = Some(session);
                    self.on_results(results, sink)?;
                    match remaining_bytes.is_empty() {
                        true => Ok(()),
                        false => self.take(&remaining_bytes, sink),
                    }
                }
            }
        }

        fn answered(&self) -> Option<usize> {
            self.is_publishing.then_some(self.answered)
        }
    }

    impl Server {
        fn on_results(&mut self, results: Vec<ServerSessionResult>, sink: Sink<'_>) -> Outcome {
            for result in results {
                let event = match result {
                    ServerSessionResult::OutboundResponse(packet) => {
                        self.answered += packet.bytes.len();
                        continue;
                    }
                    ServerSessionResult::RaisedEvent(event) => event,
                    ServerSessionResult::UnhandleableMessageReceived(_) => continue,
                };
                let id = match event {
                    ServerSessionEvent::AudioDataReceived {
                        data, timestamp, ..
                    } => {
                        sink(8, timestamp.value, &data);
                        continue;
                    }
                    ServerSessionEvent::VideoDataReceived {
                        data, timestamp, ..
                    } => {
                        sink(9, timestamp.value, &data);
                        continue;
                    }
                    ServerSessionEvent::PublishStreamRequested { request_id, .. } => {
                        self.is_publishing = true;
                        request_id
                    }
                    ServerSessionEvent::ConnectionRequested { request_id, .. }
                    | ServerSessionEvent::ReleaseStreamRequested { request_id, .. } => request_id,
                    _ => continue,
                };
                let session = self.session.as_mut().ok_or("no session")?;
                let results = session.accept_request(id).map_err(show)?;
                self.on_results(results, sink)?;
            }
            Ok(())
        }
    }

    pub fn handshake(input: &[u8]) -> Outcome<Vec<u8>> {
        match Handshake::new(PeerType::Server)
            .process_bytes(input)
            .map_err(show)?
        {
            HandshakeProcessResult::InProgress { response_bytes }
            | HandshakeProcessResult::Completed { response_bytes, .. } => Ok(response_bytes),
        }
    }
}

/// rtmp-runtime.
pub mod rtmp_runtime {
    use super::*;
    use ::rtmp_runtime::server::{ServerEvent, ServerSession};

    pub struct Server {
        session: ServerSession,
        answered: usize,
        is_publishing: bool,
    }

    impl super::Server for Server {
        fn new() -> Self {
            Self {
                session: ServerSession::with_defaults(),
                answered: 0,
                is_publishing: false,
            }
        }

        fn take(&mut self, bytes: &[u8], sink: Sink<'_>) -> Outcome {
            let (answer, events) = self.session.handle_data(bytes).map_err(show)?;
            self.answered += answer.len();
            for event in events {
                match event {
                    ServerEvent::Publish { .. } => self.is_publishing = true,
                    // A tag of an FLV file, the first with the header of the file.
                    ServerEvent::Media { flv } => {
                        let tag = flv
                            .strip_prefix(b"FLV")
                            .map_or(&flv[..], |rest| &rest[10..]);
                        let (&[kind, _, _, _, a, b, c, high, _, _, _], rest) =
                            tag.split_first_chunk().ok_or("no tag")?;
                        let payload = rest.get(..rest.len() - 4).ok_or("no payload")?;
                        sink(kind, u32::from_be_bytes([high, a, b, c]), payload);
                    }
                    _ => {}
                }
            }
            Ok(())
        }

        fn answered(&self) -> Option<usize> {
            self.is_publishing.then_some(self.answered)
        }
    }
}

/// shiguredo_rtmp.
pub mod shiguredo {
    use super::*;
    use shiguredo_rtmp::{RtmpConnectionEvent, RtmpConnectionState, RtmpServerConnection};

    /// Gives the number of bytes answered. Media comes without the headers of its tags, so ingest
    /// cannot be compared.
    pub fn set_up(dialogue: &Dialogue) -> Outcome<usize> {
        let mut server = RtmpServerConnection::new();
        let mut answered = 0;
        for step in dialogue.steps() {
            server.feed_recv_buf(step).map_err(show)?;
            while let Some(event) = server.next_event() {
                if matches!(event, RtmpConnectionEvent::PublishRequested { .. }) {
                    server.accept().map_err(show)?;
                }
            }
            while !server.send_buf().is_empty() {
                let len = server.send_buf().len();
                answered += len;
                server.advance_send_buf(len);
            }
        }
        match server.state() {
            RtmpConnectionState::Publishing => Ok(answered),
            state => Err(show(state)),
        }
    }
}

/// scuffle-rtmp.
pub mod scuffle {
    use super::*;
    use scuffle_rtmp::handshake::HandshakeServer;

    pub fn handshake(input: &[u8]) -> Outcome<Vec<u8>> {
        let mut input = Cursor::new(Bytes::copy_from_slice(input));
        let mut answer = Vec::new();
        HandshakeServer::default()
            .handshake(&mut input, &mut answer)
            .map_err(show)?;
        Ok(answer)
    }
}
