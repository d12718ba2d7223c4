//! Who the node is, and whom it lets in.

use std::{collections::BTreeSet, fmt};

use super::{list, wrong_type};
use crate::{
    id::{PeerId, from_hex, to_hex},
    settings::{key::Form, value::Value},
};

/// 2 MiB of keys; who knows more peers than that asks a database, in the refuse hook.
const MOST_PEERS: usize = 65_536;
/// A text of hexadecimal digits this long is a seed with a slip, not the name of a file.
const LOOKS_LIKE_SEED: usize = 40;

/// Where the secret key of the node comes from.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum IdentitySource {
    /// A new one for each node.
    #[default]
    Fresh,
    /// The file at this path, made if it does not exist.
    File(String),
    /// The Ed25519 seed itself (RFC 8032, section 5.1.5).
    Seed([u8; 32]),
}

impl fmt::Debug for IdentitySource {
    /// Never shows the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("Fresh"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Seed(_) => f.write_str("Seed(..)"),
        }
    }
}

/// The key `identity`. Its messages never show the value, which may be a seed.
pub(in crate::settings) struct Identity;

impl Form for Identity {
    type Typed = IdentitySource;

    fn read(&self, value: &Value) -> Result<IdentitySource, String> {
        const WANTED: &str =
            "the path of a key file, or a seed of 64 lower-case hexadecimal digits";
        let Value::Text(text) = value else { return Err(wrong_type(value, WANTED)) };
        if let Some(seed) = from_hex(text) {
            return Ok(IdentitySource::Seed(seed));
        }
        if text.len() >= LOOKS_LIKE_SEED && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!(
                "looks like a seed, but has {} digits or capitals; write 64 lower-case \
                 hexadecimal digits (a file of such a name is written ./NAME)",
                text.len()
            ));
        }
        if text.trim().is_empty() {
            return Err(format!("is empty; give {WANTED}, or null for a fresh identity"));
        }
        if text.contains('\0') {
            return Err("contains a NUL byte, which no path can; take it out".into());
        }
        if text.starts_with("~/") {
            return Err("begins with ~, which only a shell replaces; write the whole path".into());
        }
        Ok(IdentitySource::File(text.clone()))
    }

    fn write(&self, source: &IdentitySource) -> Value {
        match source {
            IdentitySource::Fresh => Value::Null,
            IdentitySource::File(path) => path.as_str().into(),
            IdentitySource::Seed(seed) => to_hex(seed).into(),
        }
    }

    fn kind(&self) -> &'static str {
        "path or seed"
    }

    fn range(&self) -> String {
        "a path, or 64 lower-case hexadecimal digits".into()
    }

    fn unset(&self) -> &'static str {
        "a fresh one for each node"
    }
}

/// The list of peers of the key `allow`.
pub(in crate::settings) struct Peers;

impl Form for Peers {
    type Typed = Option<BTreeSet<PeerId>>;

    fn read(&self, value: &Value) -> Result<Self::Typed, String> {
        let items = list::items(value, "peer ids", MOST_PEERS)?;
        let peer = |item: &String| {
            item.parse::<PeerId>().map_err(|error| format!("has a wrong item: {error}"))
        };
        items.iter().map(peer).collect::<Result<_, _>>().map(Some)
    }

    fn write(&self, peers: &Self::Typed) -> Value {
        peers.as_ref().map_or(Value::Null, |peers| peers.iter().map(ToString::to_string).collect())
    }

    fn kind(&self) -> &'static str {
        "list of peer ids"
    }

    fn range(&self) -> String {
        format!("0 to {MOST_PEERS} peer ids")
    }

    fn unset(&self) -> &'static str {
        "everyone"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(value: impl Into<Value>) -> Result<IdentitySource, String> {
        Identity.read(&value.into())
    }

    fn peers(value: impl Into<Value>) -> Result<Option<BTreeSet<PeerId>>, String> {
        Peers.read(&value.into())
    }

    #[test]
    fn an_identity_is_a_seed_or_a_path() {
        assert_eq!(identity("07".repeat(32)), Ok(IdentitySource::Seed([7; 32])));
        assert_eq!(identity("my keys/a.key"), Ok(IdentitySource::File("my keys/a.key".into())));
        assert_eq!(identity("cafe"), Ok(IdentitySource::File("cafe".into())));
    }

    #[test]
    fn a_seed_with_a_slip_is_not_taken_for_a_path() {
        for text in ["0".repeat(63), "0".repeat(65), "AB".repeat(32)] {
            let error = identity(&*text).unwrap_err();
            assert!(error.contains("looks like a seed") && !error.contains(&text), "{error}");
        }
        for text in ["", " ", "a\0b", "~/key"] {
            assert!(identity(text).is_err(), "{text:?}");
        }
        assert!(identity(7).unwrap_err().contains("is a number"));
    }

    #[test]
    fn debug_output_never_shows_a_seed() {
        assert_eq!(format!("{:?}", IdentitySource::Seed([7; 32])), "Seed(..)");
    }

    #[test]
    fn an_empty_list_of_peers_is_nobody() {
        assert_eq!(peers(Value::List(vec![])), Ok(Some(BTreeSet::new())));
        assert_eq!(peers("[]"), Ok(Some(BTreeSet::new())));
        let id = "ab".repeat(32);
        assert_eq!(peers(&*id).unwrap().unwrap().len(), 1);
        assert_eq!(peers([&*id, &*id]).unwrap().unwrap().len(), 1);
    }

    #[test]
    fn a_wrong_peer_id_is_named() {
        let error = peers("AB".repeat(32)).unwrap_err();
        assert!(error.contains("ABAB") && error.contains("64 lower-case"), "{error}");
        assert!(peers("").unwrap_err().contains("[] for an empty list"));
    }
}
