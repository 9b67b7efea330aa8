//! FLV: tag bodies, legacy and enhanced, and files.
//!
//! The payload of an RTMP audio, video or data message is the body of an FLV tag of the same type
//! number, so one type, [`Frame`], serves both. It classifies the header; payloads are passed on as
//! they are, understood or not.
//!
//! - [`Frame::tracks`] gives what a message holds of each track; [`EnhancedVideo`] and
//!   [`EnhancedAudio`] write messages, [`VideoMetadata`] and [`ChannelConfig`] what may be in them.
//! - [`config`] has the configuration records of the codecs, and [`StreamInfo`] tells from them what
//!   a stream is made of.
//! - [`FileReader`], [`FileWriter`] and [`FileRecorder`] read, write and record files.
//!
//! ```text
//! audio  | format 4, rate 2, size 1, channels 1 | AAC packet type   | data
//!        | 9 (4 bits), packet type 4            | enhanced header   | data
//! video  | 0, frame type 3, codec ID 4          | AVC type, time    | data
//!        | 1, frame type 3, packet type 4       | enhanced header   | data
//! data   | AMF0 string: name                    | AMF values
//! ```
//!
//! [FLV §E.4], [E-RTMP v2 "Enhanced Audio", "Enhanced Video"]

/// Gives an open newtype its named values, `name` and a `Debug` that shows the name.
macro_rules! registry {
    ($type:ident { $($(#[$doc:meta])* $name:ident = $value:literal,)* }) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name of a registered value.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($type), "({})"), self.0),
                }
            }
        }
    };
}

mod audio;
mod channels;
mod color;
pub mod config;
mod enhanced;
mod file;
mod frame;
mod info;
mod track;
mod video;
mod write;

pub use audio::{AudioHeader, AudioPacket, SoundFormat};
pub use channels::{AudioChannel, ChannelConfig, ChannelMask};
pub use color::{ColorConfig, ColorInfo, ContentLight, MasteringDisplay, VideoMetadata};
pub use enhanced::{FourCc, Tracks};
pub use file::{FileReader, FileRecorder, FileWriter, FlvError, OpaqueTag, Tag};
pub use frame::{Codec, DataKind, Frame, FrameKind};
pub use info::{AudioInfo, Level, StreamInfo, VideoInfo};
pub use track::{Track, TrackError, TrackIter};
pub use video::{CodecId, FrameType, VideoCommand, VideoHeader, VideoPacket};
pub use write::{
    CompositionTime, EnhancedAudio, EnhancedVideo, ModEx, MultitrackError, NanoOffset,
};
