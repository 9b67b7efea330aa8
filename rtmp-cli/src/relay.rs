//! `rtmp relay`.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use rtmp_proto::{
    ConnectParams, Next, PublisherState, Reconnect, ReconnectConfig, Retry, RtmpUrl,
    relay::Timeline,
};
use rtmp_tokio::{Error, Player, ReconnectingPublisher, tls};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    args::{RelayArgs, RelaySource},
    failure::{peer, session_failure},
    lane::{Item, Lane},
    pace::Pace,
    report::report,
    server,
    shutdown::Shutdown,
    sink::is_for_player,
    source::Source,
};

pub(crate) async fn run(args: RelayArgs, shutdown: &mut Shutdown) -> anyhow::Result<()> {
    let destinations = args
        .destinations
        .iter()
        .map(|url| url.clone().context("bad URL"))
        .collect::<Result<Vec<_>, _>>()?;
    let tls_ca = args.tls_ca.as_deref();
    let input = tokio::select! {
        opened = Input::open(&args.source, tls_ca) => opened?,
        () = shutdown.requested() => return Ok(()),
    };
    let mut lanes = Vec::new();
    let mut outputs = JoinSet::new();
    for url in destinations {
        let lane = Arc::new(Lane::default());
        lanes.push(Arc::clone(&lane));
        let publisher = server::lasting_publisher(&url, tls_ca)?;
        outputs.spawn(output(lane, publisher, url));
    }
    let mut reached = 0;
    let outcome = tokio::select! {
        fed = input.feed(&lanes) => fed,
        () = shutdown.requested() => Ok(()),
        () = join(&mut outputs, &mut reached) => return Err(anyhow!(NOBODY_LEFT)),
    };
    for lane in &lanes {
        lane.close();
    }
    tokio::select! {
        () = join(&mut outputs, &mut reached) => {}
        // Who asks again does not want to wait for the servers.
        () = shutdown.requested() => return outcome,
    }
    outcome?;
    match reached {
        0 => bail!(NOBODY_LEFT),
        _ => Ok(()),
    }
}

/// Where the stream comes from.
enum Input {
    File(Source),
    Server {
        url: RtmpUrl,
        tls: Option<tls::Connector>,
    },
}

impl Input {
    async fn open(source: &RelaySource, tls_ca: Option<&Path>) -> anyhow::Result<Self> {
        Ok(match source {
            RelaySource::File(path) => Self::File(Source::open(path).await?),
            RelaySource::Url(url) => {
                let url = url.clone().context("bad URL")?;
                let tls = server::lasting_connector(&url, tls_ca)?;
                Self::Server { url, tls }
            }
        })
    }

    async fn feed(self, lanes: &[Arc<Lane>]) -> anyhow::Result<()> {
        match self {
            Self::File(source) => feed_file(source, lanes).await,
            Self::Server { url, tls } => feed_live(&url, tls.as_ref(), lanes).await,
        }
    }
}

/// Passes a file on in real time.
async fn feed_file(mut source: Source, lanes: &[Arc<Lane>]) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut pace = Pace::default();
    while let Some(frame) = source.next().await? {
        let now = began.elapsed();
        let due = pace.due(now, &frame);
        if due > now {
            sleep_until(began + due).await;
        }
        for lane in lanes {
            lane.push(&frame);
        }
    }
    Ok(())
}

/// Passes a stream on, again and again, until its server refuses it for good.
async fn feed_live(
    url: &RtmpUrl,
    tls: Option<&tls::Connector>,
    lanes: &[Arc<Lane>],
) -> anyhow::Result<()> {
    let began = Instant::now();
    let now = || rtmp_proto::Instant::from_origin(began.elapsed());
    let mut reconnect = Reconnect::new(url.clone(), ReconnectConfig::default());
    let mut timeline = Timeline::default();
    loop {
        let ended = match play(reconnect.target(), tls).await {
            Ok(mut player) => {
                reconnect.connected(now());
                tracing::info!("{url}: playing");
                timeline.restart();
                for lane in lanes {
                    lane.resync();
                }
                let ended = pass_on(&mut player, &mut reconnect, &mut timeline, lanes).await;
                if let Err(Error::ReconnectRequest(_)) = ended {
                    let to = peer(reconnect.target());
                    tracing::info!("{url}: asked to reconnect to {to}");
                    // Nobody waits for what such a server still has to say.
                    drop(player);
                    sleep(reconnect.moving(now(), rtmp_tokio::random())).await;
                    continue;
                }
                ended
            }
            Err(error) => Err(error),
        };
        let (why, retry) = match ended {
            Ok(()) => (anyhow!("the stream has ended"), Retry::Always),
            Err(error) => (session_failure(&error, url), error.retry()),
        };
        match reconnect.ended(now(), retry, rtmp_tokio::random()) {
            Next::Wait { attempt, delay } => {
                let seconds = delay.as_secs_f64();
                tracing::warn!("{url}: {why}; attempt {attempt} in {seconds:.1} s");
                sleep(delay).await;
            }
            Next::GiveUp => return Err(why.context(format!("cannot play from {}", peer(url)))),
        }
    }
}

async fn play(url: &RtmpUrl, tls: Option<&tls::Connector>) -> Result<Player, Error> {
    let params = ConnectParams::player(url).reconnecting();
    Player::connect_with(url, Arc::default(), tls, params).await
}

/// Passes frames on until the stream ends, or is to be played from elsewhere.
async fn pass_on(
    player: &mut Player,
    reconnect: &mut Reconnect,
    timeline: &mut Timeline,
    lanes: &[Arc<Lane>],
) -> Result<(), Error> {
    loop {
        let frame = match player.next_frame().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(()),
            Err(Error::ReconnectRequest(status)) => match reconnect.redirect(&status) {
                Ok(_) => return Err(Error::ReconnectRequest(status)),
                Err(error) => {
                    tracing::warn!("{}: {error}", reconnect.target());
                    continue;
                }
            },
            Err(error) => return Err(error),
        };
        if is_for_player(&frame) {
            continue;
        }
        let frame = timeline.place(frame);
        for lane in lanes {
            lane.push(&frame);
        }
    }
}

/// Publishes what comes through `lane`; whether the end of it was reached.
async fn output(lane: Arc<Lane>, mut publisher: ReconnectingPublisher, url: RtmpUrl) -> bool {
    // A stream without media is not announced: servers would throw it out.
    let mut has_begun = false;
    loop {
        match lane.pop() {
            Item::Frame(frame) => {
                has_begun = true;
                publisher.send(&frame).await;
                continue;
            }
            Item::End if !has_begun => return true,
            Item::End => break,
            Item::Nothing => {}
        }
        tokio::select! {
            () = lane.woken() => {}
            event = publisher.next_event(), if has_begun => match event {
                Some(event) => report(&url, event),
                None => return false,
            },
        }
    }
    let flushing = async {
        loop {
            match publisher.flush().await {
                Ok(()) => return true,
                Err(Some(event)) => report(&url, event),
                Err(None) => return false,
            }
        }
    };
    let is_flushed = timeout(FLUSH_TIMEOUT, flushing).await.unwrap_or(false);
    if !is_flushed && publisher.state() != PublisherState::GaveUp {
        tracing::error!("{url}: not everything was sent before the end");
    }
    let dropped = publisher.dropped();
    if dropped.video + dropped.audio > 0 {
        let (video, audio) = (dropped.video, dropped.audio);
        tracing::warn!("{url}: {video} video and {audio} audio frames were dropped");
    }
    match publisher.finish().await {
        Ok(()) => is_flushed,
        Err(error) => {
            tracing::error!("{url}: {:#}", session_failure(&error, &url));
            false
        }
    }
}

/// Waits for all outputs, counting those that reached the end.
async fn join(outputs: &mut JoinSet<bool>, reached: &mut usize) {
    while let Some(output) = outputs.join_next().await {
        *reached += usize::from(output.unwrap_or(false));
    }
}

const NOBODY_LEFT: &str = "every destination has given up";

/// How long destinations may take to get what waits when the source has ended.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
