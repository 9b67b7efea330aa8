//! A server, its healthy clients, and what an attack on it may cost.

use std::ffi::OsStr;

use crate::{
    bystanders::Bystanders,
    common::{Server, rtmp},
    usage::Usage,
};

/// A server with a healthy publisher and a healthy player.
pub(crate) struct Scene {
    bystanders: Bystanders,
    pub(crate) server: Server,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with::<&str>([])
    }

    /// With arguments for `rtmp serve`.
    pub(crate) fn with<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = rtmp();
        // However many cores there are: each thread has memory of its own.
        command.env("TOKIO_WORKER_THREADS", "2");
        // The allocator is to give back what is freed, whatever lies behind it, so that what the process
        // has is what the server holds.
        command.envs([
            ("MALLOC_ARENA_MAX", "1"),
            ("MALLOC_TRIM_THRESHOLD_", "65536"),
            ("MALLOC_MMAP_THRESHOLD_", "4096"),
        ]);
        let server = Server::spawn(command, "127.0.0.1:0", arguments);
        let url = server.url(HEALTHY);
        let bystanders = Bystanders::start(&url, &url);
        bystanders.go_on(100);
        Self { server, bystanders }
    }

    /// Waits for `count` frames of the healthy stream.
    pub(crate) fn go_on(&self, count: usize) {
        self.bystanders.go_on(count);
    }

    /// Carries out `attack`. Meanwhile the server may take `most` MiB more than before. At its end the
    /// healthy stream must move, whatever connections the attack returns: these are closed next, after
    /// which the server must have as many descriptors as before, and its memory back.
    #[track_caller]
    pub(crate) fn survive<'a, T>(&'a self, most: usize, attack: impl FnOnce(&'a Server) -> T) {
        let usage = Usage::of(&self.server);
        let descriptors = usage.descriptors();
        let memory = usage.memory();
        usage.forget_peak();
        let attackers = attack(&self.server);
        self.go_on(30);
        drop(attackers);
        let grown = usage.peak().saturating_sub(memory);
        assert!(grown < most << 10, "{grown} KiB more, {most} MiB allowed");
        usage.wait_until("descriptors are back", |usage| {
            usage.descriptors() <= descriptors
        });
        usage.wait_until("memory is back", |usage| usage.memory() < memory + SLACK);
    }

    /// The same for an attack by many connections, after some that are not measured: the allocator keeps
    /// some of many small pieces, less each time, up to what the attack takes at its peak.
    #[track_caller]
    pub(crate) fn survive_again<'a, T>(&'a self, most: usize, attack: impl Fn(&'a Server) -> T) {
        let usage = Usage::of(&self.server);
        let descriptors = usage.descriptors();
        let is_settled = (0..ROUNDS_MAX).any(|_| {
            let memory = usage.memory();
            drop(attack(&self.server));
            usage.wait_until("descriptors are back", |usage| {
                usage.descriptors() <= descriptors
            });
            usage.memory() < memory + SLACK / 4
        });
        assert!(is_settled, "each attack leaves something behind");
        self.survive(most, attack);
    }

    /// The work that the server does for `attack`, in units of 10 ms. See [`survive`](Self::survive).
    #[track_caller]
    pub(crate) fn work<'a, T>(&'a self, most: usize, attack: impl FnOnce(&'a Server) -> T) -> u64 {
        let usage = Usage::of(&self.server);
        let before = usage.work();
        let mut work = 0;
        self.survive(most, |server| {
            let attackers = attack(server);
            work = usage.work() - before;
            attackers
        });
        work
    }

    /// Ends the healthy stream, of which nothing must be missing.
    pub(crate) fn finish(mut self) {
        self.bystanders.finish();
        assert!(self.server.process.is_running());
        let log = self.server.process.text();
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// The name of the healthy stream.
pub(crate) const HEALTHY: &str = "live/healthy";

/// What pages and bookkeeping make of memory that is given back, in KiB.
const SLACK: usize = 2 << 10;

/// After so many attacks the allocator has all that it will keep.
const ROUNDS_MAX: usize = 100;
