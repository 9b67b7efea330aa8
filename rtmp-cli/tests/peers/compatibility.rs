//! What `rtmp` itself does not use of `rtmp-proto`: authentication, RTMPE, RTMPT and interleaved
//! chunks, in a server of its own.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Instant as StdInstant,
};

use bytes::{Buf, Bytes, BytesMut};
use rtmp_proto::{
    Driver, Instant, ServerConfig, ServerEvent, ServerSession, Status, StatusCode,
    auth::{self, Decision, Scheme},
    chunk::ChunkSize,
    flv::Frame,
    rtmpt,
};

use crate::{
    common::{DEADLINE, Process, TempDir},
    media::{Kind, Source, assert_same, frames, of, packets},
    programs::Player,
};

#[test]
fn ffmpeg_authenticates() {
    for scheme in [Scheme::Adobe, Scheme::Limelight] {
        let server = Server::start(|app| app.auth = Some(auth::Server::new(scheme, [7; 32])));
        let publish = |password: &str| {
            let url = format!("rtmp://user:{password}@127.0.0.1:{}/live/key", server.port);
            ffmpeg_publish(&url)
        };
        Process::spawn(publish(PASSWORD)).succeed();
        server.wait_for_ends(3);
        assert_eq!(server.app.frames(), media().len(), "{scheme:?}");

        let log = Process::spawn(publish("wrong")).exit_in_failure();
        assert!(log.contains("Incorrect username/password"), "{log}");
        server.wait_for_ends(3);
        assert_eq!(server.app.frames(), media().len(), "{scheme:?}");
    }
}

#[test]
fn rtmpdump_plays_encrypted_streams() {
    let server = Server::start(|app| app.config.accepts_encryption = true);
    plays(
        Player::Rtmpdump,
        &format!("rtmpe://127.0.0.1:{}/live/key", server.port),
    );
}

#[test]
fn players_read_interleaved_chunks() {
    for player in [Player::Rtmpdump, Player::Ffmpeg, Player::Rtmp2Src] {
        let server = Server::start(|app| {
            app.config.connection.interleaving = true;
            app.config.connection.chunk_size = ChunkSize::new(200).unwrap();
        });
        plays(
            player,
            &format!("rtmp://127.0.0.1:{}/live/key", server.port),
        );
    }
}

#[test]
fn players_read_through_the_tunnel() {
    for (player, scheme) in [
        (Player::Rtmpdump, "rtmpt"),
        (Player::Rtmpdump, "rtmpte"),
        (Player::Ffmpeg, "rtmpt"),
    ] {
        let server = Server::tunnelled();
        plays(
            player,
            &format!("{scheme}://127.0.0.1:{}/live/key", server.port),
        );
    }
}

#[test]
fn ffmpeg_publishes_through_the_tunnel() {
    let server = Server::tunnelled();
    let url = format!("rtmpt://127.0.0.1:{}/live/key", server.port);
    Process::spawn(ffmpeg_publish(&url)).succeed();
    // It closes the tunnel without the bytes it has collected for the next request.
    let missing = media().len() - server.app.frames();
    assert!(missing < 10, "{missing} frames are missing");
}

fn ffmpeg_publish(url: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(Source::Both.path())
        .args(["-c", "copy", "-f", "flv", url]);
    command
}

fn plays(player: Player, url: &str) {
    let directory = TempDir::new();
    let mut playing = player.play(url, &directory);
    let got = packets(playing.finish());
    // It may drop the last message when the end of the stream follows at once.
    let missing = usize::from(player == Player::Rtmp2Src);
    for kind in [Kind::Video, Kind::Audio] {
        let (expected, got) = (of(kind, &Source::Both.packets()), of(kind, &got));
        assert!(expected.len() - got.len() <= missing, "{player:?}");
        let (expected, _) = expected.split_at(got.len());
        assert_same(expected, &got);
    }
}

/// The audio and video of the file: with its duration, rtmpdump would miss the last frame's.
fn media() -> Vec<Frame> {
    let (frames, is_whole) = frames(&Source::Both.path());
    assert!(is_whole);
    frames
}

/// A server that plays one file to everybody and counts what is published.
struct Server {
    port: u16,
    app: Arc<App>,
    /// Says so for each connection that has ended.
    ended: Receiver<()>,
}

struct App {
    config: ServerConfig,
    auth: Option<auth::Server>,
    media: Vec<Frame>,
    received: AtomicUsize,
    started: StdInstant,
}

impl Server {
    fn start(configure: impl FnOnce(&mut App)) -> Self {
        Self::serve(configure, App::serve)
    }

    fn tunnelled() -> Self {
        Self::serve(
            |app| app.config.accepts_encryption = true,
            App::serve_tunnels,
        )
    }

    fn serve(configure: impl FnOnce(&mut App), serve: fn(&App, TcpStream)) -> Self {
        let mut app = App {
            config: ServerConfig::default(),
            auth: None,
            media: media(),
            received: AtomicUsize::new(0),
            started: StdInstant::now(),
        };
        configure(&mut app);
        let app = Arc::new(app);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&app);
        let (end, ended) = mpsc::channel();
        // It ends with the tests.
        thread::spawn(move || {
            for socket in listener.incoming() {
                serve(&shared, socket.unwrap());
                if end.send(()).is_err() {
                    return;
                }
            }
        });
        Self { port, app, ended }
    }

    /// Waits until that many connections more have ended.
    fn wait_for_ends(&self, count: usize) {
        for _ in 0..count {
            self.ended.recv_timeout(DEADLINE).unwrap();
        }
    }
}

impl App {
    fn now(&self) -> Instant {
        Instant::from_origin(self.started.elapsed())
    }

    fn frames(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }

    fn session(&self, seed: u8) -> ServerSession {
        let config = Arc::new(self.config.clone());
        ServerSession::new(self.now(), config, [seed; 32])
    }

    fn on_event(&self, session: &mut ServerSession, event: ServerEvent) {
        let now = self.now();
        match event {
            ServerEvent::Connect(request) => {
                let decision = self.auth.as_ref().map(|auth| {
                    let password_of = |user: &str| (user == "user").then(|| PASSWORD.to_owned());
                    auth.decide(now, &request, password_of)
                });
                match decision {
                    Some(Decision::Reject(status)) => session.reject(now, request, status),
                    _ => session.accept(now, request),
                }
                .unwrap();
            }
            ServerEvent::Publish(request) => session.accept(now, request).unwrap(),
            ServerEvent::Play(request) => {
                let stream = request.stream();
                session.accept(now, request).unwrap();
                for frame in &self.media {
                    session.send_frame(stream, frame).unwrap();
                }
                session.notify_unpublished(stream).unwrap();
                let stopped = Status::new(StatusCode::PLAY_STOP, "stopped");
                session.send_status(stream, &stopped).unwrap();
            }
            ServerEvent::Frame { frame, .. } if !frame.is_metadata() => {
                self.received.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
    }

    /// One connection, to its end.
    fn serve(&self, mut socket: TcpStream) {
        let mut driver = Driver::new(self.session(1));
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        while !driver.is_finished() {
            while let Some(event) = driver.poll_event(self.now()) {
                self.on_event(driver.session_mut(), event);
            }
            while let Some(mut transmit) = driver.poll_transmit() {
                match socket.write(transmit.chunk()) {
                    Ok(written) => transmit.advance(written),
                    Err(_) => return,
                }
            }
            if driver.wants_shutdown() {
                drop(socket.shutdown(std::net::Shutdown::Write));
                driver.handle_shutdown();
            }
            if !driver.feed(self.now()) && driver.wants_read() {
                let mut buffer = driver.take_buffer();
                buffer.resize(buffer.capacity(), 0);
                let len = socket.read(&mut buffer).unwrap_or_default();
                buffer.truncate(len);
                match buffer.is_empty() {
                    true => driver.handle_eof(self.now()),
                    false => driver.handle_input(self.now(), buffer),
                }
            }
        }
    }

    /// The requests of one connection, to its end.
    fn serve_tunnels(&self, socket: TcpStream) {
        let mut tunnels = HashMap::new();
        let mut socket = BufReader::new(socket);
        while let Some((path, body)) = read_request(&mut socket) {
            let (status, reply) = match self.answer(&mut tunnels, &path, body) {
                Some(reply) => (200, reply),
                None => (404, Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status} -\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
                rtmpt::CONTENT_TYPE,
                reply.len(),
            );
            let response = [head.as_bytes(), &reply].concat();
            if socket.get_mut().write_all(&response).is_err() {
                return;
            }
        }
    }

    fn answer(&self, tunnels: &mut Tunnels, path: &str, body: Vec<u8>) -> Option<Vec<u8>> {
        let request = rtmpt::Request::decode(path).ok()?;
        if request == rtmpt::Request::Open {
            let seed = u8::try_from(tunnels.len()).unwrap();
            let tunnel = rtmpt::Server::new(rtmpt::SessionId::random([seed; 16]));
            let opening = tunnel.opening();
            let id = tunnel.session().clone();
            tunnels.insert(id, (tunnel, self.session(seed), BytesMut::new()));
            return Some(opening);
        }
        let (tunnel, session, output) = tunnels.get_mut(request.session()?)?;
        let mut input = tunnel.handle_request(&request, Bytes::from(body)).ok()?;
        loop {
            session.handle_input(self.now(), &mut input);
            while let Some(event) = session.poll_event() {
                self.on_event(session, event);
            }
            if input.is_empty() || session.is_closed() {
                break;
            }
        }
        while let Some(mut transmit) = session.poll_transmit() {
            let len = transmit.chunk().len();
            output.extend_from_slice(transmit.chunk());
            transmit.advance(len);
        }
        Some(tunnel.respond(output))
    }
}

type Tunnels = HashMap<rtmpt::SessionId, (rtmpt::Server, ServerSession, BytesMut)>;

/// Path and body of the next request, as plain as clients make them.
fn read_request(socket: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    socket.read_line(&mut line).ok().filter(|&len| len > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut body = Vec::new();
    loop {
        line.clear();
        socket.read_line(&mut line).ok()?;
        match line.trim().split_once(':') {
            Some((name, len)) if name.eq_ignore_ascii_case("content-length") => {
                body.resize(len.trim().parse().ok()?, 0);
            }
            Some(_) => {}
            None => break,
        }
    }
    socket.read_exact(&mut body).ok()?;
    Some((path, body))
}

const PASSWORD: &str = "pass";
