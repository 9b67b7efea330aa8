//! Recording: a file that can be cut off at any time, and searched once it is finished.

use alloc::vec::Vec;
use core::fmt;

use super::{FileWriter, FlvError, Tag};
use crate::{
    amf::{Object, Value, amf0},
    flv::Frame,
    limits::AmfLimits,
    timestamp::Timestamp,
};

/// Writes an FLV file whose beginning has room for what is known at its end: duration, size, and
/// where the key frames are.
///
/// The file is [`head`](Self::head) followed by what [`encode`](Self::encode) appends. The head has
/// the same length at any time, so it can be written over the first one when the recording ends, or
/// now and then; a file that was cut off before is whole but for that. What the publisher says in its
/// `onMetaData` is in it, too, besides being where it came.
///
/// Memory and head are bounded: of more key frames than there is room for, every second one is
/// forgotten, then every second one of the rest, and so on.
///
/// ```
/// use bytes::Bytes;
/// use rtmp_proto::{Timestamp, flv::{FileRecorder, Frame}};
///
/// let mut recorder = FileRecorder::new();
/// let mut file = recorder.head();
/// let key = Frame::video(Timestamp::ZERO, Bytes::from_static(b"\x17\x01\0\0\0picture"));
/// recorder.encode(&key, &mut file)?;
///
/// let head = recorder.head();
/// file[..head.len()].copy_from_slice(&head);
/// # Ok::<(), rtmp_proto::flv::FlvError>(())
/// ```
#[derive(Clone)]
pub struct FileRecorder {
    writer: FileWriter,
    /// Bytes of the file.
    len: u64,
    key_frames: KeyFrames,
    /// What the publisher says.
    properties: Object,
    has_audio: bool,
    has_video: bool,
    /// Time of the latest tag in milliseconds.
    latest: u32,
}

impl FileRecorder {
    /// A recorder that moves the first coded frame to time 0, with room for 1024 key frames: a head
    /// of 23 KB.
    pub fn new() -> Self {
        Self::with_key_frames(1024)
    }

    /// The same with room for `limit` key frames, at least 2 and at most 3000, each 18 bytes.
    pub fn with_key_frames(limit: u16) -> Self {
        let mut recorder = Self {
            writer: FileWriter::new(),
            len: 0,
            key_frames: KeyFrames {
                limit: usize::from(limit.clamp(2, 3000)),
                stride: 1,
                until_next: 0,
                lead: None,
                entries: Vec::new(),
            },
            properties: Object::new(),
            has_audio: false,
            has_video: false,
            latest: 0,
        };
        recorder.len = recorder.head().len() as u64;
        recorder
    }

    /// What the file begins with, for the frames so far.
    pub fn head(&self) -> Vec<u8> {
        let header = match self.latest == 0 && !self.has_audio && !self.has_video {
            // Which kinds there will be is not known; readers do not rely on it.
            true => FileWriter::header(true, true),
            false => FileWriter::header(self.has_audio, self.has_video),
        };
        let mut properties = self.all_properties(&self.properties);
        let filled = match self.free_room(&properties) {
            Some(len) => len,
            // More than any publisher is known to say.
            None => {
                properties = self.all_properties(&Object::new());
                self.free_room(&properties)
                    .expect("what the recorder says has a bound")
            }
        };
        properties.insert(FILLER, filler(filled));
        let mut payload = Vec::new();
        amf0::encode(&Value::from(ON_META_DATA), &mut payload);
        amf0::encode(&Value::EcmaArray(properties), &mut payload);
        let mut head = header.to_vec();
        let metadata = Tag::Frame(Frame::data(Timestamp::ZERO, payload.into()));
        let written = FileWriter::keeping_timestamps().encode_tag(&metadata, &mut head);
        written.expect("a tag of less than 64 KB");
        head
    }

    /// Appends one tag and its back-pointer.
    ///
    /// # Errors
    ///
    /// [`FlvError::PayloadTooLarge`], and nothing is appended, if the length does not fit into 24
    /// bits; a payload that came in a message always does.
    pub fn encode(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<(), FlvError> {
        let before = out.len();
        let millis = self.writer.encode_placed(frame, out)?;
        self.has_audio |= frame.is_audio();
        self.has_video |= frame.is_video();
        self.latest = self.latest.max(millis);
        if frame.is_key_frame() {
            self.key_frames.push(frame.track(), millis, self.len);
        }
        if frame.is_metadata()
            && let Ok(values) = amf0::decode(&frame.payload, &AmfLimits::DATA)
            && let Some(properties) = values.get(1).and_then(Value::as_object)
        {
            self.properties = properties.clone();
        }
        self.len += (out.len() - before) as u64;
        Ok(())
    }

    /// Bytes of the file, its head included.
    pub const fn file_len(&self) -> u64 {
        self.len
    }

    /// Bytes for filling beside `properties`; `None` if there is no room for them.
    fn free_room(&self, properties: &Object) -> Option<usize> {
        let room = PROPERTIES_ROOM + OWN_ROOM + self.key_frames.limit * KEY_FRAME_LEN;
        let mut array = Vec::new();
        amf0::encode(&Value::EcmaArray(properties.clone()), &mut array);
        let free = room.checked_sub(array.len() + FILLER_OVERHEAD)?;
        // A piece takes some bytes, if there is one.
        (free == 0 || free >= PIECE_OVERHEAD).then_some(free)
    }

    /// `properties` and those of the recording, which count where both have a name.
    fn all_properties(&self, properties: &Object) -> Object {
        let mut all = Object::new();
        for (name, value) in properties {
            if !OWN_NAMES.contains(&name) {
                all.insert(name, value.clone());
            }
        }
        if self.latest > 0 {
            all.insert(DURATION, seconds(self.latest));
        }
        all.insert(FILE_SIZE, number(self.len));
        all.insert(HAS_AUDIO, self.has_audio);
        all.insert(HAS_VIDEO, self.has_video);
        let entries = &self.key_frames.entries;
        all.insert(HAS_KEY_FRAMES, !entries.is_empty());
        let positions = entries.iter().map(|&(_, position)| number(position).into());
        let times = entries.iter().map(|&(millis, _)| seconds(millis).into());
        let key_frames = Object::new()
            .with(FILE_POSITIONS, Value::StrictArray(positions.collect()))
            .with(TIMES, Value::StrictArray(times.collect()));
        all.insert(KEY_FRAMES, key_frames);
        all
    }
}

impl Default for FileRecorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FileRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileRecorder")
            .field("file_len", &self.len)
            .field("key_frames", &self.key_frames.entries.len())
            .finish_non_exhaustive()
    }
}

/// Where the key frames of the first video track are.
#[derive(Clone)]
struct KeyFrames {
    limit: usize,
    /// How many key frames there are for each entry.
    stride: u32,
    /// How many to pass over before the next entry.
    until_next: u32,
    lead: Option<u8>,
    /// Time in milliseconds and position in the file.
    entries: Vec<(u32, u64)>,
}

impl KeyFrames {
    fn push(&mut self, track: Option<u8>, millis: u32, position: u64) {
        let track = track.unwrap_or_default();
        if *self.lead.get_or_insert(track) != track {
            return;
        }
        if self.until_next > 0 {
            self.until_next -= 1;
            return;
        }
        if self.entries.len() == self.limit {
            let mut index = 0;
            self.entries.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride = self.stride.saturating_mul(2);
            // With an odd number of entries the last one is half a step back.
            if self.limit % 2 == 1 {
                self.until_next = self.stride / 2 - 1;
                return;
            }
        }
        self.entries.push((millis, position));
        self.until_next = self.stride - 1;
    }
}

/// Text of as many spaces as make the property `filler` take `len` bytes besides
/// [`FILLER_OVERHEAD`]: in an array of short pieces, since ffmpeg gives up on long ones.
fn filler(mut len: usize) -> Value {
    let mut pieces = Vec::new();
    while len > 0 {
        let mut piece = len.min(PIECE_MAX);
        if (1..PIECE_OVERHEAD).contains(&(len - piece)) {
            piece -= PIECE_OVERHEAD;
        }
        pieces.push(Value::from(" ".repeat(piece - PIECE_OVERHEAD)));
        len -= piece;
    }
    Value::StrictArray(pieces)
}

fn seconds(millis: u32) -> f64 {
    f64::from(millis) / 1000.0
}

/// Files are shorter than 2^53 bytes.
#[expect(clippy::cast_precision_loss, reason = "exact up to 9 PB")]
const fn number(bytes: u64) -> f64 {
    bytes as f64
}

/// For what publishers say: ffmpeg and OBS take 500 bytes.
const PROPERTIES_ROOM: usize = 4096;
/// For what the recorder says, key frames aside.
const OWN_ROOM: usize = 256;
/// Two numbers.
const KEY_FRAME_LEN: usize = 18;
/// Name, marker and count of the filler.
const FILLER_OVERHEAD: usize = 2 + 6 + 1 + 4;
/// Bytes of a piece of the filler, with marker and length.
const PIECE_MAX: usize = 1000;
const PIECE_OVERHEAD: usize = 1 + 2;

const ON_META_DATA: &str = "onMetaData";
const DURATION: &str = "duration";
const FILE_SIZE: &str = "filesize";
const HAS_AUDIO: &str = "hasAudio";
const HAS_VIDEO: &str = "hasVideo";
const HAS_KEY_FRAMES: &str = "hasKeyframes";
const KEY_FRAMES: &str = "keyframes";
const FILE_POSITIONS: &str = "filepositions";
const TIMES: &str = "times";
const FILLER: &str = "filler";
/// What is left out of what a publisher says.
const OWN_NAMES: [&str; 7] = [
    DURATION,
    FILE_SIZE,
    HAS_AUDIO,
    HAS_VIDEO,
    HAS_KEY_FRAMES,
    KEY_FRAMES,
    FILLER,
];

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::flv::FileReader;

    fn key(millis: u32) -> Frame {
        let payload = Bytes::from_static(&[0x17, 1, 0, 0, 0, 0x65]);
        Frame::video(Timestamp::from_millis(millis), payload)
    }

    fn metadata(properties: Object) -> Frame {
        let mut payload = Vec::new();
        amf0::encode(&Value::from(ON_META_DATA), &mut payload);
        amf0::encode(&Value::EcmaArray(properties), &mut payload);
        Frame::data(Timestamp::ZERO, payload.into())
    }

    /// The properties in the head, and all frames behind it.
    fn read(file: &[u8]) -> (Object, Vec<Frame>) {
        let mut reader = FileReader::new();
        let mut input = file;
        let mut frames = Vec::new();
        while let Some(frame) = reader.decode(&mut input).unwrap() {
            frames.push(frame);
        }
        assert_eq!(
            (reader.finish(), reader.wrong_back_pointers()),
            (Ok(None), 0)
        );
        let head = frames.remove(0);
        assert!(head.is_metadata());
        let mut values = amf0::decode(&head.payload, &AmfLimits::DATA).unwrap();
        match values.pop() {
            Some(Value::EcmaArray(properties)) if values.len() == 1 => (properties, frames),
            other => panic!("{other:?}"),
        }
    }

    fn numbers(properties: &Object, name: &str) -> Vec<f64> {
        let key_frames = properties.get(KEY_FRAMES).unwrap().as_object().unwrap();
        let Some(Value::StrictArray(values)) = key_frames.get(name) else {
            panic!("an array");
        };
        values
            .iter()
            .map(|value| value.as_number().unwrap())
            .collect()
    }

    #[test]
    fn fillers_of_any_length() {
        for len in (0..4000).filter(|len| !(1..PIECE_OVERHEAD).contains(len)) {
            let Value::StrictArray(pieces) = filler(len) else {
                panic!("an array");
            };
            let lens = pieces.iter().map(|piece| piece.as_str().unwrap().len());
            assert!(lens.clone().all(|len| len < 1024));
            assert_eq!(lens.map(|len| len + PIECE_OVERHEAD).sum::<usize>(), len);
        }
    }

    /// FLV-63, FLV-64, FLV-70, FLV-71.
    #[test]
    fn head_is_filled_in_at_the_end() {
        let mut recorder = FileRecorder::new();
        let mut file = recorder.head();
        let before = file.clone();
        let said = Object::new().with("encoder", "x").with("duration", 0.0);
        recorder.encode(&metadata(said.clone()), &mut file).unwrap();
        for millis in [5000, 6000, 7500] {
            recorder.encode(&key(millis), &mut file).unwrap();
        }
        assert_eq!(recorder.file_len(), file.len() as u64);
        // Cut off, it is a file all the same.
        assert_eq!(read(&file).1.len(), 4);

        let head = recorder.head();
        assert_eq!(head.len(), before.len());
        file[..head.len()].copy_from_slice(&head);
        let (properties, frames) = read(&file);
        let number = |name| properties.get(name).and_then(Value::as_number).unwrap();
        assert_eq!(number(DURATION), 2.5);
        assert_eq!(number(FILE_SIZE), file.len() as f64);
        assert_eq!(properties.get("encoder"), Some(&"x".into()));
        assert_eq!(properties.get(HAS_AUDIO), Some(&false.into()));
        assert_eq!(file[4], 1, "video only");
        assert_eq!(numbers(&properties, TIMES), [0.0, 1.0, 2.5]);
        for position in numbers(&properties, FILE_POSITIONS) {
            let position = (0..file.len()).find(|&at| at as f64 == position).unwrap();
            assert_eq!(file[position..][..4], [9, 0, 0, 6]);
        }
        assert_eq!(frames.len(), 4);
    }

    /// Of too many key frames an even selection is left.
    #[test]
    fn key_frames_are_thinned() {
        for limit in [2, 5, 8] {
            let mut recorder = FileRecorder::with_key_frames(limit);
            let mut file = recorder.head();
            for second in 0..100 {
                recorder.encode(&key(second * 1000), &mut file).unwrap();
            }
            file.splice(..recorder.head().len(), recorder.head());
            let times = numbers(&read(&file).0, TIMES);
            assert!(times.len() <= usize::from(limit) && times.len() >= usize::from(limit) / 2);
            let step = times[1] - times[0];
            assert!(
                times.windows(2).all(|pair| pair[1] - pair[0] == step),
                "{times:?}"
            );
            assert!(times[0] == 0.0 && times[times.len() - 1] + 2.0 * step > 99.0);
        }
    }

    #[test]
    fn endless_metadata_is_left_out() {
        let mut recorder = FileRecorder::new();
        let len = recorder.head().len();
        let long = Object::new().with("x", "x".repeat(100_000).as_str());
        recorder.encode(&metadata(long), &mut Vec::new()).unwrap();
        recorder.encode(&key(0), &mut Vec::new()).unwrap();
        let head = recorder.head();
        assert_eq!(head.len(), len);
        assert_eq!(read(&head).0.get("x"), None);
        assert!(head.starts_with(b"FLV"));
    }

    proptest! {
        #[test]
        fn head_never_changes_its_length(
            text in "\\PC{0,2000}",
            limit: u16,
            keys in proptest::collection::vec(any::<u32>(), 0..40),
        ) {
            let mut recorder = FileRecorder::with_key_frames(limit);
            let len = recorder.head().len();
            let said = Object::new().with("text", text.as_str());
            recorder.encode(&metadata(said), &mut Vec::new()).unwrap();
            for millis in keys {
                recorder.encode(&key(millis), &mut Vec::new()).unwrap();
            }
            prop_assert_eq!(recorder.head().len(), len);
        }
    }
}
