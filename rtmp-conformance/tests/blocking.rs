//! A plain loop over `std::net`, one thread per connection: all that an adapter needs.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::{self, Duration},
};

use bytes::Buf;
use rtmp_conformance::{Adapter, Connection, Failure, crowds, dialogues, patient};
use rtmp_proto::{
    Client, Driver, Instant, Role, Server, ServerConfig, Session, handshake::HANDSHAKE_RANDOM_LEN,
};

dialogues!(tcp, Tcp<{ usize::MAX }>);
crowds!(tcp_crowd, Tcp<{ usize::MAX }>);
dialogues!(one_byte, Tcp<1>);

struct Blocking<R: Role> {
    io: TcpStream,
    /// The most that one read or write moves.
    len: usize,
    driver: Driver<R>,
    origin: time::Instant,
    failure: Option<ErrorKind>,
}

impl<R: Role> Blocking<R> {
    fn new(io: TcpStream, len: usize, config: Arc<R::Config>) -> Self {
        let mut random = [0; HANDSHAKE_RANDOM_LEN];
        getrandom::fill(&mut random).unwrap();
        // A peer that does not read must not keep us from reading.
        io.set_write_timeout(Some(TURN)).unwrap();
        Self {
            io,
            len,
            driver: Driver::new(Session::new(Instant::ORIGIN, config, random)),
            origin: time::Instant::now(),
            failure: None,
        }
    }

    fn wait(&mut self) -> Result<R::Event, Failure> {
        loop {
            let now = self.now();
            if let Some(event) = self.driver.poll_event(now) {
                return Ok(event);
            }
            if self.driver.is_finished() {
                return Err(self.end());
            }
            self.drive(Duration::MAX);
        }
    }

    /// Does what there is to do, waiting no longer than `longest` for input.
    fn drive(&mut self, longest: Duration) {
        let now = self.now();
        self.driver.settle(now);
        self.write();
        if self.driver.wants_shutdown() {
            // It fails if the peer is gone, which reading tells.
            let _ = self.io.shutdown(Shutdown::Write);
            self.driver.handle_shutdown();
            return;
        }
        if !self.driver.feed(now) {
            match self.driver.wants_read() {
                true => self.read(longest),
                false if !self.has_output() => thread::sleep(self.patience().min(longest)),
                false => {}
            }
        }
        let now = self.now();
        if self.driver.poll_timeout().is_some_and(|at| now >= at) {
            self.driver.handle_timeout(now);
        }
    }

    fn write(&mut self) {
        while let Some(mut transmit) = self.driver.poll_transmit() {
            let chunk = transmit.chunk();
            let part = chunk.get(..self.len).unwrap_or(chunk);
            match self.io.write(part) {
                Ok(written) if written > 0 => transmit.advance(written),
                Err(error) if is_later(error.kind()) => return,
                result => {
                    let kind = result.map_or_else(|error| error.kind(), |_| ErrorKind::WriteZero);
                    self.failure.get_or_insert(kind);
                    let now = self.now();
                    return self.driver.handle_write_failure(now);
                }
            }
        }
    }

    fn read(&mut self, longest: Duration) {
        let patience = self.patience().min(longest);
        self.io.set_read_timeout(Some(patience)).unwrap();
        let mut bytes = [0; READ_SIZE];
        let room = self.len.min(READ_SIZE);
        let result = self.io.read(bytes.get_mut(..room).unwrap());
        let now = self.now();
        match result {
            Ok(0) => self.driver.handle_eof(now),
            Ok(count) => self.driver.handle_input(now, bytes.get(..count).unwrap()),
            Err(error) if is_later(error.kind()) => {}
            Err(error) => {
                self.driver.handle_read_failure(now);
                if self.driver.has_failed() {
                    self.failure = Some(error.kind());
                }
            }
        }
    }

    /// How long the thread may wait.
    fn patience(&self) -> Duration {
        let now = self.now().since_origin();
        let deadline = self.driver.poll_timeout().map(|at| at.since_origin());
        match deadline {
            _ if self.has_output() => TURN,
            Some(deadline) => deadline.saturating_sub(now).max(TURN),
            None => Duration::from_secs(1),
        }
    }

    fn has_output(&self) -> bool {
        self.driver.session().queued_len() > 0
    }

    fn end(&mut self) -> Failure {
        match self.failure.take_if(|_| self.driver.has_failed()) {
            Some(kind) => Failure::Io(kind),
            None => Failure::Closed(self.driver.session().close_reason().cloned().unwrap()),
        }
    }
}

impl<R: Role> Connection<R> for Blocking<R> {
    fn session(&mut self) -> &mut Session<R> {
        self.driver.session_mut()
    }

    fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    async fn next_event(&mut self) -> Result<R::Event, Failure> {
        self.wait()
    }

    async fn next_event_or_room(&mut self, len: usize) -> Result<Option<R::Event>, Failure> {
        loop {
            let now = self.now();
            if let Some(event) = self.driver.poll_event(now) {
                return Ok(Some(event));
            }
            if self.driver.is_finished() {
                return Err(self.end());
            }
            if self.driver.session().queued_len() <= len {
                return Ok(None);
            }
            self.drive(TURN);
        }
    }

    async fn flush_to(&mut self, len: usize) -> Result<(), Failure> {
        while self.driver.session().queued_len() > len {
            match self.failure {
                Some(kind) => return Err(Failure::Io(kind)),
                None if self.driver.has_ended() => return Err(self.end()),
                None => self.drive(TURN),
            }
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), Failure> {
        let now = self.now();
        self.driver.session_mut().close(now);
        while self.wait().is_ok() {}
        match self.failure.take() {
            Some(kind) => Err(Failure::Io(kind)),
            None if self.has_output() => Err(Failure::Io(ErrorKind::TimedOut)),
            None => Ok(()),
        }
    }
}

fn is_later(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Sockets of which `LEN` bytes are read or written at a time.
struct Tcp<const LEN: usize>;

impl<const LEN: usize> Adapter for Tcp<LEN> {
    type Client = Blocking<Client>;
    type Server = Blocking<Server>;

    fn run<A: Send, B: Send>(
        count: usize,
        config: &Arc<ServerConfig>,
        client: impl AsyncFn(Self::Client) -> A + Sync,
        server: impl AsyncFn(Self::Server) -> B + Sync,
    ) -> Vec<(A, B)> {
        let listener = TcpListener::bind("localhost:0").unwrap();
        let address = listener.local_addr().unwrap();
        let one_client = || {
            let io = TcpStream::connect(address).unwrap();
            finish(client(Blocking::new(io, LEN, patient())))
        };
        let one_server = || {
            let (io, _) = listener.accept().unwrap();
            finish(server(Blocking::new(io, LEN, Arc::clone(config))))
        };
        thread::scope(|scope| {
            let spawn = |_| (scope.spawn(one_client), scope.spawn(one_server));
            let pairs: Vec<_> = (0..count).map(spawn).collect();
            let join = |(client, server): (
                thread::ScopedJoinHandle<'_, A>,
                thread::ScopedJoinHandle<'_, B>,
            )| { (client.join().unwrap(), server.join().unwrap()) };
            pairs.into_iter().map(join).collect()
        })
    }
}

/// The output of a future that blocks instead of waiting.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Bytes of one read.
const READ_SIZE: usize = 16 << 10;

/// How long one direction may hold up the other.
const TURN: Duration = Duration::from_millis(1);
