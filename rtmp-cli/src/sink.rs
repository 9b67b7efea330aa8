//! Writing an FLV file, or FLV into a pipe.

use std::{
    io::{self, IsTerminal, SeekFrom},
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use rtmp_proto::{
    AmfLimits,
    amf::Value,
    flv::{FileWriter, Frame},
    message::decode_data,
};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWrite, AsyncWriteExt},
};

use crate::{
    clock::{StreamClock, is_timed, timestamp_at},
    failure::io_failure,
    source::is_standard,
};

/// Takes frames and writes them as FLV that begins at time 0 and has no jumps.
///
/// Files are written in large pieces of whole tags, pipes tag by tag, so that the player behind one
/// sees each frame when it comes.
pub(crate) struct Sink {
    name: String,
    target: Target,
    buffer: Vec<u8>,
    clock: StreamClock,
    /// What was written last. ffmpeg takes metadata inside a file for a stream of its own, so what
    /// says nothing new is left out.
    metadata: Bytes,
    has_header: bool,
    has_audio: bool,
    has_video: bool,
}

enum Target {
    /// A regular file, with its length: all whole tags.
    File {
        file: File,
        len: u64,
    },
    Pipe(Box<dyn AsyncWrite + Send + Unpin>),
}

impl Sink {
    /// Opens `path`, `-` being standard output, and empties it.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let (name, target) = match is_standard(path) {
            true => {
                let stdout = tokio::io::stdout();
                ("standard output".to_owned(), Target::Pipe(Box::new(stdout)))
            }
            false => {
                let name = path.display().to_string();
                let target = open(path).await.map_err(io_failure);
                let target = target.with_context(|| format!("cannot write {name}"))?;
                (name, target)
            }
        };
        Ok(Self {
            name,
            target,
            buffer: Vec::new(),
            clock: StreamClock::default(),
            metadata: Bytes::new(),
            has_header: false,
            has_audio: false,
            has_video: false,
        })
    }

    /// Refuses a terminal, on which FLV is noise.
    pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
        if is_standard(path) && io::stdout().is_terminal() {
            bail!("will not write FLV to a terminal: redirect standard output or name a file");
        }
        Ok(())
    }

    /// Whether someone may have to read before more can be written.
    pub(crate) fn is_pipe(&self) -> bool {
        matches!(self.target, Target::Pipe(_))
    }

    /// How much of the stream was taken.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Whether `frame` lies at `duration` or beyond.
    pub(crate) fn is_beyond(&self, duration: Duration, frame: &Frame) -> bool {
        let mut clock = self.clock;
        is_timed(frame) && Duration::from_millis(clock.advance(frame.timestamp).millis) >= duration
    }

    /// Takes the next frame.
    pub(crate) async fn push(&mut self, frame: Frame) -> io::Result<()> {
        if is_for_player(&frame) || (frame.is_metadata() && self.metadata == frame.payload) {
            return Ok(());
        }
        if frame.is_metadata() {
            self.metadata = frame.payload.clone();
        }
        let millis = match is_timed(&frame) {
            true => self.clock.advance(frame.timestamp).millis,
            false => self.clock.locate(frame.timestamp),
        };
        self.has_audio |= frame.is_audio();
        self.has_video |= frame.is_video();
        if !self.has_header {
            let (audio, video) = announced(&frame).unwrap_or((true, true));
            self.buffer.extend(FileWriter::header(audio, video));
            self.has_header = true;
        }
        FileWriter::keeping_timestamps()
            .encode(
                &frame.with_timestamp(timestamp_at(millis)),
                &mut self.buffer,
            )
            .map_err(io::Error::other)?;
        match self.is_pipe() || self.buffer.len() >= BUFFERED_MAX {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Writes what was taken. If a file does not take it, the part that it took is removed, so that
    /// the file ends with a whole tag.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        match &mut self.target {
            Target::Pipe(pipe) => {
                pipe.write_all(&self.buffer).await?;
                pipe.flush().await?;
            }
            Target::File { file, len } => {
                if let Err(error) = write(file, &self.buffer).await {
                    // The first error is the one to report.
                    drop(file.set_len(*len).await);
                    self.buffer.clear();
                    return Err(error);
                }
                *len += self.buffer.len() as u64;
            }
        }
        self.buffer.clear();
        Ok(())
    }

    /// Forgets what was not written yet.
    pub(crate) fn discard(&mut self) {
        self.buffer.clear();
    }

    /// Writes the rest, and into a file's header what is in it.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        if !self.has_header && !self.is_pipe() {
            // An FLV file all the same.
            self.buffer.extend(FileWriter::header(false, false));
        }
        self.flush().await?;
        if let Target::File { file, .. } = &mut self.target {
            let [start @ .., _, _, _, _] = FileWriter::header(self.has_audio, self.has_video);
            file.seek(SeekFrom::Start(0)).await?;
            write(file, &start).await?;
        }
        Ok(())
    }

    /// What to call it in an error.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

async fn open(path: &Path) -> io::Result<Target> {
    let file = File::create(path).await?;
    Ok(match file.metadata().await?.is_file() {
        true => Target::File { file, len: 0 },
        false => Target::Pipe(Box::new(file)),
    })
}

async fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes).await?;
    file.flush().await
}

/// Whether metadata announces audio and video. A header that promises video to a player makes it
/// wait for it (ffmpeg for 5 s), one that denies it may make the player ignore it.
fn announced(frame: &Frame) -> Option<(bool, bool)> {
    if !frame.is_metadata() {
        return None;
    }
    let values = decode_data(&frame.payload, &AmfLimits::DATA).ok()?;
    let properties = values.get(1)?.as_object()?;
    // nginx-rtmp names everything always, with 0 or nothing in place of what there is not.
    let has = |names: [&str; 2]| {
        names.iter().any(|name| match properties.get(name) {
            Some(Value::Number(number)) => *number > 0.0,
            Some(Value::String(text)) => !text.is_empty(),
            _ => false,
        })
    };
    let announced = (
        has(["audiocodecid", "audiosamplerate"]),
        has(["videocodecid", "width"]),
    );
    (announced != (false, false)).then_some(announced)
}

/// Messages of a server to players that are no part of the stream.
pub(crate) fn is_for_player(frame: &Frame) -> bool {
    FOR_PLAYERS
        .iter()
        .any(|name| frame.payload.starts_with(name))
        && !frame.is_audio()
        && !frame.is_video()
}

/// Handler names as AMF0 strings.
const FOR_PLAYERS: [&[u8]; 2] = [b"\x02\x00\x11|RtmpSampleAccess", b"\x02\x00\x08onStatus"];

const BUFFERED_MAX: usize = 256 << 10;
