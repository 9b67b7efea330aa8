//! Calls: commands that want an answer, in both directions.

use alloc::vec::Vec;
use core::fmt;

use smallvec::SmallVec;

use crate::{
    amf::Value,
    chunk::MessageStreamId,
    error::RequestError,
    message::{Command, Status, TransactionId},
};

/// A command of the peer that the session has no meaning for.
///
/// Answer it with `respond`, or drop it: nothing waits for it on this side.
pub struct Call {
    pub(super) stream: MessageStreamId,
    pub(super) command: Command,
}

impl Call {
    /// The message stream it came on.
    pub fn stream(&self) -> MessageStreamId {
        self.stream
    }

    /// The command as sent.
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// Whether the peer waits for an answer.
    pub fn wants_answer(&self) -> bool {
        self.command.transaction_id.wants_answer()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("stream", &self.stream)
            .field("command", &self.command)
            .finish()
    }
}

/// The answer of the peer to a call of ours.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Response {
    /// What `call` returned.
    pub transaction_id: TransactionId,
    /// `_result` rather than `_error`.
    pub is_success: bool,
    /// The command object.
    pub object: Value,
    /// What follows it.
    pub arguments: Vec<Value>,
}

impl Response {
    pub(super) fn new(command: Command) -> Self {
        Self {
            transaction_id: command.transaction_id,
            is_success: command.name == RESULT,
            object: command.object,
            arguments: command.arguments,
        }
    }

    /// The first argument, undefined if there is none.
    pub fn value(&self) -> &Value {
        self.arguments.first().unwrap_or(&Value::Undefined)
    }

    /// The information object, wherever the peer put it.
    pub fn status(&self) -> Option<Status> {
        let mut values = self.arguments.iter().chain([&self.object]);
        values.find_map(Status::from_value)
    }
}

impl fmt::Debug for Response {
    /// Leaves the values out: they may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("transaction_id", &self.transaction_id)
            .field("is_success", &self.is_success)
            .finish_non_exhaustive()
    }
}

/// What a call of ours was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(unnameable_types, reason = "seals `Role`")]
pub enum Purpose {
    /// `connect`.
    Connect,
    /// `createStream`.
    CreateStream,
    /// `publish` or `play` on a stream: answered by a status, but refused by `_error` too.
    Start(MessageStreamId),
    /// A courtesy whose answer changes nothing (`FCPublish`…).
    Courtesy,
    /// The application's own.
    Application,
}

/// Our calls that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct PendingCalls {
    waiting: SmallVec<[(TransactionId, Purpose); 4]>,
    last_id: u32,
}

impl PendingCalls {
    /// The next transaction ID, noted with its purpose.
    pub(super) fn begin(
        &mut self,
        purpose: Purpose,
        limit: usize,
    ) -> Result<TransactionId, RequestError> {
        if self.waiting.len() >= limit {
            // Peers that never answer courtesies (nginx-rtmp) must not block calls that matter.
            let courtesy = self
                .waiting
                .iter()
                .position(|(_, p)| *p == Purpose::Courtesy);
            let courtesy = courtesy.ok_or(RequestError::TooManyCalls { limit })?;
            self.waiting.remove(courtesy);
        }
        // 0 means "no answer", so it is left out when the count wraps.
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let id = TransactionId::new(self.last_id);
        self.waiting.push((id, purpose));
        Ok(id)
    }

    /// Whether a call for `purpose` waits for its answer.
    pub(super) fn any_for(&self, purpose: Purpose) -> bool {
        self.waiting.iter().any(|(_, waiting)| *waiting == purpose)
    }

    /// What the answer to `id` is for, if anything waits for it.
    pub(super) fn finish(&mut self, id: TransactionId) -> Option<Purpose> {
        let index = self
            .waiting
            .iter()
            .position(|(waiting, _)| *waiting == id)?;
        Some(self.waiting.remove(index).1)
    }
}

pub(super) const RESULT: &str = "_result";
pub(super) const ERROR: &str = "_error";
