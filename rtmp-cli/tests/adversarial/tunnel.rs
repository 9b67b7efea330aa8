//! RTMPT, which no program of ours speaks: its sessions are attacked in memory, and its requests at a port for
//! RTMP.

use bytes::Bytes;
use rtmp_proto::rtmpt::{Request, Server, SessionId, TunnelError};

use crate::{attacker::Attacker, scene::Scene};

/// Row 27, Red5 461: requests that were answered before, or come too early, or are for another session. Each
/// is refused, the tunnel is as it was, and the next request in order is served.
#[test]
fn replayed_requests() {
    let session = SessionId::new("a1").unwrap();
    let mut server = Server::new(session);
    let mut ask = |path: &str| {
        let request = Request::decode(path).unwrap();
        server.handle_request(&request, Bytes::from_static(&[0]))
    };
    ask("/send/a1/4294967294").unwrap();
    for _ in 0..1000 {
        for sequence in [0, 4_294_967_293, 4_294_967_294] {
            let expected = u32::MAX;
            let refused = ask(&format!("/send/a1/{sequence}"));
            assert_eq!(refused, Err(TunnelError::OutOfOrder { sequence, expected }));
        }
        assert_eq!(ask("/send/b2/4294967295"), Err(TunnelError::WrongSession));
        assert_eq!(ask("/open/1"), Err(TunnelError::WrongState));
    }
    ask("/idle/a1/4294967295").unwrap();
    ask("/close/a1/0").unwrap();
    assert_eq!(ask("/send/a1/1"), Err(TunnelError::WrongState));
}

/// Row 27: a flood of `open` at the port of `rtmp serve`, which opens nothing: each is told apart by its
/// first byte.
#[test]
fn a_flood_of_open() {
    let scene = Scene::new();
    scene.survive_again(8, |server| {
        let mut attackers: Vec<_> = (0..500).map(|_| Attacker::connect(server)).collect();
        for attacker in &mut attackers {
            let request = b"POST /open/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n\0";
            attacker.send(request);
        }
        let last = attackers.pop();
        for attacker in &attackers {
            attacker.wait_for_end();
        }
        last.unwrap().end(server, "speaks HTTP");
        attackers
    });
    scene.finish();
}
