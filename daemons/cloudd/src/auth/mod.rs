//! Tokens and one-time codes: made here, shown once, stored as SHA-256 only. Who may do what: core's `access`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::refusal::Refusal;

/// What every token starts with, so that scanners for leaked secrets can find one.
const PREFIX: &str = "mm_";
/// Letters and digits that nobody confuses (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A token. Its text is for its owner only.
pub struct Secret(String);

impl Secret {
    /// 32 bytes from the system's random source, as base 16.
    pub fn generate() -> Result<Self, Refusal> {
        let bytes = random::<32>()?;
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
        let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]);
        Ok(Self(PREFIX.chars().chain(digits).collect()))
    }

    /// What is stored.
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }

    /// The text, to show once.
    pub fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The hash of what a caller sends as token, if it can be one.
pub fn token_hash(sent: &str) -> Option<[u8; 32]> {
    (sent.starts_with(PREFIX) && sent.len() <= 128).then(|| hash(sent))
}

/// A one-time code: 12 letters in three groups, 60 bits, so that nobody finds one by trying within its day.
pub struct Code(String);

impl Code {
    /// From the system's random source.
    pub fn generate() -> Result<Self, Refusal> {
        let letters: Vec<u8> = random::<12>()?.iter().map(|byte| ALPHABET[usize::from(byte % 32)]).collect();
        let groups: Vec<_> = letters.chunks(4).map(String::from_utf8_lossy).collect();
        Ok(Self(groups.join("-")))
    }

    /// What is stored.
    pub fn hash(&self) -> [u8; 32] {
        Self::hash_of(&self.0)
    }

    /// The same of a code as people type it: any case, with or without hyphens and blanks.
    pub fn hash_of(typed: &str) -> [u8; 32] {
        let letters: String = typed
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                letter => letter,
            })
            .collect();
        hash(&letters)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_and_never_shown_by_debug() {
        let secret = Secret::generate().unwrap();
        let stored = secret.hash();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let text = secret.reveal();
        assert!(text.starts_with("mm_") && text.len() == 67);
        assert_eq!(token_hash(&text), Some(stored));
        assert_eq!(token_hash("sk_abc"), None);
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::generate().unwrap();
        let typed = code.to_string().to_lowercase().replace('-', " ");
        assert_eq!(Code::hash_of(&typed), code.hash());
        assert_eq!(Code::hash_of("oil0-0000"), Code::hash_of("01100000"));
        assert_ne!(code.hash(), Code::generate().unwrap().hash());
    }
}
