//! Plays one stream many times over: a load for a server.
//!
//! ```sh
//! cargo run --release -p rtmp-examples --example many_players -- rtmp://localhost/live/test 400 10
//! ```
//!
//! Plays the URL 400 times for 10 seconds after all have begun, and prints how much of the stream's
//! own time each player got in these seconds: 10 000 ms is real time.

use std::{sync::Arc, time::Duration};

use rtmp_proto::{ClientConfig, RtmpUrl};
use rtmp_tokio::{Error, Player};
use tokio::{sync::Barrier, task::JoinSet, time};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url: RtmpUrl = args.next().ok_or("which URL?")?.parse()?;
    let players: usize = args.next().ok_or("how many players?")?.parse()?;
    let seconds: u64 = args.next().ok_or("for how many seconds?")?.parse()?;

    let config = Arc::new(ClientConfig::default());
    let all_playing = Arc::new(Barrier::new(players));
    let mut tasks = JoinSet::new();
    for _ in 0..players {
        let player = Player::connect(&url, Arc::clone(&config), None).await?;
        let all_playing = Arc::clone(&all_playing);
        tasks.spawn(play(player, all_playing, Duration::from_secs(seconds)));
    }
    let mut played = Vec::new();
    let mut bytes = 0;
    while let Some(result) = tasks.join_next().await {
        let (millis, received) = result??;
        played.push(millis);
        bytes += received;
    }
    played.sort_unstable();
    println!("players     {players}");
    if let (Some(least), Some(most)) = (played.first(), played.last()) {
        println!("media ms    {least} to {most}");
    }
    println!("received    {:.3} GB in {seconds} s", bytes as f64 / 1e9);
    Ok(())
}

/// Milliseconds of video and bytes received in `duration` from the moment when all play.
async fn play(
    mut player: Player,
    all_playing: Arc<Barrier>,
    duration: Duration,
) -> Result<(i64, u64), Error> {
    // What a late joiner gets at once is no part of the measurement.
    let settle = async {
        while player.next_frame().await?.is_some() {}
        Ok::<_, Error>(())
    };
    let settled = tokio::select! {
        settled = settle => settled,
        _ = async { all_playing.wait().await; time::sleep(Duration::from_secs(1)).await } => Ok(()),
    };
    settled?;
    let before = player.stats().bytes_received;
    let (mut first, mut last) = (None, None);
    let _ = time::timeout(duration, async {
        while let Ok(Some(frame)) = player.next_frame().await {
            if frame.is_video() && frame.is_coded_media() {
                first.get_or_insert(frame.timestamp);
                last = Some(frame.timestamp);
            }
        }
    })
    .await;
    let bytes = player.stats().bytes_received - before;
    let millis = match (first, last) {
        (Some(first), Some(last)) => i64::from(last.signed_millis_since(first)),
        _ => 0,
    };
    Ok((millis, bytes))
}
