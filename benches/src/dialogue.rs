//! What a client sends before there is media.

use rtmp_proto::handshake::{Handshake, HandshakeMode};

use crate::{values, wire::write_one};

/// The bytes of a client from the handshake to `publish`, all of them sent ahead.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialogue {
    /// C0, C1 and C2 of the simple handshake.
    pub handshake: Vec<u8>,
    /// Set Chunk Size, `connect` and what comes up to `publish` or `play`.
    pub commands: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Dialogue {
    /// A publisher that goes on in chunks of `chunk_size` bytes, on message stream 1. It sends
    /// `releaseStream`, `FCPublish`, `createStream` and `publish`.
    pub fn publishing(chunk_size: usize) -> Self {
        Self::publishing_on(1, chunk_size)
    }

    /// As [`publishing`](Self::publishing), on the message streams up to `streams`.
    pub fn publishing_on(streams: u32, chunk_size: usize) -> Self {
        let null = [5];
        let mut dialogue = Self::connecting(chunk_size);
        let mut command = |stream, name: &str, id, arguments: &[u8]| {
            dialogue.command(stream, name, id, arguments, chunk_size);
        };
        for stream in 1..=streams {
            let name = match stream {
                1 => "key".into(),
                _ => format!("key{stream}"),
            };
            let mut key = null.to_vec();
            values::string(&mut key, &name);
            let mut publish = key.clone();
            values::string(&mut publish, "live");
            command(0, "releaseStream", 2.0, &key);
            command(0, "FCPublish", 3.0, &key);
            command(0, "createStream", 4.0, &null);
            command(stream, "publish", 5.0, &publish);
        }
        dialogue
    }

    /// A player on message stream 1, with commands in chunks of `chunk_size` bytes.
    pub fn playing(chunk_size: usize) -> Self {
        let mut dialogue = Self::connecting(chunk_size);
        let null = [5];
        dialogue.command(0, "createStream", 2.0, &null, chunk_size);
        let mut name = null.to_vec();
        values::string(&mut name, "key");
        dialogue.command(1, "play", 3.0, &name, chunk_size);
        dialogue
    }

    /// What a client sends before it waits for an answer: C0 and C1, C2, each of the commands.
    pub fn steps(&self) -> impl Iterator<Item = &[u8]> {
        let (hello, reply) = self.handshake.split_at(1 + 1536);
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        let commands = begins.zip(&self.ends);
        let commands = commands.map(|(begin, &end)| &self.commands[begin..end]);
        [hello, reply].into_iter().chain(commands)
    }

    /// Everything in order.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.handshake[..], &self.commands].concat()
    }

    /// The handshake, Set Chunk Size and `connect`.
    fn connecting(chunk_size: usize) -> Self {
        let mut handshake = vec![3];
        handshake.resize(1 + 2 * 1536, 0);
        for (filler, value) in handshake[9..1537].iter_mut().zip((0..=250).cycle()) {
            *filler = value;
        }
        let mut commands = Vec::new();
        let size = u32::try_from(chunk_size).expect("a chunk size");
        write_one(&mut commands, 2, 1, 0, &size.to_be_bytes(), chunk_size);
        let mut dialogue = Self {
            handshake,
            ends: vec![commands.len()],
            commands,
        };
        let object = values::connect_object();
        dialogue.command(0, "connect", 1.0, &object, chunk_size);
        dialogue
    }

    fn command(&mut self, stream: u32, name: &str, id: f64, arguments: &[u8], chunk_size: usize) {
        let mut payload = Vec::new();
        values::string(&mut payload, name);
        values::number(&mut payload, id);
        payload.extend(arguments);
        write_one(&mut self.commands, 3, 20, stream, &payload, chunk_size);
        self.ends.push(self.commands.len());
    }
}

/// C0 and C1 of a client that knows the digest.
pub fn digest_hello() -> Vec<u8> {
    let now = rtmp_proto::Instant::ORIGIN;
    let mut client = Handshake::client(now, HandshakeMode::Digest, [3; 32]);
    let mut hello = Vec::new();
    while let Some(bytes) = client.poll_transmit() {
        hello.extend(bytes);
    }
    hello
}
