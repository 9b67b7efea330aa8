//! `rtmp play`.

use std::{io, time::Duration};

use anyhow::Context;
use rtmp_tokio::{Error, Player};
use tokio::time::{Instant, sleep_until};

use crate::{
    args::PlayArgs,
    description::Description,
    failure::{io_failure, peer, session_failure},
    progress::Progress,
    server,
    shutdown::Shutdown,
    sink::Sink,
};

pub(crate) async fn run(args: PlayArgs, shutdown: &mut Shutdown) -> anyhow::Result<()> {
    let url = args.url.clone().context("bad URL")?;
    Sink::check(&args.output)?;
    let mut player = tokio::select! {
        started = server::player(&url, args.tls_ca.as_deref()) => started?,
        () = shutdown.requested() => return Ok(()),
    };
    // Not earlier: a refusal should not cost anybody an older recording.
    let mut sink = tokio::select! {
        opened = Sink::open(&args.output) => opened?,
        () = shutdown.requested() => return Ok(()),
    };
    let mut progress = Progress::new();
    let recorded = record(&args, &mut player, &mut sink, &mut progress, shutdown).await;
    let written = match &recorded {
        Err(End::Output(_)) => Ok(()),
        _ => sink.finish().await.map_err(End::Output),
    };
    let outcome = recorded.and(written);
    if !matches!(outcome, Err(End::Server(_))) {
        tokio::select! {
            // Everything is written, however the connection ends.
            _ = player.finish() => {}
            // Who asks again does not want to wait for the server.
            () = shutdown.requested() => {}
        }
    }
    match outcome {
        Ok(()) => {}
        // Who reads has seen enough, as `head` does.
        Err(End::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(End::Output(error)) => {
            return Err(io_failure(error).context(format!("cannot write {}", sink.name())));
        }
        Err(End::Server(error)) => {
            let error = session_failure(&error, &url);
            return Err(error.context(format!("{} ended the stream", peer(&url))));
        }
    }
    progress.finish();
    Ok(())
}

/// What a recording ended with before its time.
enum End {
    /// The file or the pipe.
    Output(io::Error),
    /// The server, or the way to it.
    Server(Error),
}

/// Writes what comes until the stream ends, or it was enough.
async fn record(
    args: &PlayArgs,
    player: &mut Player,
    sink: &mut Sink,
    progress: &mut Progress,
    shutdown: &mut Shutdown,
) -> Result<(), End> {
    let mut flush_at = Instant::now() + FLUSH_INTERVAL;
    let mut description = Description::default();
    let mut frames = 0;
    loop {
        let frame = tokio::select! {
            biased;
            () = shutdown.requested() => return Ok(()),
            () = sleep_until(flush_at) => {
                sink.flush().await.map_err(End::Output)?;
                flush_at = Instant::now() + FLUSH_INTERVAL;
                continue;
            }
            next = player.next_frame() => match next {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                // A recording is of one connection, which goes on until the server closes it.
                Err(Error::ReconnectRequest(_)) => continue,
                Err(error) => return Err(End::Server(error)),
            },
        };
        if args
            .duration
            .is_some_and(|duration| sink.is_beyond(duration, &frame))
        {
            return Ok(());
        }
        if let Some(line) = description.push(&frame) {
            progress.tell(&line);
        }
        let is_pipe = sink.is_pipe();
        tokio::select! {
            pushed = sink.push(frame) => pushed.map_err(End::Output)?,
            // Half a tag does no harm in a pipe, waiting for its reader might.
            () = shutdown.requested(), if is_pipe => {
                sink.discard();
                return Ok(());
            }
        }
        frames += 1;
        progress.show(sink.elapsed(), player.stats().bytes_received, frames);
    }
}

/// What is lost of a recording if the program is killed.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
