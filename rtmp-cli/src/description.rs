//! What a stream is made of, in a line.

use rtmp_proto::flv::{Frame, StreamInfo};

/// Learns from frames what a stream is made of, and has a line about it when it knows, and again when
/// that has changed: not endlessly often, since that is up to the publisher.
#[derive(Default)]
pub(crate) struct Description {
    info: StreamInfo,
    has_news: bool,
    lines: u32,
}

impl Description {
    /// Takes the next frame, and gives the line if there is something new to tell. Configurations
    /// come one by one, so it waits for what they are about.
    pub(crate) fn push(&mut self, frame: &Frame) -> Option<String> {
        if self.lines == LINES_MAX {
            return None;
        }
        self.has_news |= self.info.push(frame);
        if !self.has_news || !frame.is_coded_media() {
            return None;
        }
        self.has_news = false;
        self.lines += 1;
        Some(self.info.to_string())
    }
}

const LINES_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtmp_proto::Timestamp;

    use super::*;

    fn audio(payload: &'static [u8]) -> Frame {
        Frame::audio(Timestamp::ZERO, Bytes::from_static(payload))
    }

    #[test]
    fn one_line_for_each_change() {
        let (stereo, mono) = (b"\xAF\x00\x12\x10", b"\xAF\x00\x12\x08");
        let coded = audio(b"\xAF\x01\x21");
        let mut description = Description::default();
        let mut after = |header| {
            assert_eq!(description.push(&audio(header)), None);
            let line = description.push(&coded);
            assert_eq!(description.push(&coded), None);
            line
        };
        assert_eq!(after(stereo).unwrap(), "AAC-LC 44.1 kHz stereo");
        assert_eq!(after(stereo), None);
        assert_eq!(after(mono).unwrap(), "AAC-LC 44.1 kHz mono");
        let lines = (0..100).filter_map(|_| after(stereo).or_else(|| after(mono)));
        assert!(lines.count() < 10);
    }
}
