//! A server inside a program of one's own: who has the key may publish, and frames are counted.
//!
//! `cargo run -p rtmp-tokio --example embed`, then stream to `rtmp://127.0.0.1/live/cam?key=secret`.

use std::{error::Error, sync::Arc};

use rtmp_proto::{Server, ServerConfig, ServerEvent, Status, StatusCode};
use rtmp_tokio::{BoxedTransport, Connection, Incoming, Listener};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = Listener::bind("127.0.0.1:1935").await?;
    let config = Arc::new(ServerConfig::default());
    loop {
        let (incoming, peer) = listener.accept().await?;
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            match serve(incoming, config).await {
                Ok(frames) => println!("{peer}: {frames} frames"),
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
}

/// One connection, from its handshake to its end.
async fn serve(incoming: Incoming, config: Arc<ServerConfig>) -> Result<u64, rtmp_tokio::Error> {
    let mut connection: Connection<BoxedTransport, Server> =
        Connection::new(incoming.establish().await?, config)?;
    let mut frames = 0;
    loop {
        let event = connection.next_event().await?;
        let now = connection.now();
        let session = connection.session();
        match event {
            ServerEvent::Connect(request) => session.accept(now, request)?,
            ServerEvent::Publish(request) => {
                if request.query().get("key").as_deref() == Some("secret") {
                    session.accept(now, request)?;
                } else {
                    let status = Status::error(StatusCode::PUBLISH_UNAUTHORIZED, "wrong key");
                    session.reject(now, request, status)?;
                }
            }
            ServerEvent::Play(request) => {
                let status = Status::error(StatusCode::PLAY_FAILED, "this server only records");
                session.reject(now, request, status)?;
            }
            ServerEvent::Frame { .. } => frames += 1,
            // The last event; the transport is shut down already.
            ServerEvent::Closed(_) => return Ok(frames),
            _ => {}
        }
    }
}
