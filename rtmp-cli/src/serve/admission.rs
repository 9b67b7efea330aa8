//! Who is let in, as long as there is room.

use std::{net::IpAddr, sync::Arc};

use rtmp_proto::{Status, StatusCode};

use super::{
    memory::{Account, Memory},
    origin::{FromOrigin, Origins},
    permit::{Permit, Pool},
};
use crate::args::{Limits, Maximum};

/// The limits of a server, and what is taken of them.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Arc<Pool>,
    origins: Arc<Origins>,
    publishers: Arc<Pool>,
    players: Arc<Pool>,
    players_per_stream: Maximum,
    memory: Arc<Memory>,
}

/// A connection that was let in; makes room for another one when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    _place: Permit,
    _origin: FromOrigin,
}

/// Why a stream may not be published or played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The stream has a publisher that stays.
    Published,
    TooManyPublishers,
    TooManyPlayers,
    /// Of this stream.
    StreamIsFull,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connections: Pool::new("connections", limits.max_connections),
            origins: Origins::new(limits.max_connections_per_address),
            publishers: Pool::new("publishers", limits.max_publishers),
            players: Pool::new("players", limits.max_players),
            players_per_stream: limits.max_players_per_stream,
            memory: Memory::new(limits.max_buffered.bytes()),
        }
    }

    /// For a connection that was just accepted.
    pub(super) fn connection(&self, from: IpAddr) -> Option<ConnectionPermit> {
        // The address first: one that has too many is not told as a lack of places for all.
        let origin = self.origins.admit(from)?;
        let place = self.connections.take()?;
        Some(ConnectionPermit {
            _place: place,
            _origin: origin,
        })
    }

    /// Connections let in and not ended.
    pub(super) fn connections(&self) -> usize {
        self.connections.taken()
    }

    /// For the publisher of a stream that has none.
    pub(super) fn publisher(&self) -> Result<Permit, Refusal> {
        self.publishers.take().ok_or(Refusal::TooManyPublishers)
    }

    /// For one more player of a stream that has `players`.
    pub(super) fn player(&self, players: usize) -> Result<Permit, Refusal> {
        if !self.players_per_stream.allows(players) {
            return Err(Refusal::StreamIsFull);
        }
        self.players.take().ok_or(Refusal::TooManyPlayers)
    }

    /// For a stream or a recording.
    pub(super) fn account(&self) -> Account {
        self.memory.open()
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.memory.held()
    }
}

impl Refusal {
    /// For the log.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Published => "the stream has a publisher",
            Self::TooManyPublishers => "too many publishers",
            Self::TooManyPlayers => "too many players",
            Self::StreamIsFull => "the stream has too many players",
        }
    }

    /// For the client.
    ///
    /// The codes are those at which OBS and librtmp give up with a message instead of waiting for the
    /// socket to close. `NetStream.Publish.Denied` would be one too, but says that this publisher is not
    /// welcome, at which good clients do not come back later.
    pub(super) fn status(self) -> Status {
        match self {
            Self::Published => {
                Status::error(StatusCode::PUBLISH_BAD_NAME, "stream is being published")
            }
            Self::TooManyPublishers => {
                Status::error(StatusCode::new("NetStream.Failed"), "too many publishers")
            }
            Self::TooManyPlayers | Self::StreamIsFull => {
                Status::error(StatusCode::PLAY_FAILED, "too many players")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(change: impl FnOnce(&mut Limits)) -> Admission {
        let mut limits = Limits::none();
        change(&mut limits);
        Admission::new(&limits)
    }

    /// Who is refused for its address takes no place of the others, and the reverse.
    #[test]
    fn refused_connections_take_nothing() {
        let admission = admission(|limits| {
            limits.max_connections = Maximum::from(2);
            limits.max_connections_per_address = Maximum::from(1);
        });
        let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let first = admission.connection(a).unwrap();
        assert!(admission.connection(a).is_none());
        let _second = admission.connection(b).unwrap();
        assert!(admission.connection(c).is_none());
        assert_eq!(admission.connections(), 2);
        drop(first);
        assert!(admission.connection(c).is_some());
    }

    #[test]
    fn a_full_stream_is_not_a_full_server() {
        let admission = admission(|limits| {
            limits.max_players = Maximum::from(2);
            limits.max_players_per_stream = Maximum::from(1);
        });
        let _first = admission.player(0).unwrap();
        assert_eq!(admission.player(1).unwrap_err(), Refusal::StreamIsFull);
        let _second = admission.player(0).unwrap();
        assert_eq!(admission.player(0).unwrap_err(), Refusal::TooManyPlayers);
    }

    #[test]
    fn without_limits_there_is_room_for_all() {
        let admission = admission(|_| {});
        let permits: Vec<_> = (0..5000).map(|n| admission.player(n).unwrap()).collect();
        assert_eq!(permits.len(), 5000);
    }
}
