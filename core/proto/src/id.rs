//! Who a peer is: its Ed25519 public key.

use std::{fmt, str::FromStr};

use crate::error::{Error, ErrorKind};

/// The identity of a node: its 32-byte Ed25519 public key (RFC 8032).
///
/// The one text form is 64 lower-case hexadecimal digits, in all languages, logs and settings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// The peer whose public key has these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight digits, for logs and people; not unique.
    pub fn short(&self) -> String {
        to_hex(&self.0[..4])
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.short())
    }
}

impl FromStr for PeerId {
    type Err = Error;

    /// Reads the canonical form.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for anything but 64 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        from_hex(text).map(Self).ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                format!("peer id {text:?} must be 64 lower-case hexadecimal digits"),
            )
        })
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that exactly `2 * N` lower-case hexadecimal digits stand for.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_peer_id_survives_its_text_form(bytes: [u8; 32]) {
            let id = PeerId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse::<PeerId>().unwrap(), id);
        }

        #[test]
        fn reading_any_text_as_a_peer_id_never_panics(text: String) {
            let _ = text.parse::<PeerId>();
        }
    }

    #[test]
    fn upper_case_and_short_peer_ids_are_refused() {
        let id = "AB".repeat(32);
        assert_eq!(id.parse::<PeerId>().unwrap_err().kind(), ErrorKind::Invalid);
        assert!("ab".repeat(31).parse::<PeerId>().is_err());
    }
}
