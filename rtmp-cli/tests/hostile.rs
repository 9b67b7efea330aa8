//! `rtmp serve` in surroundings that wish it ill.

use std::{process::Stdio, sync::Arc};

use rtmp_proto::{ClientConfig, RtmpUrl};
use rtmp_tokio::Publisher;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Whoever read the log is gone: the server has nobody to tell, and goes on.
#[tokio::test]
async fn serves_without_a_log() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_rtmp"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let address = first_address(&mut server).await;
    for _ in 0..2 {
        let url: RtmpUrl = format!("{address}/live/stream").parse().unwrap();
        let config = Arc::new(ClientConfig::default());
        let publisher = Publisher::connect(&url, config, None).await.unwrap();
        publisher.finish().await.unwrap();
    }
}

/// Where `server` listens. Closes its log.
async fn first_address(server: &mut Child) -> String {
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let (_, address) = line.split_once("listening on ").unwrap();
    address.to_owned()
}
