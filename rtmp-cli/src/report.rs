//! What becomes of a publisher, in the log.

use rtmp_proto::RtmpUrl;
use rtmp_tokio::PublisherEvent;

use crate::failure::session_failure;

/// One line for what happened on the way to `url`.
pub(crate) fn report(url: &RtmpUrl, event: PublisherEvent) {
    match event {
        PublisherEvent::Connected { connection: 1 } => tracing::info!("{url}: publishing"),
        PublisherEvent::Connected { .. } => tracing::info!("{url}: publishing again"),
        PublisherEvent::Reconnecting {
            attempt,
            delay,
            why,
        } => {
            let why = session_failure(&why, url);
            let seconds = delay.as_secs_f64();
            tracing::warn!("{url}: {why}; attempt {attempt} in {seconds:.1} s");
        }
        PublisherEvent::Moving { to } => {
            tracing::info!("{url}: asked to reconnect to {}", crate::failure::peer(&to));
        }
        PublisherEvent::NotMoving(error) => tracing::warn!("{url}: {error}"),
        PublisherEvent::GaveUp(error) => {
            tracing::error!("{url}: gave up: {}", session_failure(&error, url));
        }
        _ => {}
    }
}
