//! Subjects: the phrase that programs share, and every key that is derived from it.
//!
//! ```text
//! stretched   Argon2id(phrase, salt "libp2pchan/1 subject", 19 MiB, 2 passes, 1 lane, 32 bytes)
//!             a raw topic of 32 bytes stands here as it is
//! PRK         HMAC-SHA-256(key "libp2pchan/1 subject", stretched)              = HKDF-Extract, RFC 5869
//! find key    HKDF-Expand(PRK, "find:" || network, n)                          what a network is asked for
//! proof PRK   PRK, or with a secret HMAC-SHA-256(PRK, stretched secret)
//! proof key   HKDF-Expand(proof PRK, "proof", 32)                              proves the subject to a peer
//! punch key   HKDF-Expand(proof PRK, "punch", 32)                              for packets without a connection
//! ```
//!
//! Only find keys leave the node, and each network gets its own, so the operators of one cannot
//! recognise the records of another. Stretching (Argon2id, RFC 9106) makes every guess at a phrase
//! cost tens of milliseconds and 19 MiB. A secret keeps those out who guessed the phrase: they can
//! find, but not prove.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, ErrorKind};

const SUBJECT_LABEL: &[u8] = b"libp2pchan/1 subject";
const SECRET_SALT: &[u8] = b"libp2pchan/1 secret";
/// The longest phrase or secret, in bytes of UTF-8.
pub const MAX_PHRASE: usize = 256;

type HmacSha256 = Hmac<Sha256>;

/// A node's own number for one of its subjects; never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectKey(pub u32);

/// What a subject is made from: known at once, while the keys cost a stretch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectName {
    /// Any UTF-8 text of 1 to 256 bytes without NUL, compared byte for byte (no normalisation).
    Phrase(String),
    /// 32 bytes with the strength of a key; they are not stretched.
    Topic([u8; 32]),
}

impl SubjectName {
    /// A phrase.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is empty, longer than 256 bytes or contains NUL.
    pub fn phrase(phrase: &str) -> Result<Self, Error> {
        check_subject(phrase)?;
        Ok(Self::Phrase(phrase.into()))
    }

    /// The phrase, unless this is a raw topic.
    pub fn as_phrase(&self) -> Option<&str> {
        match self {
            Self::Phrase(phrase) => Some(phrase),
            Self::Topic(_) => None,
        }
    }
}

impl fmt::Display for SubjectName {
    /// The phrase, or the topic as hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phrase(phrase) => f.write_str(phrase),
            Self::Topic(topic) => f.write_str(&crate::id::to_hex(topic)),
        }
    }
}

impl fmt::Debug for SubjectName {
    /// A subject is a secret of its users, so logs never show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectName(..)")
    }
}

/// Checks that a phrase can be a subject: that it has 1 to 256 bytes and no NUL. Whoever discovers it checks
/// that too; this is for telling a user sooner.
///
/// # Errors
/// [`ErrorKind::Invalid`], with what is wrong.
pub fn check_subject(subject: &str) -> Result<(), Error> {
    check(subject, "subject")
}

/// Checks that a secret has the form of a phrase.
///
/// # Errors
/// As [`check_subject`].
pub fn check_secret(secret: &str) -> Result<(), Error> {
    check(secret, "secret")
}

fn check(text: &str, what: &str) -> Result<(), Error> {
    let invalid = |why: String| Err(Error::new(ErrorKind::Invalid, format!("{what} {why}")));
    if text.is_empty() {
        return invalid("is empty; give it 1 to 256 bytes".into());
    }
    if text.len() > MAX_PHRASE {
        return invalid(format!("has {} bytes; shorten it to at most {MAX_PHRASE}", text.len()));
    }
    if text.contains('\0') {
        return invalid("contains a NUL byte; remove it".into());
    }
    Ok(())
}

/// A subject with its keys. They are wiped when it is dropped.
pub struct Subject {
    name: SubjectName,
    find: [u8; 32],
    proof: [u8; 32],
    punch: [u8; 32],
}

impl Subject {
    /// Derives all keys. A phrase costs about 20 ms and 19 MiB, and so does a secret, so call this
    /// away from threads that must not wait.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a malformed phrase or secret, [`ErrorKind::Internal`] if the memory
    /// cannot be had.
    pub fn derive(name: SubjectName, secret: Option<&str>) -> Result<Self, Error> {
        let stretched = match &name {
            SubjectName::Phrase(phrase) => {
                check(phrase, "subject")?;
                stretch(phrase, SUBJECT_LABEL)?
            }
            SubjectName::Topic(topic) => Zeroizing::new(*topic),
        };
        let find = hmac(SUBJECT_LABEL, &[&*stretched]);
        let mut proof_prk = Zeroizing::new(find);
        if let Some(secret) = secret {
            check_secret(secret)?;
            *proof_prk = hmac(&find, &[&*stretch(secret, SECRET_SALT)?]);
        }
        let (proof, punch) = (expand(&proof_prk, &[b"proof"]), expand(&proof_prk, &[b"punch"]));
        Ok(Self { name, find, proof, punch })
    }

    /// What it was made from.
    pub const fn name(&self) -> &SubjectName {
        &self.name
    }

    /// The key under which this subject is found in one network, such as `"bittorrent"` with 20
    /// bytes. It can be shown to that network; it tells nothing about other networks or the proof.
    pub fn find_key<const N: usize>(&self, network: &str) -> [u8; N] {
        expand(&self.find, &[b"find:", network.as_bytes()])
    }

    /// HMAC-SHA-256 under the proof key over the concatenation of `parts`.
    pub fn prove(&self, parts: &[&[u8]]) -> [u8; 32] {
        hmac(&self.proof, parts)
    }

    /// HMAC-SHA-256 under the punch key over the concatenation of `parts`.
    pub fn punch_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        hmac(&self.punch, parts)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.find.zeroize();
        self.proof.zeroize();
        self.punch.zeroize();
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(..)")
    }
}

fn stretch(text: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
    let internal = |error| Error::new(ErrorKind::Internal, format!("Argon2id failed: {error}"));
    // OWASP's and RFC 9106's small profile: 19 MiB, 2 passes, 1 lane.
    let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(internal)?;
    let mut stretched = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(text.as_bytes(), salt, &mut *stretched)
        .map_err(internal)?;
    Ok(stretched)
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[expect(clippy::expect_used, reason = "the lengths are constants within HKDF's range")]
fn expand<const N: usize>(prk: &[u8; 32], info: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= 255 * 32, "HKDF-SHA-256 yields at most 8160 bytes") };
    let mut output = [0; N];
    Hkdf::<Sha256>::from_prk(prk)
        .expect("32 bytes are enough for a pseudo-random key")
        .expand_multi_info(info, &mut output)
        .expect("the length is in range");
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::to_hex;

    fn topic() -> Subject {
        Subject::derive(SubjectName::Topic([7; 32]), None).unwrap()
    }

    #[test]
    fn the_keys_of_a_phrase_stay_the_same_in_every_version() {
        let name = SubjectName::phrase("My Cool Service protocol version 1.0").unwrap();
        let subject = Subject::derive(name, None).unwrap();
        assert_eq!(
            to_hex(&subject.find_key::<20>("bittorrent")),
            "0164c1cd89ab19fb5d59e2ede97b460d9fe7a2fb"
        );
        assert_eq!(
            to_hex(&subject.prove(&[b"dial"])),
            "f2f342b95aff34e4afa4a3757d2a78164c2bd92f55e8ce3e5a968edcf2d1bbfe"
        );
    }

    #[test]
    fn each_network_has_its_own_find_key() {
        assert_ne!(topic().find_key::<20>("bittorrent"), topic().find_key::<20>("lan"));
    }

    #[test]
    fn a_secret_changes_what_is_proved_but_not_the_find_key() {
        let with = Subject::derive(SubjectName::Topic([7; 32]), Some("open sesame")).unwrap();
        assert_eq!(with.find_key::<20>("lan"), topic().find_key::<20>("lan"));
        assert_ne!(with.prove(&[b"x"]), topic().prove(&[b"x"]));
        assert_ne!(with.punch_mac(&[b"x"]), topic().punch_mac(&[b"x"]));
        assert_ne!(topic().punch_mac(&[b"x"]), topic().prove(&[b"x"]));
    }

    #[test]
    fn malformed_phrases_are_refused_with_the_reason() {
        for (phrase, why) in [("", "empty"), (&*"x".repeat(257), "257"), ("a\0b", "NUL")] {
            let error = SubjectName::phrase(phrase).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(why), "{error}");
        }
        assert!(SubjectName::phrase(&"x".repeat(256)).is_ok());
        assert!(SubjectName::phrase("naïve ☃").is_ok());
    }

    #[test]
    fn debug_output_never_shows_a_subject() {
        assert!(!format!("{:?}", SubjectName::phrase("hush").unwrap()).contains("hush"));
    }
}
