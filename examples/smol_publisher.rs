//! Publishes what it reads from standard input, FLV in real time, on smol.
//!
//! ```sh
//! ffmpeg -re -i movie.mp4 -c:v libx264 -c:a aac -f flv - |
//!     cargo run -p rtmp-examples --example smol_publisher -- rtmp://localhost/live/test
//! ```
//!
//! `rtmp-async-std` without its feature `async-std` needs nothing but the traits of `futures-io`, so
//! smol's sockets will do, and so will any stream of another TLS library.
#![expect(
    clippy::indexing_slicing,
    reason = "a read gives no more than there is room for"
)]

use std::{
    env,
    io::{Stdin, stdin},
};

use anyhow::{Context, bail};
use bytes::BytesMut;
use rtmp_async_std::Publisher;
use rtmp_proto::{
    RtmpUrl,
    flv::{FileReader, Frame},
};
use smol::{Unblock, future::or, io::AsyncReadExt, net::TcpStream};

fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let (Some(url), None) = (args.next(), args.next()) else {
        bail!("usage: smol_publisher rtmp://HOST/APP/STREAM < FILE.flv");
    };
    smol::block_on(publish(&url.parse()?))
}

async fn publish(url: &RtmpUrl) -> anyhow::Result<()> {
    if url.is_tls() {
        bail!("rtmps:// needs TLS; wrap the socket, the rest stays as it is");
    }
    let tcp = TcpStream::connect((url.host(), url.port())).await;
    let tcp = tcp.with_context(|| format!("cannot connect to {}:{}", url.host(), url.port()))?;
    tcp.set_nodelay(true)?;
    let mut publisher = Publisher::over(tcp, url, Default::default()).await?;
    println!("publishing");

    let mut input = Input {
        stdin: Unblock::new(stdin()),
        bytes: BytesMut::new(),
        reader: FileReader::new(),
    };
    loop {
        // The server may end it while the input is silent. Whichever of the two is dropped loses
        // nothing.
        let ended = async { Err(publisher.ended().await.into()) };
        let Some(frame) = or(input.next_frame(), ended).await? else {
            break;
        };
        // Waits while the network is slow, so whoever writes the input has to drop frames.
        publisher.send(&frame).await?;
    }
    publisher.finish().await?;
    Ok(())
}

struct Input {
    stdin: Unblock<Stdin>,
    /// Read and not used yet.
    bytes: BytesMut,
    reader: FileReader,
}

impl Input {
    /// The next frame. One that is cut off is the end.
    async fn next_frame(&mut self) -> anyhow::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.reader.decode(&mut self.bytes)? {
                return Ok(Some(frame));
            }
            let mut bytes = [0; 8192];
            match self.stdin.read(&mut bytes).await? {
                0 => return Ok(None),
                count => self.bytes.extend_from_slice(&bytes[..count]),
            }
        }
    }
}
