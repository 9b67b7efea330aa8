//! What people are told of a stream: codec, profile, size, channels, for every codec and as far as it is
//! known.
#![allow(clippy::indexing_slicing, reason = "a panic is a failure")]

use bytes::Bytes;
use hex_literal::hex;
use rtmp_proto::{
    Timestamp,
    flv::{
        AudioInfo, FourCc, Frame, StreamInfo, VideoInfo,
        config::{AacConfig, AvcConfig, CodecConfig, HevcConfig, VpConfig},
    },
};

fn video(payload: &[u8]) -> Frame {
    Frame::video(Timestamp::ZERO, Bytes::copy_from_slice(payload))
}

fn audio(payload: &[u8]) -> Frame {
    Frame::audio(Timestamp::ZERO, Bytes::copy_from_slice(payload))
}

/// Enhanced: a sequence start with a record.
fn start(four_cc: &[u8; 4], record: &[u8]) -> Vec<u8> {
    [&[0x90][..], four_cc, record].concat()
}

fn learn(frame: &Frame) -> String {
    let mut info = StreamInfo::new();
    info.push(frame);
    info.to_string()
}

#[test]
fn records_of_every_codec() {
    let opus = |channels| {
        let head = hex!("4F707573 48656164 01");
        let rest = hex!("3801 80BB0000 0000 00");
        [&head[..], &[channels], &rest].concat()
    };
    for (frame, text) in [
        (video(&start(b"hvc1", &HEVC)), "H.265 Main 10 642x362"),
        (video(&start(b"vvc1", &VVC)), "H.266 Main 10 640x360"),
        (video(&start(b"vp09", &VP)), "VP9 Profile 0"),
        (video(&start(b"vp08", &VP)), "VP8 Profile 0"),
        (audio(&start(b"fLaC", &FLAC)), "FLAC 48 kHz mono"),
        (audio(&start(b"Opus", &opus(2))), "Opus 48 kHz stereo"),
    ] {
        assert_eq!(learn(&frame), text);
    }
    // Without a record there is the name.
    for (four_cc, name) in [
        (b"avc1", "H.264"),
        (b"hvc1", "H.265"),
        (b"vvc1", "H.266"),
        (b"vp08", "VP8"),
        (b"vp09", "VP9"),
        (b"av01", "AV1"),
        (b"what", "what"),
    ] {
        assert_eq!(learn(&video(&start(four_cc, &[]))), name);
    }
    for (four_cc, name) in [
        (b"mp4a", "AAC"),
        (b"Opus", "Opus"),
        (b"fLaC", "FLAC"),
        (b"ac-3", "AC-3"),
        (b"ec-3", "E-AC-3"),
        (b".mp3", "MP3"),
    ] {
        assert_eq!(learn(&audio(&start(four_cc, &[]))), name);
    }
}

/// Codecs of the original format, most of which nobody sends any more.
#[test]
fn legacy_codecs() {
    for (first, name) in [
        (0x12, "H.263"),
        (0x13, "Screen video"),
        (0x14, "VP6"),
        (0x15, "VP6"),
        (0x16, "Screen video"),
        (0x1F, "video codec 15"),
    ] {
        assert_eq!(learn(&video(&[first, 1, 2, 3, 4, 5])), name);
    }
    for (first, name) in [
        (0x0F, "PCM 44.1 kHz stereo"),
        (0x3E, "PCM 44.1 kHz mono"),
        (0x1B, "ADPCM 22 kHz stereo"),
        (0x4E, "Nellymoser 16 kHz mono"),
        (0x5E, "Nellymoser 8 kHz mono"),
        (0x6E, "Nellymoser 44.1 kHz mono"),
        (0x7E, "G.711 8 kHz mono"),
        (0x8E, "G.711 8 kHz mono"),
        (0xBE, "Speex 16 kHz mono"),
        (0xCF, "audio codec 12 44.1 kHz stereo"),
    ] {
        assert_eq!(learn(&audio(&[first, 1, 2, 3, 4, 5])), name);
    }
}

/// Profiles by name, and none for numbers that nobody has given a name.
#[test]
fn profiles() {
    let avc = |profile: u8| {
        let mut record = AVC.to_vec();
        record[1] = profile;
        let config = AvcConfig::decode(&record).unwrap();
        VideoInfo::from_config(&CodecConfig::Avc(config))
            .unwrap()
            .profile
    };
    for (number, name) in [
        (66, Some("Baseline")),
        (77, Some("Main")),
        (88, Some("Extended")),
        (1, None),
    ] {
        assert_eq!(avc(number), name);
    }
    let hevc = |profile: u8| {
        let mut record = HEVC.to_vec();
        record[1] = profile;
        let config = HevcConfig::decode(&record).unwrap();
        VideoInfo::from_config(&CodecConfig::Hevc(config))
            .unwrap()
            .profile
    };
    for (number, name) in [
        (1, Some("Main")),
        (2, Some("Main 10")),
        (3, Some("Main Still Picture")),
        (4, Some("Range Extensions")),
        (9, None),
    ] {
        assert_eq!(hevc(number), name);
    }
    for number in 0..5_u8 {
        let info = VideoInfo::from_config(&CodecConfig::Vp9(VpConfig::new(number, 21))).unwrap();
        let name = format!("Profile {number}");
        assert_eq!(info.profile, Some(&*name).filter(|_| number < 4));
    }
    let aac = |config: &[u8]| {
        let config = CodecConfig::Aac(AacConfig::decode(config).unwrap());
        assert_eq!(VideoInfo::from_config(&config), None);
        AudioInfo::from_config(&config).unwrap().profile
    };
    for (config, name) in [
        (hex!("0990 0000"), Some("Main")),
        (hex!("1190 0000"), Some("LC")),
        (hex!("1990 0000"), Some("SSR")),
        (hex!("2190 0000"), Some("LTP")),
        (hex!("2B92 0800"), Some("HE")),
        (hex!("EB8A 0800"), Some("HEv2")),
    ] {
        assert_eq!(aac(&config), name, "{config:x?}");
    }
}

/// A record is written as it was read, whatever codec it is of, and says which.
#[test]
fn records_round_trip() {
    for (four_cc, record) in [
        (FourCc::HEVC, &HEVC[..]),
        (FourCc::VVC, &VVC),
        (FourCc::VP9, &VP),
        (FourCc::FLAC, &FLAC),
        (FourCc::AVC, &AVC),
    ] {
        let config = CodecConfig::decode(four_cc, record).unwrap();
        assert_eq!(config.encode(), record);
        assert_eq!(config.codec(), four_cc);
        assert!(!config.codec_string().is_empty());
        let is_video = VideoInfo::from_config(&config).is_some();
        assert_ne!(AudioInfo::from_config(&config).is_some(), is_video);
    }
}

/// libx264 by OBS.
const AVC: [u8; 47] = hex!(
    "01640028FF E1 001E 67640028ACD940780227E5C05A808080A0000003002000000781E30632C0 01 0006 68EBE3CB22C0"
);

/// libx265 by ffmpeg 9.0, 642x362 in 10 bits; its SEI array is left out.
const HEVC: [u8; 113] = hex!(
    "01 02 20000000 900000000000 3F F000 FC FD FA FA 0000 0F 03"
    "20 0001 0018 40010C01FFFF02200000030090000003000003003F959409"
    "21 0001 002D 42010102200000030090000003000003003FA005220171C448D965654A4C2F016808"
    "000003000800000300F040"
    "22 0001 0006 4401C073C189"
);

/// libvvenc by ffmpeg 9.0, 640x360; the parameter sets are cut short.
const VVC: [u8; 39] = hex!(
    "FF 0065 5F 01 02 23 80 00 00 0280 0168 0000 02"
    "8F 0001 0006 007900AB0223 90 0001 0006 008100002002"
);

/// libvpx by ffmpeg 9.0.
const VP: [u8; 12] = hex!("01000000 00 15 82 02 02 02 0000");

/// ffmpeg 9.0 with a live stream.
const FLAC: [u8; 34] =
    hex!("0400 0400 000000 000815 0BB800F000000000 00000000000000000000000000000000");
