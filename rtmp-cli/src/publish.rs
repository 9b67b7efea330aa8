//! `rtmp publish`.

use std::sync::Arc;

use anyhow::{Context, bail};
use rtmp_proto::{ClientConfig, RtmpUrl};
use rtmp_tokio::Publisher;
use tokio::time::{Instant, sleep_until};

use crate::{
    args::PublishArgs,
    failure::{peer, session_failure},
    pace::Pace,
    progress::Progress,
    rounds::Rounds,
    server, shutdown,
    source::Source,
};

pub(crate) async fn run(args: PublishArgs) -> anyhow::Result<()> {
    let url = args.url.clone().context("bad URL")?;
    let (mut publisher, source) = tokio::select! {
        started = start(&args, &url) => started?,
        signal = shutdown::requested() => return signal,
    };
    let mut progress = Progress::new();
    let outcome = tokio::select! {
        outcome = feed(&args, &mut publisher, source, &mut progress) => outcome,
        signal = shutdown::requested() => signal.map_err(End::Here),
    };
    let finished = match &outcome {
        Err(End::There(_)) => Ok(()),
        // What was sent until now is a stream that ends here.
        Ok(()) | Err(End::Here(_)) => tokio::select! {
            finished = publisher.finish() => finished.map_err(End::There),
            // Who asks again does not want to wait for the server.
            signal = shutdown::requested() => signal.map_err(End::Here),
        },
    };
    outcome.and(finished).map_err(|end| match end {
        End::Here(error) => error,
        End::There(error) => {
            session_failure(&error, &url).context(format!("{} ended the stream", peer(&url)))
        }
    })?;
    progress.finish();
    Ok(())
}

/// What a stream ended with before its time.
enum End {
    /// The file, or this program.
    Here(anyhow::Error),
    /// The server, or the way to it.
    There(rtmp_tokio::Error),
}

/// Looks at the file before it troubles a server.
async fn start(args: &PublishArgs, url: &RtmpUrl) -> anyhow::Result<(Publisher, Source)> {
    if args.repeat && !Source::is_repeatable(&args.file).await {
        bail!("only a regular file can be published in a loop");
    }
    let source = Source::open(&args.file).await?;
    let io = server::connect(url, args.tls_ca.as_deref()).await?;
    let publisher = Publisher::over(io, url, Arc::new(ClientConfig::default()))
        .await
        .map_err(|error| session_failure(&error, url))
        .with_context(|| format!("cannot publish to {}", peer(url)))?;
    Ok((publisher, source))
}

/// Sends the file, or the file again and again, frame by frame when each is due.
async fn feed(
    args: &PublishArgs,
    publisher: &mut Publisher,
    mut source: Source,
    progress: &mut Progress,
) -> Result<(), End> {
    let began = Instant::now();
    let mut pace = Pace::default();
    let mut rounds = Rounds::default();
    let mut frames = 0;
    loop {
        let next = tokio::select! {
            next = source.next() => next.map_err(End::Here)?,
            error = publisher.ended() => return Err(End::There(error)),
        };
        let Some(frame) = next else {
            if !args.repeat {
                return Ok(());
            }
            source = Source::open(&args.file).await.map_err(End::Here)?;
            rounds.next_round();
            continue;
        };
        if rounds.is_repetition(&frame) {
            continue;
        }
        let frame = rounds.place(frame);
        let now = began.elapsed();
        let due = pace.due(now, &frame);
        if due > now {
            wait_until(began + due, publisher).await?;
        }
        publisher.send(&frame).await.map_err(End::There)?;
        frames += 1;
        progress.show(pace.elapsed(), publisher.stats().bytes_sent, frames);
    }
}

async fn wait_until(due: Instant, publisher: &mut Publisher) -> Result<(), End> {
    tokio::select! {
        () = sleep_until(due) => Ok(()),
        error = publisher.ended() => Err(End::There(error)),
    }
}
