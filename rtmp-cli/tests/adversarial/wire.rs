//! RTMP bytes written by hand: what our own encoder would refuse to write.

/// C0, C1 and C2, or S0, S1 and S2: all zeroes but the version.
pub(crate) fn greeting() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(GREETING_LEN, 0);
    bytes
}

/// The header of type 0 of a message of `length` bytes at time 0, on a chunk stream from 2 to 63.
pub(crate) fn header(csid: u8, length: u32, kind: u8, stream: u8) -> Vec<u8> {
    header_at(csid, 0, length, kind, stream)
}

/// The same at another time.
pub(crate) fn header_at(csid: u8, time: u32, length: u32, kind: u8, stream: u8) -> Vec<u8> {
    let field = time.min(EXTENDED);
    let mut bytes = vec![csid];
    bytes.extend(&field.to_be_bytes()[1..]);
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend([kind, stream, 0, 0, 0]);
    if field == EXTENDED {
        bytes.extend(time.to_be_bytes());
    }
    bytes
}

/// A message at time 0 in chunks of 128 bytes.
pub(crate) fn message(csid: u8, kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    chunks(128, csid, kind, stream, payload)
}

/// A message at time 0 in chunks of `size` bytes.
pub(crate) fn chunks(size: usize, csid: u8, kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("what is written here is short");
    let mut bytes = header(csid, length, kind, stream);
    for (n, piece) in payload.chunks(size).enumerate() {
        if n > 0 {
            bytes.push(0xC0 | csid);
        }
        bytes.extend(piece);
    }
    bytes
}

/// Set Chunk Size.
pub(crate) fn chunk_size(size: u32) -> Vec<u8> {
    message(2, 1, 0, &size.to_be_bytes())
}

/// Abort.
pub(crate) fn abort(csid: u32) -> Vec<u8> {
    message(2, 2, 0, &csid.to_be_bytes())
}

/// A command in AMF0.
pub(crate) fn command(stream: u8, payload: &[u8]) -> Vec<u8> {
    message(3, COMMAND, stream, payload)
}

/// The payload of a key frame: a head that players understand, then `fill`.
pub(crate) fn key_frame(len: usize, fill: u8) -> Vec<u8> {
    let mut payload = vec![0x17, 1, 0, 0, 0];
    payload.resize(len, fill);
    payload
}

/// The same bytes in every run, like noise.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("64 bits are enough");
        usize::try_from(self.number() % end).expect("less than a usize")
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.number().to_le_bytes()[3])
            .take(len)
            .collect()
    }
}

pub(crate) const GREETING_LEN: usize = 1 + 2 * 1536;

/// Message types.
pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
pub(crate) const COMMAND_AMF3: u8 = 17;
pub(crate) const DATA: u8 = 18;
pub(crate) const COMMAND: u8 = 20;
pub(crate) const AGGREGATE: u8 = 22;

/// From here on, times stand in a field of their own.
const EXTENDED: u32 = 0xFF_FFFF;
