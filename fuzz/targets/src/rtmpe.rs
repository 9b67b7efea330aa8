//! RTMPE: the handshake and what it encrypts.

use std::sync::{Arc, LazyLock};

use rtmp_proto::{
    ClientConfig, ClientSession, Instant, MessageStreamId, RtmpUrl, ServerConfig, ServerSession,
    SessionState, Timestamp, handshake::HandshakeMode,
};

use crate::{
    input::take_output,
    session::{Application, run},
};

/// Any split of encrypted input gives the same, and behind the handshake the same as in the clear.
///
/// Since nobody guesses signatures and keystreams, the input is what a true peer sends but for some
/// differences, which are differences of the plain text, too. The first byte picks the role, the second
/// the length of the pieces, the next two where the differences begin.
pub fn rtmpe(data: &[u8]) {
    let [role, piece, high, low, differences @ ..] = data else {
        return;
    };
    let at = usize::from(u16::from_be_bytes([*high, *low]));
    match role & 1 {
        0 => check(&TO_SERVER, server, *piece, at, differences),
        _ => check(&TO_CLIENT, client, *piece, at, differences),
    }
}

fn check<R: Application>(
    honest: &Honest,
    make: impl Fn(bool) -> rtmp_proto::Session<R>,
    piece: u8,
    at: usize,
    differences: &[u8],
) {
    let apply = |wire: &[u8]| {
        let mut wire = wire.to_vec();
        for (byte, difference) in wire.iter_mut().skip(at).zip(differences) {
            *byte ^= difference;
        }
        wire
    };
    let wire = apply(&honest.encrypted);
    let whole = run(make(true), &wire, usize::MAX);
    let pieces = run(make(true), &wire, 1 + usize::from(piece));
    assert_eq!(whole, pieces);
    if at >= HANDSHAKE_LEN {
        let plain = run(make(false), &apply(&honest.plain), usize::MAX);
        assert_eq!((whole.0, whole.1), (plain.0, plain.1));
        assert_eq!(whole.2.len(), plain.2.len());
    }
}

/// What a peer sends that publishes, or its server.
struct Honest {
    plain: Vec<u8>,
    encrypted: Vec<u8>,
}

static TO_SERVER: LazyLock<Honest> = LazyLock::new(|| Honest {
    plain: dialogue(false).0,
    encrypted: dialogue(true).0,
});

static TO_CLIENT: LazyLock<Honest> = LazyLock::new(|| Honest {
    plain: dialogue(false).1,
    encrypted: dialogue(true).1,
});

/// What a client and a server say to each other.
fn dialogue(is_encrypted: bool) -> (Vec<u8>, Vec<u8>) {
    let now = Instant::ORIGIN;
    let (mut client, mut server) = (client(is_encrypted), server(is_encrypted));
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let (mut read, mut read_back) = (0, 0);
    let mut is_sent = false;
    loop {
        take_output(&mut client, &mut to_server);
        take_output(&mut server, &mut to_client);
        let mut input = &to_server[read..];
        server.handle_input(now, &mut input);
        let mut moved = input.len() < to_server.len() - read;
        read = to_server.len() - input.len();
        let mut input = &to_client[read_back..];
        client.handle_input(now, &mut input);
        moved |= input.len() < to_client.len() - read_back;
        read_back = to_client.len() - input.len();
        while let Some(event) = server.poll_event() {
            rtmp_proto::Server::answer(&mut server, event);
            moved = true;
        }
        while client.poll_event().is_some() {
            moved = true;
        }
        if !moved && is_sent {
            return (to_server, to_client);
        }
        if !moved {
            assert_eq!(client.state(), SessionState::Publishing);
            let stream = MessageStreamId::new(1);
            for len in [10, 5000] {
                let payload = vec![0; len].into();
                let sent = client.send_video(stream, Timestamp::ZERO, payload);
                sent.expect("it publishes");
            }
            is_sent = true;
        }
    }
}

fn client(is_encrypted: bool) -> ClientSession {
    let mut config = ClientConfig::default();
    if is_encrypted {
        config.handshake = HandshakeMode::Encrypted;
    }
    let now = Instant::ORIGIN;
    let mut session = ClientSession::new(now, Arc::new(config), [1; 32]);
    let url: RtmpUrl = "rtmp://host/live/key".parse().expect("a URL");
    session.publish_to(now, &url).expect("a fresh session");
    session
}

fn server(is_encrypted: bool) -> ServerSession {
    let mut config = ServerConfig::default();
    config.accepts_encryption = is_encrypted;
    ServerSession::new(Instant::ORIGIN, Arc::new(config), [2; 32])
}

const HANDSHAKE_LEN: usize = 1 + 2 * 1536;
