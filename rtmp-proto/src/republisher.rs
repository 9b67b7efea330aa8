//! A publisher that outlives its connections, without the connections.

use alloc::collections::VecDeque;
use core::{fmt, time::Duration};

use crate::{
    error::CloseReason,
    flv::Frame,
    message::StatusCode,
    reconnect::{Next, Reconnect, ReconnectConfig},
    relay::{DropCounts, Queue, QueueLimits, Resume},
    retry::Retry,
    session::{ClientEvent, SEND_AHEAD},
    time::Instant,
    url::{RedirectError, RtmpUrl},
};

/// What every adapter needs for a publisher that outlives its connections: everything but the
/// connections. `E` is the adapter's error.
///
/// Frames wait in a bounded [`Queue`], whose rules say what is dropped when the network or the server
/// is too slow or gone. A new connection begins with the metadata and configurations in force, sound
/// goes on at once and video with a key frame.
///
/// An adapter does what [`step`](Self::step) says and tells how it went:
///
/// ```text
///  Wait ── handle_timeout ──> Connect ── handle_connected ──> Publish ── poll_frame ──> Leave
///   ^                            │                              │                         │
///   ├────── handle_ended ────────┴──────────────────────────────┘                         │
///   └────── handle_left ──────────────────────────────────────────────────────────────────┘
/// ```
///
/// While it publishes, what [`poll_frame`](Self::poll_frame) gives goes to the session, and the
/// session's events to [`handle_event`](Self::handle_event). After `handle_ended` the step may be
/// [`Stop`](Step::Stop): it is over.
pub struct Republisher<E> {
    reconnect: Reconnect,
    queue: Queue,
    resume: Resume,
    /// What this connection begins with.
    headers: VecDeque<Frame>,
    /// Taken from the queue, to be sent next.
    next: Option<Frame>,
    step: Step,
    /// When the server asked for a reconnect, while that waits for a key frame.
    asked: Option<Instant>,
    has_video: bool,
    events: VecDeque<PublisherEvent<E>>,
    connections: u64,
}

/// What an adapter of a [`Republisher`] does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an adapter must know all there is")]
pub enum Step {
    /// Connect to [`Republisher::url`] and publish there.
    Connect,
    /// Move frames.
    Publish,
    /// Close the connection in good order, within this time: some servers would find the name in use.
    Leave {
        /// How long the server may take to let go.
        within: Duration,
    },
    /// Wait.
    Wait {
        /// Until then.
        until: Instant,
    },
    /// Nothing any more.
    Stop,
}

/// Where a publisher that outlives its connections stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublisherState {
    /// A connection is being made, or left for another one.
    Connecting,
    /// The server takes the stream.
    Connected,
    /// Between two attempts.
    Waiting,
    /// It is over.
    GaveUp,
}

/// What a publisher that outlives its connections tells. `E` is the adapter's error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublisherEvent<E> {
    /// The server takes the stream.
    Connected {
        /// Which one it is, from 1.
        connection: u64,
    },
    /// There is no connection, and there will be another attempt.
    Reconnecting {
        /// Which attempt in a row that will be, from 1.
        attempt: u32,
        /// When, from now.
        delay: Duration,
        /// Why the connection ended or was not made.
        why: E,
    },
    /// The server asks for a reconnect, which follows at the next key frame.
    Moving {
        /// Where to.
        to: RtmpUrl,
    },
    /// The server asks for a reconnect that is not made.
    NotMoving(RedirectError),
    /// It is over; the last event.
    GaveUp(E),
}

impl<E> Republisher<E> {
    /// Before the first attempt, which is at once.
    pub fn new(url: RtmpUrl, config: ReconnectConfig) -> Self {
        Self {
            reconnect: Reconnect::new(url, config),
            queue: Queue::new(QueueLimits::default()),
            resume: Resume::new(),
            headers: VecDeque::new(),
            next: None,
            step: Step::Connect,
            asked: None,
            has_video: false,
            events: VecDeque::new(),
            connections: 0,
        }
    }

    /// The same with other bounds for the frames that wait. To be called before the first
    /// [`push`](Self::push).
    #[must_use]
    pub fn with_queue(mut self, limits: QueueLimits) -> Self {
        self.queue = Queue::new(limits);
        self
    }

    /// What to do.
    pub const fn step(&self) -> Step {
        self.step
    }

    /// The same for applications.
    pub const fn state(&self) -> PublisherState {
        match self.step {
            Step::Connect | Step::Leave { .. } => PublisherState::Connecting,
            Step::Publish => PublisherState::Connected,
            Step::Wait { .. } => PublisherState::Waiting,
            Step::Stop => PublisherState::GaveUp,
        }
    }

    /// Whether it is over.
    pub const fn has_given_up(&self) -> bool {
        matches!(self.step, Step::Stop)
    }

    /// Where it is connected, or will be: the URL it began with, unless a server has asked for another.
    pub const fn url(&self) -> &RtmpUrl {
        self.reconnect.target()
    }

    /// Whether nothing waits to be given to a session.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.next.is_none() && self.queue.is_empty()
    }

    /// What was dropped because it found no room, or because the key frame before it was lost with a
    /// connection. What is lost with a connection itself nobody knows.
    pub fn dropped(&self) -> DropCounts {
        let mut dropped = self.queue.dropped();
        dropped.video += self.resume.dropped();
        dropped
    }

    /// The wait is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Step::Wait { until } = self.step
            && now >= until
        {
            self.step = Step::Connect;
        }
    }

    /// The server takes the stream.
    pub fn handle_connected(&mut self, now: Instant) {
        self.reconnect.connected(now);
        self.connections += 1;
        self.headers = self.resume.restart().collect();
        self.step = Step::Publish;
        let connection = self.connections;
        self.tell(PublisherEvent::Connected { connection });
    }

    /// An event of the session that publishes. If it ends the stream, the reason, to be given to
    /// [`handle_ended`](Self::handle_ended).
    #[must_use]
    pub fn handle_event(&mut self, now: Instant, event: ClientEvent) -> Option<CloseReason> {
        if let ClientEvent::Status { status, .. } = &event
            && status.code == StatusCode::CONNECT_RECONNECT_REQUEST
        {
            match self.reconnect.redirect(status) {
                Ok(_) => {
                    self.asked = Some(now);
                    let to = self.url().clone();
                    self.tell(PublisherEvent::Moving { to });
                }
                Err(error) => self.tell(PublisherEvent::NotMoving(error)),
            }
            return None;
        }
        event.publish_end()
    }

    /// The connection was not made, or it has ended. `random` is drawn evenly from all numbers.
    pub fn handle_ended(&mut self, now: Instant, why: E, retry: Retry, random: u32) {
        self.asked = None;
        match self.reconnect.ended(now, retry, random) {
            Next::Wait { attempt, delay } => {
                self.step = Step::Wait { until: now + delay };
                self.tell(PublisherEvent::Reconnecting {
                    attempt,
                    delay,
                    why,
                });
            }
            Next::GiveUp => {
                self.step = Step::Stop;
                self.tell(PublisherEvent::GaveUp(why));
            }
        }
    }

    /// The connection was [left](Step::Leave), in good order or not. `random` is drawn evenly from all
    /// numbers.
    pub fn handle_left(&mut self, now: Instant, random: u32) {
        let until = now + self.reconnect.moving(now, random);
        self.step = Step::Wait { until };
        self.handle_timeout(now);
    }

    /// Takes `frame`, to be sent as soon as it can be; or drops it or others if too much waits.
    pub fn push(&mut self, frame: Frame) {
        if self.has_given_up() {
            return;
        }
        self.has_video |= frame.is_video() && frame.is_coded_media();
        // What finds no room is counted there.
        let _ = self.queue.push(frame);
    }

    /// The next frame for a session that has `queued_len` bytes of output: none if it has enough, or if
    /// it is time to leave.
    #[must_use]
    pub fn poll_frame(&mut self, now: Instant, queued_len: usize) -> Option<Frame> {
        while self.step == Step::Publish && queued_len <= SEND_AHEAD {
            if let Some(header) = self.headers.pop_front() {
                return Some(header);
            }
            let frame = self.next.take().or_else(|| self.queue.pop())?;
            if self.leaves_before(now, &frame) {
                self.asked = None;
                self.next = Some(frame);
                self.step = Step::Leave {
                    within: LEAVE_TIMEOUT,
                };
            } else if self.resume.admit(&frame) {
                return Some(frame);
            }
        }
        None
    }

    /// What there is to tell; `GaveUp` last. If nobody asks, the oldest events are forgotten.
    #[must_use = "an event that is not looked at is lost"]
    pub fn poll_event(&mut self) -> Option<PublisherEvent<E>> {
        self.events.pop_front()
    }

    /// Whether the server has asked for a reconnect, and there is no use in waiting any longer.
    fn leaves_before(&self, now: Instant, frame: &Frame) -> bool {
        self.asked.is_some_and(|asked| {
            frame.is_key_frame()
                || now - asked >= KEY_FRAME_WAIT
                || !self.has_video && frame.is_audio()
        })
    }

    fn tell(&mut self, event: PublisherEvent<E>) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

impl<E> fmt::Debug for Republisher<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Republisher")
            .field("url", self.url())
            .field("state", &self.state())
            .field("queued", &self.queue.len())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// How long a server that asked for a reconnect may take to let go.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long such a server is kept waiting for a key frame: twice what encoders usually take.
const KEY_FRAME_WAIT: Duration = Duration::from_secs(10);

const EVENTS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        MessageStreamId, Status,
        relay::testing::{
            Kind::{self, *},
            any_kind, frame, numbers,
        },
    };

    type Subject = Republisher<&'static str>;

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(millis))
    }

    fn subject() -> Subject {
        let url = "rtmp://home/live/key".parse().expect("a valid URL");
        Republisher::new(url, ReconnectConfig::default())
    }

    fn connected(millis: u64) -> Subject {
        let mut subject = subject();
        subject.handle_connected(at(millis));
        assert_eq!(subject.step(), Step::Publish);
        subject
    }

    fn push(subject: &mut Subject, kinds: &[Kind], first: u32) {
        for (number, kind) in (first..).zip(kinds) {
            subject.push(frame(*kind, number * 20, number, 0));
        }
    }

    /// The numbers of the frames that leave at once.
    fn sent(subject: &mut Subject, now: Instant) -> Vec<u32> {
        let frames = core::iter::from_fn(|| subject.poll_frame(now, 0));
        numbers(frames)
    }

    fn events(subject: &mut Subject) -> Vec<PublisherEvent<&'static str>> {
        core::iter::from_fn(|| subject.poll_event()).collect()
    }

    fn ask(subject: &mut Subject, now: Instant, tc_url: &str) {
        let status = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "").with("tcUrl", tc_url);
        let stream = MessageStreamId::CONTROL;
        let event = ClientEvent::Status { stream, status };
        assert_eq!(subject.handle_event(now, event), None);
    }

    #[test]
    fn a_new_connection_begins_with_headers_and_a_key_frame() {
        let mut subject = connected(0);
        push(&mut subject, &[Metadata, VideoHeader(0), Key(0), Audio], 0);
        assert_eq!(sent(&mut subject, at(0)), [0, 1, 2, 3]);
        subject.handle_ended(at(100), "cut", Retry::Always, 0);
        push(&mut subject, &[Inter(0), Audio, Key(0), Inter(0)], 4);
        assert_eq!(sent(&mut subject, at(100)), []);
        assert!(!subject.is_empty());
        subject.handle_timeout(at(599));
        assert_eq!(subject.step(), Step::Wait { until: at(600) });
        subject.handle_timeout(at(600));
        assert_eq!(subject.step(), Step::Connect);
        subject.handle_connected(at(700));
        assert_eq!(sent(&mut subject, at(700)), [0, 1, 5, 6, 7]);
        assert!(subject.is_empty());
        assert_eq!(subject.dropped().video, 1);
        let delay = Duration::from_millis(500);
        assert_eq!(
            events(&mut subject),
            [
                PublisherEvent::Connected { connection: 1 },
                PublisherEvent::Reconnecting {
                    attempt: 1,
                    delay,
                    why: "cut",
                },
                PublisherEvent::Connected { connection: 2 },
            ]
        );
    }

    #[test]
    fn a_final_answer_stops_it() {
        let mut subject = subject();
        subject.handle_ended(at(0), "denied", Retry::Never, 0);
        assert_eq!(subject.step(), Step::Stop);
        assert_eq!(events(&mut subject), [PublisherEvent::GaveUp("denied")]);
        push(&mut subject, &[Key(0)], 0);
        assert!(subject.is_empty(), "nothing is kept for nobody");
        subject.handle_timeout(at(1_000_000));
        assert!(subject.has_given_up());
    }

    #[test]
    fn a_session_that_has_enough_gets_nothing() {
        let mut subject = connected(0);
        push(&mut subject, &[Key(0)], 0);
        assert!(subject.poll_frame(at(0), SEND_AHEAD + 1).is_none());
        assert!(subject.poll_frame(at(0), SEND_AHEAD).is_some());
    }

    #[test]
    fn it_moves_at_a_key_frame() {
        let mut subject = connected(0);
        push(&mut subject, &[Key(0), Inter(0)], 0);
        assert_eq!(sent(&mut subject, at(0)), [0, 1]);
        ask(&mut subject, at(10), "//away/else");
        push(&mut subject, &[Inter(0), Audio, Key(0), Inter(0)], 2);
        assert_eq!(sent(&mut subject, at(20)), [2, 3]);
        let within = LEAVE_TIMEOUT;
        assert_eq!(subject.step(), Step::Leave { within });
        assert_eq!(subject.state(), PublisherState::Connecting);
        subject.handle_left(at(30), 0);
        assert_eq!(subject.step(), Step::Connect);
        assert_eq!(subject.url().tc_url(), "rtmp://away/else");
        subject.handle_connected(at(40));
        assert_eq!(sent(&mut subject, at(40)), [4, 5]);
    }

    #[test]
    fn it_does_not_wait_for_a_key_frame_that_does_not_come() {
        let mut subject = connected(0);
        push(&mut subject, &[Key(0)], 0);
        assert_eq!(sent(&mut subject, at(0)), [0]);
        ask(&mut subject, at(0), "//away/else");
        push(&mut subject, &[Inter(0)], 1);
        assert_eq!(sent(&mut subject, at(9_999)), [1]);
        push(&mut subject, &[Inter(0)], 2);
        assert_eq!(sent(&mut subject, at(10_000)), []);
        assert!(matches!(subject.step(), Step::Leave { .. }));
    }

    #[test]
    fn sound_alone_moves_at_once() {
        let mut subject = connected(0);
        ask(&mut subject, at(0), "//away/else");
        push(&mut subject, &[Audio], 0);
        assert_eq!(sent(&mut subject, at(0)), []);
        assert!(matches!(subject.step(), Step::Leave { .. }));
    }

    /// Two servers that send it back and forth do not get it to spin.
    #[test]
    fn moves_slow_down() {
        let mut subject = connected(0);
        for expected in [0, 1000, 2000] {
            ask(&mut subject, at(0), "//away/else");
            push(&mut subject, &[Audio], 0);
            assert_eq!(sent(&mut subject, at(0)), []);
            subject.handle_left(at(0), 0);
            match expected {
                0 => assert_eq!(subject.step(), Step::Connect),
                _ => assert_eq!(
                    subject.step(),
                    Step::Wait {
                        until: at(expected)
                    }
                ),
            }
            subject.handle_connected(at(0));
        }
    }

    #[test]
    fn a_bad_target_is_told_and_nothing_else() {
        let mut subject = connected(0);
        ask(&mut subject, at(0), "http://away/");
        push(&mut subject, &[Key(0)], 0);
        assert_eq!(sent(&mut subject, at(0)), [0]);
        assert!(matches!(
            events(&mut subject)[..],
            [_, PublisherEvent::NotMoving(_)]
        ));
        assert_eq!(subject.url().host(), "home");
    }

    #[test]
    fn an_error_status_ends_the_stream() {
        let mut subject = connected(0);
        let status = Status::error(StatusCode::PUBLISH_BAD_NAME, "in use");
        let reason = CloseReason::Refused(status.clone());
        let stream = MessageStreamId::new(1);
        let event = ClientEvent::Status { stream, status };
        assert_eq!(subject.handle_event(at(0), event), Some(reason));
    }

    #[test]
    fn events_nobody_takes_are_bounded() {
        let mut subject = subject();
        for n in 0..100 {
            subject.handle_ended(at(n), "refused", Retry::Always, 0);
        }
        let events = events(&mut subject);
        assert_eq!(events.len(), EVENTS_MAX);
        let last = events.last();
        assert!(matches!(
            last,
            Some(PublisherEvent::Reconnecting { attempt: 100, .. })
        ));
    }

    proptest! {
        /// Whatever happens to the connections: each begins with video that can be decoded, no frame
        /// is sent twice, and what was pushed is sent, waits, or is counted.
        #[test]
        fn nothing_is_lost_between_connections(
            actions in prop::collection::vec((any_kind(), 0..12_u8), 0..300),
        ) {
            let mut subject = connected(0);
            let mut ready = [false; 2];
            let (mut latest, mut media) = (None, 0_u64);
            for (index, (kind, action)) in (0_u32..).zip(actions) {
                let now = at(u64::from(index) * 20);
                subject.push(frame(kind, index * 20, index, 0));
                media += u64::from(matches!(kind, Key(_) | Inter(_) | Audio));
                match action {
                    0 => ask(&mut subject, now, "//away/else"),
                    1 => subject.handle_ended(now, "cut", Retry::Always, 0),
                    _ => {}
                }
                match subject.step() {
                    Step::Leave { .. } => subject.handle_left(now, 0),
                    Step::Wait { .. } if action > 9 => {
                        subject.handle_timeout(now + Duration::from_secs(60));
                    }
                    Step::Connect => {
                        subject.handle_connected(now);
                        ready = [false; 2];
                    }
                    _ => {}
                }
                while let Some(sent) = subject.poll_frame(now, 0) {
                    if !sent.is_coded_media() {
                        continue;
                    }
                    if sent.is_video() {
                        let track = usize::from(sent.track().unwrap_or_default());
                        ready[track] |= sent.is_key_frame();
                        prop_assert!(ready[track]);
                    }
                    let number = numbers([sent])[0];
                    prop_assert!(latest < Some(number));
                    latest = Some(number);
                    media -= 1;
                }
            }
            let dropped = subject.dropped();
            prop_assert!(media >= dropped.video + dropped.audio);
            subject.handle_connected(at(0));
            while let Some(sent) = subject.poll_frame(at(0), 0) {
                media -= u64::from(sent.is_coded_media());
            }
            if subject.is_empty() {
                let dropped = subject.dropped();
                prop_assert_eq!(media, dropped.video + dropped.audio);
            }
        }
    }
}
