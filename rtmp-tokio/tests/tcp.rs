//! Real sockets on 127.0.0.1.

mod common;

use std::sync::Arc;

use common::{ONE, answer, frames, key_frame, serve};
use rtmp_proto::{ClientConfig, RtmpUrl, ServerConfig, ServerEvent};
use rtmp_tokio::{Connection, Error, Listener, Player, Publisher};
use tokio::task::JoinSet;

fn url_of(listener: &Listener) -> RtmpUrl {
    let address = listener.local_addr().unwrap();
    format!("rtmp://{address}/live/key").parse().unwrap()
}

/// The publisher closes as soon as it has sent the last frame.
#[tokio::test]
async fn a_publisher_that_ends_at_once_loses_nothing() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = url_of(&listener);
    let publishing = async {
        let config = Arc::new(ClientConfig::default());
        let mut publisher = Publisher::connect(&url, config, None).await.unwrap();
        for n in 0..200 {
            publisher.send(&key_frame(n, 20_000)).await.unwrap();
        }
        publisher.finish().await.unwrap();
    };
    let serving = async {
        let (incoming, _) = listener.accept().await.unwrap();
        let io = incoming.establish().await.unwrap();
        serve(&mut common::server(io)).await
    };
    let ((), events) = tokio::join!(publishing, serving);
    assert_eq!(frames(&events).len(), 200);
}

/// The server closes as soon as it has queued the last frame, though the player still talks.
#[tokio::test]
async fn a_server_that_ends_at_once_loses_nothing() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = url_of(&listener);
    let serving = async {
        let (incoming, _) = listener.accept().await.unwrap();
        let mut server = common::server(incoming.establish().await.unwrap());
        loop {
            let event = server.next_event().await.unwrap();
            let is_play = matches!(event, ServerEvent::Play(_));
            answer(&mut server, event);
            if is_play {
                break;
            }
        }
        for n in 0..150 {
            server
                .session()
                .send_frame(ONE, &key_frame(n, 20_000))
                .unwrap();
        }
        server.close().await.unwrap();
    };
    let playing = async {
        let config = Arc::new(ClientConfig::default());
        let mut player = Player::connect(&url, config, None).await.unwrap();
        let mut count = 0;
        while let Some(frame) = player.next_frame().await.unwrap() {
            count += u32::from(frame.is_video());
        }
        drop(player);
        count
    };
    let ((), count) = tokio::join!(serving, playing);
    assert_eq!(count, 150);
}

#[tokio::test]
async fn a_hundred_connections_at_once() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = url_of(&listener);
    let mut publishers = JoinSet::new();
    for _ in 0..100 {
        let url = url.clone();
        publishers.spawn(async move {
            let config = Arc::new(ClientConfig::default());
            let mut publisher = Publisher::connect(&url, config, None).await.unwrap();
            for n in 0..20 {
                publisher.send(&key_frame(n, 1000)).await.unwrap();
            }
            publisher.finish().await.unwrap();
        });
    }
    let config = Arc::new(ServerConfig::default());
    let mut servers = JoinSet::new();
    for _ in 0..100 {
        let (incoming, _) = listener.accept().await.unwrap();
        let config = Arc::clone(&config);
        servers.spawn(async move {
            let io = incoming.establish().await.unwrap();
            let mut server = Connection::new(io, config).unwrap();
            frames(&serve(&mut server).await).len()
        });
    }
    assert_eq!(servers.join_all().await, [20; 100]);
    publishers.join_all().await;
}

#[tokio::test]
async fn rtmps_without_tls_is_refused() {
    let url: RtmpUrl = "rtmps://127.0.0.1:1/live/key".parse().unwrap();
    let config = Arc::new(ClientConfig::default());
    let refused = Publisher::connect(&url, config, None).await;
    assert!(matches!(refused, Err(Error::NoTls)), "{refused:?}");
}
