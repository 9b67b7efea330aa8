//! The program, and servers in the process of the test that do what the test tells them.

use std::{
    net::SocketAddr,
    process::{Output, Stdio},
};

use rtmp_proto::{Request, Server, ServerEvent, flv::Frame};
use rtmp_tokio::{BoxedTransport, Connection, Listener};
use tokio::process::{Child, Command};

use super::live::{bounded, server_config};

pub async fn listen() -> Listener {
    Listener::bind("127.0.0.1:0").await.unwrap()
}

pub fn url(listener: &Listener) -> String {
    url_of(listener.local_addr().unwrap())
}

pub fn url_of(address: SocketAddr) -> String {
    format!("rtmp://{address}/live/s3cr3tkey?token=t0k3nvalue")
}

pub async fn accept(listener: &Listener) -> Connection<BoxedTransport, Server> {
    let (incoming, _) = bounded(listener.accept()).await.unwrap();
    let io = incoming.establish().await.unwrap();
    Connection::new(io, server_config()).unwrap()
}

pub fn accept_request(connection: &mut Connection<BoxedTransport, Server>, request: impl Request) {
    let now = connection.now();
    connection.session().accept(now, request).unwrap();
}

/// Everything published, and whether the publisher said that it was over.
pub async fn take_stream(mut connection: Connection<BoxedTransport, Server>) -> (Vec<Frame>, bool) {
    let (mut frames, mut is_stopped) = (Vec::new(), false);
    loop {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(&mut connection, request),
            ServerEvent::Publish(request) => accept_request(&mut connection, request),
            ServerEvent::Frame { frame, .. } => frames.push(frame),
            ServerEvent::PublishStopped { .. } => is_stopped = true,
            ServerEvent::Closed(_) => return (frames, is_stopped),
            _ => {}
        }
    }
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtmp"));
    command
        .args(args)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub async fn output(child: Child) -> Output {
    bounded(child.wait_with_output()).await.unwrap()
}

pub fn rtmp(args: &[&str]) -> Child {
    command(args).spawn().unwrap()
}

#[cfg(unix)]
pub async fn interrupt(child: &Child) {
    let id = child.id().expect("still running").to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status().await;
    assert!(killed.unwrap().success());
}
