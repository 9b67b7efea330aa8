//! `rtmp-tokio` on tokio: sockets, TLS and pipes.

use std::{path::Path, sync::Arc, time::Duration};

use rtmp_conformance::{
    Adapter, Connection, Failure, OverPipes, Pipe, Piped, all, apart, certificate, crowds,
    dialogues, faults, patient,
};
use rtmp_proto::{Client, ClientConfig, Instant, Role, RtmpUrl, Server, ServerConfig, Session};
use rtmp_tokio::{
    BoxedTransport, Error, Listener, dial,
    tls::{Acceptor, Connector},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime,
};

dialogues!(tcp, Tcp);
crowds!(tcp_crowd, Tcp);
dialogues!(tls, Tls);
crowds!(tls_crowd, Tls);
dialogues!(one_byte, Piped<Pipes, 1>);
dialogues!(pipe, Piped<Pipes, 4096>);
crowds!(pipe_crowd, Piped<Pipes, 4096>);
faults!(faulty, Pipes);

mod cases {
    use super::block_on;
    use rtmp_tokio as adapter;
    mod authentication;
    mod clients;
    mod security;
    mod serving;
}

struct Driven<T, R: Role>(rtmp_tokio::Connection<T, R>);

impl<T: AsyncRead + AsyncWrite + Unpin, R: Role> Driven<T, R> {
    fn new(io: T, config: Arc<R::Config>) -> Self {
        Self(rtmp_tokio::Connection::new(io, config).unwrap())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin, R: Role> Connection<R> for Driven<T, R> {
    fn session(&mut self) -> &mut Session<R> {
        self.0.session()
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn next_event(&mut self) -> Result<R::Event, Failure> {
        self.0.next_event().await.map_err(failure)
    }

    async fn next_event_or_room(&mut self, len: usize) -> Result<Option<R::Event>, Failure> {
        self.0.next_event_or_room(len).await.map_err(failure)
    }

    async fn flush_to(&mut self, len: usize) -> Result<(), Failure> {
        self.0.flush_to(len).await.map_err(failure)
    }

    async fn close(&mut self) -> Result<(), Failure> {
        self.0.close().await.map_err(failure)
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Io(error) => Failure::Io(error.kind()),
        Error::Closed(reason) => Failure::Closed(reason),
        other => panic!("{other}"),
    }
}

struct Pipes;

impl OverPipes for Pipes {
    type Client = Driven<Pipe, Client>;
    type Server = Driven<Pipe, Server>;

    fn client(io: Pipe, config: Arc<ClientConfig>) -> Self::Client {
        Driven::new(io, config)
    }

    fn server(io: Pipe, config: Arc<ServerConfig>) -> Self::Server {
        Driven::new(io, config)
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        block_on(future)
    }
}

struct Tcp;

impl Adapter for Tcp {
    type Client = Driven<BoxedTransport, Client>;
    type Server = Driven<BoxedTransport, Server>;

    fn run<A: Send, B: Send>(
        count: usize,
        config: &Arc<ServerConfig>,
        client: impl AsyncFn(Self::Client) -> A + Sync,
        server: impl AsyncFn(Self::Server) -> B + Sync,
    ) -> Vec<(A, B)> {
        block_on(over_sockets(None, count, config, client, server))
    }
}

struct Tls;

impl Adapter for Tls {
    type Client = Driven<BoxedTransport, Client>;
    type Server = Driven<BoxedTransport, Server>;

    fn run<A: Send, B: Send>(
        count: usize,
        config: &Arc<ServerConfig>,
        client: impl AsyncFn(Self::Client) -> A + Sync,
        server: impl AsyncFn(Self::Server) -> B + Sync,
    ) -> Vec<(A, B)> {
        let name = std::thread::current().name().unwrap().replace("::", "-");
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (certificate, key) = certificate(directory, &format!("tokio-{name}"));
        let acceptor = Acceptor::new(&certificate, &key).unwrap();
        let connector = Connector::new(Some(&certificate)).unwrap();
        let tls = Some((acceptor, connector));
        block_on(over_sockets(tls, count, config, client, server))
    }
}

async fn over_sockets<A, B>(
    tls: Option<(Acceptor, Connector)>,
    count: usize,
    config: &Arc<ServerConfig>,
    client: impl AsyncFn(Driven<BoxedTransport, Client>) -> A,
    server: impl AsyncFn(Driven<BoxedTransport, Server>) -> B,
) -> Vec<(A, B)> {
    let listener = Listener::bind("localhost:0").await.unwrap();
    let (listener, connector) = match tls {
        Some((acceptor, connector)) => (listener.with_tls(acceptor), Some(connector)),
        None => (listener, None),
    };
    let scheme = if listener.is_tls() { "rtmps" } else { "rtmp" };
    let port = listener.local_addr().unwrap().port();
    let url: RtmpUrl = format!("{scheme}://localhost:{port}/live/key")
        .parse()
        .unwrap();
    let clients = (0..count).map(async |_| {
        let io = dial(&url, connector.as_ref(), Duration::MAX).await.unwrap();
        client(Driven::new(io, patient())).await
    });
    let servers = (0..count).map(async |_| {
        let (incoming, _) = listener.accept().await.unwrap();
        let io = incoming.establish().await.unwrap();
        server(Driven::new(io, Arc::clone(config))).await
    });
    let (clients, servers) = apart(all(clients), all(servers)).await;
    clients.into_iter().zip(servers).collect()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}
