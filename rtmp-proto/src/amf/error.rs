//! What decoding can fail with.

use alloc::boxed::Box;

use super::MAX_NAME_LEN;

/// The name of a property or class takes more than 65 535 bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name of {length} bytes is longer than {MAX_NAME_LEN}")]
#[non_exhaustive]
pub struct NameTooLong {
    /// Bytes of the name.
    pub length: usize,
}

/// What is wrong with encoded values.
///
/// An `offset` counts bytes from the beginning of the decoder's input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmfError {
    /// The input ends within a value.
    #[error("the input ends within the field at byte {offset}")]
    UnexpectedEnd {
        /// Where the field that is cut short begins.
        offset: usize,
    },
    /// No type has this marker.
    #[error("unknown marker {marker:#04x} at byte {offset}")]
    UnknownMarker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// The marker belongs to a type that was never defined: movie clip or record set.
    #[error("reserved marker {marker:#04x} at byte {offset}")]
    ReservedMarker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// An object end marker stands where a value belongs.
    #[error("object end marker in the place of a value at byte {offset}")]
    UnexpectedObjectEnd {
        /// Where it stands.
        offset: usize,
    },
    /// Containers nest deeper than allowed.
    #[error("containers nest deeper than {limit} at byte {offset}")]
    TooDeep {
        /// The depth allowed.
        limit: usize,
        /// Where the container beyond it begins.
        offset: usize,
    },
    /// There are more values than allowed.
    #[error("more than {limit} values at byte {offset}")]
    TooManyValues {
        /// The number allowed.
        limit: usize,
        /// Where the value beyond it begins, or the array that announces it.
        offset: usize,
    },
    /// The strings take more bytes than allowed.
    #[error("strings of more than {limit} bytes in all at byte {offset}")]
    StringsTooLong {
        /// The bytes allowed.
        limit: usize,
        /// Where the string beyond them begins.
        offset: usize,
    },
    /// A name has outgrown 65 535 bytes because invalid UTF-8 in it was replaced.
    #[error("the name at byte {offset} takes {length} bytes in valid UTF-8")]
    NameTooLong {
        /// Bytes of the name after the replacement.
        length: usize,
        /// Where the name begins.
        offset: usize,
    },
    /// A reference to something that has not occurred.
    #[error("reference {index} at byte {offset} to something not yet met")]
    ReferenceOutOfRange {
        /// The index.
        index: usize,
        /// Where the reference stands.
        offset: usize,
    },
    /// A reference to a container from within itself.
    #[error("reference {index} at byte {offset} to a container around it")]
    CyclicReference {
        /// The index.
        index: usize,
        /// Where the reference stands.
        offset: usize,
    },
    /// An object of a class that only its own readers understand, within another value. (At the top
    /// it is opaque.)
    #[error("externalizable class {class_name} within another value")]
    UnknownExternalizable {
        /// The name of the class.
        class_name: Box<str>,
    },
}
