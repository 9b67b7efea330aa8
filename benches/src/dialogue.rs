//! What a publisher sends before its media.

use rtmp_proto::handshake::{Handshake, HandshakeMode};

use crate::{values, wire::write_one};

/// The bytes of a client from the handshake to `publish`, all of them sent ahead.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dialogue {
    /// C0, C1 and C2 of the simple handshake.
    pub handshake: Vec<u8>,
    /// Set Chunk Size, `connect`, `releaseStream`, `FCPublish`, `createStream` and `publish`.
    pub commands: Vec<u8>,
}

impl Dialogue {
    /// A publisher that goes on in chunks of `chunk_size` bytes, on message stream 1.
    pub fn publishing(chunk_size: usize) -> Self {
        Self::publishing_on(1, chunk_size)
    }

    /// As [`publishing`](Self::publishing), on the message streams up to `streams`.
    pub fn publishing_on(streams: u32, chunk_size: usize) -> Self {
        let mut handshake = vec![3];
        handshake.resize(1 + 2 * 1536, 0);
        for (filler, value) in handshake[9..1537].iter_mut().zip((0..=250).cycle()) {
            *filler = value;
        }
        let mut commands = Vec::new();
        let size = u32::try_from(chunk_size).expect("a chunk size");
        write_one(&mut commands, 2, 1, 0, &size.to_be_bytes(), chunk_size);
        let mut command = |stream, name: &str, id: f64, arguments: &[u8]| {
            let mut payload = Vec::new();
            values::string(&mut payload, name);
            values::number(&mut payload, id);
            payload.extend(arguments);
            write_one(&mut commands, 3, 20, stream, &payload, chunk_size);
        };
        let null = [5];
        command(0, "connect", 1.0, &values::connect_object());
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
        Self {
            handshake,
            commands,
        }
    }

    /// Everything in order.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.handshake[..], &self.commands].concat()
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
