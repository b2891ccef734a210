//! Bits, most significant first: for columns whose numbers are smaller than a byte.

use super::Malformed;

/// Rice codes with a longer quotient are written out instead.
const LONGEST: u32 = 20;

/// Writes bits.
#[derive(Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    /// The lowest `count` bits of `value`.
    pub fn bits(&mut self, value: u64, count: u32) {
        for at in (0..count).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let bit = (value >> at & 1) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// Any number: groups of three bits behind one that says whether there are more, lowest first.
    pub fn number(&mut self, mut value: u64) {
        while value > 7 {
            self.bits(8 | value & 7, 4);
            value >>= 3;
        }
        self.bits(value, 4);
    }

    /// A Rice code: a quotient of ones up to a nought, then `k` bits. What is far too large is written out.
    pub fn rice(&mut self, value: u64, k: u32) {
        let quotient = value >> k;
        if quotient < LONGEST.into() {
            self.bits((1 << (quotient + 1)) - 2, quotient as u32 + 1);
            self.bits(value, k);
        } else {
            self.bits((1 << LONGEST) - 1, LONGEST);
            self.bits(value, 64);
        }
    }

    /// The bits, filled up with noughts.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// How many bits [`BitWriter::rice`] takes.
pub fn rice_bits(value: u64, k: u32) -> u64 {
    let quotient = value >> k;
    if quotient < LONGEST.into() { quotient + 1 + u64::from(k) } else { u64::from(LONGEST) + 64 }
}

/// Reads what [`BitWriter`] wrote.
#[derive(Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The error of this place.
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at / 8 }
    }

    /// The next `count` bits.
    pub fn bits(&mut self, count: u32, what: &'static str) -> Result<u64, Malformed> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or_else(|| self.malformed(what))?;
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    /// Any number.
    pub fn number(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(3) {
            let group = self.bits(4, what)?;
            // The last group has room for one bit only.
            if shift == 63 && group > 1 {
                break;
            }
            value |= (group & 7) << shift;
            if group & 8 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed(what))
    }

    /// A number that fits `T`.
    pub fn fit<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, Malformed> {
        let value = self.number(what)?;
        T::try_from(value).map_err(|_| self.malformed(what))
    }

    /// A Rice code of `k`.
    pub fn rice(&mut self, k: u32, what: &'static str) -> Result<u64, Malformed> {
        for quotient in 0..LONGEST {
            if self.bits(1, what)? == 0 {
                let value = u64::from(quotient).checked_shl(k).filter(|high| high >> k == u64::from(quotient));
                return Ok(value.ok_or_else(|| self.malformed(what))? | self.bits(k, what)?);
            }
        }
        self.bits(64, what)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((any::<u64>(), 0u32..64, 0u32..32), 0..20)) {
            let mut writer = BitWriter::default();
            let mut bits = 0;
            for (value, shift, k) in &values {
                let value = value >> shift;
                writer.bits(value, 64 - shift);
                writer.number(value);
                writer.rice(value, *k);
                bits += rice_bits(value, *k) as usize;
            }
            let bytes = writer.into_bytes();
            prop_assert!(bytes.len() * 8 >= bits);
            let mut reader = BitReader::new(&bytes);
            for (value, shift, k) in values {
                let value = value >> shift;
                prop_assert_eq!(reader.bits(64 - shift, "bits"), Ok(value));
                prop_assert_eq!(reader.number("number"), Ok(value));
                prop_assert_eq!(reader.rice(k, "rice"), Ok(value));
            }
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>(), k in 0u32..32) {
            let mut reader = BitReader::new(&bytes);
            while reader.rice(k, "rice").is_ok() && reader.number("number").is_ok() {}
        }
    }
}
