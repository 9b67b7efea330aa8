//! One stream: its publisher, its players and when they are woken.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
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
/// Frames are passed on in batches, every so often. Players get them in groups, one after the other,
/// so that each gets all that has come in meanwhile at once, and the work is spread over the interval.
/// A group is served by a few tasks, for all cores to share, not by one task for each player: waking
/// that costs more than most writes.
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
    groups: Vec<Group>,
    /// The number of the next player.
    next_player: usize,
    /// The group that is served next.
    turn: usize,
    /// Ticks until all groups were served. While there are any, a task counts them.
    ticks_left: usize,
    /// A task is about to serve everybody.
    is_due: bool,
    /// When the latest frame came: a clock for players that is not read for each of them.
    now: Instant,
    /// Publishers so far: tells whether somebody has come since.
    publications: u64,
}

/// Players by their numbers.
type Group = BTreeMap<usize, Weak<dyn Player>>;

/// Somebody who plays.
pub(super) trait Player: Send + Sync {
    /// There may be something new. Called without any lock held, perhaps by several tasks at once.
    fn advance(&self);
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
    number: usize,
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
                groups: vec![Group::new(); pace.groups],
                next_player: 0,
                turn: 0,
                ticks_left: 0,
                is_due: false,
                now: Instant::ORIGIN,
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
        self: &Arc<Self>,
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
        self.flush(&mut state);
        Ok(publisher)
    }

    /// Passes a frame on to every player; whether `publisher` still is the publisher.
    pub(super) fn push(self: &Arc<Self>, publisher: &Publisher, frame: &Frame) -> bool {
        let mut state = self.lock();
        if publisher.is_replaced() {
            return false;
        }
        state.now = self.now();
        state.broadcast.push(frame);
        let has_pending = state.broadcast.has_pending();
        state.settle();
        if !has_pending {
            return true;
        }
        if self.pace.tick.is_zero() {
            self.flush(&mut state);
        } else if mem::replace(&mut state.ticks_left, self.pace.groups) == 0 {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.run_ticks().await });
        }
        true
    }

    /// Ends `publisher`'s hold. Returns a number for [`end_if_still`](Self::end_if_still) if nobody
    /// has taken over and there are players to be told.
    pub(super) fn unpublish(self: &Arc<Self>, publisher: &Publisher) -> Option<u64> {
        let mut state = self.lock();
        if publisher.is_replaced() {
            return None;
        }
        state.publisher = None;
        state.broadcast.end();
        let (publication, players) = (state.publications, state.broadcast.players());
        self.flush(&mut state);
        (players > 0).then_some(publication)
    }

    /// Tells players that the stream is over, unless there was a publisher since `publication`.
    pub(super) fn end_if_still(self: &Arc<Self>, publication: u64) {
        let mut state = self.lock();
        if state.publications == publication {
            state.broadcast.announce_end();
            self.flush(&mut state);
        }
    }

    /// A place for `player`, which is told when there may be something new.
    pub(super) fn join(&self, player: Weak<dyn Player>) -> Place {
        let mut state = self.lock();
        let number = state.next_player;
        state.next_player += 1;
        state.group(number).insert(number, player);
        Place {
            cursor: state.broadcast.join(),
            number,
        }
    }

    pub(super) fn leave(&self, place: &Place) {
        let mut state = self.lock();
        state.group(place.number).remove(&place.number);
        state.broadcast.leave(&place.cursor);
        state.settle();
    }

    pub(super) fn players(&self) -> usize {
        self.lock().broadcast.players()
    }

    /// What the player is to get next. If that is nothing yet, it will be told.
    pub(super) fn next(&self, place: &mut Place) -> Option<Portion> {
        let mut state = self.lock();
        let now = state.now;
        state.broadcast.next(&mut place.cursor, now)
    }

    /// Players that are told of what is new.
    #[cfg(test)]
    pub(super) fn listed(&self) -> usize {
        self.lock().groups.iter().map(Group::len).sum()
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
            state.flush();
            let turn = state.turn;
            state.turn = (turn + 1) % self.pace.groups;
            state.ticks_left -= 1;
            let is_done = state.ticks_left == 0;
            let players = state
                .group(turn)
                .values()
                .filter_map(Weak::upgrade)
                .collect();
            drop(state);
            advance(players);
            if is_done {
                return;
            }
        }
    }

    /// Passes on what has come in, to everybody at once.
    fn flush(self: &Arc<Self>, state: &mut State) {
        state.flush();
        // However many frames come at once, the next time players look they get them all.
        if state.broadcast.players() > 0 && !mem::replace(&mut state.is_due, true) {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.advance_all() });
        }
    }

    fn advance_all(&self) {
        let mut state = self.lock();
        state.is_due = false;
        let players = state.groups.iter().flat_map(Group::values);
        let players = players.filter_map(Weak::upgrade).collect();
        drop(state);
        advance(players);
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
    fn flush(&mut self) {
        self.broadcast.flush(self.now);
        self.settle();
    }

    /// Accounts for what is held, and holds less if that is too much.
    fn settle(&mut self) {
        if let Some(share) = self.account.hold(self.broadcast.held_bytes()) {
            // Only what is in a batch can be given up.
            self.broadcast.flush(self.now);
            self.broadcast.shed(share);
            // There is nothing left to give that could be asked for.
            let _ = self.account.hold(self.broadcast.held_bytes());
        }
    }

    /// The group of the player with this number.
    fn group(&mut self, number: usize) -> &mut Group {
        let index = number % self.groups.len();
        self.groups.get_mut(index).expect("there is a group")
    }
}

/// Lets players have what is new, in tasks that all cores share.
fn advance(mut players: Vec<Arc<dyn Player>>) {
    while !players.is_empty() {
        let rest = players.len().saturating_sub(PLAYERS_PER_TASK);
        let some = players.split_off(rest);
        tokio::spawn(async move { some.iter().for_each(|player| player.advance()) });
    }
}

/// So many take little enough time not to keep others waiting, and long enough to be worth a task.
const PLAYERS_PER_TASK: usize = 32;

/// About the shortest time between two groups.
const TICK: Duration = Duration::from_millis(20);
const GROUPS_MAX: u128 = 64;
