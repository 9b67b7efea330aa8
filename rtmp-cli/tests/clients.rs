//! `rtmp publish` and `rtmp play` against a server in this process.

mod common;

use std::{
    fs,
    process::Output,
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{
    TempFile,
    live::Nobody,
    scripted::{
        accept, accept_request, command, interrupt, listen, output, rtmp, take_stream, url, url_of,
    },
};
use rtmp_proto::{
    MessageStreamId, Server, ServerEvent, Status, StatusCode, Timestamp,
    amf::{Object, Value, amf0},
    flv::{FileReader, FileWriter, Frame},
};
use rtmp_tokio::{BoxedTransport, Connection};

#[tokio::test]
async fn publish_sends_the_file() {
    let listener = listen().await;
    let file = file("sends", &flv(&frames(0)));
    let child = rtmp(&["publish", file.as_str(), &url(&listener)]);
    let (frames_seen, _) = take_stream(accept(&listener).await).await;
    assert_eq!(frames_seen, frames(0));
    assert_success(output(child).await);
}

#[tokio::test]
async fn publish_reads_standard_input() {
    let listener = listen().await;
    let file = file("stdin", &flv(&frames(0)));
    let child = command(&["publish", "-", &url(&listener)])
        .stdin(fs::File::open(file.path()).unwrap())
        .spawn()
        .unwrap();
    let (frames_seen, _) = take_stream(accept(&listener).await).await;
    assert_eq!(frames_seen, frames(0));
    assert_success(output(child).await);
}

/// What precedes the cut is published, and ends in good order.
#[tokio::test]
async fn publish_tells_where_a_file_is_cut() {
    let listener = listen().await;
    let all = frames(0);
    let whole = flv(&all[..all.len() - 1]).len();
    let file = file("cut", &flv(&all)[..whole + 12]);
    let child = rtmp(&["publish", file.as_str(), &url(&listener)]);
    let (frames_seen, is_stopped) = take_stream(accept(&listener).await).await;
    assert_eq!(frames_seen, all[..all.len() - 1]);
    assert!(is_stopped);
    let line = assert_failure(output(child).await);
    assert!(
        line.ends_with(&format!("ends inside the tag at byte {whole}")),
        "{line}"
    );
}

#[tokio::test]
async fn publish_reports_a_rejection_without_the_key() {
    let listener = listen().await;
    let file = file("rejected", &flv(&frames(0)));
    let child = rtmp(&["publish", file.as_str(), &url(&listener)]);
    let mut connection = accept(&listener).await;
    loop {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(&mut connection, request),
            ServerEvent::Publish(request) => {
                let said = "no stream s3cr3tkey\nwith t0k3nvalue";
                let status = Status::error(StatusCode::PUBLISH_DENIED, said);
                let now = connection.now();
                connection.session().reject(now, request, status).unwrap();
            }
            ServerEvent::Closed(_) => break,
            _ => {}
        }
    }
    let line = assert_failure(output(child).await);
    assert!(line.contains("cannot publish to 127.0.0.1:"), "{line}");
    assert!(
        line.contains("NetStream.Publish.Denied (no stream … with …)"),
        "{line}"
    );
}

#[tokio::test]
async fn publish_tells_that_a_password_is_wanted() {
    let listener = listen().await;
    let file = file("password", &flv(&frames(0)));
    let child = rtmp(&["publish", file.as_str(), &url(&listener)]);
    let mut connection = accept(&listener).await;
    while let Ok(event) = connection.next_event().await {
        if let ServerEvent::Connect(request) = event {
            let said = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
            let status = Status::error(StatusCode::CONNECT_REJECTED, said);
            let now = connection.now();
            connection.session().reject(now, request, status).unwrap();
        }
    }
    let line = assert_failure(output(child).await);
    assert!(line.contains("cannot publish to 127.0.0.1:"), "{line}");
    assert!(
        line.ends_with(": the server wants a user and a password"),
        "{line}"
    );
}

/// The server goes away while the next frame is not due for long.
#[tokio::test]
async fn publish_does_not_wait_for_a_frame_when_the_server_is_gone() {
    let listener = listen().await;
    // As far apart as frames of one stream can be.
    let far = [video(0, 0x17), video(9_000, 0x27)];
    let file = file("gone", &flv(&far));
    let mut is_in_time = false;
    // Who waits is late each time, a machine that stands still for so long only once.
    for _ in 0..3 {
        let child = rtmp(&["publish", file.as_str(), &url(&listener)]);
        let mut connection = accept(&listener).await;
        loop {
            match connection.next_event().await.unwrap() {
                ServerEvent::Connect(request) => accept_request(&mut connection, request),
                ServerEvent::Publish(request) => accept_request(&mut connection, request),
                ServerEvent::Frame { .. } => break,
                _ => {}
            }
        }
        let gone = Instant::now();
        drop(connection);
        let line = assert_failure(output(child).await);
        assert!(line.contains("ended the stream: "), "{line}");
        is_in_time = gone.elapsed() < Duration::from_secs(7);
        if is_in_time {
            break;
        }
    }
    assert!(is_in_time, "it waited for the next frame");
}

#[cfg(unix)]
#[tokio::test]
async fn publish_repeats_until_interrupted() {
    let listener = listen().await;
    let file = file("loop", &flv(&frames(0)));
    let child = rtmp(&["publish", "--loop", file.as_str(), &url(&listener)]);
    let mut connection = accept(&listener).await;
    let mut times = Vec::new();
    let is_stopped = loop {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(&mut connection, request),
            ServerEvent::Publish(request) => accept_request(&mut connection, request),
            ServerEvent::Frame { frame, .. } => {
                if frame.is_coded_media() && frame.is_video() {
                    times.push(frame.timestamp.as_millis());
                }
                if times.len() == 9 {
                    interrupt(&child).await;
                    // Once is enough.
                    times.push(0);
                }
            }
            ServerEvent::PublishStopped { .. } => break true,
            ServerEvent::Closed(_) => break false,
            _ => {}
        }
    };
    assert!(is_stopped);
    assert_eq!(times[..9], [0, 20, 40, 60, 80, 100, 120, 140, 160]);
    drop(connection);
    assert_success(output(child).await);
}

#[tokio::test]
async fn play_writes_a_file_that_begins_at_zero() {
    let listener = listen().await;
    let file = file("played", b"something older");
    let child = rtmp(&["play", &url(&listener), "-o", file.as_str()]);
    give_stream(accept(&listener).await, &frames(1_000_000), true).await;
    assert_success(output(child).await);
    let written = fs::read(file.path()).unwrap();
    assert_eq!(written[4], 5);
    assert_eq!(read(&written), frames(0));
}

#[tokio::test]
async fn play_writes_a_pipe() {
    let listener = listen().await;
    let child = rtmp(&["play", &url(&listener), "--output", "-"]);
    give_stream(accept(&listener).await, &frames(7), true).await;
    let output = output(child).await;
    assert_eq!(read(&output.stdout), frames(0));
    assert_success(output);
}

/// A reader that has seen enough is no failure.
#[tokio::test]
async fn play_ends_with_its_reader() {
    let listener = listen().await;
    let mut child = rtmp(&["play", &url(&listener), "--output", "-"]);
    drop(child.stdout.take());
    give_stream(accept(&listener).await, &frames(0), true).await;
    assert_success(output(child).await);
}

#[tokio::test]
async fn play_stops_after_the_duration() {
    let listener = listen().await;
    let child = rtmp(&["play", &url(&listener), "-o", "-", "--duration", "0.04"]);
    // The stream does not end, the player does.
    give_stream(accept(&listener).await, &frames(0), false).await;
    let output = output(child).await;
    assert_eq!(read(&output.stdout), frames(0)[..5]);
    assert_success(output);
}

/// What came before stays, as a whole file.
#[tokio::test]
async fn play_reports_a_lost_connection() {
    let listener = listen().await;
    let file = file("lost", b"");
    let child = rtmp(&["play", &url(&listener), "-o", file.as_str()]);
    let mut connection = accept(&listener).await;
    start_playing(&mut connection, &frames(0)).await;
    connection.flush().await.unwrap();
    drop(connection);
    let line = assert_failure(output(child).await);
    assert!(line.contains("ended the stream: "), "{line}");
    // A reset may have overtaken the last of them.
    let all = frames(0);
    let written = read(&fs::read(file.path()).unwrap());
    assert!(all.starts_with(&written), "{written:?}");
}

#[tokio::test]
async fn play_reports_a_refusal_and_leaves_the_file() {
    let listener = listen().await;
    let file = file("refused", b"something older");
    let child = rtmp(&["play", &url(&listener), "-o", file.as_str()]);
    let mut connection = accept(&listener).await;
    loop {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(&mut connection, request),
            ServerEvent::Play(request) => {
                let status = Status::error(StatusCode::PLAY_STREAM_NOT_FOUND, "s3cr3tkey?");
                let now = connection.now();
                connection.session().reject(now, request, status).unwrap();
            }
            ServerEvent::Closed(_) => break,
            _ => {}
        }
    }
    let line = assert_failure(output(child).await);
    assert!(
        line.contains("NetStream.Play.StreamNotFound (…?)"),
        "{line}"
    );
    assert_eq!(fs::read(file.path()).unwrap(), b"something older");
}

#[tokio::test]
async fn failures_before_a_connection_are_one_line() {
    let nobody = Nobody::new();
    let closed = url_of(nobody.address());
    let good = file("good", &flv(&frames(0)));
    let other = file("other", b"RIFF, not FLV");
    let empty = file("empty", b"");
    let missing = file("missing", b"");
    fs::remove_file(missing.path()).unwrap();
    let cases: [(&[&str], &str); 9] = [
        (
            &["publish", good.as_str(), "http://h/a/s3cr3tkey"],
            "bad URL: ",
        ),
        (&["play", "s3cr3tkey", "-o", "-"], "bad URL: "),
        (
            &["publish", good.as_str(), &closed],
            "cannot connect to 127.0.0.1:",
        ),
        (
            &["play", &closed, "-o", "-"],
            "cannot connect to 127.0.0.1:",
        ),
        (&["publish", missing.as_str(), &closed], "cannot open "),
        (&["publish", other.as_str(), &closed], "not an flv file"),
        (&["publish", empty.as_str(), &closed], " is empty"),
        (&["publish", "-", &closed], "standard input is empty"),
        (&["publish", "--loop", "-", &closed], "only a regular file"),
    ];
    for (args, expected) in cases {
        let line = assert_failure(rtmp(args).wait_with_output().await.unwrap());
        assert!(line.contains(expected), "{line}");
    }
}

/// Plays `frames` to a player until it leaves.
async fn give_stream(
    mut connection: Connection<BoxedTransport, Server>,
    frames: &[Frame],
    is_all: bool,
) {
    let stream = start_playing(&mut connection, frames).await;
    if is_all {
        connection.session().notify_unpublished(stream).unwrap();
    }
    while !matches!(
        connection.next_event().await,
        Ok(ServerEvent::Closed(_)) | Err(_)
    ) {}
}

async fn start_playing(
    connection: &mut Connection<BoxedTransport, Server>,
    frames: &[Frame],
) -> MessageStreamId {
    loop {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(connection, request),
            ServerEvent::Play(request) => {
                let stream = request.stream();
                accept_request(connection, request);
                for frame in frames {
                    connection.session().send_frame(stream, frame).unwrap();
                }
                return stream;
            }
            _ => {}
        }
    }
}

/// The start of a stream, its media from `origin` on.
fn frames(origin: u32) -> Vec<Frame> {
    let mut metadata = Vec::new();
    let properties = Object::new()
        .with("videocodecid", 7.0)
        .with("audiocodecid", 10.0);
    amf0::encode(&Value::from("onMetaData"), &mut metadata);
    amf0::encode(&Value::EcmaArray(properties), &mut metadata);
    let at = Timestamp::from_millis(origin);
    vec![
        Frame::data(Timestamp::ZERO, metadata.into()),
        Frame::video(Timestamp::ZERO, Bytes::from_static(&[0x17, 0, 0, 0, 0, 1])),
        video(origin, 0x17),
        Frame::audio(at, Bytes::from_static(&[0xAF, 1, 0x21])),
        video(origin + 20, 0x27),
        video(origin + 40, 0x27),
    ]
}

fn video(millis: u32, kind: u8) -> Frame {
    let payload = [&[kind, 1, 0, 0, 0][..], &[kind; 20_000]].concat();
    Frame::video(Timestamp::from_millis(millis), payload.into())
}

fn flv(frames: &[Frame]) -> Vec<u8> {
    let mut out = FileWriter::header(true, true).to_vec();
    for frame in frames {
        FileWriter::keeping_timestamps()
            .encode(frame, &mut out)
            .unwrap();
    }
    out
}

/// The frames of a file that must be whole.
fn read(mut file: &[u8]) -> Vec<Frame> {
    let mut reader = FileReader::new();
    let mut frames = Vec::new();
    while let Some(frame) = reader.decode(&mut file).unwrap() {
        frames.push(frame);
    }
    assert_eq!(reader.finish(), Ok(None));
    frames
}

fn file(name: &str, content: &[u8]) -> TempFile {
    TempFile::new(&format!("{name}.flv"), content)
}

fn assert_success(output: Output) {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

/// The one line said, without its end.
fn assert_failure(output: Output) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = said.strip_suffix('\n').unwrap();
    assert!(line.starts_with("rtmp: ") && !line.contains('\n'), "{said}");
    assert!(
        !line.contains("s3cr3t") && !line.contains("t0k3n"),
        "{said}"
    );
    line.to_owned()
}
