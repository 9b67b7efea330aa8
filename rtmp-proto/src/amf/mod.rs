//! Action Message Format.
