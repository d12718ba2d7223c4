//! Proof that both sides know a subject, bound to one connection.
//!
//! ```text
//! EKM      the connection's TLS exporter (RFC 8446, 7.5), label "EXPORTER-libp2pchan-subject", 32 bytes
//! BIND     SHA-256("libp2pchan/1 bind" || EKM || id of the dialler || id of the acceptor)
//! tag      first 16 bytes of HMAC-SHA-256(proof key of the subject, role || BIND)
//!          role = "dial" in an offer, "acpt" in the answer
//! ```
//!
//! Both ids are in BIND because a TLS 1.3 exporter does not cover the client's certificate. For a
//! later offer on the same connection BIND becomes
//! `SHA-256("libp2pchan/1 more" || BIND || side || number)`: side is "dial" if the connection's
//! dialler offers, else "acpt"; number counts its offers, as 4 bytes.
//!
//! A tag says nothing to whoever does not know the subject, cannot be replayed (another connection
//! has another EKM), reflected (the roles differ) or passed on by a man in the middle (two
//! connections, two EKMs). The acceptor shows tags only in answer to valid ones.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    id::PeerId,
    subject::{Subject, SubjectKey},
    wire::{MAX_TAGS, Match, TAG, Tag},
};

/// The label of the TLS exporter that tags are bound to.
pub const EXPORTER_LABEL: &str = "EXPORTER-libp2pchan-subject";

/// Offers are padded to one of these counts, so that only the bucket shows how many are real.
const BUCKETS: [usize; 5] = [1, 4, 16, 64, MAX_TAGS];

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Opened the connection; the TLS client.
    Dialler,
    /// Accepted it; the TLS server.
    Acceptor,
}

impl Side {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Dialler => b"dial",
            Self::Acceptor => b"acpt",
        }
    }

    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

/// What ties tags to one connection and one offer on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding([u8; 32]);

impl Binding {
    /// The binding of a connection's first offer.
    pub fn new(exporter: &[u8; 32], dialler: &PeerId, acceptor: &PeerId) -> Self {
        Self::hash(&[b"libp2pchan/1 bind", exporter, dialler.as_bytes(), acceptor.as_bytes()])
    }

    /// The binding of a later offer: the `number`th by `side`, counted from 1.
    pub fn later(&self, side: Side, number: u32) -> Self {
        Self::hash(&[b"libp2pchan/1 more", &self.0, side.label(), &number.to_be_bytes()])
    }

    fn hash(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The tag of `subject`; `role` is the side in the offer, not of the connection.
    fn tag(&self, subject: &Subject, role: Side) -> Tag {
        let full = subject.prove(&[role.label(), &self.0]);
        let mut tag = [0; TAG];
        tag.copy_from_slice(&full[..TAG]);
        tag
    }
}

/// Subjects that this side offers, and the answers that would prove them.
#[derive(Clone, Debug)]
pub struct Offer {
    tags: Vec<Tag>,
    /// For each tag, the subject and the tag that answers it; `None` where the tag is padding.
    answers: Vec<Option<(SubjectKey, Tag)>>,
}

impl Offer {
    /// Offers `subjects` (at most 256; the caller offers the rest later), hidden in a shuffled list
    /// of one of five lengths. `seed` must be 32 unpredictable bytes, new for each offer.
    pub fn new<'a>(
        subjects: impl IntoIterator<Item = (SubjectKey, &'a Subject)>,
        binding: &Binding,
        seed: &[u8; 32],
    ) -> Self {
        let mut entries: Vec<_> = subjects
            .into_iter()
            .take(MAX_TAGS)
            .map(|(key, subject)| {
                let answer = binding.tag(subject, Side::Acceptor);
                (binding.tag(subject, Side::Dialler), Some((key, answer)))
            })
            .collect();
        let bucket = BUCKETS.into_iter().find(|size| *size >= entries.len()).unwrap_or(MAX_TAGS);
        for index in entries.len() as u64..bucket as u64 {
            entries.push((Self::padding(seed, index), None));
        }
        // Sorting by pseudo-random tags is a shuffle: nobody can tell which of them are padding.
        entries.sort_unstable_by_key(|entry| entry.0);
        let (tags, answers) = entries.into_iter().unzip();
        Self { tags, answers }
    }

    fn padding(seed: &[u8; 32], index: u64) -> Tag {
        let Binding(hash) = Binding::hash(&[b"libp2pchan/1 pad", seed, &index.to_be_bytes()]);
        let mut tag = [0; TAG];
        tag.copy_from_slice(&hash[..TAG]);
        tag
    }

    /// The tags to send.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The subjects that are offered, without padding.
    pub fn subjects(&self) -> impl Iterator<Item = SubjectKey> {
        self.answers.iter().flatten().map(|(key, _)| *key)
    }

    /// The subjects that the other side has proved, in its order. `None` if a proof is wrong: an
    /// honest peer never sends one.
    pub fn confirm(&self, matches: &[Match]) -> Option<Vec<SubjectKey>> {
        let mut common = Vec::with_capacity(matches.len());
        for entry in matches {
            let (key, answer) = (*self.answers.get(usize::from(entry.position))?)?;
            if !bool::from(answer.ct_eq(&entry.tag)) || common.contains(&key) {
                return None;
            }
            common.push(key);
        }
        Some(common)
    }
}

/// A subject common to both sides, found in the other side's offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Common {
    /// This node's number for it.
    pub subject: SubjectKey,
    /// What proves it to the one who offered.
    pub answer: Match,
}

/// Which of `subjects` are among the offered `tags`, in the order of the tags.
pub fn common<'a>(
    tags: &[Tag],
    subjects: impl IntoIterator<Item = (SubjectKey, &'a Subject)>,
    binding: &Binding,
) -> Vec<Common> {
    let mut found: Vec<Common> = subjects
        .into_iter()
        .filter_map(|(key, subject)| {
            let wanted = binding.tag(subject, Side::Dialler);
            let position = tags.iter().position(|tag| bool::from(tag.ct_eq(&wanted)))?;
            let position = u16::try_from(position).ok()?;
            let tag = binding.tag(subject, Side::Acceptor);
            Some(Common { subject: key, answer: Match { position, tag } })
        })
        .collect();
    found.sort_unstable_by_key(|common| common.answer.position);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::to_hex, subject::SubjectName};

    fn subject(number: u8) -> Subject {
        Subject::derive(SubjectName::Topic([number; 32]), None).unwrap()
    }

    fn keyed(subjects: &[Subject]) -> impl Iterator<Item = (SubjectKey, &Subject)> {
        (0..).map(SubjectKey).zip(subjects)
    }

    fn binding(exporter: u8) -> Binding {
        let (dialler, acceptor) = (PeerId::from_bytes([0x22; 32]), PeerId::from_bytes([0x33; 32]));
        Binding::new(&[exporter; 32], &dialler, &acceptor)
    }

    fn answers(common: &[Common]) -> Vec<Match> {
        common.iter().map(|common| common.answer).collect()
    }

    #[test]
    fn only_common_subjects_are_found_and_confirmed() {
        let ours = [subject(1), subject(2), subject(3)];
        let theirs = [subject(3), subject(9), subject(1)];
        let offer = Offer::new(keyed(&ours), &binding(1), &[0; 32]);
        let common = common(offer.tags(), keyed(&theirs), &binding(1));
        let mut keys: Vec<_> = common.iter().map(|common| common.subject.0).collect();
        keys.sort_unstable();
        assert_eq!(keys, [0, 2]);
        let mut confirmed = offer.confirm(&answers(&common)).unwrap();
        confirmed.sort_unstable();
        assert_eq!(confirmed, [SubjectKey(0), SubjectKey(2)]);
    }

    #[test]
    fn the_number_of_subjects_shows_only_as_a_bucket() {
        for (count, bucket) in [(0, 1), (1, 1), (2, 4), (5, 16), (17, 64), (65, 256), (300, 256)] {
            let subjects: Vec<_> = (0..count).map(|_| subject(0)).collect();
            let offer = Offer::new(keyed(&subjects), &binding(1), &[0; 32]);
            assert_eq!(offer.tags().len(), bucket, "{count} subjects");
        }
    }

    #[test]
    fn tags_of_another_connection_match_nothing() {
        let subjects = [subject(1)];
        let offer = Offer::new(keyed(&subjects), &binding(1), &[0; 32]);
        assert!(common(offer.tags(), keyed(&subjects), &binding(2)).is_empty());
    }

    #[test]
    fn a_reflected_tag_proves_nothing() {
        let subjects = [subject(1)];
        let offer = Offer::new(keyed(&subjects), &binding(1), &[0; 32]);
        let reflected = Match { position: 0, tag: offer.tags()[0] };
        assert_eq!(offer.confirm(&[reflected]), None);
    }

    #[test]
    fn an_answer_twice_or_out_of_range_is_refused() {
        let subjects = [subject(1)];
        let offer = Offer::new(keyed(&subjects), &binding(1), &[0; 32]);
        let answer = common(offer.tags(), keyed(&subjects), &binding(1))[0].answer;
        assert_eq!(offer.confirm(&[answer, answer]), None);
        assert_eq!(offer.confirm(&[Match { position: 9, ..answer }]), None);
    }

    #[test]
    fn each_later_offer_has_a_binding_of_its_own() {
        let first = binding(1).later(Side::Dialler, 1);
        assert_ne!(first, binding(1).later(Side::Dialler, 2));
        assert_ne!(first, binding(1).later(Side::Acceptor, 1));
    }

    #[test]
    fn the_binding_and_tags_stay_the_same_in_every_version() {
        let Binding(bytes) = binding(0x11);
        let expected = "46f4c9ec46d90ce8156ff20e1fe820bdee3e96cf12349bfa3dd2c93530d16048";
        assert_eq!(to_hex(&bytes), expected);
        let tag = binding(0x11).tag(&subject(7), Side::Dialler);
        assert_eq!(to_hex(&tag), "f365b9f8efa53ac202ac40b75f53a3bd");
    }
}
