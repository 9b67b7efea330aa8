//! A relay inside a program of one's own, on tokio: publishers need a key, players start at once on a
//! key frame, and a slow one misses frames without anybody else noticing.
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
use rtmp_proto::{ServerConfig, Status, StatusCode};
use rtmp_tokio::{Error, FrameSink, PlayerEvent, Request, Server, ServerConnection};
use tokio::{signal, time::sleep};

use hub::{Hub, Seat};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let (Some(address), Some(key), None) = (args.next(), args.next(), args.next()) else {
        bail!("usage: tokio_server ADDRESS:PORT KEY");
    };
    let config = Arc::new(ServerConfig::default());
    let hub = Arc::new(Hub::new(config.connection.chunk_size));
    let server = Server::bind(&address, config).await;
    let server = server.with_context(|| format!("cannot listen on {address}"))?;
    for listener in server.listeners() {
        println!("listening on {}", listener.local_addr()?);
    }
    let key = Arc::<str>::from(key);
    loop {
        let accepted = tokio::select! {
            accepted = server.accept() => accepted,
            _ = signal::ctrl_c() => break,
        };
        let incoming = match accepted {
            Ok(incoming) => incoming,
            Err(error) => {
                // Out of descriptors, say.
                eprintln!("cannot accept: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (hub, key) = (Arc::clone(&hub), Arc::clone(&key));
        tokio::spawn(async move {
            let peer = incoming.peer_addr();
            let end = match incoming.establish().await {
                Ok(client) => serve(client, &hub, &key).await,
                Err(error) => error,
            };
            println!("{peer}: {end}");
        });
    }
    // Publishers first; players get what is left for them.
    server.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

/// One client, up to its end.
async fn serve(mut client: ServerConnection, hub: &Hub, key: &str) -> Error {
    loop {
        if let Err(end) = serve_request(&mut client, hub, key).await {
            return end;
        }
    }
}

async fn serve_request(client: &mut ServerConnection, hub: &Hub, key: &str) -> Result<(), Error> {
    match client.next_request().await? {
        Request::Publish(asked) => {
            if asked.request().query().get("key").as_deref() != Some(key) {
                let status = Status::error(StatusCode::PUBLISH_UNAUTHORIZED, "wrong key");
                return asked.reject(status).await;
            }
            let Some(publication) = hub.publish(asked.request().name()) else {
                let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "already published");
                return asked.reject(status).await;
            };
            let mut source = asked.accept()?;
            while let Some(frame) = source.next_frame().await? {
                publication.push(&frame);
            }
            Ok(())
        }
        Request::Play(asked) => {
            let seat = hub.play(asked.request().name());
            play(asked.accept()?, seat).await
        }
        other => {
            println!("not served: {other:?}");
            Ok(())
        }
    }
}

async fn play(mut sink: FrameSink<'_>, mut seat: Seat) -> Result<(), Error> {
    loop {
        let mut is_full = true;
        while sink.queued_len() < OUTPUT_HIGH {
            let Some(portion) = seat.next() else {
                is_full = false;
                break;
            };
            sink.queue_portion(&portion)?;
        }
        let event = if is_full {
            sink.next_event_or_room(OUTPUT_LOW).await?
        } else {
            tokio::select! {
                event = sink.next_event() => Some(event?),
                () = seat.changed() => None,
            }
        };
        match event {
            Some(PlayerEvent::Resumed) => seat.restart(),
            Some(PlayerEvent::Stopped) => return Ok(()),
            Some(PlayerEvent::ShuttingDown) => break,
            _ => {}
        }
    }
    while let Some(portion) = seat.next() {
        sink.queue_portion(&portion)?;
        sink.drained(OUTPUT_LOW).await?;
    }
    sink.finish().await
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Output beyond which a player is left behind, and from where on it gets more.
const OUTPUT_HIGH: usize = 128 << 10;
const OUTPUT_LOW: usize = 32 << 10;
