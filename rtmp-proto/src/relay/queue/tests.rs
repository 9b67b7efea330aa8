use proptest::prelude::*;

use super::{
    super::testing::{Kind, any_kind, frame, number, numbers},
    *,
};

const QUEUED: Pushed = Pushed::Queued { dropped: 0 };

fn limits(seconds: u64, bytes: usize) -> QueueLimits {
    QueueLimits {
        duration: Duration::from_secs(seconds),
        bytes,
        kept_bytes: 4 << 20,
    }
}

fn drain(queue: &mut Queue) -> Vec<u32> {
    numbers(core::iter::from_fn(|| queue.pop()))
}

/// A group longer than the bounds reaches a player that joins, and live video goes on behind it.
#[test]
fn a_start_is_not_bounded() {
    use Kind::*;
    let mut queue = Queue::new(limits(1, 4096));
    let _ = queue.push(frame(Inter(0), 0, 99, 0));
    let start = [frame(VideoHeader(0), 0, 0, 0), frame(Key(0), 0, 1, 9000)];
    queue.start_with(start.into_iter().chain([frame(Inter(0), 60_000, 2, 9000)]));
    assert_eq!(queue.push(frame(Inter(0), 60_040, 3, 0)), QUEUED);
    assert_eq!(queue.len(), 4);
    assert_eq!(drain(&mut queue), [0, 1, 2, 3]);
    queue.start_with([frame(VideoHeader(0), 0, 4, 0)]);
    assert_eq!(queue.push(frame(Inter(0), 60_080, 5, 0)), Pushed::Dropped);
    assert_eq!(drain(&mut queue), [4]);
}

#[test]
fn video_begins_with_a_key_frame() {
    use Kind::*;
    let mut queue = Queue::default();
    for (n, kind) in (0..).zip([VideoHeader(0), Audio, Inter(0), Key(0), Inter(0), Inter(1)]) {
        let _ = queue.push(frame(kind, n, n, 0));
    }
    assert_eq!(queue.dropped().video, 2);
    queue.resync();
    assert_eq!(queue.push(frame(Inter(0), 6, 6, 0)), Pushed::Dropped);
    assert_eq!(queue.push(frame(Key(0), 7, 7, 0)), QUEUED);
    assert_eq!(drain(&mut queue), [0, 1, 3, 4, 7]);
}

/// Video goes first, then the oldest audio; what is not dropped stays.
#[test]
fn shedding() {
    use Kind::*;
    let mut queue = Queue::default();
    for (n, kind) in (0..).zip([VideoHeader(0), Key(0), Audio, Audio, Inter(0), Audio]) {
        assert_eq!(queue.push(frame(kind, n, n, 1000)), QUEUED);
    }
    let all = queue.held_bytes();
    assert_eq!(all, queue.bytes() + 6 * FRAME_OVERHEAD);
    queue.shed(all);
    assert_eq!(queue.len(), 6);
    queue.shed(all - 1);
    assert_eq!(queue.len(), 4);
    // The header and two of audio, with a little more than their padding.
    queue.shed(3 * (1000 + FRAME_OVERHEAD) + 100);
    assert_eq!(queue.push(frame(Inter(0), 6, 6, 0)), Pushed::Dropped);
    assert_eq!(queue.push(frame(Key(0), 7, 7, 0)), QUEUED);
    let dropped = queue.dropped();
    assert_eq!((dropped.video, dropped.audio), (3, 1));
    assert_eq!(drain(&mut queue), [0, 3, 5, 7]);
    assert_eq!(queue.held_bytes(), 0);
}

/// A player that stands still: at first the rest of the group goes, then, at each key frame,
/// what waited; audio slides.
#[test]
fn too_long() {
    use Kind::*;
    let mut queue = Queue::new(limits(2, 1 << 20));
    assert_eq!(queue.push(frame(VideoHeader(0), 0, 1000, 0)), QUEUED);
    for n in 0..30 {
        let kind = if n % 10 == 0 { Key(0) } else { Inter(0) };
        let _ = queue.push(frame(kind, n * 200, n, 0));
        let _ = queue.push(frame(Audio, n * 200, 100 + n, 0));
    }
    // 0 to 10 fitted; 11 to 19 fell; 20 (at 4 s) replaced them.
    let out = drain(&mut queue);
    let video: Vec<_> = out.iter().filter(|n| **n < 100).copied().collect();
    let audio: Vec<_> = out
        .iter()
        .filter(|n| (100..1000).contains(*n))
        .copied()
        .collect();
    assert_eq!(out.first(), Some(&1000));
    assert_eq!(video, (20..30).collect::<Vec<_>>());
    assert_eq!(audio, (119..130).collect::<Vec<_>>());
    assert_eq!(queue.dropped().video, 20);
    assert_eq!(queue.dropped().audio, 19);
}

#[test]
fn too_large() {
    use Kind::*;
    let mut queue = Queue::new(limits(10, 8 * 1024));
    assert_eq!(queue.push(frame(Key(0), 0, 0, 3000)), QUEUED);
    assert_eq!(queue.push(frame(Inter(0), 20, 1, 3000)), QUEUED);
    assert_eq!(queue.push(frame(Inter(0), 40, 2, 3000)), Pushed::Dropped);
    assert_eq!(queue.push(frame(Inter(0), 60, 3, 0)), Pushed::Dropped);
    assert_eq!(queue.push(frame(Audio, 60, 4, 600)), QUEUED);
    assert_eq!(
        queue.push(frame(Key(0), 80, 5, 3000)),
        Pushed::Queued { dropped: 2 }
    );
    assert_eq!(
        queue.push(frame(Audio, 80, 6, 6000)),
        Pushed::Queued { dropped: 1 }
    );
    assert_eq!(queue.push(frame(Inter(0), 100, 7, 0)), Pushed::Dropped);
    assert_eq!(
        queue.push(frame(Audio, 100, 8, 6000)),
        Pushed::Queued { dropped: 2 }
    );
    assert_eq!(queue.push(frame(Audio, 120, 9, 9000)), Pushed::Dropped);
    assert_eq!(drain(&mut queue), [8]);
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn one_key_frame_is_taken_whatever_its_size() {
    use Kind::*;
    let mut queue = Queue::new(limits(10, 4096));
    assert_eq!(queue.push(frame(Key(0), 0, 0, 100_000)), QUEUED);
    assert_eq!(queue.push(frame(Audio, 0, 1, 0)), QUEUED);
    assert_eq!(queue.push(frame(VideoHeader(0), 0, 2, 0)), QUEUED);
    assert_eq!(
        queue.push(frame(Key(0), 20, 3, 100_000)),
        Pushed::Queued { dropped: 1 }
    );
    assert_eq!(drain(&mut queue), [1, 2, 3]);
}

/// The header of frames that still wait stays; of those whose frames are gone, the latest.
#[test]
fn superseded_headers_go_with_their_frames() {
    use Kind::*;
    let mut queue = Queue::new(limits(1, 1 << 20));
    for n in 0..50 {
        let _ = queue.push(frame(VideoHeader(0), n * 600, 100 + n, 0));
        let _ = queue.push(frame(Key(0), n * 600, n, 0));
    }
    assert_eq!(drain(&mut queue), [148, 48, 149, 49]);
    assert_eq!(queue.dropped().superseded, 48);
}

#[test]
fn kept_frames_are_bounded() {
    let mut queue = Queue::new(QueueLimits {
        kept_bytes: 1000,
        ..QueueLimits::default()
    });
    for n in 0..100 {
        assert_eq!(queue.push(frame(Kind::Metadata, n, n, 200)), QUEUED);
    }
    assert_eq!(queue.push(frame(Kind::Data, 0, 200, 200)), QUEUED);
    let pushed = queue.push(frame(Kind::Data, 0, 201, 600));
    assert_eq!(pushed, Pushed::Refused);
    assert_eq!(queue.dropped().refused, 1);
    assert_eq!(drain(&mut queue), [99, 200]);
}

/// GEN-6, GEN-7: a wrap, a republish, a jump.
#[test]
fn duration_survives_any_timeline() {
    let mut queue = Queue::default();
    for (millis, duration) in [
        (u32::MAX - 99, 0),
        (100, 200),
        (60, 200),
        (140, 240),
        (1_000_000, 240),
        (1_000_020, 260),
        (0, 260),
        (40, 300),
    ] {
        assert_eq!(queue.push(frame(Kind::Audio, millis, 0, 0)), QUEUED);
        assert_eq!(queue.duration(), Duration::from_millis(duration));
    }
}

/// Audio and video that lie seconds apart for ever do not add up.
#[test]
fn offset_between_audio_and_video_is_no_duration() {
    let mut queue = Queue::default();
    for n in 0..100 {
        let kind = if n == 0 { Kind::Key(0) } else { Kind::Inter(0) };
        assert_eq!(queue.push(frame(kind, 5000 + n * 20, n, 0)), QUEUED);
        assert_eq!(queue.push(frame(Kind::Audio, n * 20, n, 0)), QUEUED);
    }
    assert_eq!(queue.duration(), Duration::from_millis(99 * 20));
}

/// A queue that stays full does constant work: this would take minutes if a push looked at
/// what waits.
#[test]
fn full_queue_is_not_searched() {
    let mut queue = Queue::default();
    let stream = [Kind::Audio, Kind::Key(0), Kind::Metadata].map(|kind| frame(kind, 0, 0, 0));
    for n in 0..20_000 {
        assert_eq!(queue.push(frame(Kind::Data, 0, n, 0)), QUEUED);
    }
    for n in 0..30_000 {
        for frame in &stream {
            let frame = frame.clone().with_timestamp(Timestamp::from_millis(n));
            let _ = queue.push(frame);
        }
    }
    assert!(queue.dropped().video > 15_000);
    assert!(queue.dropped().audio > 15_000);
    assert!(queue.dropped().superseded > 15_000);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(Kind, u32, usize),
    Pop,
    Resync,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (any_kind(), 0..300_u32, 0..2000_usize)
            .prop_map(|(kind, step, size)| Op::Push(kind, step, size)),
        3 => Just(Op::Pop),
        1 => Just(Op::Resync),
    ]
}

proptest! {
    #[test]
    fn rules_hold(ops in proptest::collection::vec(any_op(), 0..400)) {
        let limits = limits(2, 16 << 10);
        let mut queue = Queue::new(limits);
        let mut out = Vec::new();
        let mut pushed = Vec::new();
        let mut millis = u32::MAX - 5000;
        for (n, op) in (0..).zip(ops) {
            match op {
                Op::Push(kind, step, size) => {
                    millis = millis.wrapping_add(step);
                    let frame = frame(kind, millis, n, size);
                    pushed.push(frame.clone());
                    prop_assert_ne!(queue.push(frame), Pushed::Refused);
                }
                Op::Pop => out.extend(queue.pop()),
                Op::Resync => queue.resync(),
            }
            prop_assert!(queue.media_charge() <= limits.bytes);
            prop_assert!(queue.duration() <= limits.duration);
        }
        out.extend(core::iter::from_fn(|| queue.pop()));
        prop_assert_eq!((queue.bytes(), queue.media_charge(), queue.kept.charge), (0, 0, 0));

        // Order.
        prop_assert!(out.is_sorted_by_key(number));
        // Every coded frame has the header it had in the stream, and no inter frame follows a
        // gap of its track.
        for frame in out.iter().filter(|frame| frame.is_coded_media()) {
            let headers = |frames: &[Frame]| {
                let same = |other: &&Frame| {
                    other.is_sequence_header()
                        && other.message_type() == frame.message_type()
                        && other.track() == frame.track()
                        && number(other) < number(frame)
                };
                frames.iter().rfind(same).map(number)
            };
            prop_assert_eq!(headers(&out), headers(&pushed));
            if frame.is_video() && !frame.is_key_frame() {
                let before = |frames: &[Frame]| {
                    let same = |other: &&Frame| {
                        other.is_video()
                            && other.is_coded_media()
                            && other.track() == frame.track()
                            && number(other) < number(frame)
                    };
                    frames.iter().rfind(same).map(number)
                };
                prop_assert_eq!(before(&out), before(&pushed));
            }
        }
        // Data, and the newest of every header, arrive.
        for frame in &pushed {
            let superseded = Slot::of(frame).is_some_and(|slot| {
                pushed.iter().any(|f| Slot::of(f) == Some(slot) && number(f) > number(frame))
            });
            if !frame.is_coded_media() && !superseded {
                prop_assert!(out.contains(frame));
            }
        }
    }
}
