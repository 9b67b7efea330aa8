//! What events mean to a client that does one thing only.

use super::ClientEvent;
use crate::{
    error::CloseReason,
    flv::Frame,
    message::{Level, Status, StatusCode},
};

/// What a player does with an event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Playback {
    /// The next frame.
    Frame(Frame),
    /// The server says that the stream is over. The session goes on.
    Ended,
    /// The server asks for a reconnect, as a [`Reconnect`](crate::Reconnect) decides. The session goes
    /// on for now. [E-RTMP v2 "NetConnection.Connect.ReconnectRequest"]
    ReconnectRequest(Status),
    /// The session or the stream has ended without such a word.
    Failed(CloseReason),
}

impl ClientEvent {
    /// Why the stream of a publisher ends with this event, if it does.
    ///
    /// Some servers (nginx-rtmp) report an error after the start and go on reading without using
    /// anything.
    pub fn publish_end(self) -> Option<CloseReason> {
        match self {
            Self::Closed(reason) => Some(reason),
            Self::Status { status, .. } if status.level == Level::Error => {
                Some(CloseReason::Refused(status))
            }
            _ => None,
        }
    }

    /// What it is to a player that plays one stream; `None` if nothing.
    pub fn playback(self) -> Option<Playback> {
        match self {
            Self::Frame { frame, .. } => Some(Playback::Frame(frame)),
            Self::Closed(reason) => Some(Playback::Failed(reason)),
            Self::Status { status, .. } => match &status.code {
                code if END_OF_STREAM.contains(code) => Some(Playback::Ended),
                code if *code == StatusCode::CONNECT_RECONNECT_REQUEST => {
                    Some(Playback::ReconnectRequest(status))
                }
                _ if status.level == Level::Error => {
                    Some(Playback::Failed(CloseReason::Refused(status)))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Output that may wait at a publisher before it holds back, in bytes: some tenths of a second of
/// high-quality video.
pub const SEND_AHEAD: usize = 256 << 10;

/// What servers say when a stream is over.
const END_OF_STREAM: [StatusCode; 3] = [
    StatusCode::PLAY_STOP,
    StatusCode::PLAY_UNPUBLISH_NOTIFY,
    StatusCode::PLAY_COMPLETE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MessageStreamId, SessionState, Timestamp};

    fn event(status: &Status) -> ClientEvent {
        ClientEvent::Status {
            stream: MessageStreamId::new(1),
            status: status.clone(),
        }
    }

    #[test]
    fn the_end_of_a_publisher() {
        let error = Status::error(StatusCode::PUBLISH_BAD_NAME, "in use");
        let refused = CloseReason::Refused(error.clone());
        assert_eq!(event(&error).publish_end(), Some(refused));
        let closed = ClientEvent::Closed(CloseReason::Local);
        assert_eq!(closed.publish_end(), Some(CloseReason::Local));
        let other = Status::new(StatusCode::PUBLISH_IDLE, "");
        assert_eq!(event(&other).publish_end(), None);
    }

    #[test]
    fn what_a_player_sees() {
        for code in END_OF_STREAM {
            let end = event(&Status::new(code, "")).playback();
            assert_eq!(end, Some(Playback::Ended));
        }
        let request = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "");
        assert_eq!(
            event(&request).playback(),
            Some(Playback::ReconnectRequest(request))
        );
        let error = Status::error(StatusCode::PLAY_FAILED, "");
        assert_eq!(
            event(&error).playback(),
            Some(Playback::Failed(CloseReason::Refused(error)))
        );
        let start = Status::new(StatusCode::PLAY_START, "");
        assert_eq!(event(&start).playback(), None);
        let stream = MessageStreamId::new(1);
        let frame = Frame::audio(Timestamp::ZERO, bytes::Bytes::from_static(&[0xAF, 1, 2]));
        let received = ClientEvent::Frame {
            stream,
            frame: frame.clone(),
        };
        assert_eq!(received.playback(), Some(Playback::Frame(frame)));
        let state = ClientEvent::StateChanged(SessionState::Connecting);
        assert_eq!(state.playback(), None);
    }
}
