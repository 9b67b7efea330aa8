//! The numbers of the media headers, one by one, and what sessions do with media they do not
//! understand.

mod common;

use bytes::Bytes;
use common::Pair;
use rtmp_proto::{
    MessageStreamId, ServerEvent, Timestamp,
    flv::{
        AudioHeader, AudioPacket, Codec, CodecId, FourCc, Frame, FrameType, SoundFormat,
        VideoHeader, VideoPacket,
    },
};

const ONE: MessageStreamId = MessageStreamId::new(1);

/// ERTMP-5, ERTMP-63, ERTMP-94: the codes of all codecs, as text and in order.
#[test]
fn codes_of_codecs() {
    let audio = [
        (FourCc::AC3, b"ac-3"),
        (FourCc::EAC3, b"ec-3"),
        (FourCc::OPUS, b"Opus"),
        (FourCc::MP3, b".mp3"),
        (FourCc::FLAC, b"fLaC"),
        (FourCc::AAC, b"mp4a"),
    ];
    for (codec, text) in audio {
        let payload = [&[0x91][..], text, &[0xAA]].concat();
        let header = AudioHeader::decode(&payload);
        assert_eq!(header.codec, Some(Codec::FourCc(codec)));
        assert_eq!(header.header_len, 5);
    }
    let video = [
        (FourCc::VP8, b"vp08"),
        (FourCc::VP9, b"vp09"),
        (FourCc::AV1, b"av01"),
        (FourCc::AVC, b"avc1"),
        (FourCc::HEVC, b"hvc1"),
        (FourCc::VVC, b"vvc1"),
    ];
    for (codec, text) in video {
        let payload = [&[0x93][..], text, &[0xAA]].concat();
        let header = VideoHeader::decode(&payload);
        assert_eq!(header.codec, Some(Codec::FourCc(codec)));
        assert_eq!(header.header_len, 5);
    }
}

/// ERTMP-34, ERTMP-35, ERTMP-37, ERTMP-38, ERTMP-57, ERTMP-75: every packet type of the enhanced
/// audio header, each before a code.
#[test]
fn audio_packet_types() {
    for packet_type in 0..16_u8 {
        if matches!(packet_type, 5 | 7) {
            continue; // Multitrack and ModEx are more than a type.
        }
        let header = AudioHeader::decode(&[0x90 | packet_type, b'O', b'p', b'u', b's']);
        let expected = match packet_type {
            0 => AudioPacket::SequenceStart,
            1 => AudioPacket::CodedFrames,
            2 => AudioPacket::SequenceEnd,
            4 => AudioPacket::MultichannelConfig,
            _ => AudioPacket::Unknown,
        };
        assert_eq!(header.packet, expected, "{packet_type}");
        assert_eq!(header.codec, Some(Codec::FourCc(FourCc::OPUS)));
        assert_eq!((header.sample_rate(), header.channels()), (None, None));
    }
}

/// ERTMP-57, ERTMP-84, ERTMP-86, ERTMP-87, ERTMP-111: every packet type of the enhanced video header.
#[test]
fn video_packet_types() {
    for packet_type in 0..16_u8 {
        if matches!(packet_type, 6 | 7) {
            continue; // Multitrack and ModEx are more than a type.
        }
        let header = VideoHeader::decode(&[0xA0 | packet_type, b'a', b'v', b'0', b'1']);
        let expected = match packet_type {
            0 => VideoPacket::SequenceStart,
            1 | 3 => VideoPacket::CodedFrames,
            2 => VideoPacket::SequenceEnd,
            4 => VideoPacket::Metadata,
            5 => VideoPacket::MpegTsSequenceStart,
            _ => VideoPacket::Unknown,
        };
        assert_eq!(header.packet, expected, "{packet_type}");
        assert_eq!(header.frame_type, FrameType::INTER);
        assert_eq!(header.codec, Some(Codec::FourCc(FourCc::AV1)));
    }
}

/// ModEx comes before Multitrack, and is no packet type inside it.
#[test]
fn mod_ex_within_multitrack_is_not_understood() {
    let audio = AudioHeader::decode(&[0x95, 0x07, b'O', b'p', b'u', b's', 1, 0, 0xAA]);
    assert_eq!(audio.packet, AudioPacket::Unknown);
    assert_eq!(audio.timestamp_nanos, None);
    let video = VideoHeader::decode(&[0x96, 0x07, b'a', b'v', b'0', b'1', 1, 0, 0xAA]);
    assert_eq!(video.packet, VideoPacket::Unknown);
    assert_eq!(video.timestamp_nanos, None);
}

/// FLV-37, FLV-38, ERTMP-84, ERTMP-88: the frame type is the same three bits in both headers.
#[test]
fn frame_types() {
    for (value, frame_type, is_key) in [
        (0, FrameType::RESERVED, false),
        (1, FrameType::KEY, true),
        (2, FrameType::INTER, false),
        (3, FrameType::DISPOSABLE_INTER, false),
        (4, FrameType::GENERATED_KEY, true),
        (5, FrameType::COMMAND, false),
        (6, FrameType(6), false),
        (7, FrameType(7), false),
    ] {
        let legacy = VideoHeader::decode(&[value << 4 | 7, 1, 0, 0, 0, 0xAA]);
        let enhanced = VideoHeader::decode(&[0x80 | value << 4 | 3, b'a', b'v', b'c', b'1', 0xAA]);
        for header in [legacy, enhanced] {
            assert_eq!(header.frame_type, frame_type);
            assert_eq!(header.is_key_frame(), is_key, "{frame_type:?}");
        }
    }
}

/// FLV-23 to FLV-25: the sound format is the upper half of the first byte, and those that nobody uses
/// are told all the same.
#[test]
fn sound_formats() {
    let named = [
        SoundFormat::PCM_PLATFORM,
        SoundFormat::ADPCM,
        SoundFormat::MP3,
        SoundFormat::PCM_LE,
        SoundFormat::NELLYMOSER_16K,
        SoundFormat::NELLYMOSER_8K,
        SoundFormat::NELLYMOSER,
        SoundFormat::G711_ALAW,
        SoundFormat::G711_MULAW,
        SoundFormat::EX_HEADER,
        SoundFormat::AAC,
        SoundFormat::SPEEX,
        SoundFormat(12),
        SoundFormat(13),
        SoundFormat::MP3_8K,
        SoundFormat::DEVICE_SPECIFIC,
    ];
    for (value, format) in (0_u8..).zip(named) {
        if format == SoundFormat::EX_HEADER {
            continue;
        }
        let header = AudioHeader::decode(&[value << 4, 1, 0xAA]);
        assert_eq!(header.codec, Some(Codec::SoundFormat(format)));
        assert_eq!(header.packet, AudioPacket::CodedFrames);
        let len = if format == SoundFormat::AAC { 2 } else { 1 };
        assert_eq!(header.header_len, len, "{format:?}");
    }
}

/// FLV-37, FLV-39: the codec is the lower half of the first byte.
#[test]
fn codec_ids() {
    for (value, codec) in [
        (2, CodecId::SORENSON_H263),
        (3, CodecId::SCREEN),
        (4, CodecId::VP6),
        (5, CodecId::VP6_ALPHA),
        (6, CodecId::SCREEN_2),
        (7, CodecId::AVC),
    ] {
        let header = VideoHeader::decode(&[0x20 | value, 1, 0, 0, 0, 0xAA]);
        assert_eq!(header.codec, Some(Codec::CodecId(codec)));
        assert_eq!(header.packet, VideoPacket::CodedFrames);
    }
}

/// ERTMP-1, ERTMP-38, ERTMP-39, ERTMP-47, ERTMP-90, ERTMP-133, ERTMP-145, MSG-6, MSG-7: media passes
/// whole and at its time through sessions, understood or not: reserved packet types, codes nobody
/// knows, nanosecond offsets, several tracks.
#[test]
fn media_passes_untouched() {
    let at = Timestamp::from_millis(70);
    let payloads: [&[u8]; 8] = [
        &[0x98, b'z', b'z', b'z', b'z', 1],
        &[0x9F, 1, 2],
        &[0xE1, b'z', b'z', b'z', b'z', 1],
        &[0x97, 2, 0x0F, 0x42, 0x3F, 0x01, b'O', b'p', b'u', b's', 9],
        &[0x97, 0, 0xAA, 0x91],
        &[0x95, 0x15, b'm', b'p', b'4', b'a', 0],
        &[0x96, 0x21, b'a', b'v', b'0', b'1', 0, 0, 0, 1, 0x12],
        &[0x00],
    ];
    let mut pair = Pair::publishing();
    let mut sent = Vec::new();
    for payload in payloads.map(Bytes::from_static) {
        sent.push(Frame::audio(at, payload.clone()));
        sent.push(Frame::video(at, payload));
    }
    for frame in &sent {
        pair.client.send_frame(ONE, frame).unwrap();
    }
    pair.drive();
    let received = pair.server_events.iter().filter_map(|event| match event {
        ServerEvent::Frame { frame, .. } => Some(frame),
        _ => None,
    });
    assert!(received.eq(&sent));
}
