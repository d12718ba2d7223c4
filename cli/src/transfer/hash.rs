//! SHA-256: of a part, to go on where it ends, and of a whole file, to know that it is right.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A hash, in JSON 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Hash([u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a hash has 64 lower-case hexadecimal digits";
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

/// The hash of what has passed so far, and how much that is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hashing {
    hasher: Sha256,
    bytes: u64,
}

impl Hashing {
    /// So much more has passed.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(length(bytes));
    }

    /// How many bytes have passed.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Their hash.
    pub(crate) fn hash(&self) -> Hash {
        Hash(self.hasher.clone().finalize().into())
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_survives_its_text_and_nothing_else_is_one() {
        let mut hashing = Hashing::default();
        hashing.update(b"a");
        hashing.update(b"bc");
        let text = String::from(hashing.hash());
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hashing.bytes(), 3);
        assert_eq!(Hash::try_from(text.clone()), Ok(hashing.hash()));
        for wrong in ["", &text[1..], &text.to_uppercase(), &format!("{}é", &text[2..])] {
            assert!(Hash::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
