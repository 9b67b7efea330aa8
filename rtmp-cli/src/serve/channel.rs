//! One stream: its publisher, its players and when they are woken.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rtmp_proto::{
    Instant, StreamName,
    chunk::ChunkSize,
    flv::Frame,
    relay::{Broadcast, BroadcastLimits, Cursor, Portion},
};
use tokio::{sync::Notify, time};

use super::{admission::Refusal, memory::Account, permit::Permit};
use crate::args::OnDuplicate;

/// A stream that has a publisher or players.
///
/// Frames are passed on in batches, every so often. Players are woken in groups, one after the other,
/// so that each gets all that has come in meanwhile at once, and the work is spread over the interval.
pub(super) struct Channel {
    name: StreamName,
    pace: Pace,
    state: Mutex<State>,
    /// Where its time begins.
    origin: time::Instant,
}

/// When what is published is passed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two groups of players; zero to pass on each frame at once.
    tick: Duration,
    groups: usize,
}

struct State {
    publisher: Option<Arc<Publisher>>,
    broadcast: Broadcast,
    /// Of what `broadcast` holds.
    account: Account,
    /// By group, the players that have everything.
    waiting: Vec<Vec<Arc<Waiter>>>,
    /// The group of the next player.
    next_group: usize,
    /// The group that is woken next.
    turn: usize,
    /// Ticks until all groups were woken. While there are any, a task counts them.
    ticks_left: usize,
    /// Publishers so far: tells whether somebody has come since.
    publications: u64,
}

/// A player's way to be woken.
struct Waiter {
    wake: Arc<Notify>,
    group: usize,
    /// It stands in [`State::waiting`].
    is_waiting: AtomicBool,
}

/// One publisher's hold on a channel.
pub(super) struct Publisher {
    is_replaced: AtomicBool,
    wake: Arc<Notify>,
    /// Shared with whoever takes over.
    permit: Arc<Permit>,
}

/// A player's place.
pub(super) struct Place {
    cursor: Cursor,
    waiter: Arc<Waiter>,
}

impl Pace {
    /// Each player gets something every `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        let groups = (interval.as_millis() / TICK.as_millis()).clamp(1, GROUPS_MAX);
        let groups = usize::try_from(groups).unwrap_or(1);
        let tick = interval / u32::try_from(groups).unwrap_or(1);
        Self { tick, groups }
    }
}

impl Publisher {
    /// Another publisher has taken over.
    pub(super) fn is_replaced(&self) -> bool {
        self.is_replaced.load(Ordering::Acquire)
    }
}

impl Place {
    /// Begins anew with the latest key frame: the player missed something.
    pub(super) fn restart(&mut self) {
        self.cursor.restart();
    }

    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }
}

impl Channel {
    pub(super) fn new(
        name: StreamName,
        pace: Pace,
        chunk_size: ChunkSize,
        account: Account,
    ) -> Self {
        Self {
            name,
            pace,
            state: Mutex::new(State {
                publisher: None,
                broadcast: Broadcast::new(BroadcastLimits::default(), chunk_size),
                account,
                waiting: (0..pace.groups).map(|_| Vec::new()).collect(),
                next_group: 0,
                turn: 0,
                ticks_left: 0,
                publications: 0,
            }),
            origin: time::Instant::now(),
        }
    }

    pub(super) fn name(&self) -> &StreamName {
        &self.name
    }

    /// Makes the caller the publisher, unless there is one and it is to stay, or there is none and no
    /// `permit` for one. `wake` is called when it is replaced.
    pub(super) fn publish(
        &self,
        wake: Arc<Notify>,
        on_duplicate: OnDuplicate,
        permit: impl FnOnce() -> Result<Permit, Refusal>,
    ) -> Result<Arc<Publisher>, Refusal> {
        let mut state = self.lock();
        let permit = match &state.publisher {
            Some(_) if on_duplicate == OnDuplicate::Reject => return Err(Refusal::Published),
            Some(previous) => {
                previous.is_replaced.store(true, Ordering::Release);
                previous.wake.notify_one();
                Arc::clone(&previous.permit)
            }
            None => Arc::new(permit()?),
        };
        let publisher = Arc::new(Publisher {
            is_replaced: AtomicBool::new(false),
            wake,
            permit,
        });
        state.publisher = Some(Arc::clone(&publisher));
        state.publications += 1;
        state.broadcast.begin();
        self.flush(state);
        Ok(publisher)
    }

    /// Passes a frame on to every player; whether `publisher` still is the publisher.
    pub(super) fn push(self: &Arc<Self>, publisher: &Publisher, frame: &Frame) -> bool {
        let mut state = self.lock();
        if publisher.is_replaced() {
            return false;
        }
        state.broadcast.push(frame);
        let has_pending = state.broadcast.has_pending();
        state.settle(self.now());
        if !has_pending {
            return true;
        }
        if self.pace.tick.is_zero() {
            self.flush(state);
        } else if mem::replace(&mut state.ticks_left, self.pace.groups) == 0 {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.run_ticks().await });
        }
        true
    }

    /// Ends `publisher`'s hold. Returns a number for [`end_if_still`](Self::end_if_still) if nobody
    /// has taken over and there are players to be told.
    pub(super) fn unpublish(&self, publisher: &Publisher) -> Option<u64> {
        let mut state = self.lock();
        if publisher.is_replaced() {
            return None;
        }
        state.publisher = None;
        state.broadcast.end();
        let (publication, players) = (state.publications, state.broadcast.players());
        self.flush(state);
        (players > 0).then_some(publication)
    }

    /// Tells players that the stream is over, unless there was a publisher since `publication`.
    pub(super) fn end_if_still(&self, publication: u64) {
        let mut state = self.lock();
        if state.publications == publication {
            state.broadcast.announce_end();
            self.flush(state);
        }
    }

    /// A place for a player, for whom `wake` is called when there is something new.
    pub(super) fn join(&self, wake: Arc<Notify>) -> Place {
        let mut state = self.lock();
        let group = state.next_group;
        state.next_group = (group + 1) % self.pace.groups;
        Place {
            cursor: state.broadcast.join(),
            waiter: Arc::new(Waiter {
                wake,
                group,
                is_waiting: AtomicBool::new(false),
            }),
        }
    }

    pub(super) fn leave(&self, place: &Place) {
        let mut state = self.lock();
        state.broadcast.leave(&place.cursor);
        state.settle(self.now());
    }

    pub(super) fn players(&self) -> usize {
        self.lock().broadcast.players()
    }

    /// What the player is to get next. If that is nothing yet, it will be woken.
    pub(super) fn next(&self, place: &mut Place) -> Option<Portion> {
        let mut state = self.lock();
        let portion = state.broadcast.next(&mut place.cursor, self.now());
        let waiter = &place.waiter;
        if portion.is_none()
            && !waiter.is_waiting.swap(true, Ordering::Relaxed)
            && let Some(group) = state.waiting.get_mut(waiter.group)
        {
            group.push(Arc::clone(waiter));
        }
        portion
    }

    pub(super) fn is_unused(&self) -> bool {
        let state = self.lock();
        state.publisher.is_none() && state.broadcast.players() == 0
    }

    /// Passes on what has come in, to one group after the other, until nothing more comes.
    async fn run_ticks(&self) {
        loop {
            time::sleep(self.pace.tick).await;
            let mut state = self.lock();
            state.broadcast.flush(self.now());
            state.settle(self.now());
            let turn = state.turn;
            state.turn = (turn + 1) % self.pace.groups;
            state.ticks_left -= 1;
            let is_done = state.ticks_left == 0;
            let woken = state.waiting.get_mut(turn).map(mem::take);
            drop(state);
            woken.into_iter().flatten().for_each(|waiter| waiter.wake());
            if is_done {
                return;
            }
        }
    }

    /// Passes on what has come in, to everybody at once.
    fn flush(&self, mut state: MutexGuard<'_, State>) {
        state.broadcast.flush(self.now());
        state.settle(self.now());
        let woken: Vec<_> = state.waiting.iter_mut().map(mem::take).collect();
        drop(state);
        woken.iter().flatten().for_each(|waiter| waiter.wake());
    }

    fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock leaves a half-made state behind when it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Accounts for what is held, and holds less if that is too much.
    fn settle(&mut self, now: Instant) {
        if let Some(share) = self.account.hold(self.broadcast.held_bytes()) {
            // Only what is in a batch can be given up.
            self.broadcast.flush(now);
            self.broadcast.shed(share);
            // There is nothing left to give that could be asked for.
            let _ = self.account.hold(self.broadcast.held_bytes());
        }
    }
}

impl Waiter {
    fn wake(&self) {
        // First, since the player may look, and wait again, at once.
        self.is_waiting.store(false, Ordering::Relaxed);
        self.wake.notify_one();
    }
}

/// About the shortest time between two groups.
const TICK: Duration = Duration::from_millis(20);
const GROUPS_MAX: u128 = 64;
