//! `rtmp://` URLs and stream names.
