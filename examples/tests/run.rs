//! Runs the examples against each other, as whoever copies from them would.
//!
//! `cargo test` builds them first; with `--test run` alone, build them before with `--examples`.

mod example;

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use rtmp_proto::{
    Timestamp,
    flv::{FileWriter, Frame, FrameKind},
};
use rtmp_tokio::{Player, Publisher};
use tokio::net::TcpSocket;

use example::Example;

#[tokio::test]
async fn mio_server() {
    in_time(async {
        let server = Relay::start("mio_server", ANY_PORT, &[]).await;
        let url = server.url("test");
        file_through(&server, async |file| {
            assert!(blocking_publisher(file, &url).await);
        })
        .await;
        // Once more, by another publisher.
        file_through(&server, async |file| {
            let input = File::open(file).unwrap();
            let mut publisher = Example::start("smol_publisher", &[&url], Some(input));
            assert!(publisher.wait().await);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn io_uring_server() {
    in_time(async {
        let server = Relay::start("io_uring_server", ANY_PORT, &[]).await;
        let url = server.url("test");
        file_through(&server, async |file| {
            assert!(blocking_publisher(file, &url).await);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn tokio_server() {
    in_time(async {
        let server = Relay::start("tokio_server", ANY_PORT, &["SECRET"]).await;
        let (wrong, right) = (server.url("test?key=WRONG"), server.url("test?key=SECRET"));
        file_through(&server, async |file| {
            assert!(!blocking_publisher(file, &wrong).await);
            assert!(blocking_publisher(file, &right).await);
        })
        .await;
    })
    .await;
}

/// One output is there, one never, and one comes, goes and comes back.
#[tokio::test]
async fn tokio_restream() {
    in_time(async {
        let source = Relay::start("mio_server", ANY_PORT, &[]).await;
        let steady = Relay::start("io_uring_server", ANY_PORT, &[]).await;
        // Bound, but nobody listens.
        let nobody = TcpSocket::new_v4().unwrap();
        nobody.bind(ANY_PORT.parse().unwrap()).unwrap();
        let dead = nobody.local_addr().unwrap().to_string();
        let fickle = free_address();
        let urls = [
            source.url("in"),
            steady.url("out"),
            format!("rtmp://{dead}/live/out"),
            format!("rtmp://{fickle}/live/out"),
        ];
        let mut restream = Example::start("tokio_restream", &urls, None);
        // In which order these come is chance.
        let steady_line = format!("{}: publishing", steady.address());
        restream
            .lines(&[
                "input: playing",
                &steady_line,
                &format!("{dead}: "),
                &format!("{fickle}: "),
            ])
            .await;

        let url = urls[0].parse().unwrap();
        let connecting = Publisher::connect(&url, Default::default(), None);
        let mut publisher = connecting.await.unwrap();
        let mut steady = steady.player("out").await;
        let mut frames = movie().into_iter();
        for frame in frames.by_ref().take(5) {
            pass(&mut publisher, &frame, &mut [&mut steady]).await;
        }
        for _ in 0..2 {
            let server = Relay::start("mio_server", &fickle, &[]).await;
            restream.lines(&[&format!("{fickle}: publishing")]).await;
            let mut player = server.player("out").await;
            // It begins with the latest key frame, and so misses nothing from here on.
            for frame in frames.by_ref().take(10) {
                pass(&mut publisher, &frame, &mut [&mut steady, &mut player]).await;
            }
            drop(server);
            restream.lines(&[&format!("{fickle}: ")]).await;
            for frame in frames.by_ref().take(10) {
                pass(&mut publisher, &frame, &mut [&mut steady]).await;
            }
        }
        publisher.finish().await.unwrap();
    })
    .await;
}

/// A server, and how to reach it.
struct Relay {
    _example: Example,
    address: String,
}

impl Relay {
    async fn start(name: &str, address: &str, more: &[&str]) -> Self {
        let mut example = Example::start(name, &[&[address], more].concat(), None);
        let line = example.lines(&["listening on "]).await.concat();
        let address = line.strip_prefix("listening on ").unwrap().into();
        let _example = example;
        Self { _example, address }
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn url(&self, stream: &str) -> String {
        format!("rtmp://{}/live/{stream}", self.address)
    }

    async fn player(&self, stream: &str) -> Player {
        let url = self.url(stream).parse().unwrap();
        let connecting = Player::connect(&url, Default::default(), None);
        connecting.await.unwrap()
    }
}

/// `publish` publishes a file, and all of it reaches a player that waits for it.
async fn file_through(server: &Relay, publish: impl AsyncFnOnce(&Path)) {
    let sent = movie();
    let file = write(&sent, &server.address().replace(':', "_"));
    let mut player = server.player("test").await;
    publish(&file).await;
    for sent in sent {
        let received = loop {
            let frame = player.next_frame().await.unwrap().unwrap();
            // Servers say something of their own.
            if !matches!(frame.kind, FrameKind::Data(_)) {
                break frame;
            }
        };
        assert_eq!(received.timestamp, sent.timestamp);
        assert!(received.payload == sent.payload, "at {}", sent.timestamp);
    }
    player.finish().await.unwrap();
    fs::remove_file(file).unwrap();
}

/// Publishes `frame` and waits until all players have got it.
async fn pass(publisher: &mut Publisher, frame: &Frame, players: &mut [&mut Player]) {
    publisher.send(frame).await.unwrap();
    for player in players {
        while player.next_frame().await.unwrap().unwrap().payload != frame.payload {}
    }
}

/// Whether it succeeds.
async fn blocking_publisher(file: &Path, url: &str) -> bool {
    let file = file.to_str().unwrap();
    Example::start("blocking_publisher", &[file, url], None)
        .wait()
        .await
}

/// Two seconds of what looks like H.264 and AAC, no two frames alike.
fn movie() -> Vec<Frame> {
    let payload = |head: &[u8], number: u32, len: usize| -> Bytes {
        [head, &number.to_be_bytes(), &vec![0x55; len]]
            .concat()
            .into()
    };
    let start = Timestamp::from_millis(0);
    let mut frames = vec![
        Frame::video(start, payload(b"\x17\0\0\0\0", 0, 30)),
        Frame::audio(start, payload(b"\xAF\0", 0, 0)),
    ];
    for number in 1..=50 {
        let timestamp = Timestamp::from_millis(40 * (number - 1));
        let video = match number % 12 {
            1 => payload(b"\x17\x01\0\0\0", number, 150_000),
            _ => payload(b"\x27\x01\0\0\0", number, 5000),
        };
        frames.push(Frame::video(timestamp, video));
        frames.push(Frame::audio(timestamp, payload(b"\xAF\x01", number, 300)));
    }
    frames
}

fn write(frames: &[Frame], name: &str) -> PathBuf {
    let mut writer = FileWriter::new();
    let mut bytes = FileWriter::header(true, true).to_vec();
    for frame in frames {
        writer.encode(frame, &mut bytes).unwrap();
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.flv"));
    fs::write(&path, bytes).unwrap();
    path
}

/// Where nobody listens now. Systems give higher ports than these to whoever wants any, so that it stays
/// free, and nobody who connects to it from such a port meets itself.
fn free_address() -> String {
    let own = 10_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut addresses = (own..30_000).map(|port| format!("127.0.0.1:{port}"));
    addresses
        .find(|address| TcpListener::bind(address).is_ok())
        .unwrap()
}

async fn in_time(test: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(120), test)
        .await
        .expect("it hangs");
}

const ANY_PORT: &str = "127.0.0.1:0";
