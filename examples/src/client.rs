//! The application of a server: what it answers, who gets what.

use std::{cell::RefCell, collections::HashMap, fmt, rc::Rc};

use rtmp_proto::{
    Instant, MessageStreamId, RequestError, ServerEvent, ServerSession, Status, StatusCode,
    StreamName,
};

use crate::channel::{Channel, Feed};

/// All streams of a server, shared by its connections.
#[derive(Clone, Default)]
pub struct Hub(Rc<RefCell<HashMap<StreamName, Channel>>>);

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// What one connection does: it publishes one stream or plays one. Drop it when the connection is gone.
pub struct Client {
    hub: Hub,
    wake: Rc<dyn Fn()>,
    publishing: Option<StreamName>,
    playing: Option<(MessageStreamId, Rc<Feed>)>,
}

impl Client {
    /// `wake` is called when there are frames for [`fill`](Self::fill).
    pub fn new(hub: &Hub, wake: impl Fn() + 'static) -> Self {
        let (hub, wake) = (hub.clone(), Rc::new(wake));
        let (publishing, playing) = (None, None);
        Self {
            hub,
            wake,
            publishing,
            playing,
        }
    }

    /// Answers requests, and passes frames on.
    pub fn handle(
        &mut self,
        now: Instant,
        session: &mut ServerSession,
        event: ServerEvent,
    ) -> Result<(), RequestError> {
        let is_busy = self.publishing.is_some() || self.playing.is_some();
        match event {
            ServerEvent::Connect(request) => session.accept(now, request)?,
            ServerEvent::Publish(request) => {
                let name = request.name().clone();
                let is_taken = |name| {
                    let hub = self.hub.0.borrow();
                    hub.get(name).is_some_and(|channel| channel.is_published)
                };
                if is_busy || is_taken(&name) {
                    let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "already published");
                    return session.reject(now, request, status);
                }
                session.accept(now, request)?;
                let mut hub = self.hub.0.borrow_mut();
                hub.entry(name.clone()).or_default().is_published = true;
                self.publishing = Some(name);
            }
            ServerEvent::Play(request) if is_busy => {
                let status = Status::error(StatusCode::PLAY_FAILED, "one stream a connection");
                session.reject(now, request, status)?;
            }
            ServerEvent::Play(request) => {
                let (name, stream) = (request.name().clone(), request.stream());
                session.accept(now, request)?;
                let mut hub = self.hub.0.borrow_mut();
                let channel = hub.entry(name).or_default();
                self.playing = Some((stream, channel.play(Rc::clone(&self.wake))));
            }
            ServerEvent::Frame { frame, .. } => {
                let (name, mut hub) = (self.publishing.as_ref(), self.hub.0.borrow_mut());
                if let Some(channel) = name.and_then(|name| hub.get_mut(name)) {
                    channel.push(frame);
                }
            }
            ServerEvent::PublishStopped { .. } | ServerEvent::PlayStopped { .. } => self.leave(),
            _ => {}
        }
        Ok(())
    }

    /// Moves what waits for a player to the output, as far as that is for the next few writes: the
    /// queue knows what to drop, the output cannot.
    pub fn fill(&self, now: Instant, session: &mut ServerSession) {
        let Some((stream, feed)) = &self.playing else {
            return;
        };
        match feed.queue.borrow_mut().as_mut() {
            // The last event frees it.
            None => session.close(now),
            Some(queue) => {
                while session.queued_len() < OUTPUT_ENOUGH
                    && let Some(frame) = queue.pop()
                {
                    // There is room, so if this fails the session has ended, which its last event
                    // tells.
                    let _ = session.send_frame(*stream, &frame);
                }
            }
        }
    }

    /// Whether [`fill`](Self::fill) has something to do once the output is written.
    pub fn wants_fill(&self) -> bool {
        let queue = self.playing.as_ref().map(|(_, feed)| feed.queue.borrow());
        queue.is_some_and(|queue| queue.as_ref().is_none_or(|queue| !queue.is_empty()))
    }

    fn leave(&mut self) {
        self.playing = None;
        let mut hub = self.hub.0.borrow_mut();
        if let Some(channel) = self.publishing.take().and_then(|name| hub.get_mut(&name)) {
            channel.unpublish();
        }
        hub.retain(|_, channel| {
            channel.players.retain(|player| player.strong_count() > 0);
            channel.is_published || !channel.players.is_empty()
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Output beyond which frames wait in the queue.
const OUTPUT_ENOUGH: usize = 64 << 10;
