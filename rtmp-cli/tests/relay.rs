//! `rtmp relay` and `rtmp publish --reconnect` between servers in this process.

mod common;

use std::process::Output;

use bytes::Bytes;
use common::{
    TempDir, TempFile,
    live::{Nobody, bounded},
    scripted::{accept, accept_request, interrupt, listen, output, rtmp, take_stream, url},
};
use rtmp_proto::{
    MessageStreamId, Server, ServerEvent, Status, StatusCode, Timestamp,
    amf::{Object, Value, amf0},
    flv::{FileWriter, Frame},
};
use rtmp_tokio::{BoxedTransport, Connection};
use tokio::{fs::OpenOptions, process::Command};

/// The dead one is asked again and again; the other one does not notice.
#[tokio::test]
async fn a_dead_destination_does_not_disturb_the_other() {
    let listener = listen().await;
    let file = file("two", &stream(10));
    let nobody = Nobody::new();
    let dead = format!("rtmp://{}/live/s3cr3tkey", nobody.address());
    let child = rtmp(&["relay", file.as_str(), &dead, &url(&listener)]);
    let (frames, is_stopped) = take_stream(accept(&listener).await).await;
    assert_eq!(frames, stream(10));
    assert!(is_stopped);
    let (code, said) = outcome(output(child).await);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("/live/…: publishing\n"), "{said}");
    assert!(said.contains("refused; attempt 1 in "), "{said}");
    assert!(said.contains("not everything was sent"), "{said}");
}

#[tokio::test]
async fn a_file_reaches_all_destinations() {
    let (one, other) = (listen().await, listen().await);
    let file = file("all", &stream(10));
    let child = rtmp(&["relay", file.as_str(), &url(&one), &url(&other)]);
    let (one, other) = tokio::join!(async { take_stream(accept(&one).await).await }, async {
        take_stream(accept(&other).await).await
    },);
    assert_eq!(one, (stream(10), true));
    assert_eq!(other, (stream(10), true));
    let (code, said) = outcome(output(child).await);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn without_a_destination_left_it_fails() {
    let listener = listen().await;
    let file = file("denied", &stream(500));
    let child = rtmp(&["relay", file.as_str(), &url(&listener)]);
    let mut connection = accept(&listener).await;
    loop {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(&mut connection, request),
            ServerEvent::Publish(request) => {
                let status = Status::error(StatusCode::PUBLISH_DENIED, "s3cr3tkey is bad");
                let now = connection.now();
                connection.session().reject(now, request, status).unwrap();
            }
            ServerEvent::Closed(_) => break,
            _ => {}
        }
    }
    let (code, said) = outcome(output(child).await);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("gave up: rejected by the peer: NetStream.Publish.Denied (… is bad)\n"),
        "{said}"
    );
    assert!(
        said.ends_with("\nrtmp: every destination has given up\n"),
        "{said}"
    );
}

/// Who has nothing to pass on yet can be ended, too.
#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_before_the_first_frame() {
    let directory = TempDir::new();
    let path = directory.file("source.flv");
    let made = Command::new("mkfifo").arg(&path).status().await;
    assert!(made.unwrap().success());
    let nobody = Nobody::new();
    let destination = format!("rtmp://{}/live/s3cr3tkey", nobody.address());
    let child = rtmp(&["relay", path.to_str().unwrap(), &destination]);
    // Not before the program opens it.
    let source = bounded(OpenOptions::new().write(true).open(&path)).await;
    interrupt(&child).await;
    let (code, said) = outcome(output(child).await);
    assert_eq!(code, Some(0), "{said}");
    drop(source);
}

/// The source goes away and comes back: the destination sees one stream, and its end at an interrupt.
#[cfg(unix)]
#[tokio::test]
async fn a_source_is_pulled_again() {
    let (source, destination) = (listen().await, listen().await);
    let child = rtmp(&["relay", &url(&source), &url(&destination)]);
    let first = give(accept(&source).await, &stream(5)).await;
    let mut taking = accept(&destination).await;
    let mut frames = take_some(&mut taking, 7).await;
    drop(first);
    let again = give(accept(&source).await, &stream(5)).await;
    frames.extend(take_some(&mut taking, 7).await);
    assert_eq!(
        payloads(&frames),
        payloads(&[stream(5), stream(5)].concat())
    );
    let coded = frames.iter().filter(|frame| frame.is_coded_media());
    let times: Vec<_> = coded.map(|frame| frame.timestamp.as_millis()).collect();
    assert!(times.is_sorted(), "{times:?}");
    interrupt(&child).await;
    let (rest, is_stopped) = take_stream(taking).await;
    assert!(rest.is_empty() && is_stopped);
    drop(again);
    let (code, said) = outcome(output(child).await);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("; attempt 1 in "), "{said}");
}

/// The source asks for a reconnect elsewhere, and is left at once.
#[cfg(unix)]
#[tokio::test]
async fn a_source_that_moves_is_followed() {
    let (source, other, destination) = (listen().await, listen().await, listen().await);
    let child = rtmp(&["relay", &url(&source), &url(&destination)]);
    let mut first = give(accept(&source).await, &stream(5)).await;
    let mut taking = accept(&destination).await;
    let mut frames = take_some(&mut taking, 7).await;
    let to = format!("rtmp://{}/live", other.local_addr().unwrap());
    let request = Status::new(StatusCode::CONNECT_RECONNECT_REQUEST, "update").with("tcUrl", &*to);
    let control = MessageStreamId::CONTROL;
    first.session().send_status(control, &request).unwrap();
    first.flush().await.unwrap();
    let second = give(accept(&other).await, &stream(5)).await;
    frames.extend(take_some(&mut taking, 7).await);
    assert_eq!(
        payloads(&frames),
        payloads(&[stream(5), stream(5)].concat())
    );
    interrupt(&child).await;
    let (rest, is_stopped) = take_stream(taking).await;
    assert!(rest.is_empty() && is_stopped);
    drop(second);
    let (code, said) = outcome(output(child).await);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(": asked to reconnect to 127.0.0.1:"),
        "{said}"
    );
}

#[tokio::test]
async fn publish_goes_on_over_a_new_connection() {
    let listener = listen().await;
    let file = file("reconnect", &stream(60));
    let child = rtmp(&["publish", "--reconnect", file.as_str(), &url(&listener)]);
    let mut first = accept(&listener).await;
    let before = take_some(&mut first, 15).await;
    assert_eq!(before, stream(60)[..15]);
    drop(first);
    let (after, is_stopped) = take_stream(accept(&listener).await).await;
    assert!(is_stopped);
    assert!(after[0].is_metadata() && after[1].is_configuration());
    assert!(after[2].is_key_frame());
    assert_eq!(after.last(), stream(60).last());
    let (code, said) = outcome(output(child).await);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(": publishing again\n"), "{said}");
}

/// The next `count` frames published.
async fn take_some(
    connection: &mut Connection<BoxedTransport, Server>,
    count: usize,
) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.len() < count {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(connection, request),
            ServerEvent::Publish(request) => accept_request(connection, request),
            ServerEvent::Frame { frame, .. } => frames.push(frame),
            ServerEvent::Closed(reason) => panic!("{reason} after {} frames", frames.len()),
            _ => {}
        }
    }
    frames
}

/// Plays `frames` and leaves the player connected.
async fn give(
    mut connection: Connection<BoxedTransport, Server>,
    frames: &[Frame],
) -> Connection<BoxedTransport, Server> {
    loop {
        match connection.next_event().await.unwrap() {
            ServerEvent::Connect(request) => accept_request(&mut connection, request),
            ServerEvent::Play(request) => {
                let stream = request.stream();
                accept_request(&mut connection, request);
                for frame in frames {
                    connection.session().send_frame(stream, frame).unwrap();
                }
                connection.flush().await.unwrap();
                return connection;
            }
            _ => {}
        }
    }
}

/// Metadata, a configuration, and video of 25 pictures a second with a key frame every fifth.
fn stream(pictures: u32) -> Vec<Frame> {
    let mut metadata = Vec::new();
    let properties = Object::new().with("videocodecid", 7.0);
    amf0::encode(&Value::from("onMetaData"), &mut metadata);
    amf0::encode(&Value::EcmaArray(properties), &mut metadata);
    let mut frames = vec![
        Frame::data(Timestamp::ZERO, metadata.into()),
        Frame::video(Timestamp::ZERO, Bytes::from_static(&[0x17, 0, 0, 0, 0, 1])),
    ];
    frames.extend((0..pictures).map(|n| {
        let kind = if n % 5 == 0 { 0x17 } else { 0x27 };
        let payload = [&[kind, 1, 0, 0, 0][..], &[kind; 1000], &n.to_be_bytes()].concat();
        Frame::video(Timestamp::from_millis(n * 40), payload.into())
    }));
    frames
}

fn payloads(frames: &[Frame]) -> Vec<&[u8]> {
    frames.iter().map(|frame| &frame.payload[..]).collect()
}

fn file(name: &str, frames: &[Frame]) -> TempFile {
    let mut out = FileWriter::header(true, true).to_vec();
    for frame in frames {
        FileWriter::keeping_timestamps()
            .encode(frame, &mut out)
            .unwrap();
    }
    TempFile::new(&format!("{name}.flv"), &out)
}

/// The exit code and what was said, which holds no secrets.
fn outcome(output: Output) -> (Option<i32>, String) {
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !said.contains("s3cr3t") && !said.contains("t0k3n"),
        "{said}"
    );
    (output.status.code(), said)
}
