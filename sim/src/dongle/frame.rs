//! UNPI framing, as the dongle does it: SOF, length, two command bytes, data, XOR check.
//!
//! Not for: what commands mean (coordinator.rs).

const SOF: u8 = 0xFE;
/// Longest data of a frame, bytes.
pub const MAX_DATA: usize = 250;

/// One MT frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// CMD0 and CMD1 in reading order: `0x2101` is SYS_PING.
    pub command: u16,
    /// At most [`MAX_DATA`] bytes.
    pub data: Vec<u8>,
}

impl Frame {
    /// A frame of a command and its data.
    pub fn new(command: u16, data: impl Into<Vec<u8>>) -> Self {
        Self { command, data: data.into() }
    }

    /// The bytes on the line.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![SOF, self.data.len() as u8];
        bytes.extend(self.command.to_be_bytes());
        bytes.extend(&self.data);
        bytes.push(bytes[1..].iter().fold(0, |check, byte| check ^ byte));
        bytes
    }
}

/// Finds frames in bytes that arrive in any pieces, with anything between them.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Frames whose check was wrong.
    pub bad_checks: u64,
}

impl Decoder {
    /// Takes bytes and gives the frames they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.buffer.extend(bytes);
        let mut frames = Vec::new();
        while let Some(start) = self.buffer.iter().position(|&byte| byte == SOF) {
            self.buffer.drain(..start);
            let Some(&length) = self.buffer.get(1) else { return frames };
            let total = usize::from(length) + 5;
            if usize::from(length) > MAX_DATA {
                self.buffer.drain(..1);
            } else if self.buffer.len() < total {
                return frames;
            } else if self.buffer[1..total].iter().fold(0, |check, byte| check ^ byte) == 0 {
                let frame: Vec<u8> = self.buffer.drain(..total).collect();
                frames.push(Frame::new(u16::from_be_bytes([frame[2], frame[3]]), &frame[4..total - 1]));
            } else {
                // A true frame may start inside what the false length covered.
                self.bad_checks += 1;
                self.buffer.drain(..1);
            }
        }
        self.buffer.clear();
        frames
    }
}

/// Reads little-endian fields off a payload; `None` once it is too short.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Eight bytes, such as an IEEE address.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sys_ping_is_the_published_example() {
        assert_eq!(Frame::new(0x2101, []).encode(), [0xFE, 0x00, 0x21, 0x01, 0x20]);
    }

    fn frame() -> impl Strategy<Value = Frame> {
        (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..=MAX_DATA))
            .prop_map(|(command, data)| Frame { command, data })
    }

    proptest! {
        #[test]
        fn frames_survive_any_splitting(frames in proptest::collection::vec(frame(), 1..5), cut in 1..40_usize) {
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
            let mut decoder = Decoder::default();
            let seen: Vec<Frame> = bytes.chunks(cut).flat_map(|chunk| decoder.push(chunk)).collect();
            prop_assert_eq!(seen, frames);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            Decoder::default().push(&bytes);
        }
    }
}
