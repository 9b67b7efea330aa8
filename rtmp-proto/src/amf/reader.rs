//! What decoders of both versions have in common: the input, and what may still be taken from it.
//!
//! Fields are read by functions of its own: nom's numbers are put together byte by byte, which took
//! a third of the time an array of numbers takes.

use alloc::{borrow::Cow, string::String};
use core::str;

use super::AmfError;
use crate::limits::AmfLimits;

/// The input of a decoder.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    input: &'a [u8],
    pub(super) rest: &'a [u8],
    pub(super) budget: Budget,
    /// Whether a reference is being resolved: what is read again gets no second index.
    pub(super) is_rereading: bool,
}

/// Where to go on after the value that a reference means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Return<'a> {
    rest: &'a [u8],
    is_rereading: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8], limits: &AmfLimits) -> Self {
        Self {
            input,
            rest: input,
            budget: Budget::new(limits, input.len()),
            is_rereading: false,
        }
    }

    /// Goes on with `input`; what was read so far stays paid for.
    pub(super) fn restart(&mut self, input: &'a [u8]) {
        self.input = input;
        self.rest = input;
        self.is_rereading = false;
        self.budget.depth = 0;
        self.budget.room = self.budget.nodes.min(input.len());
    }

    pub(super) const fn offset(&self) -> usize {
        self.input.len() - self.rest.len()
    }

    #[inline(always)]
    pub(super) fn u8(&mut self) -> Result<u8, AmfError> {
        self.array().map(u8::from_be_bytes)
    }

    #[inline(always)]
    pub(super) fn u16(&mut self) -> Result<u16, AmfError> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline(always)]
    pub(super) fn u32(&mut self) -> Result<u32, AmfError> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline(always)]
    pub(super) fn f64(&mut self) -> Result<f64, AmfError> {
        self.array().map(f64::from_be_bytes)
    }

    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let Some((array, rest)) = self.rest.split_first_chunk() else {
            return Err(self.unexpected_end());
        };
        self.rest = rest;
        Ok(*array)
    }

    #[inline(always)]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], AmfError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.unexpected_end());
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// Bytes with their length before them.
    #[inline(always)]
    pub(super) fn short_bytes(&mut self) -> Result<&'a [u8], AmfError> {
        let field = self.rest.split_first_chunk();
        let field =
            field.and_then(|(len, rest)| rest.split_at_checked(u16::from_be_bytes(*len).into()));
        let Some((bytes, rest)) = field else {
            return Err(self.unexpected_end());
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// Bytes with their length before them.
    pub(super) fn long_bytes(&mut self) -> Result<&'a [u8], AmfError> {
        let field = self.rest.split_first_chunk();
        let field = field.and_then(|(len, rest)| {
            let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
            rest.split_at_checked(len)
        });
        let Some((bytes, rest)) = field else {
            return Err(self.unexpected_end());
        };
        self.rest = rest;
        Ok(bytes)
    }

    #[cold]
    fn unexpected_end(&self) -> AmfError {
        AmfError::UnexpectedEnd {
            offset: self.offset(),
        }
    }

    /// Goes back to `offset`, to read again what stands there.
    pub(super) fn jump(&mut self, offset: usize) -> Return<'a> {
        let place = Return {
            rest: self.rest,
            is_rereading: self.is_rereading,
        };
        self.rest = self.input.get(offset..).unwrap_or_default();
        self.is_rereading = true;
        place
    }

    pub(super) fn resume(&mut self, place: Return<'a>) {
        self.rest = place.rest;
        self.is_rereading = place.is_rereading;
    }

    /// Makes sure that `count` values of at least `least` bytes each can follow and be paid for;
    /// `offset` is where they are announced.
    pub(super) fn check_count(
        &self,
        count: usize,
        least: usize,
        offset: usize,
    ) -> Result<(), AmfError> {
        if count > self.rest.len() / least {
            return Err(AmfError::UnexpectedEnd {
                offset: self.offset(),
            });
        }
        self.budget.check_nodes(count, offset)
    }

    /// How many of `count` elements of at least `least` bytes each to make room for ahead.
    pub(super) fn room_for(&mut self, count: usize, least: usize) -> usize {
        let room = count.min(self.rest.len() / least).min(self.budget.room);
        self.budget.room -= room;
        room
    }

    /// Pays for a string; invalid UTF-8 in it is replaced.
    #[inline(always)]
    pub(super) fn text(
        &mut self,
        bytes: &'a [u8],
        offset: usize,
    ) -> Result<Cow<'a, str>, AmfError> {
        self.budget.take_bytes(bytes.len(), offset)?;
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(_) => self.lossy(bytes, offset),
        }
    }

    /// Pays for the name of a property or class.
    #[inline(always)]
    pub(super) fn name(
        &mut self,
        bytes: &'a [u8],
        offset: usize,
    ) -> Result<Cow<'a, str>, AmfError> {
        let name = self.text(bytes, offset)?;
        let length = name.len();
        if length > super::MAX_NAME_LEN {
            return Err(AmfError::NameTooLong { length, offset });
        }
        Ok(name)
    }

    #[cold]
    fn lossy(&mut self, bytes: &[u8], offset: usize) -> Result<Cow<'a, str>, AmfError> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        // A replacement character takes three bytes and replaces one to three.
        self.budget
            .take_bytes(text.len().saturating_sub(bytes.len()), offset)?;
        Ok(Cow::Owned(text))
    }
}

/// What is left of an [`AmfLimits`], shared by everything that decodes one message.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limits: AmfLimits,
    depth: usize,
    nodes: usize,
    string_bytes: usize,
    /// Elements for which room may be made before they are read. Arrays within arrays may each
    /// announce as many as the outermost one, so this is for all of them together, and no more
    /// than an input of this length could hold.
    room: usize,
}

impl Budget {
    fn new(limits: &AmfLimits, input_len: usize) -> Self {
        Self {
            limits: limits.with_depth(limits.depth.min(MAX_DEPTH)),
            depth: 0,
            nodes: limits.nodes,
            string_bytes: limits.string_bytes,
            room: limits.nodes.min(input_len),
        }
    }

    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// Pays for one value.
    #[inline(always)]
    pub(super) fn take_node(&mut self, offset: usize) -> Result<(), AmfError> {
        self.check_nodes(1, offset)?;
        self.nodes -= 1;
        Ok(())
    }

    /// Makes sure that `count` values could be paid for.
    #[inline(always)]
    fn check_nodes(&self, count: usize, offset: usize) -> Result<(), AmfError> {
        if count > self.nodes {
            return Err(AmfError::TooManyValues {
                limit: self.limits.nodes,
                offset,
            });
        }
        Ok(())
    }

    /// Goes one container deeper. Every `enter` is followed by a `leave` or an error that ends
    /// the decoding.
    pub(super) fn enter(&mut self, offset: usize) -> Result<(), AmfError> {
        if self.depth >= self.limits.depth {
            return Err(AmfError::TooDeep {
                limit: self.limits.depth,
                offset,
            });
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Pays for `len` bytes of strings, byte arrays or plain numbers.
    #[inline(always)]
    pub(super) fn take_bytes(&mut self, len: usize, offset: usize) -> Result<(), AmfError> {
        let Some(left) = self.string_bytes.checked_sub(len) else {
            return Err(AmfError::StringsTooLong {
                limit: self.limits.string_bytes,
                offset,
            });
        };
        self.string_bytes = left;
        Ok(())
    }
}

/// The depth allowed whatever the limits say, because decoding, dropping and comparing values
/// recurse.
const MAX_DEPTH: usize = 128;
