//! What goes wrong on the line between dongle and host, drawn by a seed.
//!
//! Every fault here is one that a correct host survives without losing a reading; what it must not survive is sent with
//! `Dongle::raw`. Not for: the dongle's own failures (reset, leave, rejoin).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::frame::Frame;

const AF_INCOMING_MSG: u16 = 0x4481;

/// Probabilities, per frame that the dongle writes. All zero by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineFaults {
    /// Seed of the draws.
    pub seed: u64,
    /// A message from a sensor comes twice, as after a lost radio acknowledgement.
    pub duplicate: f64,
    /// A copy with a wrong check comes before the good frame.
    pub bad_check: f64,
    /// The frame arrives in pieces with pauses.
    pub split: f64,
    /// Noise bytes come before the frame.
    pub garbage: f64,
}

/// The outgoing side of the line.
#[derive(Debug)]
pub struct Line {
    faults: LineFaults,
    rng: ChaCha8Rng,
}

impl Line {
    pub fn new(faults: LineFaults) -> Self {
        Self { faults, rng: ChaCha8Rng::seed_from_u64(faults.seed) }
    }

    /// The pieces to write for one frame, a pause after each but the last, and how many extra copies they hold.
    pub fn pieces(&mut self, frame: &Frame) -> (Vec<Vec<u8>>, u64) {
        let good = frame.encode();
        let mut bytes = Vec::new();
        if self.happens(self.faults.garbage) {
            bytes.extend(self.noise());
        }
        if self.happens(self.faults.bad_check) {
            bytes.extend(&good);
            if let Some(check) = bytes.last_mut() {
                *check ^= 0xFF;
            }
        }
        bytes.extend(&good);
        let duplicates = u64::from(frame.command == AF_INCOMING_MSG && self.happens(self.faults.duplicate));
        if duplicates == 1 {
            bytes.extend(&good);
        }
        if !self.happens(self.faults.split) {
            return (vec![bytes], duplicates);
        }
        let cut = self.rng.random_range(1..bytes.len());
        let tail = bytes.split_off(cut);
        (vec![bytes, tail], duplicates)
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
    use crate::dongle::frame::Decoder;

    #[test]
    fn every_frame_comes_through_the_noise() {
        let faults = LineFaults { seed: 7, duplicate: 0.2, bad_check: 0.0, split: 0.5, garbage: 0.7 };
        let (mut line, mut decoder) = (Line::new(faults), Decoder::default());
        let mut expected = 0;
        let mut seen = 0;
        for n in 0..2000_u16 {
            let frame = Frame::new(AF_INCOMING_MSG, n.to_be_bytes());
            let (pieces, duplicates) = line.pieces(&frame);
            expected += 1 + duplicates;
            seen += pieces.iter().flat_map(|piece| decoder.push(piece)).filter(|got| *got == frame).count() as u64;
        }
        assert_eq!(seen, expected);
        assert!(expected > 2000);
    }
}
