//! A relay inside a program of one's own, on tokio: publishers need a key, players start at once on a
//! key frame, and a slow one drops frames without anybody else noticing.
//!
//! ```sh
//! cargo run -p rtmp-examples --example tokio_server -- 127.0.0.1:1935 SECRET
//! ffmpeg -re -i movie.mp4 -c:v libx264 -c:a aac -f flv rtmp://localhost/live/test?key=SECRET
//! ffplay rtmp://localhost/live/test
//! ```
//!
//! `rtmp serve` has the same shape, and TLS, recordings, takeovers and grace for publishers that come
//! back on top.

mod hub;

use std::{env, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use rtmp_proto::{
    CloseReason, MessageStreamId, Server, ServerEvent, Status, StatusCode, StreamName,
};
use rtmp_tokio::{BoxedTransport, Error, Incoming, Listener};
use tokio::time::sleep;

use hub::{Feed, Hub};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let (Some(address), Some(key), None) = (args.next(), args.next(), args.next()) else {
        bail!("usage: tokio_server ADDRESS:PORT KEY");
    };
    let listener = Listener::bind(&address).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on {}", listener.local_addr()?);
    let (hub, key) = (Arc::new(Hub::default()), Arc::<str>::from(key));
    loop {
        let (incoming, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, say.
                eprintln!("cannot accept: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (hub, key) = (Arc::clone(&hub), Arc::clone(&key));
        tokio::spawn(async move {
            let mut published = None;
            match serve(incoming, &hub, &key, &mut published).await {
                Ok(reason) => println!("{peer}: {reason}"),
                Err(error) => println!("{peer}: {error}"),
            }
            hub.unpublish(published);
        });
    }
}

type Connection = rtmp_tokio::Connection<BoxedTransport, Server>;
type Playing = Option<(MessageStreamId, Arc<Feed>)>;

/// One connection, from its handshake to its end. It publishes one stream or plays one.
async fn serve(
    incoming: Incoming,
    hub: &Hub,
    key: &str,
    published: &mut Option<StreamName>,
) -> Result<CloseReason, Error> {
    let mut connection = Connection::new(incoming.establish().await?, Default::default())?;
    let mut playing: Playing = None;
    loop {
        let is_full = fill_output(&mut connection, &playing);
        let event = match &playing {
            Some(_) if is_full => connection.next_event_or_room(OUTPUT_LOW).await?,
            Some((_, feed)) => tokio::select! {
                event = connection.next_event() => Some(event?),
                () = feed.wake.notified() => None,
            },
            None => Some(connection.next_event().await?),
        };
        let Some(event) = event else { continue };
        let now = connection.now();
        let session = connection.session();
        match event {
            ServerEvent::Connect(request) => session.accept(now, request)?,
            ServerEvent::Publish(request) => {
                if request.query().get("key").as_deref() != Some(key) {
                    let status = Status::error(StatusCode::PUBLISH_UNAUTHORIZED, "wrong key");
                    session.reject(now, request, status)?;
                } else if published.is_some() || !hub.publish(request.name()) {
                    let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "already published");
                    session.reject(now, request, status)?;
                } else {
                    *published = Some(request.name().clone());
                    session.accept(now, request)?;
                }
            }
            ServerEvent::Play(request) => {
                playing = Some((request.stream(), hub.play(request.name())));
                session.accept(now, request)?;
            }
            ServerEvent::Frame { frame, .. } => hub.push(published.as_ref(), frame),
            ServerEvent::PublishStopped { .. } => hub.unpublish(published.take()),
            ServerEvent::PlayStopped { .. } => playing = None,
            // The last event; the transport is shut down already.
            ServerEvent::Closed(reason) => return Ok(reason),
            _ => {}
        }
    }
}

/// Moves what waits for the player to the output; whether some is left because that is enough.
fn fill_output(connection: &mut Connection, playing: &Playing) -> bool {
    let Some((stream, feed)) = playing else {
        return false;
    };
    let (now, session) = (connection.now(), connection.session());
    let mut queue = feed.queue.lock().unwrap();
    let Some(queue) = &mut *queue else {
        session.close(now);
        return false;
    };
    while session.queued_len() <= OUTPUT_HIGH {
        let Some(frame) = queue.pop() else {
            return false;
        };
        // There is room, so if this fails the session has ended, which its last event tells.
        let _ = session.send_frame(*stream, &frame);
    }
    true
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Output beyond which frames wait in the queue, which knows what to drop, and from where on they
/// move again.
const OUTPUT_HIGH: usize = 64 << 10;
const OUTPUT_LOW: usize = 16 << 10;
