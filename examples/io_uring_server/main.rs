//! A relay on `compio`: io_uring on Linux, IOCP on Windows, polling elsewhere.
//!
//! ```sh
//! cargo run -p rtmp-examples --example io_uring_server -- 127.0.0.1:1935
//! ffmpeg -re -i movie.mp4 -c:v libx264 -c:a aac -f flv rtmp://localhost/live/test
//! ffplay rtmp://localhost/live/test
//! ```
//!
//! With such runtimes the system owns the buffers of an operation until it has completed, and dropping
//! the operation may lose what was read. So operations in flight are kept across the waits.

mod connection;

use std::{env, time::Duration};

use anyhow::Context;
use compio::{
    net::TcpListener,
    runtime::{self, Runtime},
    time::sleep,
};
use rtmp_examples::Hub;

fn main() -> anyhow::Result<()> {
    let address = env::args()
        .nth(1)
        .context("usage: io_uring_server ADDRESS:PORT")?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    println!("driver {:?}", runtime.driver_type());
    runtime.block_on(listen(&address))
}

async fn listen(address: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on {}", listener.local_addr()?);
    let hub = Hub::default();
    loop {
        let (io, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, say.
                eprintln!("cannot accept: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let hub = hub.clone();
        runtime::spawn(async move {
            match connection::serve(io, &hub).await {
                Ok(reason) => println!("{peer}: {reason}"),
                Err(error) => println!("{peer}: {error:#}"),
            }
        })
        .detach();
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
