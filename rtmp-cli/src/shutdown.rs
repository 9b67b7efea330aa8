//! SIGINT and SIGTERM.

use anyhow::Context;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the user or the system asks for: that the program ends.
///
/// Made before the program does anything else. From then on no request is lost, whenever it comes and
/// whatever the program does meanwhile.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl Shutdown {
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        Ok(Self {
            interrupt,
            terminate,
        })
    }

    /// Waits for the next request. Cancel-safe.
    pub(crate) async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What the user asks for: that the program ends.
#[cfg(windows)]
#[derive(Debug)]
pub(crate) struct Shutdown(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Shutdown {
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let ctrl_c = tokio::signal::windows::ctrl_c();
        Ok(Self(ctrl_c.context("cannot watch for Ctrl-C")?))
    }

    /// Waits for the next request. Cancel-safe.
    pub(crate) async fn requested(&mut self) {
        self.0.recv().await;
    }
}
