//! What every player of a broadcast can count on, whatever it and the publisher do.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

use std::{collections::BTreeMap, time::Duration};

use proptest::{prelude::*, sample::Index};
use rtmp_proto::{
    Instant, Timestamp,
    chunk::ChunkSize,
    flv::Frame,
    relay::{Broadcast, BroadcastLimits, Cursor, Portion},
};

/// What a frame is; each has its number in the last four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Metadata,
    Text,
    AudioHeader,
    Audio,
    VideoHeader(u8),
    Key(u8),
    Inter(u8),
}

impl Kind {
    /// The header without which a player cannot decode it.
    fn needs(self) -> Option<Self> {
        match self {
            Self::Audio => Some(Self::AudioHeader),
            Self::Key(track) | Self::Inter(track) => Some(Self::VideoHeader(track)),
            _ => None,
        }
    }

    fn is_header(self) -> bool {
        matches!(
            self,
            Self::Metadata | Self::AudioHeader | Self::VideoHeader(_)
        )
    }

    fn frame(self, number: u32) -> Frame {
        let timestamp = Timestamp::from_millis(number * 20);
        let payload = |prefix: &[u8]| [prefix, &number.to_be_bytes()].concat().into();
        let video = |first: u8, track: u8| {
            let packet = u8::from(first == 0x90 || first == 0xA0);
            let prefix = match track {
                0 => [&[first | packet][..], b"av01"].concat(),
                _ => [&[first | 6, packet][..], b"av01", &[track]].concat(),
            };
            Frame::video(timestamp, payload(&prefix))
        };
        match self {
            Self::Metadata => Frame::data(timestamp, payload(b"\x02\x00\x0AonMetaData")),
            Self::Text => Frame::data(timestamp, payload(b"\x02\x00\x0AonTextData")),
            Self::AudioHeader => Frame::audio(timestamp, payload(&[0xAF, 0])),
            Self::Audio => Frame::audio(timestamp, payload(&[0xAF, 1])),
            Self::VideoHeader(0) => Frame::video(timestamp, payload(b"\x90av01")),
            Self::VideoHeader(track) => {
                let prefix = [&[0x96, 0][..], b"av01", &[track]].concat();
                Frame::video(timestamp, payload(&prefix))
            }
            Self::Key(track) => video(0x90, track),
            Self::Inter(track) => video(0xA0, track),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(Kind),
    Flush,
    Join,
    Restart(Index),
    Read(Index, usize),
    Wait(u64),
    Republish,
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Metadata),
        1 => Just(Kind::Text),
        1 => Just(Kind::AudioHeader),
        6 => Just(Kind::Audio),
        2 => (0..2_u8).prop_map(Kind::VideoHeader),
        2 => (0..2_u8).prop_map(Kind::Key),
        8 => (0..2_u8).prop_map(Kind::Inter),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => any_kind().prop_map(Step::Push),
        16 => Just(Step::Flush),
        2 => Just(Step::Join),
        1 => any::<Index>().prop_map(Step::Restart),
        16 => (any::<Index>(), 0..6_usize).prop_map(|(who, count)| Step::Read(who, count)),
        4 => (0..4000_u64).prop_map(Step::Wait),
        1 => Just(Step::Republish),
    ]
}

/// What was pushed, by number, and where the publication began that each is of.
#[derive(Default)]
struct Pushed {
    kinds: Vec<Kind>,
    begins: Vec<usize>,
    begin: usize,
}

impl Pushed {
    fn push(&mut self, kind: Kind) -> Frame {
        let number = u32::try_from(self.kinds.len()).unwrap();
        self.kinds.push(kind);
        self.begins.push(self.begin);
        kind.frame(number)
    }

    /// The latest `kind` before `number` in the same publication.
    fn latest(&self, kind: Kind, begin: usize, number: usize) -> Option<usize> {
        (begin..number).rev().find(|&at| self.kinds[at] == kind)
    }
}

struct Viewer {
    cursor: Cursor,
    /// It got everything in turn: it was never too slow and missed nothing.
    is_regular: bool,
    headers: BTreeMap<Kind, usize>,
    /// The last key frame of each track.
    keys: BTreeMap<u8, usize>,
    texts: Vec<usize>,
}

impl Viewer {
    fn read(
        &mut self,
        broadcast: &mut Broadcast,
        pushed: &Pushed,
        now: u64,
        count: usize,
    ) -> Result<(), TestCaseError> {
        for _ in 0..count {
            match broadcast.next(&mut self.cursor, at(now)) {
                None => break,
                Some(Portion::Frame(frame)) => self.see(&frame, pushed)?,
                Some(Portion::Batch(batch)) => {
                    for frame in batch.frames() {
                        self.see(frame, pushed)?;
                    }
                }
                Some(Portion::Published | Portion::Unpublished) => {}
            }
        }
        Ok(())
    }

    fn see(&mut self, frame: &Frame, pushed: &Pushed) -> Result<(), TestCaseError> {
        let number = u32::from_be_bytes(*frame.payload.last_chunk().unwrap());
        let number = usize::try_from(number).unwrap();
        let kind = pushed.kinds[number];
        let begin = pushed.begins[number];
        if kind.is_header() {
            self.headers.insert(kind, number);
        }
        if let Some(header) = kind.needs()
            && let Some(expected) = pushed.latest(header, begin, number)
        {
            let actual = self.headers.get(&header).copied();
            prop_assert_eq!(actual, Some(expected), "{:?} {}", kind, number);
        }
        match kind {
            Kind::Key(track) => {
                self.keys.insert(track, number);
            }
            Kind::Inter(track) => {
                // Decoding it takes a key frame of its publication, the latest that there was.
                let key = pushed.latest(Kind::Key(track), begin, number);
                prop_assert!(key.is_some(), "{}: no key frame", number);
                prop_assert_eq!(self.keys.get(&track).copied(), key, "{}", number);
            }
            Kind::Text => self.texts.push(number),
            _ => {}
        }
        Ok(())
    }
}

proptest! {
    /// Each coded frame comes behind its latest header, and each picture behind its latest key frame. Who
    /// has read everything has all headers in force; and who was never too slow has every text, once.
    #[test]
    fn nothing_that_decoding_needs_is_lost(
        steps in prop::collection::vec(any_step(), 1..300),
        is_tight in any::<bool>(),
    ) {
        let mut limits = BroadcastLimits::default();
        if is_tight {
            limits.bytes = 4000;
        }
        let mut broadcast = Broadcast::new(limits, ChunkSize::INITIAL);
        let mut pushed = Pushed::default();
        let mut viewers: Vec<Viewer> = Vec::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Push(kind) => broadcast.push(&pushed.push(kind)),
                Step::Flush => broadcast.flush(at(now)),
                Step::Join => viewers.push(Viewer {
                    cursor: broadcast.join(),
                    is_regular: !is_tight,
                    headers: BTreeMap::new(),
                    keys: BTreeMap::new(),
                    texts: Vec::new(),
                }),
                Step::Restart(who) if !viewers.is_empty() => {
                    let index = who.index(viewers.len());
                    viewers[index].cursor.restart();
                    viewers[index].is_regular = false;
                }
                Step::Read(who, count) if !viewers.is_empty() => {
                    let index = who.index(viewers.len());
                    viewers[index].read(&mut broadcast, &pushed, now, count)?;
                }
                Step::Wait(millis) => {
                    now += millis;
                    // Ten seconds behind is slow.
                    for viewer in &mut viewers {
                        viewer.is_regular &= now < 9000;
                    }
                }
                Step::Republish => {
                    broadcast.begin();
                    pushed.begin = pushed.kinds.len();
                }
                Step::Restart(_) | Step::Read(..) => {}
            }
        }
        broadcast.flush(at(now));
        let end = pushed.kinds.len();
        for viewer in &mut viewers {
            viewer.read(&mut broadcast, &pushed, now, usize::MAX)?;
            for header in [
                Kind::Metadata,
                Kind::AudioHeader,
                Kind::VideoHeader(0),
                Kind::VideoHeader(1),
            ] {
                if let Some(expected) = pushed.latest(header, pushed.begin, end) {
                    prop_assert_eq!(viewer.headers.get(&header).copied(), Some(expected));
                }
            }
            // It began with what was current then; from there on, it has every text.
            if let Some(&first) = viewer.texts.first()
                && viewer.is_regular
            {
                let texts = (first..end).filter(|&at| pushed.kinds[at] == Kind::Text);
                prop_assert_eq!(&viewer.texts, &texts.collect::<Vec<_>>());
            }
        }
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(millis))
}
