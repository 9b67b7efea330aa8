//! `rtmp publish`.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rtmp_proto::{CloseReason, PublisherState, RtmpUrl, flv::Frame};
use rtmp_tokio::{Publisher, PublisherEvent, ReconnectingPublisher};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    args::PublishArgs,
    description::Description,
    failure::{peer, session_failure},
    pace::Pace,
    progress::Progress,
    report::report,
    rounds::Rounds,
    server,
    shutdown::Shutdown,
    source::Source,
};

pub(crate) async fn run(args: PublishArgs, shutdown: &mut Shutdown) -> anyhow::Result<()> {
    let url = args.url.clone().context("bad URL")?;
    let (mut target, source) = tokio::select! {
        started = start(&args, &url) => started?,
        () = shutdown.requested() => return Ok(()),
    };
    let mut progress = Progress::new();
    let outcome = tokio::select! {
        outcome = feed(&args, &mut target, source, &mut progress) => outcome,
        // Who asks does not want to wait for a server that is not there.
        () = shutdown.requested() => match target.is_connected() {
            true => Ok(()),
            false => return Ok(()),
        },
    };
    let finished = match &outcome {
        Err(End::There(_)) => Ok(()),
        // What was sent until now is a stream that ends here.
        Ok(()) | Err(End::Here(_)) => tokio::select! {
            finished = target.finish() => finished,
            // Who asks again does not want to wait for the server.
            () = shutdown.requested() => Ok(()),
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

/// Where the stream goes to.
enum Target {
    /// As long as the connection holds.
    Once(Box<Publisher>),
    /// Over as many connections as it takes.
    Lasting(Box<ReconnectingPublisher>, RtmpUrl),
}

impl Target {
    async fn send(&mut self, frame: &Frame) -> Result<(), rtmp_tokio::Error> {
        match self {
            Self::Once(publisher) => publisher.send(frame).await,
            Self::Lasting(publisher, _) => {
                publisher.send(frame).await;
                Ok(())
            }
        }
    }

    /// Waits until there is no way to go on.
    async fn ended(&mut self) -> rtmp_tokio::Error {
        match self {
            Self::Once(publisher) => publisher.ended().await,
            Self::Lasting(publisher, url) => loop {
                match publisher.next_event().await {
                    Some(PublisherEvent::GaveUp(error)) => return error,
                    Some(event) => report(url, event),
                    // It was told before.
                    None => return rtmp_tokio::Error::Closed(CloseReason::Local),
                }
            },
        }
    }

    /// Ends the stream; one that waits for a connection waits a while for it to be sent.
    async fn finish(self) -> Result<(), End> {
        let (mut publisher, url) = match self {
            Self::Once(publisher) => return publisher.finish().await.map_err(End::There),
            Self::Lasting(publisher, url) => (publisher, url),
        };
        let flushing = async {
            while let Err(Some(event)) = publisher.flush().await {
                match event {
                    PublisherEvent::GaveUp(error) => return Err(End::There(error)),
                    event => report(&url, event),
                }
            }
            Ok(())
        };
        let flushed = timeout(FLUSH_TIMEOUT, flushing).await;
        flushed.unwrap_or_else(|_| {
            let seconds = FLUSH_TIMEOUT.as_secs();
            let peer = peer(&url);
            Err(End::Here(anyhow!(
                "{peer} did not take the end of the stream within {seconds} s"
            )))
        })?;
        publisher.finish().await.map_err(End::There)
    }

    fn is_connected(&self) -> bool {
        match self {
            Self::Once(_) => true,
            Self::Lasting(publisher, _) => publisher.state() == PublisherState::Connected,
        }
    }

    fn bytes_sent(&mut self) -> u64 {
        match self {
            Self::Once(publisher) => publisher.stats().bytes_sent,
            Self::Lasting(publisher, _) => publisher.bytes_sent(),
        }
    }
}

/// Looks at the file before it troubles a server.
async fn start(args: &PublishArgs, url: &RtmpUrl) -> anyhow::Result<(Target, Source)> {
    if args.repeat && !Source::is_repeatable(&args.file).await {
        bail!("only a regular file can be published in a loop");
    }
    let source = Source::open(&args.file).await?;
    let tls_ca = args.tls_ca.as_deref();
    if args.reconnect {
        let publisher = server::lasting_publisher(url, tls_ca)?;
        return Ok((Target::Lasting(Box::new(publisher), url.clone()), source));
    }
    let publisher = server::publisher(url, tls_ca).await?;
    Ok((Target::Once(Box::new(publisher)), source))
}

/// Sends the file, or the file again and again, frame by frame when each is due.
async fn feed(
    args: &PublishArgs,
    target: &mut Target,
    mut source: Source,
    progress: &mut Progress,
) -> Result<(), End> {
    let began = Instant::now();
    let mut pace = Pace::default();
    let mut rounds = Rounds::default();
    let mut description = Description::default();
    let mut frames = 0;
    loop {
        let next = tokio::select! {
            next = source.next() => next.map_err(End::Here)?,
            error = target.ended() => return Err(End::There(error)),
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
        if let Some(line) = description.push(&frame) {
            progress.tell(&line);
        }
        let frame = rounds.place(frame);
        let now = began.elapsed();
        let due = pace.due(now, &frame);
        if due > now {
            wait_until(began + due, target).await?;
        }
        target.send(&frame).await.map_err(End::There)?;
        frames += 1;
        progress.show(pace.elapsed(), target.bytes_sent(), frames);
    }
}

async fn wait_until(due: Instant, target: &mut Target) -> Result<(), End> {
    tokio::select! {
        () = sleep_until(due) => Ok(()),
        error = target.ended() => Err(End::There(error)),
    }
}

/// How long a server that is not there may take to come back when everything has been read: two of the
/// longest waits between attempts.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
