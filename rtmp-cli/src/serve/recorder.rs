//! Recording: one FLV file for each time a stream is published.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use rtmp_proto::{
    StreamName,
    flv::{FileRecorder, Frame},
    relay::QueueLimits,
};
use tokio::{
    fs::{self, File},
    io::{AsyncSeekExt, AsyncWriteExt},
};
use tracing::{info, warn};

use super::feed::Feed;

/// Makes sure that there is a directory to record into.
pub(super) async fn prepare(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)
        .await
        .with_context(|| format!("cannot record into {}", directory.display()))
}

/// What may wait for the disk: more than for a player, since nothing should be missing.
pub(super) fn limits() -> QueueLimits {
    let mut limits = QueueLimits::default();
    limits.duration = Duration::from_secs(60);
    limits.bytes = 64 << 20;
    limits
}

/// Writes what `feed` brings of the stream `name` to a new file in `directory`, up to the end of the
/// publication. A failure ends the recording and nothing else.
pub(super) async fn record(directory: PathBuf, name: StreamName, feed: Arc<Feed>) {
    match record_to_end(&directory, &name, &feed).await {
        Ok(None) => {}
        Ok(Some(recorded)) => info!(%name, bytes = recorded, "recording ended"),
        Err(error) => warn!(%name, "recording stopped: {error:#}"),
    }
    let dropped = feed.dropped();
    if dropped.video + dropped.audio > 0 {
        warn!(
            %name,
            "the disk was too slow: {} video and {} audio frames are missing",
            dropped.video, dropped.audio
        );
    }
}

/// The bytes written, `None` if there was nothing to write.
async fn record_to_end(
    directory: &Path,
    name: &StreamName,
    feed: &Feed,
) -> anyhow::Result<Option<u64>> {
    let mut recording: Option<Recording> = None;
    loop {
        while let Some(frame) = feed.pop() {
            let open = match &mut recording {
                Some(open) => open,
                None => recording.insert(Recording::create(directory, name).await?),
            };
            open.add(&frame)?;
            if open.pending.len() > WRITE_SIZE {
                open.write().await?;
            }
        }
        if let Some(recording) = &mut recording {
            recording.write().await?;
        }
        if feed.is_finished() {
            return match recording {
                Some(recording) => recording.finish().await.map(Some),
                None => Ok(None),
            };
        }
        feed.woken().await;
    }
}

/// An FLV file being written. What is on disk always ends with a whole tag, give or take the one
/// write in progress, and has room at its beginning for what is known at the end.
struct Recording {
    file: File,
    recorder: FileRecorder,
    /// Whole tags not written yet.
    pending: Vec<u8>,
    /// Bytes of whole tags in the file.
    written: u64,
}

impl Recording {
    async fn create(directory: &Path, name: &StreamName) -> anyhow::Result<Self> {
        let (file, _) = create_file(directory, name)
            .await
            .with_context(|| format!("cannot create a file in {}", directory.display()))?;
        info!(%name, "recording");
        let recorder = FileRecorder::new();
        Ok(Self {
            file,
            pending: recorder.head(),
            recorder,
            written: 0,
        })
    }

    fn add(&mut self, frame: &Frame) -> anyhow::Result<()> {
        Ok(self.recorder.encode(frame, &mut self.pending)?)
    }

    /// Writes what is pending. On failure, say because the disk is full, the file is cut back to its
    /// last whole tag.
    async fn write(&mut self) -> anyhow::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let result = async {
            self.file.write_all(&self.pending).await?;
            self.file.flush().await
        };
        if let Err(error) = result.await {
            // The first failure is the one to tell about.
            let _ = self.file.set_len(self.written).await;
            return Err(error).context("cannot write");
        }
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Fills in duration, size and key frames, and makes sure that everything is on disk.
    async fn finish(mut self) -> anyhow::Result<u64> {
        let head = self.recorder.head();
        let result = async {
            self.file.rewind().await?;
            self.file.write_all(&head).await?;
            self.file.sync_all().await
        };
        result.await.context("cannot finish")?;
        Ok(self.written)
    }
}

/// A new file named after the stream and the time.
async fn create_file(directory: &Path, name: &StreamName) -> io::Result<(File, PathBuf)> {
    let seconds = since_epoch().as_secs();
    let stem = file_stem(name.as_str());
    let mut path = directory.join(format!("{stem}-{seconds}.flv"));
    loop {
        match File::create_new(&path).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return Ok((result?, path)),
        }
        // Not the next free number: who publishes a thousand times a second would make it a search.
        let nanos = since_epoch().subsec_nanos();
        path = directory.join(format!("{stem}-{seconds}-{nanos:09}.flv"));
    }
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// A file name that is safe whatever a publisher calls its stream: other characters than letters,
/// digits, `.`, `_` and `-` become `_`, and it neither begins with a dot nor grows too long.
fn file_stem(name: &str) -> String {
    let safe = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => c,
        _ => '_',
    };
    let stem: String = name.chars().map(safe).take(FILE_STEM_MAX).collect();
    let stem = stem.trim_start_matches('.');
    match stem {
        "" => "stream".to_owned(),
        stem => stem.to_owned(),
    }
}

/// Bytes of tags written at once while there are more.
const WRITE_SIZE: usize = 256 << 10;

/// Characters of a stream's name in a file name.
const FILE_STEM_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe() {
        assert_eq!(file_stem("live/key"), "live_key");
        assert_eq!(file_stem("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_stem("a\0b\nc\u{202e}d"), "a_b_c_d");
        assert_eq!(file_stem(""), "stream");
        assert_eq!(file_stem("..."), "stream");
        assert_eq!(file_stem(&"x".repeat(70_000)).len(), FILE_STEM_MAX);
    }
}
