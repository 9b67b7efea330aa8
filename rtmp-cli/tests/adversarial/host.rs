//! A server that means ill.

use std::{
    io,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use crate::{
    amf,
    common::DEADLINE,
    peer::Peer,
    wire::{self, greeting},
};

/// Listens for clients.
pub(crate) struct Host(TcpListener);

impl Host {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port left");
        listener.set_nonblocking(true).expect("it is a socket");
        Self(listener)
    }

    pub(crate) fn url(&self) -> String {
        let address = self.0.local_addr().expect("it is bound");
        format!("rtmp://{address}/live/stream")
    }

    /// Waits for the next client.
    #[track_caller]
    pub(crate) fn accept(&self) -> Visitor {
        let started = Instant::now();
        loop {
            match self.0.accept() {
                Ok((socket, _)) => {
                    socket.set_nonblocking(false).expect("it is a socket");
                    return Visitor(Peer::new(socket));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(started.elapsed() < DEADLINE, "no client comes");
                    thread::sleep(POLL_INTERVAL);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A client that has come to it.
pub(crate) struct Visitor(Peer);

impl Visitor {
    /// Shakes hands and accepts `connect`.
    #[track_caller]
    pub(crate) fn welcome(&mut self) {
        self.send(greeting());
        assert!(self.0.hear(b"\x00\x07connect\x00"));
        self.send(welcome());
    }

    /// Accepts a stream, for `publish` or `play`, with the status that it began.
    #[track_caller]
    pub(crate) fn begin(&mut self, command: &str) {
        let transaction = self.0.hear_with(b"\x00\x0CcreateStream\x00", 8).unwrap();
        let transaction = f64::from_be_bytes(transaction.try_into().unwrap());
        let answer = amf::command("_result", transaction, &[amf::null(), amf::number(1.0)]);
        self.send(wire::command(0, &answer));
        assert!(self.0.hear(&[command.as_bytes(), &[0]].concat()));
        self.send(match command {
            "publish" => status("NetStream.Publish.Start"),
            _ => status("NetStream.Play.Start"),
        });
    }

    /// Waits for `wanted` in what the client says.
    #[track_caller]
    pub(crate) fn hear(&mut self, wanted: &[u8]) {
        assert!(self.0.hear(wanted), "closed before {wanted:?}");
    }

    /// Whether the client is still there after that.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.send(bytes)
    }

    /// Says no more.
    pub(crate) fn finish(&self) {
        self.0.finish();
    }

    pub(crate) fn wait_for_end(&self) {
        self.0.wait_for_end();
    }
}

/// The answer to `connect`.
pub(crate) fn welcome() -> Vec<u8> {
    let code = ("code", amf::string("NetConnection.Connect.Success"));
    let level = ("level", amf::string("status"));
    let values = [amf::object(&[]), amf::object(&[level, code])];
    wire::command(0, &amf::command("_result", 1.0, &values))
}

/// Good news about stream 1.
pub(crate) fn status(code: &str) -> Vec<u8> {
    let properties = [
        ("level", amf::string("status")),
        ("code", amf::string(code)),
    ];
    let values = [amf::null(), amf::object(&properties)];
    wire::command(1, &amf::command("onStatus", 0.0, &values))
}

/// Between looks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
