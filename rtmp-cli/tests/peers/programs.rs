//! The peers: how each is started.

use std::{
    ffi::{OsStr, OsString},
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
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
        Self::with(file, "", url)
    }

    /// With options for the output.
    pub(crate) fn with(file: &Path, options: &str, url: &str) -> Self {
        let mut arguments: Vec<OsString> = words(
            "-nostdin -v info -nostats -progress pipe:2 -stats_period 0.1 -copyts -re -i",
            url,
            &[],
        );
        arguments.push(file.into());
        arguments.extend(words(
            "-c copy -f flv -flvflags no_duration_filesize",
            url,
            &[],
        ));
        arguments.extend(words(options, url, &[OsStr::new(url)]));
        Self(Process::start("ffmpeg", arguments))
    }

    /// Waits until it has sent this much.
    pub(crate) fn wait_for_time(&self, millis: u64) {
        self.0.wait_for("progress", 1, |line| {
            let time = line.strip_prefix("out_time_us=");
            time.and_then(|time| time.parse().ok())
                .is_some_and(|micros: u64| micros >= millis * 1000)
        });
    }
}

/// nginx with its RTMP module.
pub(crate) struct Nginx {
    _process: Process,
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
            _process: process,
            _directory: directory,
            port,
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{name}", self.port)
    }
}

/// A port that is free now, for programs that cannot choose one and tell.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("it is bound").port()
}

/// Waits until somebody listens on `port`, without a connection, which might be taken for the first
/// client.
pub(crate) fn wait_until_listening(process: &Process, port: u16) {
    let address = format!(":{port:04X}");
    let started = Instant::now();
    let is_listening = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let is_local = fields.next().is_some_and(|local| local.ends_with(&address));
        is_local && fields.nth(1) == Some(LISTEN)
    };
    while !fs::read_to_string("/proc/net/tcp")
        .expect("Linux")
        .lines()
        .any(is_listening)
    {
        if started.elapsed() > DEADLINE {
            process.fail("it does not listen");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The state in `/proc/net/tcp`.
const LISTEN: &str = "0A";

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
