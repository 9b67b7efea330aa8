//! FLV: tag bodies and files.
