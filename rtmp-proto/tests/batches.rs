//! Batches of frames for many players, against frames one by one.

mod common;

use bytes::{Bytes, BytesMut};
use common::{Pair, take_output};
use rtmp_proto::{
    MessageStreamId, RequestError, ServerConfig, Timestamp, chunk::ChunkSize, flv::Frame,
    relay::Batch,
};

const ONE: MessageStreamId = MessageStreamId::new(1);

fn frames() -> Vec<Frame> {
    let at = Timestamp::from_millis;
    let payload = |first: &[u8], len: usize| {
        let mut payload = first.to_vec();
        payload.resize(len, 0xAB);
        Bytes::from(payload)
    };
    vec![
        Frame::audio(at(0), payload(&[0xAF, 0], 4)),
        Frame::video(at(0), payload(&[0x17, 1, 0, 0, 0], 200_000)),
        Frame::audio(at(20), payload(&[0xAF, 1], 370)),
        Frame::video(at(0x00FF_FFFF), payload(&[0x27, 1, 0, 0, 0], 70_000)),
        Frame::data(at(40), Bytes::from_static(b"\x02\x00\x0AonTextData")),
        Frame::video(at(u32::MAX), payload(&[0x27, 1, 0, 0, 0], 3000)),
    ]
}

fn sent(pair: &mut Pair) -> BytesMut {
    let mut wire = BytesMut::new();
    take_output(&mut pair.server, &mut wire);
    wire
}

/// The same bytes and the same counts, whether or not the batch was made for this chunk size.
#[test]
fn batches_are_their_frames() {
    let default = ServerConfig::default().connection.chunk_size;
    for size in [default, ChunkSize::new(4096).unwrap()] {
        let (mut together, mut one_by_one) = (Pair::playing(), Pair::playing());
        let batch = Batch::new(frames(), size);
        together.server.send_batch(ONE, &batch).unwrap();
        for frame in frames() {
            one_by_one.server.send_frame(ONE, &frame).unwrap();
        }
        let expected = sent(&mut one_by_one);
        assert_eq!(sent(&mut together), expected);
        assert_eq!(together.server.stats(), one_by_one.server.stats());
        if size == default {
            assert_eq!(batch.wire_len(), expected.len());
        }
    }
}

/// Small frames are one piece to write for all players, large ones are not copied.
#[test]
fn batches_are_few_pieces() {
    let mut pair = Pair::playing();
    let size = ServerConfig::default().connection.chunk_size;
    let small = frames().into_iter().filter(|f| f.payload.len() < 4000);
    let batch = Batch::new(small.collect(), size);
    pair.server.send_batch(ONE, &batch).unwrap();
    let transmit = pair.server.poll_transmit().unwrap();
    assert_eq!(transmit.slices().count(), 1);
    let large = Batch::new(frames(), size);
    pair = Pair::playing();
    pair.server.send_batch(ONE, &large).unwrap();
    let transmit = pair.server.poll_transmit().unwrap();
    let payload = &large.frames()[1].payload;
    let starts: Vec<_> = transmit.slices().map(<[u8]>::as_ptr).collect();
    assert!(starts.contains(&payload.as_ptr()));
}

/// NS-38: what a player does not want is left out of batches too.
#[test]
fn batches_leave_out_what_is_not_wanted() {
    let mut pair = Pair::playing();
    let batch = Batch::new(frames(), ServerConfig::default().connection.chunk_size);
    pair.client.receive_video(ONE, false).unwrap();
    pair.drive();
    let before = pair.server.stats().sent;
    pair.server.send_batch(ONE, &batch).unwrap();
    let after = pair.server.stats().sent;
    assert_eq!((after.video, after.audio - before.audio), (before.video, 2));
    pair.client.pause(ONE, true, 0.0).unwrap();
    pair.drive();
    let before = pair.server.stats().sent;
    pair.server.send_batch(ONE, &batch).unwrap();
    assert_eq!(pair.server.stats().sent, before);
}

#[test]
fn batches_need_a_player_with_room() {
    let mut pair = Pair::publishing();
    let batch = Batch::new(frames(), ServerConfig::default().connection.chunk_size);
    let error = pair.server.send_batch(ONE, &batch).unwrap_err();
    assert!(matches!(error, RequestError::WrongStream { .. }), "{error}");
    let mut pair = Pair::playing();
    let error = std::iter::repeat_with(|| pair.server.send_batch(ONE, &batch))
        .take(1000)
        .find_map(Result::err);
    assert!(matches!(error, Some(RequestError::QueueFull { .. })));
}
