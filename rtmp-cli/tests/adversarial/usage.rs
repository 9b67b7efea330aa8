//! What the server takes of the machine.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::common::{DEADLINE, Server};

/// A process, as `/proc` shows it.
#[derive(Clone, Copy)]
pub(crate) struct Usage(u32);

impl Usage {
    pub(crate) fn of(server: &Server) -> Self {
        Self(server.process.id())
    }

    /// Memory it has now, in KiB.
    pub(crate) fn memory(self) -> usize {
        self.status("VmRSS:")
    }

    /// The most it has had since [`forget_peak`](Self::forget_peak), in KiB.
    pub(crate) fn peak(self) -> usize {
        self.status("VmHWM:")
    }

    pub(crate) fn forget_peak(self) {
        fs::write(self.path("clear_refs"), "5").expect("it is our child");
    }

    pub(crate) fn descriptors(self) -> usize {
        fs::read_dir(self.path("fd")).expect("it runs").count()
    }

    /// Work so far, of all its threads, in its own code and in the system's, in units of 10 ms.
    pub(crate) fn work(self) -> u64 {
        let stat = fs::read_to_string(self.path("stat")).expect("it runs");
        // The name of the program may contain anything.
        let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let mut field = || fields.next()?.parse::<u64>().ok();
        field()
            .zip(field())
            .map(|(user, system)| user + system)
            .expect("two times")
    }

    /// Waits until `is_so`.
    #[track_caller]
    pub(crate) fn wait_until(self, what: &str, is_so: impl Fn(Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            assert!(
                started.elapsed() < DEADLINE,
                "{what}: {} descriptors, {} KiB",
                self.descriptors(),
                self.memory()
            );
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn status(self, key: &str) -> usize {
        let status = fs::read_to_string(self.path("status")).expect("it runs");
        let mut lines = status.lines().filter_map(|line| line.strip_prefix(key));
        let value = lines
            .next()
            .and_then(|line| line.split_ascii_whitespace().next());
        value
            .and_then(|value| value.parse().ok())
            .expect("a number of KiB")
    }

    fn path(self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0)
    }
}

/// Between looks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
