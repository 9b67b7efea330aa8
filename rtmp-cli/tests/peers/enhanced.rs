//! Enhanced RTMP with an ffmpeg that knows it: 8 or newer, which Debian does not have yet.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    common::{Process, Server, TempDir, rtmp},
    programs::{HeldPublisher, words},
};

/// HEVC with B-frames, and Opus.
const HEVC: &str = "-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=2:keyint=30 \
                    -c:a libopus -ac 2";
/// AV1 and FLAC.
const AV1: &str = "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 30 -c:a flac";
/// VP9 and AC-3.
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -c:a ac3 -ac 2";
/// H.264 and E-AC-3.
const AVC: &str = "-c:v libx264 -preset ultrafast -bf 2 -g 30 -c:a eac3 -ac 6";
/// VVC and MP3.
const VVC: &str = "-c:v libvvenc -preset faster -period 1 -c:a libmp3lame";
/// Two tracks of each kind, with codecs of their own.
const TRACKS: &str = "-map 0:v -map 0:v -map 1:a -map 1:a \
                      -c:v:0 libx265 -preset:v:0 ultrafast -x265-params log-level=none:keyint=30:open-gop=0 \
                      -c:v:1 libx264 -preset:v:1 ultrafast -s:v:1 160x90 -g:v:1 30 \
                      -c:a:0 aac -c:a:1 libopus";

#[test]
fn hevc_and_opus() {
    passes("hevc", HEVC);
}

#[test]
fn av1_and_flac() {
    passes("av1", AV1);
}

#[test]
fn vp9_and_ac3() {
    passes("vp9", VP9);
}

#[test]
fn avc_and_eac3() {
    passes("avc", AVC);
}

#[test]
fn vvc_and_mp3() {
    passes("vvc", VVC);
}

#[test]
fn two_tracks_of_each_kind() {
    let streams = passes("tracks", TRACKS);
    assert_eq!(streams, 4);
}

/// `rtmp publish` instead of ffmpeg.
#[test]
fn a_file_of_several_tracks_is_published() {
    let directory = TempDir::new();
    let source = source("published", TRACKS, 3, &directory);
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let mut player = play(&url, &directory.file("ffmpeg.flv"));
    server.wait_for_players(1);
    let mut command = rtmp();
    command.arg("publish").arg(&source).arg(&url);
    Process::spawn(command).succeed();
    player.succeed();
    assert_same(&packets(&source), &packets(&directory.file("ffmpeg.flv")));
}

/// A player that joins late gets the configuration of every track, and begins with a key frame.
#[test]
fn late_players_decode_what_they_get() {
    let directory = TempDir::new();
    let source = source("late", TRACKS, 6, &directory);
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    // ffmpeg ends the second video track as if it were the first, in the header of plain AVC, which a
    // player that is still looking for tracks takes for another one.
    let flags = "-flvflags no_duration_filesize+no_sequence_end";
    let publisher = HeldPublisher::of(program(), &source, 1300, flags, &url);
    let (by_ffmpeg, by_rtmp) = (directory.file("ffmpeg.flv"), directory.file("rtmp.flv"));
    let mut players = [play(&url, &by_ffmpeg), play_with_rtmp(&url, &by_rtmp)];
    server.wait_for_players(2);
    publisher.go_on().succeed();
    for player in &mut players {
        player.succeed();
    }
    let expected = packets(&source);
    let expected_pictures = decoded(&source, "0:v:0");
    for file in [by_ffmpeg, by_rtmp] {
        let got = packets(&file);
        assert_eq!(got.configurations.len(), 4, "{}", file.display());
        assert_eq!(got.configurations, expected.configurations);
        let pictures = decoded(&file, "0:v:0");
        assert!(pictures.len() >= 30, "{} pictures", pictures.len());
        assert!(expected_pictures.ends_with(&pictures), "{}", file.display());
    }
}

/// What ffmpeg publishes is what ffmpeg and `rtmp play` get, packet for packet and, once decoded,
/// picture for picture. Returns the number of streams.
#[track_caller]
fn passes(name: &str, codecs: &str) -> usize {
    let directory = TempDir::new();
    let source = source(name, codecs, 3, &directory);
    let server = Server::start(["--republish-wait", "0.5"]);
    let url = server.url("live/stream");
    let (by_ffmpeg, by_rtmp) = (directory.file("ffmpeg.flv"), directory.file("rtmp.flv"));
    let mut players = [play(&url, &by_ffmpeg), play_with_rtmp(&url, &by_rtmp)];
    server.wait_for_players(2);
    publish(&source, &url).succeed();
    for player in &mut players {
        player.succeed();
    }
    let (expected, expected_frames) = (packets(&source), decoded(&source, "0"));
    assert!(expected.packets.len() > 100, "{}", expected.packets.len());
    for file in [by_ffmpeg, by_rtmp] {
        let got = packets(&file);
        // ffmpeg writes the record of VP9 anew.
        if codecs != VP9 {
            assert_eq!(expected.configurations, got.configurations);
        }
        assert_same(&expected, &got);
        let frames = decoded(&file, "0");
        assert!(expected_frames == frames, "{}", file.display());
    }
    expected.configurations.len()
}

/// So many seconds of a test picture and a tone.
fn source(name: &str, codecs: &str, seconds: u32, directory: &TempDir) -> PathBuf {
    let file = directory.file(&format!("{name}.flv"));
    let arguments = "-y -nostdin -v error -f lavfi -i testsrc2=size=320x180:rate=30 \
                     -f lavfi -i sine=frequency=440:sample_rate=48000 -t SECONDS -pix_fmt yuv420p";
    let arguments = arguments.replace("SECONDS", &seconds.to_string());
    let mut ffmpeg = Command::new(ffmpeg());
    ffmpeg.args(words(&arguments, "", &[]));
    ffmpeg.args(words(codecs, "", &[OsStr::new("-f"), OsStr::new("flv")]));
    let status = ffmpeg.arg(&file).status().expect("ffmpeg runs");
    assert!(status.success(), "ffmpeg made no {name}");
    file
}

fn publish(file: &Path, url: &str) -> Process {
    let arguments = "-nostdin -v info -nostats -copyts -re -i";
    let mut arguments = words(arguments, "", &[file.as_os_str()]);
    let output = "-map 0 -c copy -f flv -flvflags no_duration_filesize";
    arguments.extend(words(output, "", &[OsStr::new(url)]));
    Process::start(program(), arguments)
}

fn play(url: &str, file: &Path) -> Process {
    let arguments = "-y -nostdin -v error -i URL -map 0 -c copy -copyts -f flv \
                     -flvflags no_sequence_end";
    Process::start(program(), words(arguments, url, &[file.as_os_str()]))
}

fn play_with_rtmp(url: &str, file: &Path) -> Process {
    let mut command = rtmp();
    command.args(["play", url, "--output"]).arg(file);
    Process::spawn(command)
}

/// What ffmpeg reads from a file.
#[derive(Debug, PartialEq, Eq)]
struct Packets {
    /// Stream, size and hash of each decoder configuration.
    configurations: Vec<String>,
    /// Stream, times, size and hash of each packet.
    packets: Vec<String>,
}

#[track_caller]
fn packets(file: &Path) -> Packets {
    let lines = hashes(file, "-map 0 -c copy -copyts");
    let configurations = lines
        .iter()
        .filter_map(|line| line.strip_prefix("#extradata"))
        .map(str::to_owned)
        .collect();
    // Behind the last frame of FLAC ffmpeg writes an empty one, and does not publish it.
    let packets = lines
        .into_iter()
        .filter(|line| !line.starts_with('#') && !line.ends_with(HASH_OF_NOTHING));
    Packets {
        configurations,
        packets: packets.collect(),
    }
}

/// Without a listing of all packets.
#[track_caller]
fn assert_same(expected: &Packets, got: &Packets) {
    assert_eq!(expected.configurations.len(), got.configurations.len());
    for (expected, got) in expected.packets.iter().zip(&got.packets) {
        assert_eq!(expected, got);
    }
    assert_eq!(expected.packets.len(), got.packets.len());
}

/// The hash of each decoded picture and piece of sound of the streams `map`, in order.
#[track_caller]
fn decoded(file: &Path, map: &str) -> Vec<String> {
    let lines = hashes(file, &format!("-map {map} -fps_mode passthrough"));
    let frames = lines.iter().filter(|line| !line.starts_with('#'));
    frames
        .filter_map(|line| Some(line.rsplit_once(',')?.1.trim().to_owned()))
        .collect()
}

#[track_caller]
fn hashes(file: &Path, options: &str) -> Vec<String> {
    let output = Command::new(ffmpeg())
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(file)
        .args(words(options, "", &[]))
        .args(["-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", file.display());
    let text = String::from_utf8(output.stdout).expect("ffmpeg writes UTF-8");
    text.lines().map(str::to_owned).collect()
}

fn program() -> &'static str {
    ffmpeg().to_str().expect("a path in UTF-8")
}

/// The program that the environment names, or that the Python module `imageio_ffmpeg` brings.
fn ffmpeg() -> &'static OsStr {
    static FFMPEG: OnceLock<OsString> = OnceLock::new();
    FFMPEG.get_or_init(|| {
        let path = std::env::var_os(VARIABLE).or_else(|| {
            let script = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe(), end='')";
            let output = Command::new("python3").args(["-c", script]).output().ok()?;
            let path = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| path.into())
        });
        path.unwrap_or_else(|| {
            panic!(
                "ffmpeg 8 or newer is needed: in {VARIABLE}, or from `pip install imageio-ffmpeg`"
            )
        })
    })
}

const HASH_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

const VARIABLE: &str = "RTMP_PEERS_FFMPEG";
