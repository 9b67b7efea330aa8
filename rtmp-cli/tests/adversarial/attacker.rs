//! A client that means ill, at every stage of a session.

use std::net::TcpStream;

use crate::{
    amf,
    common::Server,
    peer::Peer,
    wire::{self, greeting},
};

/// A client of a server.
pub(crate) struct Attacker {
    peer: Peer,
    probes: u32,
}

impl Attacker {
    /// Connected over TCP.
    pub(crate) fn connect(server: &Server) -> Self {
        Self::over(Peer::new(dial(server)))
    }

    /// The same, and it reads nothing.
    pub(crate) fn deaf(server: &Server) -> Self {
        Self::over(Peer::deaf(dial(server)))
    }

    /// One that has sent its handshake.
    pub(crate) fn greeted(server: &Server) -> Self {
        let mut attacker = Self::connect(server);
        attacker.send(greeting());
        attacker
    }

    /// One that is connected to the app `live`.
    pub(crate) fn connected(server: &Server) -> Self {
        let mut attacker = Self::greeted(server);
        attacker.send(connect_command());
        assert!(attacker.peer.hear(b"NetConnection.Connect.Success"));
        attacker
    }

    /// One that publishes `name` on stream 1.
    pub(crate) fn publishing(server: &Server, name: &str) -> Self {
        let mut attacker = Self::connected(server);
        attacker.send([create_stream(), publish(1, name)].concat());
        assert!(attacker.peer.hear(b"NetStream.Publish.Start"));
        attacker
    }

    /// One that plays `name` on stream 1.
    pub(crate) fn playing(server: &Server, name: &str) -> Self {
        let mut attacker = Self::connected(server);
        attacker.send([create_stream(), play(1, name)].concat());
        assert!(attacker.peer.hear(b"NetStream.Play.Start"));
        attacker
    }

    /// Whether it is still connected after that.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.peer.send(bytes)
    }

    /// Says no more.
    pub(crate) fn finish(&self) {
        self.peer.finish();
    }

    /// Waits for `wanted` in what the server says.
    #[track_caller]
    pub(crate) fn hear(&mut self, wanted: &[u8]) {
        assert!(self.peer.hear(wanted), "closed before {wanted:?}");
    }

    /// Whether the server goes on to answer: it is not closed, not stuck, and both agree where
    /// messages begin.
    pub(crate) fn is_served(&mut self) -> bool {
        let (question, answer) = self.probe();
        self.send(question);
        self.peer.hear(&answer)
    }

    /// A question, and the beginning of the only answer to it.
    pub(crate) fn probe(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.probes += 1;
        let transaction = f64::from(0x5_0000 + self.probes);
        let question = amf::command("whatIsThat", transaction, &[amf::null()]);
        let answer = amf::command("_error", transaction, &[]);
        (wire::command(0, &question), answer)
    }

    /// Waits for the end that the server brings about, and for the reason in its log.
    #[track_caller]
    pub(crate) fn end(self, server: &Server, reason: &str) {
        self.peer.wait_for_end();
        // Until then the server lingers, so that its last words arrive.
        self.peer.finish();
        // The system may have given the same port to another one before.
        let peer = format!("peer=127.0.0.1:{}", self.peer.port());
        let is_its = |line: &str| line.split(' ').any(|word| word == peer);
        let is_end =
            |line: &str| is_its(line) && line.contains(" ended: ") && line.contains(reason);
        server.process.wait_for(reason, 1, is_end);
    }

    /// Waits for the end that the server brings about.
    pub(crate) fn wait_for_end(&self) {
        self.peer.wait_for_end();
    }

    /// The port at this end.
    pub(crate) fn port(&self) -> u16 {
        self.peer.port()
    }

    /// Whether the server has ended the connection.
    pub(crate) fn is_over(&self) -> bool {
        self.peer.is_over()
    }

    /// What the server said.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.peer.heard()
    }

    fn over(peer: Peer) -> Self {
        Self { peer, probes: 0 }
    }
}

/// `connect` to the app `live`.
pub(crate) fn connect_command() -> Vec<u8> {
    let app = amf::object(&[("app", amf::string("live"))]);
    wire::command(0, &amf::command("connect", 1.0, &[app]))
}

pub(crate) fn create_stream() -> Vec<u8> {
    wire::command(0, &amf::command("createStream", 2.0, &[amf::null()]))
}

pub(crate) fn publish(stream: u8, name: &str) -> Vec<u8> {
    let values = [amf::null(), amf::string(name), amf::string("live")];
    wire::command(stream, &amf::command("publish", 3.0, &values))
}

pub(crate) fn play(stream: u8, name: &str) -> Vec<u8> {
    let values = [amf::null(), amf::string(name)];
    wire::command(stream, &amf::command("play", 4.0, &values))
}

fn dial(server: &Server) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens")
}
