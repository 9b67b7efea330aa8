//! `rtmp serve` when more come than it is to take on, beside a publisher and a player that lose nothing.

mod common;

use std::{io::ErrorKind, process::Command, time::Instant};

use common::{
    Server,
    live::{bounded, config, header, key_frame, next, picture, play, publish, refused, url},
    rtmp,
};
use rtmp_tokio::{Player, Publisher};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

#[tokio::test(flavor = "multi_thread")]
async fn connections() {
    let begun = Instant::now();
    let server = Server::start(["--max-connections", "4"]);
    let mut healthy = Healthy::start(&server).await;
    let [first, _second] = [connect(&server).await, connect(&server).await];
    healthy.go_on().await;
    closed_at_once(&server).await;
    closed_at_once(&server).await;
    healthy.go_on().await;
    // A reset gives the place back like any other end.
    reset(first).await;
    let mut third = room_for_one(&server).await;
    closed_at_once(&server).await;
    // So does nonsense: C2, and Set Chunk Size with 0.
    third.write_all(&[0; 1536]).await.unwrap();
    let set_chunk_size = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    third.write_all(&set_chunk_size).await.unwrap();
    assert!(is_closed(&mut third).await);
    drop(third);
    let url = url(&server, "live/stream");
    room_for(async || Player::connect(&url, config(), None).await.ok()).await;
    healthy.go_on().await;
    server.wait_for("too many connections: more are refused limit=4 refused=1");
    told_seldom(&server, begun, "more are refused");
}

/// Linux has more than one address for itself.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn connections_from_one_address() {
    let server = Server::start(["--max-connections-per-address", "3"]);
    let mut healthy = Healthy::start(&server).await;
    let third = connect(&server).await;
    closed_at_once(&server).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let address = ([127, 0, 0, 1], server.port).into();
    let mut other = socket.connect(address).await.unwrap();
    other.write_all(&hello()).await.unwrap();
    assert!(!is_closed(&mut other).await);
    drop(third);
    room_for_one(&server).await;
    healthy.go_on().await;
    server.wait_for("too many connections from one address, 127.0.0.1 the latest");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers() {
    let server = Server::start(["--max-publishers", "2"]);
    let mut healthy = Healthy::start(&server).await;
    let (second, third) = (url(&server, "live/second"), url(&server, "live/third"));
    let publisher = publish(&second).await;
    let reason = refused(Publisher::connect(&third, config(), None)).await;
    assert!(reason.contains("NetStream.Failed"), "{reason}");
    assert!(reason.contains("too many publishers"), "{reason}");
    // Who takes over is not one more.
    let successor = publish(&second).await;
    drop(publisher);
    refused(Publisher::connect(&third, config(), None)).await;
    healthy.go_on().await;
    drop(successor);
    room_for(async || Publisher::connect(&third, config(), None).await.ok()).await;
    healthy.go_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn players() {
    let arguments = ["--max-players", "3", "--max-players-per-stream", "2"];
    let server = Server::start(arguments);
    let mut healthy = Healthy::start(&server).await;
    let (stream, other) = (url(&server, "live/stream"), url(&server, "live/other"));
    let second = play(&stream).await;
    let reason = refused(Player::connect(&stream, config(), None)).await;
    assert!(reason.contains("NetStream.Play.Failed"), "{reason}");
    assert!(reason.contains("too many players"), "{reason}");
    let _third = play(&other).await;
    refused(Player::connect(&other, config(), None)).await;
    server.wait_for("player rejected: the stream has too many players");
    server.wait_for("player rejected: too many players");
    healthy.go_on().await;
    drop(second);
    room_for(async || Player::connect(&stream, config(), None).await.ok()).await;
    healthy.go_on().await;
}

/// A stream of which a stalled player has not read what fills the server's memory, next to one that goes
/// on.
#[tokio::test(flavor = "multi_thread")]
async fn buffered_bytes() {
    let server = Server::start(["--max-buffered", "2", "--flush-interval", "0"]);
    let mut healthy = Healthy::start(&server).await;
    let url = url(&server, "live/large");
    let _stalled = play(&url).await;
    let mut quick = play(&url).await;
    server.wait_for_players(3);
    let mut publisher = publish(&url).await;
    publisher.send(&header()).await.unwrap();
    next(&mut quick).await;
    // 20 MB: more than sockets hold. The group alone is too large.
    for index in 0..200u32 {
        let frame = match index {
            0 => key_frame(0, 100_000),
            _ => picture(index * 10, 100_000),
        };
        publisher.send(&frame).await.unwrap();
        assert_eq!(next(&mut quick).await, frame);
        if index % 10 == 0 {
            healthy.go_on().await;
        }
    }
    server.wait_for("streams keep too much");
    healthy.go_on().await;
}

/// Out of file descriptors: the server says so, waits, and goes on when there are some again.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn file_descriptors() {
    let mut command = Command::new("sh");
    let program = rtmp().get_program().to_owned();
    command.args(["-c", r#"ulimit -n 40 && exec "$0" "$@""#]);
    command.arg(program).env_remove("RUST_LOG");
    let begun = Instant::now();
    let server = Server::spawn(command, "127.0.0.1:0", ["--flush-interval", "0"]);
    let mut healthy = Healthy::start(&server).await;
    let mut many = Vec::new();
    for _ in 0..60 {
        many.push(
            TcpStream::connect(("127.0.0.1", server.port))
                .await
                .unwrap(),
        );
    }
    server.wait_for("cannot accept connections: Too many open files");
    for _ in 0..50 {
        healthy.go_on().await;
    }
    told_seldom(&server, begun, "cannot accept connections");
    drop(many);
    play(&url(&server, "live/stream")).await;
    healthy.go_on().await;
}

/// A publisher and a player that nothing may disturb.
struct Healthy {
    publisher: Publisher,
    player: Player,
    millis: u32,
}

impl Healthy {
    async fn start(server: &Server) -> Self {
        let url = url(server, "live/stream");
        let player = play(&url).await;
        let mut healthy = Self {
            publisher: publish(&url).await,
            player,
            millis: 0,
        };
        healthy.go_on().await;
        healthy
    }

    /// Some frames, of which none is lost.
    async fn go_on(&mut self) {
        for len in [5000, 500, 500] {
            let frame = match len {
                5000 => key_frame(self.millis, len),
                _ => picture(self.millis, len),
            };
            self.publisher.send(&frame).await.unwrap();
            assert_eq!(next(&mut self.player).await, frame);
            self.millis += 40;
        }
    }
}

/// A connection that was let in, which is known by the answer to its handshake.
async fn connect(server: &Server) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    socket.write_all(&hello()).await.unwrap();
    assert!(!is_closed(&mut socket).await);
    socket
}

/// C0 and C1.
fn hello() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(1 + 1536, 0);
    bytes
}

async fn closed_at_once(server: &Server) {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    // By a reset, perhaps before this is written.
    let _ = socket.write_all(&hello()).await;
    assert!(is_closed(&mut socket).await);
}

/// Waits for an answer, or for the end.
async fn is_closed(socket: &mut TcpStream) -> bool {
    let mut answer = [0; 3073];
    match bounded(socket.read_exact(&mut answer)).await {
        Ok(_) => false,
        Err(error) => {
            let kind = error.kind();
            let expected = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
            assert!(expected.contains(&kind), "{error}");
            true
        }
    }
}

async fn reset(socket: TcpStream) {
    socket.set_zero_linger().unwrap();
    drop(socket);
}

async fn room_for_one(server: &Server) -> TcpStream {
    room_for(async || {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).await.ok()?;
        socket.write_all(&hello()).await.ok()?;
        (!is_closed(&mut socket).await).then_some(socket)
    })
    .await
}

/// Tries until the server has noticed that there is room.
async fn room_for<T>(attempt: impl AsyncFn() -> Option<T>) -> T {
    bounded(async {
        loop {
            if let Some(done) = attempt().await {
                return done;
            }
        }
    })
    .await
}

/// The first line of the log with `text` comes at once, and each of the others 10 seconds after the one
/// before it.
fn told_seldom(server: &Server, begun: Instant, text: &str) {
    let log = server.process.text();
    let count = log.lines().filter(|line| line.contains(text)).count();
    let most = 1 + begun.elapsed().as_secs() / 10;
    assert!(count as u64 <= most, "{count} of {most}: {log}");
}
