//! Playing a file again and again as one stream.

use rtmp_proto::{Timestamp, flv::Frame};

use crate::clock::{STEPS, is_timed, moved};

/// Gives the frames of a file that is read several times timestamps that go on: each round starts
/// where the one before it ended, one frame later. The first round is left as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rounds {
    /// Where this round starts, unless it is the first.
    start: Option<Timestamp>,
    /// The first timestamp of this round as the file has it.
    origin: Option<Timestamp>,
    audio: Track,
    video: Track,
}

/// The end of one kind of frames, as sent.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    last: Option<Timestamp>,
    interval: Option<i32>,
}

impl Rounds {
    /// `frame` at its time in the stream.
    pub(crate) fn place(&mut self, frame: Frame) -> Frame {
        let is_timed = is_timed(&frame);
        if is_timed {
            self.origin.get_or_insert(frame.timestamp);
        }
        let timestamp = match (self.start, self.origin) {
            (None, _) => frame.timestamp,
            (Some(start), None) => start,
            (Some(start), Some(origin)) => {
                let step = frame.timestamp.signed_millis_since(origin);
                match is_timed && !EARLY.contains(&step) {
                    true => moved(start, step),
                    false => moved(start, step.max(0)),
                }
            }
        };
        if is_timed {
            match frame.is_video() {
                true => self.video.note(timestamp),
                false => self.audio.note(timestamp),
            }
        }
        frame.with_timestamp(timestamp)
    }

    /// Whether `frame` says again what the server keeps from the first round. Metadata amid a stream
    /// becomes a stream of its own in ffmpeg.
    pub(crate) fn is_repetition(&self, frame: &Frame) -> bool {
        self.start.is_some() && frame.is_metadata()
    }

    /// The file begins again.
    pub(crate) fn next_round(&mut self) {
        let ends = [self.audio.end(), self.video.end()].into_iter().flatten();
        let end = ends.reduce(|one, other| match one.is_before(other) {
            true => other,
            false => one,
        });
        *self = Self {
            start: Some(end.or(self.start).unwrap_or_default()),
            ..Self::default()
        };
    }
}

impl Track {
    fn note(&mut self, timestamp: Timestamp) {
        if let Some(last) = self.last {
            let step = timestamp.signed_millis_since(last);
            if step > 0 && STEPS.contains(&step) {
                self.interval = Some(step);
            }
        }
        self.last = Some(timestamp);
    }

    fn end(&self) -> Option<Timestamp> {
        Some(moved(self.last?, self.interval.unwrap_or(INTERVAL)))
    }
}

/// Frames this much earlier than the first one of a round count as simultaneous with it, so that they
/// do not come before the end of the round before it.
const EARLY: std::ops::Range<i32> = *STEPS.start()..0;

/// Milliseconds from the only frame of a file to the next round.
const INTERVAL: i32 = 40;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const AUDIO: &[u8] = &[0xAF, 1, 0];
    const VIDEO: &[u8] = &[0x27, 1, 0, 0, 0, 0];
    const HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];

    fn play(rounds: &mut Rounds, file: &[(u32, &'static [u8])]) -> Vec<u32> {
        let place = |&(millis, payload): &(u32, &'static [u8])| {
            let (timestamp, payload) =
                (Timestamp::from_millis(millis), Bytes::from_static(payload));
            let frame = match payload[0] {
                0xAF => Frame::audio(timestamp, payload),
                _ => Frame::video(timestamp, payload),
            };
            rounds.place(frame).timestamp.as_millis()
        };
        file.iter().map(place).collect()
    }

    #[test]
    fn each_round_starts_one_frame_after_the_last() {
        let mut rounds = Rounds::default();
        let file: &[(u32, &[u8])] = &[
            (0, HEADER),
            (500, VIDEO),
            (490, AUDIO),
            (513, AUDIO),
            (540, VIDEO),
        ];
        assert_eq!(play(&mut rounds, file), [0, 500, 490, 513, 540]);
        rounds.next_round();
        assert_eq!(play(&mut rounds, file), [580, 580, 580, 593, 620]);
        rounds.next_round();
        assert_eq!(play(&mut rounds, file), [660, 660, 660, 673, 700]);
    }

    #[test]
    fn the_longer_of_audio_and_video_counts() {
        let mut rounds = Rounds::default();
        play(
            &mut rounds,
            &[(0, VIDEO), (40, VIDEO), (80, AUDIO), (103, AUDIO)],
        );
        rounds.next_round();
        assert_eq!(play(&mut rounds, &[(0, VIDEO)]), [126]);
    }

    #[test]
    fn rounds_go_on_over_the_wrap() {
        let mut rounds = Rounds::default();
        let file: &[(u32, &[u8])] = &[(u32::MAX - 60, VIDEO), (u32::MAX - 20, VIDEO)];
        play(&mut rounds, file);
        rounds.next_round();
        assert_eq!(play(&mut rounds, file), [19, 59]);
    }

    #[test]
    fn a_single_frame_has_a_length_too() {
        let mut rounds = Rounds::default();
        for expected in [7, 47, 87] {
            assert_eq!(play(&mut rounds, &[(7, VIDEO)]), [expected]);
            rounds.next_round();
        }
    }

    #[test]
    fn a_file_that_jumps_back_does_so_in_every_round() {
        let mut rounds = Rounds::default();
        let file: &[(u32, &[u8])] = &[(60_000, VIDEO), (60_040, VIDEO), (0, VIDEO), (40, VIDEO)];
        play(&mut rounds, file);
        rounds.next_round();
        let back = 80_u32.wrapping_sub(60_000);
        assert_eq!(
            play(&mut rounds, file),
            [80, 120, back, back.wrapping_add(40)]
        );
    }
}
