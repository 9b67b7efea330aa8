//! FLV tag bodies and files.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use rtmp_proto::{
    AmfLimits, Timestamp,
    flv::{
        AudioInfo, Codec, FileReader, FileRecorder, FileWriter, FlvError, FourCc, Frame,
        StreamInfo, VideoInfo, config::CodecConfig,
    },
    message::Metadata,
};

use crate::input::payload;

/// Any bytes are a frame of each kind, whose queries agree with each other.
pub fn flv_body(data: &[u8]) {
    let payload = Bytes::copy_from_slice(data);
    for make in [Frame::audio, Frame::video, Frame::data] {
        let frame = make(Timestamp::ZERO, payload.clone());
        assert!(payload.ends_with(&frame.body()));
        let first = frame.track_layout().map(|layout| layout.first());
        assert_eq!(frame.track(), first);
        for track in frame.tracks().flatten() {
            assert!(track.data.len() <= payload.len());
            if let Some(codec) = track.codec.and_then(Codec::four_cc) {
                let _ = CodecConfig::decode(codec, &track.data);
            }
        }
        let mut info = StreamInfo::new();
        info.push(&frame);
        let _ = format!("{info:?}");
        if let Some(metadata) = Metadata::from_frame(&frame, &AmfLimits::DATA) {
            let again = Metadata::from_frame(&metadata.to_frame(Timestamp::ZERO), &AmfLimits::DATA);
            assert!(again.is_some());
        }
        assert!(!(frame.is_coded_media() && frame.is_sequence_header()));
        assert!(!frame.is_key_frame() || frame.is_video());
        let _ = format!("{frame:?} {:?}", frame.codec());
        assert_eq!(frame.clone().with_timestamp(Timestamp::ZERO), frame);
    }
}

/// Any split of a file gives the same frames, and these survive the way through a file.
pub fn flv_file(data: &[u8]) {
    let Some((&piece, file)) = data.split_first() else {
        return;
    };
    let (frames, error) = read(file, usize::MAX);
    let pieces = read(file, 1 + usize::from(piece));
    assert_eq!((&frames, &error), (&pieces.0, &pieces.1));

    assert_eq!(
        read(&write(FileWriter::keeping_timestamps(), &frames), 7),
        (frames.clone(), None)
    );
    let (moved, error) = read(&write(FileWriter::new(), &frames), usize::MAX);
    assert_eq!(error, None);
    assert_eq!(moved.len(), frames.len());

    check_recording(&frames, 4);
}

/// Configuration records: what decodes means the same once it was encoded. The first byte is the codec.
pub fn flv_config(data: &[u8]) {
    let Some((&codec, record)) = data.split_first() else {
        return;
    };
    let codec = CODECS[usize::from(codec) % CODECS.len()];
    let Ok(config) = CodecConfig::decode(codec, record) else {
        return;
    };
    assert_eq!(
        CodecConfig::decode(codec, &config.encode()),
        Ok(config.clone())
    );
    let _ = (config.codec_string(), config.profile_name());
    let _ = (
        VideoInfo::from_config(&config),
        AudioInfo::from_config(&config),
    );
}

/// Any frames survive the way through a file, and through a recording.
pub fn flv_frames(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(key_frames) = u.arbitrary::<u8>() else {
        return;
    };
    let mut frames = Vec::new();
    while !u.is_empty() {
        let Ok(frame) = frame(&mut u) else { break };
        frames.push(frame);
    }
    check_recording(&frames, key_frames.into());
    let file = write(FileWriter::keeping_timestamps(), &frames);
    assert_eq!(read(&file, usize::MAX), (frames, None));
}

/// A recording begins with metadata of its own, and the rest are the frames, at other times. Its head has
/// the same length whenever it is written.
fn check_recording(frames: &[Frame], key_frames: u16) {
    let mut recorder = FileRecorder::with_key_frames(key_frames);
    let head_len = recorder.head().len();
    let mut tags = Vec::new();
    for frame in frames {
        recorder.encode(frame, &mut tags).expect("short payloads");
    }
    let head = recorder.head();
    assert_eq!(head.len(), head_len);
    let recording = [head, tags].concat();
    assert_eq!(recording.len() as u64, recorder.file_len());
    let (recorded, error) = read(&recording, usize::MAX);
    assert_eq!(error, None);
    let (metadata, recorded) = recorded.split_first().expect("the metadata");
    assert!(Metadata::from_frame(metadata, &AmfLimits::DATA).is_some());
    assert_eq!(recorded.len(), frames.len());
    for (recorded, frame) in recorded.iter().zip(frames) {
        assert_eq!(*recorded, frame.clone().with_timestamp(recorded.timestamp));
    }
}

/// A frame of anything, or of what it should be at least in the beginning.
pub(crate) fn frame(u: &mut Unstructured<'_>) -> Result<Frame> {
    let make = *u.choose(&[Frame::audio, Frame::video, Frame::data])?;
    let timestamp = Timestamp::from_millis(u.arbitrary()?);
    let payload = match u.arbitrary()? {
        true => payload(u)?,
        false => {
            let head = *u.choose(HEADS)?;
            [head, u.arbitrary()?].concat().into()
        }
    };
    Ok(make(timestamp, payload))
}

fn read(file: &[u8], piece: usize) -> (Vec<Frame>, Option<FlvError>) {
    let mut reader = FileReader::new();
    let mut frames = Vec::new();
    for mut bytes in file.chunks(piece) {
        loop {
            match reader.decode(&mut bytes) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => {
                    assert!(bytes.is_empty(), "input is left and nothing came of it");
                    break;
                }
                Err(error) => {
                    assert_eq!(reader.finish(), Err(error.clone()));
                    return (frames, Some(error));
                }
            }
        }
    }
    assert_eq!(reader.offset(), file.len() as u64);
    loop {
        match reader.finish() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

fn write(mut writer: FileWriter, frames: &[Frame]) -> Vec<u8> {
    let mut file = FileWriter::header(true, true).to_vec();
    for frame in frames {
        writer.encode(frame, &mut file).expect("short payloads");
    }
    file
}

const HEADS: &[&[u8]] = &[
    b"\xAF\x00",
    b"\xAF\x01",
    b"\x17\x00\x00\x00\x00",
    b"\x17\x01\x00\x00\x00",
    b"\x27\x01\x00\x00\x00",
    b"\x90hvc1",
    b"\x93av01",
    b"\x96\x03avc1\x01",
    b"\x02\x00\x0AonMetaData\x08\x00\x00\x00\x00",
];

const CODECS: [FourCc; 9] = [
    FourCc::AVC,
    FourCc::HEVC,
    FourCc::VVC,
    FourCc::AV1,
    FourCc::VP8,
    FourCc::VP9,
    FourCc::AAC,
    FourCc::OPUS,
    FourCc::FLAC,
];
