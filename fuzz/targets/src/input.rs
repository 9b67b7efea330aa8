//! Structured inputs made of bytes.

use arbitrary::{Result, Unstructured};
use bytes::{Buf, Bytes};
use rtmp_proto::{
    AmfLimits, ConnectionConfig, Leniency, Limits, Role, Session,
    amf::{Date, Dictionary, Externalizable, Object, TypedObject, Value},
    chunk::HeaderCompression,
};

/// A value nested `depth` deep at most.
pub(crate) fn value(u: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    let kinds = if depth == 0 { 9 } else { 15 };
    Ok(match u.int_in_range(0..=kinds - 1)? {
        0 => Value::Number(u.arbitrary()?),
        1 => Value::Number(u.int_in_range(0..=9)?.into()),
        2 => Value::Boolean(u.arbitrary()?),
        3 => Value::String(text(u)?.into()),
        4 => Value::Null,
        5 => Value::Undefined,
        6 => Value::Date(Date {
            unix_millis: u.arbitrary()?,
            time_zone: u.arbitrary()?,
        }),
        7 => Value::XmlDocument(text(u)?.into()),
        8 => Value::ByteArray(payload(u)?.to_vec()),
        9 => Value::Object(object(u, depth - 1)?),
        10 => Value::EcmaArray(object(u, depth - 1)?),
        11 => Value::Externalizable(Box::new(match u.arbitrary()? {
            true => Externalizable::array_collection(vec![value(u, depth - 1)?]),
            false => Externalizable::object_proxy(object(u, depth - 1)?),
        })),
        12 => Value::Dictionary(Box::new(Dictionary::new(vec![(
            value(u, depth - 1)?,
            value(u, depth - 1)?,
        )]))),
        13 => {
            let len = u.int_in_range(0..=4)?;
            Value::StrictArray(
                (0..len)
                    .map(|_| value(u, depth - 1))
                    .collect::<Result<_>>()?,
            )
        }
        _ => {
            // One without a name is an object like any other once it has been through AMF3.
            let class_name = format!("class {}", text(u)?);
            let typed = TypedObject::new(class_name, object(u, depth - 1)?);
            typed.map_or(Value::Unsupported, Value::from)
        }
    })
}

pub(crate) fn object(u: &mut Unstructured<'_>, depth: u8) -> Result<Object> {
    let mut object = Object::new();
    for _ in 0..u.int_in_range(0..=4)? {
        // A name of more than 65 535 bytes leaves the object as it was.
        let _ = object.try_insert(text(u)?, value(u, depth)?);
    }
    Ok(object)
}

/// Mostly a word that means something, else anything; now and then something long.
pub(crate) fn text(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=9)? {
        0..=5 => (*u.choose(WORDS)?).into(),
        6..=8 => u.arbitrary::<&str>()?.into(),
        _ => "x".repeat(u.int_in_range(0..=70_000)?),
    })
}

/// A payload of any kind of length.
pub(crate) fn payload(u: &mut Unstructured<'_>) -> Result<Bytes> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Bytes::from(vec![u.arbitrary()?; u.int_in_range(0..=20_000)?]),
        _ => Bytes::copy_from_slice(u.arbitrary()?),
    })
}

/// Bounds that short inputs reach.
pub(crate) fn small_limits() -> Limits {
    let mut limits = Limits::default();
    limits.message_len = 10_000;
    limits.incomplete_bytes = 20_000;
    limits.incomplete_messages = 4;
    limits.chunk_streams = 10;
    limits.chunks_per_message = 200;
    limits.aggregate_parts = 3;
    limits.before_connect.message_len = 2000;
    limits.before_connect.incomplete_bytes = 4000;
    limits.before_connect.chunk_streams = 4;
    limits.command = small(AmfLimits::COMMAND);
    limits.data = small(AmfLimits::DATA);
    limits.message_streams = 3;
    limits.pending_calls = 3;
    limits.output_queue = SMALL_QUEUE;
    limits
}

/// A configuration picked by the bits of a byte.
pub(crate) fn configure(config: &mut ConnectionConfig, bits: u8) {
    if bits & 1 != 0 {
        config.leniency = Leniency::STRICT;
    }
    if bits & 2 != 0 {
        config.limits = small_limits();
    }
    if bits & 4 != 0 {
        config.header_compression = HeaderCompression::Deltas;
        config.enforce_peer_bandwidth = true;
    }
}

/// Takes what a session wants to send.
pub(crate) fn take_output<R: Role>(session: &mut Session<R>, wire: &mut Vec<u8>) {
    while let Some(mut transmit) = session.poll_transmit() {
        let len = transmit.chunk().len();
        assert_ne!(len, 0, "something to send that is nothing");
        wire.extend_from_slice(transmit.chunk());
        transmit.advance(len);
    }
}

fn small(limits: AmfLimits) -> AmfLimits {
    limits.with_depth(4).with_nodes(100).with_string_bytes(2000)
}

/// [`Limits::output_queue`] of the small ones.
pub(crate) const SMALL_QUEUE: usize = 4000;

/// Commands, properties and codes that either role looks for, and a few names.
pub(crate) const WORDS: &[&str] = &[
    "",
    "_error",
    "_onbwcheck",
    "_checkbw",
    "_result",
    "app",
    "capsEx",
    "close",
    "closeStream",
    "code",
    "connect",
    "createStream",
    "deleteStream",
    "description",
    "duration",
    "error",
    "FCPublish",
    "FCSubscribe",
    "FCUnpublish",
    "FCUnsubscribe",
    "flashVer",
    "fourCcList",
    "getStreamLength",
    "key",
    "key?token=1",
    "level",
    "live",
    "NetConnection.Connect.ReconnectRequest",
    "NetConnection.Connect.Rejected",
    "NetConnection.Connect.Success",
    "NetStream.Play.PublishNotify",
    "NetStream.Play.Start",
    "NetStream.Play.Stop",
    "NetStream.Play.StreamNotFound",
    "NetStream.Play.UnpublishNotify",
    "NetStream.Publish.BadName",
    "NetStream.Publish.Start",
    "objectEncoding",
    "onBWDone",
    "onFCPublish",
    "onMetaData",
    "onStatus",
    "pause",
    "pauseRaw",
    "play",
    "play2",
    "publish",
    "receiveAudio",
    "receiveVideo",
    "releaseStream",
    "rtmp://host/live",
    "seek",
    "@setDataFrame",
    "status",
    "tcUrl",
];
