//! Where deployed peers are followed instead of the specification.

/// Where a decoder follows deployed peers instead of the specification, rule by rule.
///
/// The default accepts every peer known to be in the field; [`STRICT`](Self::STRICT) is the
/// specification to the letter, for tests of other implementations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leniency {
    /// Whether a type 3 chunk repeats the extended timestamp in force.
    pub extended_timestamp: ExtendedTimestampRule,
    /// A type 3 chunk that begins a message right after a type 0 chunk repeats that chunk's
    /// timestamp as its delta [RTMP 1.0 §5.3.1.2.4]. With this rule, a delta so obtained of more
    /// than 10 s is taken as 0: old librtmp, nginx-rtmp and lal mean "same time" by it.
    pub type3_after_type0_may_mean_same_time: bool,
    /// Types 1 and 2 are accepted as the first chunk of a chunk stream, with message stream 0 and a
    /// timestamp relative to 0: librtmp and ffmpeg begin chunk stream 2 with type 1, DJI cameras
    /// begin others with type 2.
    pub fresh_compressed_headers: bool,
    /// A header of type 0, 1 or 2 that arrives while its chunk stream has an unfinished message
    /// drops that message (some servers abandon messages midway) instead of ending the connection.
    pub restarted_messages: bool,
    /// Media, statuses and NetStream commands on message stream 0, or on one that does not exist,
    /// belong to the only stream they can mean: sloppy encoders publish on stream 0, and
    /// Node-Media-Server sends all its media there.
    pub misplaced_messages: bool,
}

impl Leniency {
    /// Every rule: the default.
    pub const ALL: Self = Self {
        extended_timestamp: ExtendedTimestampRule::Detect,
        type3_after_type0_may_mean_same_time: true,
        fresh_compressed_headers: true,
        restarted_messages: true,
        misplaced_messages: true,
    };

    /// The specification to the letter.
    pub const STRICT: Self = Self {
        extended_timestamp: ExtendedTimestampRule::Always,
        type3_after_type0_may_mean_same_time: false,
        fresh_compressed_headers: false,
        restarted_messages: false,
        misplaced_messages: false,
    };
}

impl Default for Leniency {
    fn default() -> Self {
        Self::ALL
    }
}

/// Whether type 3 chunks carry the extended timestamp that is in force on their chunk stream.
///
/// [RTMP 1.0 §5.3.1.3]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendedTimestampRule {
    /// They do, as the specification says.
    Always,
    /// They do not.
    Never,
    /// They do if the next four bytes equal the value in force or are zero; else those bytes are
    /// payload.
    Detect,
}
