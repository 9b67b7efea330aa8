//! Reading an FLV file or standard input frame by frame.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
};

use anyhow::{Context, bail};
use bytes::BytesMut;
use rtmp_proto::flv::{FileReader, Frame};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt},
};

use crate::failure::io_failure;

/// The frames of an FLV file, read as they are needed.
pub(crate) struct Source {
    path: PathBuf,
    input: Pin<Box<dyn AsyncRead + Send>>,
    buffer: BytesMut,
    reader: Box<FileReader>,
    /// The first frame, read to see whether this is an FLV file.
    first: Option<Frame>,
}

impl Source {
    /// Opens `path`, `-` being standard input, and reads as far as the first frame.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let input: Pin<Box<dyn AsyncRead + Send>> = match is_standard(path) {
            true => Box::pin(tokio::io::stdin()),
            false => {
                let opened = File::open(path).await.map_err(io_failure);
                Box::pin(opened.with_context(|| format!("cannot open {}", path.display()))?)
            }
        };
        let mut source = Self {
            path: path.to_owned(),
            input,
            buffer: BytesMut::new(),
            reader: Box::default(),
            first: None,
        };
        source.first = source.next().await?;
        match source.first {
            Some(_) => Ok(source),
            None => bail!("{} holds no audio or video", source.name()),
        }
    }

    /// Whether `path` can be read more than once.
    pub(crate) async fn is_repeatable(path: &Path) -> bool {
        // A file that cannot be looked at will not open either, which says why.
        !is_standard(path)
            && tokio::fs::metadata(path)
                .await
                .map_or(true, |metadata| metadata.is_file())
    }

    /// The next frame, `None` at the end of the file. Cancel-safe.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        if let Some(frame) = self.first.take() {
            return Ok(Some(frame));
        }
        loop {
            let decoded = self.reader.decode(&mut self.buffer);
            if let Some(frame) = decoded.with_context(|| self.name())? {
                return Ok(Some(frame));
            }
            self.buffer.reserve(READ_SIZE);
            let read = self.input.read_buf(&mut self.buffer).await;
            let read = read.map_err(io_failure);
            if read.with_context(|| format!("cannot read {}", self.name()))? == 0 {
                if self.reader.offset() == 0 {
                    bail!("{} is empty", self.name());
                }
                let last = self.reader.finish().with_context(|| self.name())?;
                if last.is_none() && self.reader.damaged_places() > 0 {
                    let (places, bytes) = (self.reader.damaged_places(), self.reader.lost_bytes());
                    tracing::warn!(
                        "{}: damaged in {places} places, {bytes} bytes left out",
                        self.name()
                    );
                }
                return Ok(last);
            }
        }
    }

    fn name(&self) -> String {
        match is_standard(&self.path) {
            true => "standard input".to_owned(),
            false => self.path.display().to_string(),
        }
    }
}

/// Whether `path` means standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

const READ_SIZE: usize = 64 << 10;
