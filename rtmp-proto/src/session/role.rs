//! What tells the two roles apart.

use core::fmt;

use bytes::Bytes;

use super::{
    Role, Session,
    call::{Call, Purpose, Response},
    state::{SessionState, StreamState},
};
use crate::{
    chunk::{MessageStreamId, RawMessage},
    config::ConnectionConfig,
    error::CloseReason,
    flv::Frame,
    handshake::{HANDSHAKE_RANDOM_LEN, Handshake},
    message::{Command, SharedObject, SwfVerification, UserControl},
    time::Instant,
};

/// What a role adds to a session.
#[expect(unnameable_types, reason = "seals `Role`")]
pub trait Behaviour: Sized + fmt::Debug {
    /// Its configuration.
    type Config: fmt::Debug;
    /// Its events.
    type Event: fmt::Debug;

    /// The state of a stream whose media this side gets.
    const RECEIVING: StreamState;
    /// The state of a stream whose media this side sends.
    const SENDING: StreamState;
    /// Whether a silent sender of media is given up.
    const IDLE_LIMITED: bool;

    fn new(random: &[u8; HANDSHAKE_RANDOM_LEN]) -> Self;
    fn handshake(
        now: Instant,
        config: &Self::Config,
        random: [u8; HANDSHAKE_RANDOM_LEN],
    ) -> Handshake;
    fn connection_config(config: &Self::Config) -> &ConnectionConfig;
    /// What to say when the peer asks about the SWF file.
    fn swf(config: &Self::Config) -> Option<SwfVerification>;
    fn event(shared: Shared) -> Self::Event;
    /// Whether a request of the peer waits for the application's answer.
    fn is_waiting(&self) -> bool;
    fn outgoing_payload(frame: &Frame) -> Bytes;
    fn on_open(session: &mut Session<Self>, now: Instant)
    where
        Self: Role;
    fn on_command(
        session: &mut Session<Self>,
        now: Instant,
        stream: MessageStreamId,
        command: Command,
    ) where
        Self: Role;
    fn on_response(session: &mut Session<Self>, now: Instant, purpose: Purpose, response: Response)
    where
        Self: Role;
    fn on_close(session: &mut Session<Self>)
    where
        Self: Role;
}

/// The events that both roles have.
#[derive(Debug)]
#[expect(unnameable_types, reason = "seals `Role`")]
pub enum Shared {
    StateChanged(SessionState),
    Frame {
        stream: MessageStreamId,
        frame: Frame,
    },
    SharedObject(SharedObject),
    UserControl(UserControl),
    Call(Call),
    Response(Response),
    Unhandled(RawMessage),
    Closed(CloseReason),
}
