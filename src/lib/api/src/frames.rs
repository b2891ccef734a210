//! The body of `POST /v1/ingest`: sealed envelopes, each behind its length.
//!
//! `u32 LE length | envelope bytes`, repeated. Not for what is in an envelope: `medmon_core::wire::envelope`.

/// Bytes of one request at most.
pub const MAX_BODY: usize = 8 << 20;
/// Envelopes of one request at most.
pub const MAX_ENVELOPES: usize = 256;

/// Why a body is not frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length that reaches over the end of the body.
    #[error("frame {index} at byte {at} says {length} bytes, {left} are left; send `u32 LE length | envelope` frames")]
    Length {
        /// Which frame, from 0.
        index: usize,
        /// Where its length stands.
        at: usize,
        /// What it says.
        length: usize,
        /// What there is.
        left: usize,
    },
    /// Less than a length is left.
    #[error("{left} bytes follow frame {index}, too few for a length; send `u32 LE length | envelope` frames")]
    Tail {
        /// Frames before it.
        index: usize,
        /// What there is.
        left: usize,
    },
    /// More than [`MAX_ENVELOPES`].
    #[error("more than {MAX_ENVELOPES} envelopes in one request; send the rest in another")]
    TooMany,
}

/// Envelopes as one body.
pub fn encode<'a>(envelopes: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for envelope in envelopes {
        body.extend_from_slice(&(envelope.len() as u32).to_le_bytes());
        body.extend_from_slice(envelope);
    }
    body
}

/// The envelopes of a body, without copying.
pub fn decode(body: &[u8]) -> Result<Vec<&[u8]>, FrameError> {
    let mut envelopes = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let index = envelopes.len();
        if index == MAX_ENVELOPES {
            return Err(FrameError::TooMany);
        }
        let Some((length, rest)) = body[at..].split_first_chunk::<4>() else {
            return Err(FrameError::Tail { index, left: body.len() - at });
        };
        let length = u32::from_le_bytes(*length) as usize;
        let envelope = rest.get(..length).ok_or(FrameError::Length { index, at, length, left: rest.len() })?;
        envelopes.push(envelope);
        at += 4 + length;
    }
    Ok(envelopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_framed_is_found_and_what_is_cut_is_refused() {
        let parts: [&[u8]; 3] = [b"one", b"", b"three"];
        let body = encode(parts);
        assert_eq!(decode(&body), Ok(parts.to_vec()));
        assert_eq!(decode(&[]), Ok(Vec::new()));
        let whole_frames = [0, 7, 11, body.len()];
        for cut in 0..=body.len() {
            assert_eq!(decode(&body[..cut]).is_ok(), whole_frames.contains(&cut), "cut at {cut}");
        }
        assert!(matches!(decode(&[255; 8]), Err(FrameError::Length { .. })));
        let many = vec![&b"x"[..]; MAX_ENVELOPES + 1];
        assert_eq!(decode(&encode(many)), Err(FrameError::TooMany));
    }
}
