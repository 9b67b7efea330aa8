//! The handshake against packets recorded from real peers; see `data/PROVENANCE.md`.

use std::time::Duration;

use rtmp_proto::{
    Instant,
    handshake::{DigestBase, Handshake, HandshakeVariant},
};

/// HS-34 to HS-36, A-16: ffmpeg and nginx sign C1 at base 8, byte by byte or whole.
#[test]
fn digests_of_real_clients_are_found() {
    let captures: [(&[u8], u32); 2] = [
        (
            include_bytes!("data/handshake-ffmpeg-c0c1.bin"),
            0x0900_7C02,
        ),
        (include_bytes!("data/handshake-nginx-c0c1.bin"), 0x0C00_0D0E),
    ];
    for (capture, version) in captures {
        for step in [1, 100, capture.len()] {
            let mut server = Handshake::server([7; 32]);
            for mut piece in capture.chunks(step) {
                let now = Instant::from_origin(Duration::from_secs(1));
                server.handle_input(now, &mut piece).unwrap();
            }
            let report = server.report();
            assert_eq!(report.peer_protocol, Some(3));
            assert_eq!(report.peer_version, Some(version));
            let variant = HandshakeVariant::Digest(DigestBase::At8);
            assert_eq!(report.variant, Some(variant));
            assert_eq!(server.poll_transmit().map(|bytes| bytes.len()), Some(3073));
        }
    }
}
