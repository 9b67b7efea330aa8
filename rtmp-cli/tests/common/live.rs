//! Publishers and players in the test itself, with a deadline for everything they do; and their frames.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use rtmp_proto::{
    ClientConfig, Limits, RtmpUrl, ServerConfig, Timestamp,
    flv::{FileReader, Frame},
};
use rtmp_tokio::{Error, Player, Publisher};
use tokio::{net::TcpSocket, time};

use super::{DEADLINE, Server};

pub fn url(server: &Server, path: &str) -> RtmpUrl {
    server.url(path).parse().unwrap()
}

/// A client that waits as long as the tests do.
pub fn config() -> Arc<ClientConfig> {
    let mut config = ClientConfig::default();
    config.dial_timeout = DEADLINE;
    wait_longer(&mut config.connection.limits);
    Arc::new(config)
}

/// A server of that kind.
pub fn server_config() -> Arc<ServerConfig> {
    let mut config = ServerConfig::default();
    wait_longer(&mut config.connection.limits);
    Arc::new(config)
}

fn wait_longer(limits: &mut Limits) {
    limits.handshake_timeout = DEADLINE;
    limits.connect_timeout = DEADLINE;
    limits.request_timeout = DEADLINE;
    limits.first_media_timeout = DEADLINE;
    limits.idle_timeout = DEADLINE;
    limits.write_stall_timeout = DEADLINE;
}

pub async fn publish(url: &RtmpUrl) -> Publisher {
    bounded(Publisher::connect(url, config(), None))
        .await
        .unwrap()
}

pub async fn play(url: &RtmpUrl) -> Player {
    bounded(Player::connect(url, config(), None)).await.unwrap()
}

/// The next audio or video message.
pub async fn next(player: &mut Player) -> Frame {
    loop {
        let frame = bounded(player.next_frame()).await.unwrap();
        let frame = frame.expect("the stream goes on");
        if frame.is_audio() || frame.is_video() {
            return frame;
        }
    }
}

/// Why a client was refused.
pub async fn refused<T>(attempt: impl Future<Output = Result<T, Error>>) -> String {
    match bounded(attempt).await {
        Ok(_) => panic!("it was let in"),
        Err(error) => error.to_string(),
    }
}

/// A port at which nobody listens, and nobody else will as long as this exists.
pub struct Nobody(TcpSocket);

impl Nobody {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

pub async fn bounded<T>(future: impl Future<Output = T>) -> T {
    time::timeout(DEADLINE, future).await.expect("in time")
}

pub fn header() -> Frame {
    video(
        0,
        &[0x17, 0, 0, 0, 0, 1, 0x4D, 0x40, 0x1F, 0xFF, 0xE0, 0],
        0,
    )
}

pub fn key_frame(millis: u32, len: usize) -> Frame {
    video(millis, &[0x17, 1, 0, 0, 0], len)
}

pub fn picture(millis: u32, len: usize) -> Frame {
    video(millis, &[0x27, 1, 0, 0, 0], len)
}

pub fn video(millis: u32, head: &[u8], len: usize) -> Frame {
    let mut payload = head.to_vec();
    payload.resize(head.len().max(len), 0xAB);
    Frame::video(Timestamp::from_millis(millis), payload.into())
}

/// The audio and video messages of an FLV file, and whether it ends with a whole tag.
#[track_caller]
pub fn frames(file: &Path) -> (Vec<Frame>, bool) {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = FileReader::new();
    let mut input = bytes.as_slice();
    let mut frames = Vec::new();
    while let Some(frame) = reader.decode(&mut input).expect("it is an FLV file") {
        if frame.is_audio() || frame.is_video() {
            frames.push(frame);
        }
    }
    (frames, reader.finish() == Ok(None))
}
