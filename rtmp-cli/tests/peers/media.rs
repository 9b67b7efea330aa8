//! What is published, and what of it has arrived.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

pub(crate) use crate::common::live::frames;

/// An FLV file made by ffmpeg, once per run of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// H.264 with B-frames and a key frame each second, and AAC: 6 s.
    Both,
    /// The same with other pictures and tones: 3 s.
    Short,
    /// AAC only: 4 s.
    Audio,
    /// H.264 with B-frames only: 4 s.
    Video,
    /// 20 Mbit/s: 4 s.
    Heavy,
}

impl Source {
    pub(crate) fn path(self) -> PathBuf {
        static MADE: Mutex<Option<HashMap<Source, PathBuf>>> = Mutex::new(None);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let path = made
            .get_or_insert_default()
            .entry(self)
            .or_insert_with(|| self.make());
        path.clone()
    }

    pub(crate) fn packets(self) -> Vec<Packet> {
        packets(&self.path())
    }

    fn make(self) -> PathBuf {
        let (picture, sound, more) = match self {
            Self::Both => (SMALL, TONE, "-t 6"),
            Self::Short => ("testsrc=size=320x240:rate=30", "sine=frequency=880", "-t 3"),
            Self::Audio => ("", TONE, "-t 4"),
            Self::Video => (SMALL, "", "-t 4"),
            Self::Heavy => (
                "testsrc2=size=1280x720:rate=30,noise=alls=80:allf=t",
                TONE,
                "-t 4 -b:v 20M -minrate 20M -maxrate 20M -bufsize 10M -x264-params nal-hrd=cbr",
            ),
        };
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = directory.join(format!("source-{self:?}.flv"));
        // Under the final name there is always a whole file.
        let unfinished = directory.join(format!("source-{self:?}-{}.part", std::process::id()));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-y", "-nostdin", "-v", "error"]);
        for input in [picture, sound]
            .into_iter()
            .filter(|input| !input.is_empty())
        {
            ffmpeg.args(["-f", "lavfi", "-i", input]);
        }
        ffmpeg
            .args("-c:v libx264 -preset ultrafast -bf 2 -g 30 -pix_fmt yuv420p -c:a aac".split(' '))
            .args(more.split(' '))
            .args(["-f", "flv"])
            .arg(&unfinished);
        let status = ffmpeg.status().expect("ffmpeg is needed for these tests");
        assert!(status.success(), "ffmpeg made no {self:?}");
        fs::rename(unfinished, &path).expect("both are in one directory");
        path
    }
}

const SMALL: &str = "testsrc2=size=640x360:rate=30";
const TONE: &str = "sine=frequency=440:sample_rate=44100";

/// A packet as ffprobe sees it. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) size: u64,
    pub(crate) hash: String,
    pub(crate) is_key: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio,
    Video,
}

impl Packet {
    pub(crate) fn moved(mut self, millis: i64) -> Self {
        self.pts += millis;
        self.dts += millis;
        self
    }

    /// From lines like `pts=40`, those of side data among them.
    fn parse(text: &str) -> Option<Self> {
        let fields = text.lines().filter_map(|line| line.split_once('='));
        let fields: HashMap<_, _> = fields.collect();
        let field = |name| {
            *fields
                .get(name)
                .unwrap_or_else(|| panic!("no {name}: {text}"))
        };
        let number = |name| {
            field(name)
                .parse()
                .unwrap_or_else(|_| panic!("{name}: {text}"))
        };
        Some(Self {
            kind: match field("codec_type") {
                "audio" => Kind::Audio,
                "video" => Kind::Video,
                _ => return None,
            },
            pts: number("pts"),
            dts: number("dts"),
            size: field("size").parse().expect("ffprobe writes a number"),
            hash: field("data_hash").to_owned(),
            is_key: field("flags").starts_with('K'),
        })
    }
}

/// The audio and video packets of a media file.
#[track_caller]
pub(crate) fn packets(file: &Path) -> Vec<Packet> {
    parse_packets(&probe(file, &SHOW_PACKETS))
}

/// Those from the last key frame on that is not after `seconds`.
#[track_caller]
pub(crate) fn packets_from(file: &Path, seconds: f64) -> Vec<Packet> {
    let interval = format!("{seconds}%");
    let arguments = [&["-read_intervals", &interval], &SHOW_PACKETS[..]].concat();
    parse_packets(&probe(file, &arguments))
}

/// What a media file says of its length, in seconds.
#[track_caller]
pub(crate) fn duration(file: &Path) -> f64 {
    let text = probe(file, &["-show_entries", "format=duration"]);
    let duration = text.lines().find_map(|line| line.strip_prefix("duration="));
    let duration = duration.and_then(|duration| duration.parse().ok());
    duration.unwrap_or_else(|| panic!("no duration: {text}"))
}

const SHOW_PACKETS: [&str; 4] = [
    "-show_data_hash",
    "md5",
    "-show_entries",
    "packet=codec_type,pts,dts,size,flags,data_hash",
];

fn parse_packets(text: &str) -> Vec<Packet> {
    text.split("[/PACKET]")
        .filter(|packet| packet.contains("[PACKET]"))
        .filter_map(Packet::parse)
        .collect()
}

/// The kinds of the streams of a media file, in order of the alphabet.
#[track_caller]
pub(crate) fn streams(file: &Path) -> Vec<String> {
    let text = probe(file, &["-show_entries", "stream=codec_type"]);
    let mut kinds: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("codec_type="))
        .map(str::to_owned)
        .collect();
    kinds.sort();
    kinds
}

fn probe(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "default"])
        .args(arguments)
        .arg(file)
        .output()
        .expect("ffprobe is needed for these tests");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ffprobe {}: {errors}",
        file.display()
    );
    String::from_utf8(output.stdout).expect("ffprobe writes UTF-8")
}

/// The packets of one kind.
pub(crate) fn of(kind: Kind, packets: &[Packet]) -> Vec<Packet> {
    packets
        .iter()
        .filter(|packet| packet.kind == kind)
        .cloned()
        .collect()
}

/// Asserts that both have the same packets at the same times.
#[track_caller]
pub(crate) fn assert_same(expected: &[Packet], got: &[Packet]) {
    for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
        assert_eq!(expected, got, "packet {index}");
    }
    assert_eq!(expected.len(), got.len(), "number of packets");
}

/// Asserts that `got` is the end of `expected`, the video from a key frame on, with all times moved by
/// the same offset, which is returned.
///
/// Audio and video are looked at apart, since players interleave them in their own way.
#[track_caller]
pub(crate) fn assert_is_tail(expected: &[Packet], got: &[Packet]) -> i64 {
    let mut offset = None;
    for kind in [Kind::Video, Kind::Audio] {
        let (expected, got) = (of(kind, expected), of(kind, got));
        let Some(skipped) = expected.len().checked_sub(got.len()) else {
            panic!("{kind:?}: {} packets of {}", got.len(), expected.len());
        };
        let tail: Vec<_> = expected.into_iter().skip(skipped).collect();
        assert_eq!(got.is_empty(), tail.is_empty());
        if let (Some(first), Some(first_expected)) = (got.first(), tail.first()) {
            assert!(first.is_key, "begins with a key frame: {first:?}");
            let offset = *offset.get_or_insert(first.dts - first_expected.dts);
            let tail: Vec<_> = tail
                .into_iter()
                .map(|packet| packet.moved(offset))
                .collect();
            assert_same(&tail, &got);
        }
    }
    offset.expect("there are packets")
}

/// Asserts that `got` is all of `first` and then all of `second`, on one timeline that goes on.
#[track_caller]
pub(crate) fn assert_in_turn(first: &[Packet], second: &[Packet], got: &[Packet]) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for kind in [Kind::Video, Kind::Audio] {
        let mut got = of(kind, got);
        let count = of(kind, first).len();
        assert!(
            got.len() >= count,
            "{kind:?}: {} packets of {count}",
            got.len()
        );
        after.extend(got.split_off(count));
        before.extend(got);
    }
    let (offset, later) = (
        assert_is_tail(first, &before),
        assert_is_tail(second, &after),
    );
    for kind in [Kind::Video, Kind::Audio] {
        assert_eq!(of(kind, &before).len(), of(kind, first).len());
        assert_eq!(
            of(kind, &after).len(),
            of(kind, second).len(),
            "{kind:?}: second"
        );
    }
    let end = before
        .iter()
        .map(|packet| packet.dts)
        .max()
        .expect("not empty");
    let begin = after
        .iter()
        .map(|packet| packet.dts)
        .min()
        .expect("not empty");
    assert!(
        (end..end + 200).contains(&begin),
        "the second begins at {begin} ms, the first ends at {end} ms (offsets {offset}, {later})"
    );
}
