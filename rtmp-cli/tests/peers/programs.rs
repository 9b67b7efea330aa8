//! The peers: how each is started.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        atomic::{AtomicU16, Ordering},
        mpsc::{self, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::common::{DEADLINE, Process, TempDir};

/// A program that plays into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Player {
    Ffmpeg,
    Rtmpdump,
    /// GStreamer's own implementation.
    Rtmp2Src,
    /// GStreamer with librtmp.
    RtmpSrc,
    Mpv,
}

impl Player {
    pub(crate) const ALL: [Self; 5] = [
        Self::Ffmpeg,
        Self::Rtmpdump,
        Self::Rtmp2Src,
        Self::RtmpSrc,
        Self::Mpv,
    ];

    /// Plays `url` into a file in `directory`.
    pub(crate) fn play(self, url: &str, directory: &TempDir) -> Playing {
        let file = directory.file(&format!("{self:?}.flv"));
        let process = match self {
            Self::Ffmpeg => {
                let arguments = "-y -nostdin -v error -i URL -c copy -copyts -f flv";
                Process::start("ffmpeg", words(arguments, url, &[file.as_os_str()]))
            }
            Self::Rtmpdump => {
                let arguments = "--live --quiet -r URL -o";
                Process::start("rtmpdump", words(arguments, url, &[file.as_os_str()]))
            }
            Self::Rtmp2Src => {
                let location = property("location=", &file);
                let arguments = "-q -e rtmp2src location=URL ! filesink";
                Process::start("gst-launch-1.0", words(arguments, url, &[&location]))
            }
            Self::RtmpSrc => {
                let source = format!("location={url} live=1");
                let sink = property("location=", &file);
                // It plays again at the end of a stream and has to be killed.
                let arguments: [&OsStr; 7] = [
                    "-q".as_ref(),
                    "rtmpsrc".as_ref(),
                    source.as_ref(),
                    "!".as_ref(),
                    "filesink".as_ref(),
                    "buffer-mode=unbuffered".as_ref(),
                    &sink,
                ];
                Process::start("gst-launch-1.0", arguments)
            }
            Self::Mpv => {
                let record = property("--stream-record=", &file);
                let arguments = "--no-config --no-terminal --vo=null --ao=null --untimed URL";
                Process::start("mpv", words(arguments, url, &[&record]))
            }
        };
        Playing {
            player: self,
            process,
            file,
        }
    }
}

/// A player at work.
pub(crate) struct Playing {
    pub(crate) player: Player,
    pub(crate) process: Process,
    pub(crate) file: PathBuf,
}

impl Playing {
    /// Waits until the player has understood that the stream is over, and ends it if it plays again.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> &Path {
        match self.player {
            // It waits for another publication.
            Player::RtmpSrc => self.process.signal("KILL"),
            _ => self.process.succeed(),
        }
        &self.file
    }
}

/// ffmpeg publishing a file in real time.
pub(crate) struct FfmpegPublisher(pub(crate) Process);

impl FfmpegPublisher {
    pub(crate) fn start(file: &Path, url: &str) -> Self {
        let input = "-nostdin -v info -nostats -copyts -re -i";
        let mut arguments = words(input, url, &[file.as_os_str()]);
        let output = "-c copy -f flv -flvflags no_duration_filesize";
        arguments.extend(words(output, url, &[OsStr::new(url)]));
        Self(Process::start("ffmpeg", arguments))
    }
}

/// ffmpeg publishing the beginning of a file in real time, and then nothing, however long it takes those
/// who are to join the stream.
pub(crate) struct HeldPublisher {
    process: Process,
    rest: SyncSender<()>,
}

impl HeldPublisher {
    /// Up to somewhat behind `millis`, which is waited for.
    pub(crate) fn start(file: &Path, millis: u32, url: &str) -> Self {
        Self::with(file, millis, "-flvflags no_duration_filesize", url)
    }

    /// With options for the output.
    pub(crate) fn with(file: &Path, millis: u32, options: &str, url: &str) -> Self {
        Self::of("ffmpeg", file, millis, options, url)
    }

    /// With an ffmpeg of one's own.
    pub(crate) fn of(program: &str, file: &Path, millis: u32, options: &str, url: &str) -> Self {
        let mut command = Command::new(program);
        let arguments = "-v info -nostats -progress pipe:2 -stats_period 0.1 -copyts -re -i pipe:0 \
                         -map 0 -c copy -f flv";
        command.args(words(arguments, url, &[]));
        command.args(words(options, url, &[OsStr::new(url)]));
        let (process, mut stdin) = Process::spawn_fed(command);
        let bytes = fs::read(file).expect("it was made");
        // ffmpeg reads ahead.
        let (begin, end) = bytes.split_at(tag_from(&bytes, millis + 1000));
        let (begin, end) = (begin.to_vec(), end.to_vec());
        let (rest, is_wanted) = mpsc::sync_channel(1);
        thread::spawn(move || {
            // It fails when ffmpeg has ended, which is noticed elsewhere.
            let _ = stdin.write_all(&begin);
            if is_wanted.recv().is_ok() {
                let _ = stdin.write_all(&end);
            }
        });
        process.wait_for("progress", 1, |line| {
            let time = line.strip_prefix("out_time_us=");
            time.and_then(|time| time.parse().ok())
                .is_some_and(|micros: i64| micros >= i64::from(millis) * 1000)
        });
        Self { process, rest }
    }

    /// Publishes the rest.
    pub(crate) fn go_on(self) -> Process {
        // It has ended if there is nobody to hear this.
        let _ = self.rest.send(());
        self.process
    }
}

/// Where the first tag of an FLV file begins that is not before `millis`.
fn tag_from(file: &[u8], millis: u32) -> usize {
    let mut at = 13;
    while let Some(&[_, s2, s1, s0, t2, t1, t0, t3]) = file.get(at..at + 8) {
        if u32::from_be_bytes([t3, t2, t1, t0]) >= millis {
            return at;
        }
        at += 15 + usize::from(s2) * 65_536 + usize::from(s1) * 256 + usize::from(s0);
    }
    panic!("the file has less than {millis} ms");
}

/// nginx with its RTMP module.
pub(crate) struct Nginx {
    process: Process,
    _directory: TempDir,
    port: u16,
}

impl Nginx {
    /// Serves the application `live`, with more directives inside.
    pub(crate) fn start(directives: &str) -> Self {
        let directory = TempDir::new();
        let port = free_port();
        let path = directory.path().display();
        let user = if is_root() { "user root;" } else { "" };
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n\
             daemon off; master_process off; {user} pid {path}/pid; error_log stderr warn;\n\
             events {{}}\n\
             rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{\n\
             live on; {directives}\n}} }} }}\n"
        );
        let file = directory.file("nginx.conf");
        fs::write(&file, config).expect("the directory is ours");
        let arguments = [
            OsStr::new("-e"),
            OsStr::new("stderr"),
            OsStr::new("-c"),
            file.as_os_str(),
        ];
        let process = Process::start("/usr/sbin/nginx", arguments);
        wait_until_listening(&process, port);
        Self {
            process,
            _directory: directory,
            port,
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{name}", self.port)
    }

    /// Waits until somebody has connected. Of what a player does before it plays, that takes longest.
    pub(crate) fn wait_for_connection(&self) {
        wait_for_socket(&self.process, self.port, ESTABLISHED);
    }
}

/// A port that is free now, for programs that cannot choose one and tell. It is none of those that the
/// system gives to whoever wants any, so that it stays free.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("Linux");
    let ephemeral: u16 = range
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .expect("a port");
    // Another run of the tests begins elsewhere.
    let own = u16::try_from(std::process::id() % 8192).expect("it is small");
    loop {
        let number = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 1024 + number % ephemeral.saturating_sub(1024).max(1);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until somebody listens on `port`, without a connection, which might be taken for the first
/// client.
pub(crate) fn wait_until_listening(process: &Process, port: u16) {
    wait_for_socket(process, port, LISTEN);
}

fn wait_for_socket(process: &Process, port: u16, state: &str) {
    let address = format!(":{port:04X}");
    let started = Instant::now();
    let is_meant = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let is_local = fields.next().is_some_and(|local| local.ends_with(&address));
        is_local && fields.nth(1) == Some(state)
    };
    while !fs::read_to_string("/proc/net/tcp")
        .expect("Linux")
        .lines()
        .any(is_meant)
    {
        if started.elapsed() > DEADLINE {
            process.fail("it does not listen, or nobody comes");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// States in `/proc/net/tcp`.
const LISTEN: &str = "0A";
const ESTABLISHED: &str = "01";

/// The words of `line`, `URL` replaced, and then `more`.
pub(crate) fn words(line: &str, url: &str, more: &[&OsStr]) -> Vec<OsString> {
    let word = |word: &str| OsString::from(word.replace("URL", url));
    let more = more.iter().map(OsString::from);
    line.split_whitespace().map(word).chain(more).collect()
}

fn property(name: &str, file: &Path) -> OsString {
    let mut property = OsString::from(name);
    property.push(file);
    property
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").expect("Linux")) == 0
}
