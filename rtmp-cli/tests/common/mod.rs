//! Child processes with a deadline for everything, and directories that go away.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test target uses its own part"
)]

pub mod live;
pub mod scripted;

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long anything may take. Only a failing test waits that long.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A child process whose standard error is kept, and which is killed at the end of the test.
pub struct Process {
    name: String,
    child: Child,
    log: Arc<Log>,
}

impl Process {
    /// Starts `program`; its standard output goes nowhere.
    pub fn start<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self::spawn_with_stdin(command)
    }

    /// One that reads what is written into the pipe, until that is dropped.
    pub fn spawn_fed(mut command: Command) -> (Self, ChildStdin) {
        command.stdin(Stdio::piped());
        let mut process = Self::spawn_with_stdin(command);
        let stdin = process.child.stdin.take().expect("it is piped");
        (process, stdin)
    }

    fn spawn_with_stdin(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} is needed for this test: {error}"));
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("it is piped");
        let filled = Arc::clone(&log);
        thread::spawn(move || filled.fill(BufReader::new(stderr)));
        Self { name, child, log }
    }

    /// Waits until `count` lines of the log satisfy `is_wanted`, and returns them.
    pub fn wait_for(
        &self,
        what: &str,
        count: usize,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        self.log
            .wait(|lines, is_over| {
                let found: Vec<_> = lines.iter().filter(|line| is_wanted(line)).collect();
                if found.len() >= count {
                    return Some(Ok(found.into_iter().cloned().collect()));
                }
                is_over.then_some(Err("it ended"))
            })
            .unwrap_or_else(|why| self.fail(&format!("no {what}: {why}")))
    }

    /// Waits for the end of the process.
    pub fn exit(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            match self.child.try_wait().expect("it is our child") {
                Some(status) => {
                    // What it wrote last may still be on its way.
                    let _ = self.log.wait(|_, is_over| is_over.then_some(Ok(())));
                    return status;
                }
                None if started.elapsed() > DEADLINE => self.fail("it does not end"),
                None => thread::sleep(POLL_INTERVAL),
            }
        }
    }

    /// Waits for a successful end.
    #[track_caller]
    pub fn succeed(&mut self) {
        let status = self.exit();
        if !status.success() {
            self.fail(&format!("{status}"));
        }
    }

    /// Waits for an end that is no success, and returns the log.
    #[track_caller]
    pub fn exit_in_failure(&mut self) -> String {
        let status = self.exit();
        if status.success() {
            self.fail("it should have failed");
        }
        self.text()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("there is a shell").success(), "{kill}");
    }

    /// The log so far.
    pub fn text(&self) -> String {
        self.log.lock().lines.join("\n")
    }

    #[track_caller]
    pub fn fail(&self, why: &str) -> ! {
        panic!("{}: {why}; its log:\n{}", self.name, self.text());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `rtmp serve` on a port of its own.
pub struct Server {
    pub process: Process,
    pub port: u16,
}

impl Server {
    pub fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::listen("127.0.0.1:0", arguments)
    }

    pub fn listen<A: AsRef<OsStr>>(address: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        Self::spawn(rtmp(), address, arguments)
    }

    /// With an environment prepared in `command`.
    ///
    /// Deadlines that are not among the arguments are those of the tests: else the server would lose
    /// patience with a machine that has other things to do.
    pub fn spawn<A: AsRef<OsStr>>(
        mut command: Command,
        address: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        command.args(["serve", "--listen", address]).args(arguments);
        for deadline in DEADLINES {
            let is_given = |given: &OsStr| given.to_string_lossy().starts_with(deadline);
            if !command.get_args().any(is_given) {
                command.arg(format!("{deadline}={}", DEADLINE.as_secs()));
            }
        }
        let process = Process::spawn(command);
        let lines = process.wait_for("address", 1, |line| line.contains("listening on"));
        let port = lines
            .first()
            .and_then(|line| line.rsplit(':').next()?.parse().ok())
            .unwrap_or_else(|| process.fail("no port in its first line"));
        Self { process, port }
    }

    pub fn url(&self, path: &str) -> String {
        format!("rtmp://127.0.0.1:{}/{path}", self.port)
    }

    /// Waits until `count` publications have begun since the start.
    pub fn wait_for_publishers(&self, count: usize) {
        self.process
            .wait_for("publisher", count, |line| line.contains("publishing peer="));
    }

    /// Waits until `count` players have begun since the start.
    pub fn wait_for_players(&self, count: usize) {
        self.process
            .wait_for("player", count, |line| line.contains("playing peer="));
    }

    /// Waits until the log has a line with `text`.
    pub fn wait_for(&self, text: &str) {
        self.process.wait_for(text, 1, |line| line.contains(text));
    }
}

/// The program under test.
pub fn rtmp() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtmp"));
    for variable in ["RUST_LOG", "RTMP_PUBLISH_KEY", "RTMP_PLAY_KEY"] {
        command.env_remove(variable);
    }
    command
}

/// A directory that goes away at the end of the test.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}", std::process::id());
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Of a process with the same number, which was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The only file whose name ends so, once there is one of at least `len` bytes.
    pub fn wait_for_file(&self, ending: &str, len: u64) -> PathBuf {
        let find = || {
            let entries = fs::read_dir(&self.0).ok()?.filter_map(Result::ok);
            entries.map(|entry| entry.path()).find(|path| {
                path.to_string_lossy().ends_with(ending)
                    && fs::metadata(path).is_ok_and(|metadata| metadata.len() >= len)
            })
        };
        let started = Instant::now();
        loop {
            if let Some(path) = find() {
                return path;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "no file *{ending} of {len} bytes"
            );
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed lies in the target directory and harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file in a directory of its own, which goes away at the end of the test.
pub struct TempFile {
    _directory: TempDir,
    path: PathBuf,
}

impl TempFile {
    pub fn new(name: &str, content: &[u8]) -> Self {
        let directory = TempDir::new();
        let path = directory.file(name);
        fs::write(&path, content).expect("the directory is ours");
        Self {
            _directory: directory,
            path,
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For a command line.
    pub fn as_str(&self) -> &str {
        self.path.to_str().expect("the target directory is UTF-8")
    }
}

#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<String>,
    is_over: bool,
}

impl Log {
    fn fill(&self, mut input: impl BufRead) {
        let mut line = Vec::new();
        while matches!(input.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            self.lock().lines.push(text);
            self.changed.notify_all();
        }
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Waits until `look`, given the lines and whether there will be no more, has an answer.
    fn wait<T>(
        &self,
        look: impl Fn(&[String], bool) -> Option<Result<T, &'static str>>,
    ) -> Result<T, &'static str> {
        let started = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(answer) = look(&state.lines, state.is_over) {
                return answer;
            }
            let Some(left) = DEADLINE.checked_sub(started.elapsed()) else {
                return Err("waited too long");
            };
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `rtmp serve` waits for, and how its options are called.
const DEADLINES: [&str; 6] = [
    "--handshake-timeout",
    "--connect-timeout",
    "--request-timeout",
    "--first-media-timeout",
    "--idle-timeout",
    "--write-timeout",
];

/// Between looks at something that cannot be waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
