//! The program `rtmp`: serve, publish, play and relay RTMP streams.

mod args;
mod clock;
mod deadlines;
mod description;
mod failure;
mod lane;
mod pace;
mod play;
mod progress;
mod publish;
mod relay;
mod report;
mod rounds;
mod serve;
mod server;
mod shutdown;
mod sink;
mod source;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use crate::{
    args::{Args, Command},
    shutdown::Shutdown,
};

fn main() -> ExitCode {
    let args = Args::parse();
    start_logging();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, causes included.
            let _ = writeln!(std::io::stderr(), "rtmp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    let runtime = Runtime::new().context("cannot start")?;
    let outcome = runtime.block_on(async {
        let mut shutdown = Shutdown::watch()?;
        match args.command {
            Command::Serve(args) => serve::run(args, &mut shutdown).await,
            Command::Publish(args) => publish::run(args, &mut shutdown).await,
            Command::Play(args) => play::run(args, &mut shutdown).await,
            Command::Relay(args) => relay::run(args, &mut shutdown).await,
        }
    });
    // A read of standard input or a write into a pipe may never return.
    runtime.shutdown_background();
    outcome
}

/// Logs go to stderr, at `info` unless `RUST_LOG` says otherwise: standard output may be a stream.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // To stderr too, and with a panic if that is gone.
        .log_internal_errors(false)
        .init();
}
