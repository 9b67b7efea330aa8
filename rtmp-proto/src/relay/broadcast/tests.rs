use alloc::vec;
use core::iter;

use proptest::prelude::*;

use super::{
    super::testing::{Kind, any_kind, frame, number, numbers},
    *,
};

fn at(millis: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(millis))
}

fn broadcast() -> Broadcast {
    Broadcast::new(BroadcastLimits::default(), ChunkSize::INITIAL)
}

/// Pushes frames numbered from `first`, 20 ms apart.
fn push(broadcast: &mut Broadcast, first: u32, kinds: &[Kind]) {
    for (number, kind) in (first..).zip(kinds) {
        broadcast.push(&frame(*kind, number * 20, number, 0));
    }
}

/// Everything a player gets now.
fn read(broadcast: &mut Broadcast, cursor: &mut Cursor, now: Instant) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(portion) = broadcast.next(cursor, now) {
        match portion {
            Portion::Batch(batch) => frames.extend_from_slice(batch.frames()),
            Portion::Frame(frame) => frames.push(frame),
            Portion::Published | Portion::Unpublished => {}
        }
    }
    frames
}

#[test]
fn players_get_what_is_flushed() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursors = [broadcast.join(), broadcast.join()];
    push(
        &mut broadcast,
        0,
        &[Metadata, AudioHeader, VideoHeader(0), Key(0), Audio],
    );
    for cursor in &mut cursors {
        // Whoever begins sees all there is.
        assert_eq!(
            numbers(read(&mut broadcast, cursor, at(0))),
            [0, 1, 2, 3, 4]
        );
    }
    push(&mut broadcast, 5, &[Inter(0), Audio]);
    for cursor in &mut cursors {
        assert!(broadcast.next(cursor, at(0)).is_none());
    }
    broadcast.flush(at(20));
    let [first, second] = cursors
        .each_mut()
        .map(|cursor| match broadcast.next(cursor, at(20)) {
            Some(Portion::Batch(batch)) => batch,
            other => panic!("{other:?}"),
        });
    assert!(Arc::ptr_eq(&first, &second), "one batch for all");
    assert_eq!(numbers(first.frames().iter().cloned()), [5, 6]);
}

/// Several players that are to get the same batches get them as one, which is made once.
#[test]
fn batches_are_joined_for_many() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursors = [(); JOINED_READERS].map(|()| broadcast.join());
    let mut ahead = broadcast.join();
    push(&mut broadcast, 0, &[Key(0)]);
    for cursor in cursors.iter_mut().chain([&mut ahead]) {
        assert_eq!(numbers(read(&mut broadcast, cursor, at(0))), [0]);
    }
    let mut wire = Vec::new();
    for number in 1..4 {
        push(&mut broadcast, number, &[Inter(0)]);
        broadcast.flush(at(20));
        let Some(Portion::Batch(batch)) = broadcast.next(&mut ahead, at(20)) else {
            panic!("nobody else is there");
        };
        assert_eq!(numbers(batch.frames().iter().cloned()), [number]);
        wire.extend_from_slice(&batch.wire().pieces.concat());
    }
    let batches = cursors.each_mut().map(|cursor| {
        let portion = broadcast.next(cursor, at(20));
        assert!(broadcast.next(cursor, at(20)).is_none());
        match portion {
            Some(Portion::Batch(batch)) => batch,
            other => panic!("{other:?}"),
        }
    });
    let [batch, ..] = &batches;
    assert!(batches.iter().all(|other| Arc::ptr_eq(other, batch)));
    assert_eq!(numbers(batch.frames().iter().cloned()), [1, 2, 3]);
    assert_eq!(batch.wire().pieces.concat(), wire);
    assert_eq!(batch.wire().counts.video, 3);
    // Nobody is to read any of it any more.
    assert!(broadcast.batches.is_empty() && broadcast.joined.is_empty());
}

/// However far players are behind, they get it in portions.
#[test]
fn joined_batches_are_bounded() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursors = [(); JOINED_READERS].map(|()| broadcast.join());
    push(&mut broadcast, 0, &[Key(0)]);
    for cursor in &mut cursors {
        read(&mut broadcast, cursor, at(0));
    }
    for number in 1..=10 {
        broadcast.push(&frame(Inter(0), 0, number, JOINED_LEN / 3));
        broadcast.flush(at(20));
    }
    for cursor in &mut cursors {
        let portions = iter::from_fn(|| broadcast.next(cursor, at(20)));
        let lens = portions.map(|portion| match portion {
            Portion::Batch(batch) => batch.frames().len(),
            other => panic!("{other:?}"),
        });
        assert_eq!(lens.collect::<Vec<_>>(), [2, 2, 2, 2, 2]);
    }
}

/// A player that joins has the group of that moment, and nothing twice.
#[test]
fn late_players_begin_with_the_group() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut early = broadcast.join();
    push(&mut broadcast, 0, &[VideoHeader(0), Key(0), Inter(0)]);
    broadcast.flush(at(0));
    push(&mut broadcast, 3, &[Key(0), Inter(0)]);
    let mut late = broadcast.join();
    assert_eq!(numbers(read(&mut broadcast, &mut late, at(0))), [0, 3, 4]);
    push(&mut broadcast, 5, &[Inter(0)]);
    broadcast.flush(at(40));
    assert_eq!(numbers(read(&mut broadcast, &mut late, at(40))), [5]);
    let all = read(&mut broadcast, &mut early, at(40));
    assert_eq!(numbers(all), [0, 3, 4, 5]);
}

/// A player begins when it has room, with what is current then; and again after it missed something.
#[test]
fn beginning_waits_for_the_player() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursor = broadcast.join();
    for _ in 0..2 {
        for n in 0..100 {
            push(&mut broadcast, n, &[Key(0)]);
            broadcast.flush(at(0));
        }
        assert_eq!(numbers(read(&mut broadcast, &mut cursor, at(0))), [99]);
        cursor.restart();
        cursor.restart();
    }
    assert_eq!(cursor.dropped(), DropCounts::default());
}

/// Without players, and behind the slowest of them, nothing is kept.
#[test]
fn read_batches_are_released() {
    use Kind::*;
    let mut broadcast = broadcast();
    push(&mut broadcast, 0, &[Key(0), Inter(0)]);
    broadcast.flush(at(0));
    assert_eq!((broadcast.batches.len(), broadcast.pending.len()), (0, 0));
    let (mut slow, mut fast) = (broadcast.join(), broadcast.join());
    read(&mut broadcast, &mut slow, at(0));
    for n in 2..10 {
        push(&mut broadcast, n, &[Inter(0)]);
        broadcast.flush(at(0));
        read(&mut broadcast, &mut fast, at(0));
    }
    assert_eq!(broadcast.batches.len(), 8);
    assert!(broadcast.next(&mut slow, at(0)).is_some());
    assert_eq!(broadcast.batches.len(), 7);
    broadcast.leave(&slow);
    assert_eq!(broadcast.batches.len(), 0);
    broadcast.leave(&fast);
    push(&mut broadcast, 20, &[Inter(0)]);
    assert!(!broadcast.has_pending());
}

/// Video before the latest key frame goes, audio and headers stay.
#[test]
fn slow_players_skip_to_the_latest_key_frame() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursor = broadcast.join();
    push(&mut broadcast, 0, &[Key(0)]);
    read(&mut broadcast, &mut cursor, at(0));
    for (second, kinds) in (1..).zip([
        &[Inter(0), Audio][..],
        &[Key(0), Audio],
        &[Inter(0), VideoHeader(0), Audio],
        &[Key(0), Audio],
        &[Inter(0), Audio],
    ]) {
        push(&mut broadcast, second * 10, kinds);
        broadcast.flush(at(u64::from(second) * 1000));
    }
    let got = read(&mut broadcast, &mut cursor, at(11_500));
    assert_eq!(numbers(got), [11, 21, 31, 32, 40, 41, 50, 51]);
    assert_eq!(cursor.dropped().video, 3);
    // It has caught up.
    push(&mut broadcast, 60, &[Inter(0)]);
    broadcast.flush(at(12_000));
    let next = broadcast.next(&mut cursor, at(12_000));
    assert!(matches!(next, Some(Portion::Batch(_))), "{next:?}");
}

/// While there is no later key frame, all video goes.
#[test]
fn slow_players_wait_for_a_key_frame() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursor = broadcast.join();
    push(&mut broadcast, 0, &[Key(0)]);
    read(&mut broadcast, &mut cursor, at(0));
    for n in 1..4 {
        push(&mut broadcast, n * 10, &[Inter(0), Audio]);
        broadcast.flush(at(0));
    }
    let got = read(&mut broadcast, &mut cursor, at(11_000));
    assert_eq!(numbers(got), [11, 21, 31]);
    push(&mut broadcast, 40, &[Inter(0), Audio, Key(0), Inter(0)]);
    broadcast.flush(at(11_000));
    let got = read(&mut broadcast, &mut cursor, at(11_000));
    assert_eq!(numbers(got), [41, 42, 43]);
    assert_eq!(cursor.dropped().video, 4);
}

/// What was published before the end needs its key frames after it, too.
#[test]
fn slow_players_wait_for_a_key_frame_beyond_the_end() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursor = broadcast.join();
    push(&mut broadcast, 0, &[Key(0)]);
    read(&mut broadcast, &mut cursor, at(0));
    push(&mut broadcast, 10, &[Inter(0), Audio]);
    broadcast.flush(at(0));
    push(&mut broadcast, 20, &[Inter(0), Audio]);
    broadcast.flush(at(11_000));
    push(&mut broadcast, 30, &[Inter(0), Audio]);
    broadcast.end();
    broadcast.flush(at(11_000));
    let got = read(&mut broadcast, &mut cursor, at(11_000));
    assert_eq!(numbers(got), [11, 21, 31]);
}

/// Of frames as large as can be, too.
#[test]
fn stalled_players_are_not_waited_for() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursor = broadcast.join();
    push(&mut broadcast, 0, &[Key(0)]);
    read(&mut broadcast, &mut cursor, at(0));
    let mut most = 0;
    for n in 1..100 {
        let kind = if n % 10 == 0 { Key(0) } else { Inter(0) };
        broadcast.push(&frame(kind, n * 20, n, 1 << 20));
        broadcast.flush(at(0));
        let kept = broadcast.batches.iter().map(|entry| entry.batch.wire_len());
        most = most.max(kept.sum::<usize>());
    }
    assert!(most < 34 << 20, "{most}");
    let got = read(&mut broadcast, &mut cursor, at(0));
    assert_eq!(numbers(got), [90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
    assert_eq!(cursor.dropped().video, 89);
}

/// One timeline, and words about the end only for those who have seen everything.
#[test]
fn publishers_come_and_go() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut cursor = broadcast.join();
    broadcast.begin();
    push(&mut broadcast, 0, &[Key(0), Inter(0)]);
    broadcast.flush(at(0));
    read(&mut broadcast, &mut cursor, at(0));
    push(&mut broadcast, 2, &[Inter(0)]);
    broadcast.flush(at(0));
    broadcast.end();
    broadcast.announce_end();
    let mut joiner = broadcast.join();
    assert!(broadcast.next(&mut joiner, at(0)).is_none());
    let next = broadcast.next(&mut cursor, at(0));
    assert!(matches!(next, Some(Portion::Batch(_))));
    let next = broadcast.next(&mut cursor, at(0));
    assert!(matches!(next, Some(Portion::Unpublished)));
    assert!(broadcast.next(&mut cursor, at(0)).is_none());

    broadcast.begin();
    push(&mut broadcast, 0, &[Inter(0), Key(0), Inter(0)]);
    broadcast.flush(at(0));
    for cursor in [&mut cursor, &mut joiner] {
        let next = broadcast.next(cursor, at(0));
        assert!(matches!(next, Some(Portion::Published)));
        let frames = read(&mut broadcast, cursor, at(0));
        let times: Vec<_> = frames.iter().map(|f| f.timestamp.as_millis()).collect();
        // The first coded frame, which nobody can decode, had its place at 80.
        assert_eq!(times, [100, 120]);
    }

    // Back before anybody has noticed.
    broadcast.announce_end();
    broadcast.begin();
    assert!(broadcast.next(&mut cursor, at(0)).is_none());
}

/// What is held is what was pushed, and nothing once it is read and over.
#[test]
fn what_is_held_is_counted() {
    use Kind::*;
    let mut broadcast = broadcast();
    assert_eq!(broadcast.held_bytes(), 0);
    let mut player = broadcast.join();
    assert!(broadcast.next(&mut player, at(0)).is_none());
    push(&mut broadcast, 0, &[Key(0), Inter(0)]);
    let payloads = frame(Key(0), 0, 0, 0).payload.len() + frame(Inter(0), 0, 0, 0).payload.len();
    let held = payloads + 2 * FRAME_OVERHEAD;
    assert_eq!(broadcast.held_bytes(), 2 * held, "in the group and pending");
    broadcast.flush(at(20));
    assert_eq!(broadcast.held_bytes(), 2 * held, "in the group and unread");
    read(&mut broadcast, &mut player, at(20));
    assert_eq!(broadcast.held_bytes(), held, "in the group");
    push(&mut broadcast, 2, &[Inter(0)]);
    broadcast.leave(&player);
    broadcast.end();
    assert_eq!(broadcast.held_bytes(), 0);
}

/// Slow players lose first, then late ones; who keeps up loses nothing.
#[test]
fn shedding_spares_those_who_keep_up() {
    use Kind::*;
    let mut broadcast = broadcast();
    let [mut slow, mut quick] = [broadcast.join(), broadcast.join()];
    for player in [&mut slow, &mut quick] {
        assert!(broadcast.next(player, at(0)).is_none());
    }
    let allowed = 20 * (FRAME_OVERHEAD + 1000);
    for number in 0..100 {
        let kind = if number % 50 == 0 { Key(0) } else { Inter(0) };
        broadcast.push(&frame(kind, number * 20, number, 1000));
        let now = at(u64::from(number) * 20);
        broadcast.flush(now);
        broadcast.shed(allowed);
        assert!(broadcast.held_bytes() <= allowed, "after {number}");
        assert_eq!(numbers(read(&mut broadcast, &mut quick, now)), [number]);
    }
    let mut late = broadcast.join();
    assert!(read(&mut broadcast, &mut late, at(2000)).is_empty());
    push(&mut broadcast, 100, &[Inter(0), Key(0), Inter(0)]);
    broadcast.flush(at(2060));
    for player in [&mut slow, &mut late] {
        assert_eq!(numbers(read(&mut broadcast, player, at(2060))), [101, 102]);
    }
    assert_eq!(slow.dropped().video, 101);
}

/// There is no more to give than everything.
#[test]
fn shedding_all() {
    use Kind::*;
    let mut broadcast = broadcast();
    let mut player = broadcast.join();
    assert!(broadcast.next(&mut player, at(0)).is_none());
    push(&mut broadcast, 0, &[Key(0), Inter(0)]);
    broadcast.flush(at(20));
    broadcast.shed(0);
    assert_eq!(broadcast.held_bytes(), 0);
    push(&mut broadcast, 2, &[Key(0)]);
    broadcast.flush(at(40));
    assert_eq!(numbers(read(&mut broadcast, &mut player, at(40))), [2]);
}

#[derive(Clone, Debug)]
enum Step {
    Push(Kind),
    Flush,
    Join,
    Leave(prop::sample::Index),
    Restart(prop::sample::Index),
    Read(prop::sample::Index, usize),
    Wait(u64),
    Shed(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => any_kind().prop_map(Step::Push),
        8 => Just(Step::Flush),
        1 => Just(Step::Join),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
        1 => any::<prop::sample::Index>().prop_map(Step::Restart),
        8 => (any::<prop::sample::Index>(), 0..6_usize).prop_map(|(who, n)| Step::Read(who, n)),
        4 => (0..4000_u64).prop_map(Step::Wait),
        1 => (0..6000_usize).prop_map(Step::Shed),
    ]
}

/// What a player has seen.
struct Viewer {
    cursor: Cursor,
    latest: Option<u32>,
    /// The latest configuration of each video track.
    headers: [Option<u32>; 2],
    ready: TrackSet,
}

proptest! {
    /// Whatever players do: order is kept, nothing comes twice unless the player began anew, and coded
    /// video comes after a key frame and after its latest configuration.
    #[test]
    fn players_can_decode_what_they_get(steps in prop::collection::vec(any_step(), 1..300)) {
        let limits = BroadcastLimits { bytes: 4000, ..BroadcastLimits::default() };
        let mut broadcast = Broadcast::new(limits, ChunkSize::INITIAL);
        let mut viewers: Vec<Viewer> = vec![];
        let mut now = 0;
        let mut pushed: Vec<Frame> = vec![];
        for step in steps {
            match step {
                Step::Push(kind) => {
                    let number = u32::try_from(pushed.len()).unwrap();
                    let frame = frame(kind, number * 20, number, 0);
                    broadcast.push(&frame);
                    pushed.push(frame);
                }
                Step::Flush => broadcast.flush(at(now)),
                Step::Join => viewers.push(Viewer {
                    cursor: broadcast.join(),
                    latest: None,
                    headers: [None; 2],
                    ready: TrackSet::default(),
                }),
                Step::Leave(who) if !viewers.is_empty() => {
                    let viewer = viewers.remove(who.index(viewers.len()));
                    broadcast.leave(&viewer.cursor);
                }
                Step::Restart(who) if !viewers.is_empty() => {
                    let viewer = who.get(&viewers);
                    let index = viewers.iter().position(|v| core::ptr::eq(v, viewer)).unwrap();
                    viewers[index].cursor.restart();
                }
                Step::Read(who, count) if !viewers.is_empty() => {
                    let index = who.index(viewers.len());
                    let viewer = &mut viewers[index];
                    for _ in 0..count {
                        let begins = viewer.cursor.is_starting || viewer.cursor.next < broadcast.first;
                        let frames = match broadcast.next(&mut viewer.cursor, at(now)) {
                            None => break,
                            Some(Portion::Batch(batch)) => batch.frames().to_vec(),
                            Some(Portion::Frame(frame)) => vec![frame],
                            Some(_) => continue,
                        };
                        if begins {
                            (viewer.latest, viewer.headers) = (None, [None; 2]);
                            viewer.ready.clear();
                        }
                        for frame in frames {
                            check(viewer, &frame, &pushed)?;
                        }
                    }
                }
                Step::Wait(millis) => now += millis,
                Step::Shed(bytes) => {
                    broadcast.shed(bytes);
                    let pending = usize::try_from(broadcast.pending_charge).unwrap();
                    let left = broadcast.held_bytes();
                    prop_assert!(left <= bytes + pending + HEADERS_MAX, "{left} of {bytes}");
                }
                _ => {}
            }
            let readers: usize = broadcast.batches.iter().map(|entry| entry.readers).sum();
            prop_assert!(readers + broadcast.idle <= viewers.len());
            prop_assert!(broadcast.batches.front().is_none_or(|entry| entry.readers > 0));
            let batches = broadcast.batches.iter().flat_map(|entry| entry.batch.frames());
            let unread: u64 = batches.chain(&broadcast.pending).map(charge).sum();
            prop_assert_eq!(unread, broadcast.unread_bytes() as u64);
        }
    }
}

/// A few small ones.
const HEADERS_MAX: usize = 500;

fn check(viewer: &mut Viewer, frame: &Frame, pushed: &[Frame]) -> Result<(), TestCaseError> {
    let number = number(frame);
    if frame.is_video() && frame.is_sequence_header() {
        // At a beginning, it may be older than what was seen before.
        viewer.headers[usize::from(frame.track().unwrap())] = Some(number);
        return Ok(());
    }
    if frame.is_configuration() || frame.is_metadata() {
        return Ok(());
    }
    let latest = viewer.latest.replace(number);
    prop_assert!(latest < Some(number), "{number} after {latest:?}");
    if !frame.is_video() || !frame.is_coded_media() {
        return Ok(());
    }
    let track = frame.track().unwrap();
    if frame.is_key_frame() {
        viewer.ready.insert(track);
    }
    prop_assert!(
        viewer.ready.contains(track),
        "track {track} begins with {number}"
    );
    let index = usize::try_from(number).unwrap();
    let header = pushed[..index]
        .iter()
        .rfind(|it| it.is_video() && it.is_sequence_header() && it.track() == Some(track))
        .map(super::super::testing::number);
    prop_assert_eq!(viewer.headers[usize::from(track)], header, "at {}", number);
    Ok(())
}
