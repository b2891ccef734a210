//! Varints (LEB128, zigzag for signed) and length-prefixed bytes, over a slice that is never trusted.

/// Bytes that are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what} at byte {at}")]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
    /// Where.
    pub at: usize,
}

/// Appends to a buffer.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// Unsigned LEB128.
    pub fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Zigzag, then LEB128.
    pub fn int(&mut self, value: i64) {
        self.uint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Length, then the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.uint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

/// Reads from a slice.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The error of this place.
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    /// How much is left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.malformed(what))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// One byte.
    pub fn byte(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.take(1, what)?[0])
    }

    /// Unsigned LEB128, at most 64 bits.
    pub fn uint(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed(what))
    }

    /// An unsigned that fits `T`.
    pub fn fit<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, Malformed> {
        let value = self.uint(what)?;
        T::try_from(value).map_err(|_| self.malformed(what))
    }

    /// Zigzag LEB128.
    pub fn int(&mut self, what: &'static str) -> Result<i64, Malformed> {
        let value = self.uint(what)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A signed that fits 32 bits.
    pub fn int32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        let value = self.int(what)?;
        i32::try_from(value).map_err(|_| self.malformed(what))
    }

    /// Length-prefixed bytes.
    pub fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let count = self.fit(what)?;
        self.take(count, what)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(unsigned in any::<u64>(), signed in any::<i64>(), bytes in any::<Vec<u8>>()) {
            let mut writer = Writer::default();
            writer.uint(unsigned);
            writer.int(signed);
            writer.bytes(&bytes);
            let mut reader = Reader::new(&writer.0);
            prop_assert_eq!(reader.uint("u"), Ok(unsigned));
            prop_assert_eq!(reader.int("i"), Ok(signed));
            prop_assert_eq!(reader.bytes("b"), Ok(&bytes[..]));
            prop_assert_eq!(reader.left(), 0);
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let mut reader = Reader::new(&bytes);
            while reader.int("i").is_ok() && reader.bytes("b").is_ok() {}
        }
    }
}
