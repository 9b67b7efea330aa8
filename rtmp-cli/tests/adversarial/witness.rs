//! A player of what an attacker publishes.

use rtmp_proto::flv::Frame;
use rtmp_tokio::Player;
use tokio::{
    runtime::{Builder, Runtime},
    time,
};

use crate::common::{DEADLINE, Server, live::config};

pub(crate) struct Witness {
    runtime: Runtime,
    player: Player,
}

impl Witness {
    /// Plays `live/{name}`.
    pub(crate) fn new(server: &Server, name: &str) -> Self {
        let url = server.url(&format!("live/{name}")).parse();
        let url = url.expect("a URL of ours");
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let player = runtime.block_on(Player::connect(&url, config(), None));
        Self {
            runtime,
            player: player.expect("it may play"),
        }
    }

    /// The next audio or video.
    #[track_caller]
    pub(crate) fn see(&mut self) -> Frame {
        loop {
            let next = async { time::timeout(DEADLINE, self.player.next_frame()).await };
            let next = self.runtime.block_on(next).expect("in time");
            let frame = next.expect("it goes on").expect("the stream goes on");
            if frame.is_audio() || frame.is_video() {
                return frame;
            }
        }
    }

    /// The next frame is this one.
    #[track_caller]
    pub(crate) fn sees(&mut self, payload: &[u8]) {
        let frame = self.see();
        assert!(
            frame.payload == payload,
            "{} bytes for {}, beginning {:x?}",
            frame.payload.len(),
            payload.len(),
            frame.payload.iter().take(8).collect::<Vec<_>>(),
        );
    }
}
