//! A server application in a few lines.

use bytes::Bytes;
use rtmp_proto::{
    Client, ClientEvent, MessageStreamId, RtmpUrl, Server, ServerEvent, Timestamp, flv::Frame,
};

use crate::{Connection, Failure};

/// The stream that a client's first request is about.
pub(crate) const ONE: MessageStreamId = MessageStreamId::new(1);

pub(crate) fn url() -> RtmpUrl {
    "rtmp://localhost/live/key".parse().expect("a valid URL")
}

/// A key frame of `len` bytes.
pub(crate) fn key_frame(millis: u32, len: usize) -> Frame {
    let mut payload = vec![0x17, 1, 0, 0, 0];
    payload.resize(len.max(5), 0xAB);
    Frame::video(Timestamp::from_millis(millis), Bytes::from(payload))
}

pub(crate) fn key_frames(count: u32) -> Vec<Frame> {
    (0..count)
        .map(|n| key_frame(n * 40, 300 << (n % 5)))
        .collect()
}

/// Accepts a request; gives back anything else.
pub(crate) fn answer(
    server: &mut impl Connection<Server>,
    event: ServerEvent,
) -> Option<ServerEvent> {
    let now = server.now();
    let session = server.session();
    let accepted = match event {
        ServerEvent::Connect(request) => session.accept(now, request),
        ServerEvent::Publish(request) => session.accept(now, request),
        ServerEvent::Play(request) => session.accept(now, request),
        other => return Some(other),
    };
    accepted.expect("the request is the session's");
    None
}

/// Accepts everything until the end; what is not a request is kept.
pub(crate) async fn serve(server: &mut impl Connection<Server>) -> Vec<ServerEvent> {
    let mut events = Vec::new();
    loop {
        let event = server.next_event().await.expect("not after the end");
        events.extend(answer(server, event));
        if let Some(ServerEvent::Closed(_)) = events.last() {
            return events;
        }
    }
}

/// Accepts everything until a stream was asked for.
pub(crate) async fn begin(server: &mut impl Connection<Server>) {
    loop {
        let event = server.next_event().await.expect("not after the end");
        let is_request = matches!(event, ServerEvent::Publish(_) | ServerEvent::Play(_));
        answer(server, event);
        if is_request {
            return;
        }
    }
}

/// Publishes, up to the server's consent.
pub(crate) async fn publish(client: &mut impl Connection<Client>) -> Result<(), Failure> {
    let now = client.now();
    client
        .session()
        .publish_to(now, &url())
        .expect("a fresh session");
    consent(client).await
}

/// Plays, up to the server's consent.
pub(crate) async fn play(client: &mut impl Connection<Client>) -> Result<(), Failure> {
    let now = client.now();
    client
        .session()
        .play_from(now, &url())
        .expect("a fresh session");
    consent(client).await
}

async fn consent(client: &mut impl Connection<Client>) -> Result<(), Failure> {
    loop {
        match client.next_event().await? {
            ClientEvent::Publishing { .. } | ClientEvent::Playing { .. } => return Ok(()),
            ClientEvent::Closed(reason) => return Err(Failure::Closed(reason)),
            _ => {}
        }
    }
}

/// The video frames that come until the end.
pub(crate) async fn watch(client: &mut impl Connection<Client>) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        match client.next_event().await.expect("not after the end") {
            ClientEvent::Frame { frame, .. } if frame.is_video() => frames.push(frame),
            ClientEvent::Closed(_) => return frames,
            _ => {}
        }
    }
}

pub(crate) fn frames(events: &[ServerEvent]) -> Vec<Frame> {
    let frame = |event: &ServerEvent| match event {
        ServerEvent::Frame { frame, .. } => Some(frame.clone()),
        _ => None,
    };
    events.iter().filter_map(frame).collect()
}
