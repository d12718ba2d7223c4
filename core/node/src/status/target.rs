//! What an explanation is asked for.

use std::{fmt, str::FromStr};

use p2pchan_proto::{
    address::Address,
    error::{Error, ErrorKind},
    id::PeerId,
};

/// The fewest digits of a peer id that stand for it: as many as logs show.
const SHORTEST: usize = 8;

/// A peer or an address of which [`Node::explain`](crate::Node::explain) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A peer.
    Peer(PeerId),
    /// All peers whose ids begin with these digits, 8 at least: what logs show of an id.
    Prefix(String),
    /// An address. One without a scheme stands for that of each transport.
    Address(Address),
}

impl Target {
    /// Whether it stands for this peer.
    pub(crate) fn is(&self, peer: &PeerId) -> bool {
        match self {
            Self::Peer(target) => target == peer,
            Self::Prefix(digits) => peer.to_string().starts_with(digits),
            Self::Address(_) => false,
        }
    }
}

impl From<PeerId> for Target {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

impl From<Address> for Target {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl FromStr for Target {
    type Err = Error;

    /// Reads a peer id, the first 8 or more digits of one, or an address.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for anything else.
    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(peer) = text.parse() {
            return Ok(Self::Peer(peer));
        }
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if (SHORTEST..64).contains(&text.len()) && text.bytes().all(is_digit) {
            return Ok(Self::Prefix(text.into()));
        }
        text.parse().map(Self::Address).map_err(|_| {
            let message = format!(
                "{text:?} is neither a peer nor an address; give a peer id or its first {SHORTEST} \
                 or more digits (0-9, a-f), or an address such as 192.0.2.7:8099"
            );
            Error::new(ErrorKind::Invalid, message)
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Prefix(digits) => f.write_str(digits),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_peer_the_beginning_of_one_or_an_address() {
        let id = "ab".repeat(32);
        let peer: PeerId = id.parse().unwrap();
        assert_eq!(id.parse::<Target>().unwrap(), Target::Peer(peer));
        assert_eq!("abababab".parse::<Target>().unwrap(), Target::Prefix("abababab".into()));
        let address: Address = "192.0.2.7:8099".parse().unwrap();
        assert_eq!("192.0.2.7:8099".parse::<Target>().unwrap(), Target::Address(address));
        for target in [&*id, "abababab"] {
            assert!(target.parse::<Target>().unwrap().is(&peer));
        }
        assert!(!"abababac".parse::<Target>().unwrap().is(&peer));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["", "abc", "ABABABAB", "example.org:1", "192.0.2.7", &"a".repeat(65)] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.message().contains(&format!("{text:?}")), "{error}");
        }
    }
}
