//! What goes wrong on the line between dongle and host, drawn by a seed.
//!
//! Every fault here is one that a correct host survives without losing a reading; what it must not survive is sent with
//! `Dongle::raw`. Not for: the dongle's own failures (reset, leave, rejoin).

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::frame::{Decoder, Frame};

const AF_INCOMING_MSG: u16 = 0x4481;
const AF_INCOMING_MSG_EXT: u16 = 0x4482;

/// Probabilities, per frame that the dongle writes. All zero by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineFaults {
    /// Seed of the draws.
    pub seed: u64,
    /// A message from a sensor comes twice, as after a lost radio acknowledgement.
    pub duplicate: f64,
    /// A damaged copy (a wrong check, a flipped byte, a cut) comes before the good frame.
    pub bad_check: f64,
    /// Only a damaged copy of a message from a sensor comes: `Dongle::report` says that it was not sent.
    pub lost: f64,
    /// The frame arrives in pieces with pauses.
    pub split: f64,
    /// Noise bytes come before the frame.
    pub garbage: f64,
    /// A start byte with a plausible length comes before the frame, which seems to lie inside what it claims.
    pub false_start: f64,
}

impl LineFaults {
    fn any(&self) -> bool {
        self.bad_check + self.lost + self.garbage + self.false_start > 0.0
    }
}

/// What to write for one frame.
#[derive(Debug, Default)]
pub struct Written {
    /// With a pause after each but the last.
    pub pieces: Vec<Vec<u8>>,
    /// Extra copies in them.
    pub duplicates: u64,
    /// No good copy is in them.
    pub lost: bool,
}

/// Lost frames remembered.
const REMEMBERED: usize = 16;
/// Draws until one is without an accident.
const TRIES: usize = 200;

/// The outgoing side of the line.
///
/// A false start whose claimed check happens to be right would be a frame to every host, and would swallow true ones:
/// one in 256. A shadow decoder finds such accidents before they are written, and other noise is drawn.
#[derive(Debug)]
pub struct Line {
    faults: LineFaults,
    rng: ChaCha8Rng,
    shadow: Decoder,
    /// Sent, and still behind a false start.
    pending: Vec<Frame>,
    /// The last ones of which only a damaged copy was written; what follows must not mend it.
    lost: VecDeque<Frame>,
}

impl Line {
    pub fn new(faults: LineFaults) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(faults.seed);
        Self { faults, rng, shadow: Decoder::default(), pending: Vec::new(), lost: VecDeque::new() }
    }

    /// What to write for one frame.
    pub fn write(&mut self, frame: &Frame) -> Written {
        let good = frame.encode();
        let message = matches!(frame.command, AF_INCOMING_MSG | AF_INCOMING_MSG_EXT);
        let lost = message && self.happens(self.faults.lost);
        let duplicates = u64::from(message && !lost && self.happens(self.faults.duplicate));
        let mut garbage = self.happens(self.faults.garbage);
        let damaged = lost || self.happens(self.faults.bad_check);
        let false_start = self.happens(self.faults.false_start);
        if lost {
            self.lost.push_front(frame.clone());
            self.lost.truncate(REMEMBERED);
        } else if self.faults.any() {
            self.pending.push(frame.clone());
        }
        let mut tries = 0;
        let mut bytes = loop {
            let mut bytes = Vec::new();
            if garbage {
                bytes.extend(self.noise());
            }
            if damaged {
                bytes.extend(self.damage(&good));
            }
            if false_start {
                bytes.extend([0xFE, self.rng.random_range(1..=200), self.rng.random_range(0x41..=0x4F)]);
            }
            for _ in 0..u64::from(!lost) + duplicates {
                bytes.extend(&good);
            }
            if !self.faults.any() {
                break bytes;
            }
            tries += 1;
            if self.comes_through(&bytes) || tries == TRIES {
                self.pending.retain({
                    let found = self.shadow.push(&bytes);
                    move |sent| !found.contains(sent)
                });
                break bytes;
            }
            // An accident that an earlier frame's noise began is pushed out of place by more of it.
            garbage = true;
        };
        if !self.happens(self.faults.split) || bytes.len() < 2 {
            return Written { pieces: vec![bytes], duplicates, lost };
        }
        let tail = bytes.split_off(self.rng.random_range(1..bytes.len()));
        Written { pieces: vec![bytes, tail], duplicates, lost }
    }

    /// Whether a decoder finds every frame that is on its way and none that is to be lost, were the line to fall silent after `bytes`.
    fn comes_through(&self, bytes: &[u8]) -> bool {
        let found = self.shadow.clone().push(&[bytes, &[0; 256]].concat());
        self.pending.iter().all(|sent| found.contains(sent)) && !self.lost.iter().any(|lost| found.contains(lost))
    }

    fn damage(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        let end = bytes.len();
        match self.rng.random_range(0..3) {
            0 => bytes[end - 1] ^= 0xFF,
            1 => bytes[self.rng.random_range(1..end)] ^= 1 << self.rng.random_range(0..8),
            _ => bytes.truncate(self.rng.random_range(1..end)),
        }
        bytes
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.min(1.0))
    }

    /// A false start byte is followed by an impossible length, so that the true frame behind it is never swallowed.
    fn noise(&mut self) -> Vec<u8> {
        let mut noise = Vec::new();
        for _ in 0..self.rng.random_range(1..20) {
            match self.rng.random::<u8>() {
                0xFE => noise.extend([0xFE, 0xFF]),
                byte => noise.push(byte),
            }
        }
        noise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_but_the_lost_comes_through_the_noise() {
        let faults = LineFaults {
            seed: 7,
            duplicate: 0.2,
            bad_check: 0.3,
            lost: 0.1,
            split: 0.5,
            garbage: 0.7,
            false_start: 0.2,
        };
        let (mut line, mut decoder) = (Line::new(faults), Decoder::default());
        let (mut sent, mut seen) = (Vec::new(), Vec::new());
        for n in 0..5000_u16 {
            let data: Vec<_> = (0..20).map(|k| n.wrapping_mul(31).wrapping_add(k * 7) as u8).collect();
            let frame = Frame::new(AF_INCOMING_MSG, [&n.to_be_bytes()[..], &data].concat());
            let written = line.write(&frame);
            sent.extend((!written.lost).then_some(frame));
            seen.extend(written.pieces.iter().flat_map(|piece| decoder.push(piece)));
        }
        // What a false start still holds back.
        seen.extend(decoder.push(&[0; 256]));
        seen.retain(|found| found.command == AF_INCOMING_MSG);
        seen.dedup();
        assert_eq!(seen, sent);
        assert!((4300..4700).contains(&sent.len()), "{}", sent.len());
    }
}
