//! UNPI framing: bytes of a serial line in, frames out, and the other way. No port, no clock.
//!
//! `FE | length | CMD0 | CMD1 | data | XOR of all but FE` (TI SWRA198). The line has no escape and no repair: after
//! damage only the false start is dropped, because a true frame may begin inside what its length covered.

/// The first byte of every frame.
const SOF: u8 = 0xFE;
/// Longest data.
pub const MAX_DATA: usize = 250;

/// One frame. `command` is CMD0 then CMD1, such as 0x4481.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// CMD0 << 8 | CMD1.
    pub command: u16,
    /// The payload.
    pub data: Vec<u8>,
}

/// Type bits of CMD0.
const TYPE: u16 = 0xE000;

impl Frame {
    /// A synchronous response to the request `command`?
    pub fn answers(&self, command: u16) -> bool {
        self.command == (command & !TYPE) | 0x6000
    }

    /// Something the dongle says by itself?
    pub fn is_indication(&self) -> bool {
        self.command & TYPE == 0x4000
    }

    /// The bytes on the line. Data over [`MAX_DATA`] cannot be said in one frame: `None`.
    pub fn encode(&self) -> Option<Vec<u8>> {
        if self.data.len() > MAX_DATA {
            return None;
        }
        let mut out = vec![SOF, self.data.len() as u8, (self.command >> 8) as u8, self.command as u8];
        out.extend_from_slice(&self.data);
        out.push(check(&out[1..]));
        Some(out)
    }
}

fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// What was thrown away, to be shown to the maintainer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Bytes outside any frame.
    pub bytes: u64,
    /// Frames whose check differed.
    pub checks: u64,
}

/// Finds frames in what a port reads. Never holds more than one frame's length plus one read.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Counts of what was dropped.
    pub dropped: Dropped,
}

impl Decoder {
    /// Takes bytes in; `frame` receives each whole frame.
    pub fn feed(&mut self, bytes: &[u8], mut frame: impl FnMut(Frame)) {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let rest = &self.buffer[at..];
            let start = rest.iter().position(|byte| *byte == SOF).unwrap_or(rest.len());
            self.dropped.bytes += start as u64;
            at += start;
            let rest = &self.buffer[at..];
            let Some(length) = rest.get(1).map(|length| usize::from(*length)) else { break };
            if length > MAX_DATA {
                self.dropped.bytes += 1;
                at += 1;
                continue;
            }
            let Some(whole) = rest.get(..length + 5) else { break };
            if check(&whole[1..length + 4]) == whole[length + 4] {
                let command = u16::from_be_bytes([whole[2], whole[3]]);
                frame(Frame { command, data: whole[4..length + 4].to_vec() });
                at += length + 5;
            } else {
                self.dropped.checks += 1;
                self.dropped.bytes += 1;
                at += 1;
            }
        }
        self.buffer.drain(..at);
    }

    /// Whether a frame has begun and not ended.
    pub fn is_waiting(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Nothing more came for 200 ms: the start was false, what is behind it may hold frames.
    pub fn expire(&mut self, frame: impl FnMut(Frame)) {
        if self.is_waiting() {
            self.buffer.remove(0);
            self.dropped.bytes += 1;
            self.feed(&[], frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame() -> impl Strategy<Value = Frame> {
        (any::<u16>(), prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(command, data)| Frame { command, data })
    }

    /// Everything a decoder finds, with the line falling silent at the end.
    fn decode(reads: &[&[u8]]) -> (Vec<Frame>, Decoder) {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for read in reads {
            decoder.feed(read, |frame| found.push(frame));
        }
        while decoder.is_waiting() {
            decoder.expire(|frame| found.push(frame));
        }
        (found, decoder)
    }

    proptest! {
        #[test]
        fn frames_are_found_whatever_the_reads(
            frames in prop::collection::vec(frame(), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let line: Vec<u8> = frames.iter().filter_map(Frame::encode).flatten().collect();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(line.len() + 1)).chain([0, line.len()]).collect();
            cuts.sort_unstable();
            let reads: Vec<_> = cuts.windows(2).map(|pair| &line[pair[0]..pair[1]]).collect();
            let (found, decoder) = decode(&reads);
            prop_assert_eq!(found, frames);
            prop_assert_eq!(decoder.dropped, Dropped::default());
        }

        #[test]
        fn a_frame_behind_garbage_without_a_start_is_found(garbage in prop::collection::vec(0u8..0xFE, 0..40), frame in frame()) {
            let line: Vec<u8> = garbage.iter().copied().chain(frame.encode().unwrap()).collect();
            let (found, decoder) = decode(&[&line]);
            prop_assert_eq!(found, vec![frame]);
            prop_assert_eq!(decoder.dropped.bytes, garbage.len() as u64);
        }

        #[test]
        fn garbage_never_panics_nor_grows(reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..10)) {
            let mut decoder = Decoder::default();
            for read in &reads {
                decoder.feed(read, drop);
                prop_assert!(decoder.buffer.len() < MAX_DATA + 5);
            }
        }
    }

    #[test]
    fn a_true_frame_inside_a_damaged_one_is_not_lost() {
        let inner = Frame { command: 0x4481, data: vec![1, 2, 3] };
        let mut line = vec![SOF, 40, 0x44, 0x81, 9, 9];
        line.extend(inner.encode().unwrap());
        line.extend([0; 40]);
        assert_eq!(decode(&[&line]).0, [inner]);
    }

    #[test]
    fn the_ping_of_the_manual() {
        let ping = Frame { command: 0x2101, data: vec![] };
        assert_eq!(ping.encode(), Some(vec![0xFE, 0x00, 0x21, 0x01, 0x20]));
        assert!(Frame { command: 0x6101, data: vec![] }.answers(0x2101));
    }
}
