//! Deadlines that are not what a test is about.

use std::{sync::Arc, time::Duration};

use rtmp_proto::{ClientConfig, Limits, ServerConfig};

/// The defaults, with deadlines that a machine with much else to do keeps, too.
pub fn patient<C: Config>() -> Arc<C> {
    let mut config = C::default();
    config.be_patient();
    Arc::new(config)
}

/// What a side is configured with.
pub trait Config: Default {
    /// Waits for a minute where it would wait for some seconds.
    fn be_patient(&mut self);
}

impl Config for ClientConfig {
    fn be_patient(&mut self) {
        self.dial_timeout = MINUTE;
        wait(&mut self.connection.limits);
    }
}

impl Config for ServerConfig {
    fn be_patient(&mut self) {
        wait(&mut self.connection.limits);
    }
}

fn wait(limits: &mut Limits) {
    limits.handshake_timeout = MINUTE;
    limits.connect_timeout = MINUTE;
    limits.request_timeout = MINUTE;
    limits.first_media_timeout = MINUTE;
    limits.idle_timeout = MINUTE;
    limits.write_stall_timeout = MINUTE;
}

const MINUTE: Duration = Duration::from_secs(60);
