//! What was read from a pipe and may have to be said again, because nobody can read it twice.

use std::collections::VecDeque;

use crate::transfer::{CHUNK, Hash, Hashing, Have};

/// Bytes that are kept until the receiver has them safe. What is under way between the two programs
/// is at most a send buffer and a window of the default settings, 1 MiB each, so the pipe does not
/// wait for this.
const MOST: usize = 4 << 20;

/// The end of what a pipe gave: all that the receiver has not confirmed.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// What came before the bytes that are kept.
    before: Hashing,
    kept: VecDeque<u8>,
    all: Hashing,
    /// Nothing more comes.
    pub(super) ended: bool,
}

impl Replay {
    /// Whether another block may be read.
    pub(super) fn has_room(&self) -> bool {
        self.kept.len() + CHUNK <= MOST
    }

    /// The pipe gave this.
    pub(super) fn push(&mut self, block: &[u8]) {
        self.all.update(block);
        self.kept.extend(block);
    }

    /// How many bytes the pipe has given.
    pub(super) const fn bytes(&self) -> u64 {
        self.all.bytes()
    }

    /// The hash of all that it has given.
    pub(super) fn hash(&self) -> Hash {
        self.all.hash()
    }

    /// The receiver has the first so many bytes; they are forgotten.
    ///
    /// # Errors
    /// It cannot have them, because they have not been sent.
    pub(super) fn confirm(&mut self, bytes: u64) -> Result<(), String> {
        let (from, to) = (self.before.bytes(), self.all.bytes());
        if bytes > to {
            return Err(format!("{bytes} bytes confirmed of {to}"));
        }
        // What was confirmed already needs nothing.
        let more = usize::try_from(bytes.saturating_sub(from)).unwrap_or(usize::MAX);
        self.before = self.hashing_of(more);
        self.kept.drain(..more.min(self.kept.len()));
        Ok(())
    }

    /// Whether what the receiver has is the beginning of what the pipe gave, so that everything after
    /// it is still here.
    pub(super) fn goes_on(&self, have: Have) -> bool {
        match have.bytes.checked_sub(self.before.bytes()).map(usize::try_from) {
            Some(Ok(0)) if have.bytes == 0 => true,
            Some(Ok(more)) if more <= self.kept.len() => {
                have.hash == Some(self.hashing_of(more).hash())
            }
            _ => false,
        }
    }

    /// What follows from this byte on, as much as a message takes.
    pub(super) fn chunk(&self, from: u64) -> Vec<u8> {
        let skip = usize::try_from(from.saturating_sub(self.before.bytes())).unwrap_or(usize::MAX);
        let (start, end) = (skip.min(self.kept.len()), (skip.saturating_add(CHUNK)));
        let (first, second) = self.kept.as_slices();
        let mut chunk = Vec::with_capacity(CHUNK);
        for slice in halves(first, second, start, end.min(self.kept.len())) {
            chunk.extend_from_slice(slice);
        }
        chunk
    }

    /// The state of the hash behind so many kept bytes.
    fn hashing_of(&self, more: usize) -> Hashing {
        let mut hashing = self.before.clone();
        let (first, second) = self.kept.as_slices();
        for slice in halves(first, second, 0, more.min(self.kept.len())) {
            hashing.update(slice);
        }
        hashing
    }
}

/// `start..end` of two slices that are one.
fn halves<'a>(first: &'a [u8], second: &'a [u8], start: usize, end: usize) -> [&'a [u8]; 2] {
    let middle = first.len();
    [
        &first[start.min(middle)..end.min(middle)],
        &second[start.saturating_sub(middle)..end.saturating_sub(middle)],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn have(bytes: &[u8]) -> Have {
        let mut hashing = Hashing::default();
        hashing.update(bytes);
        Have { bytes: bytes.len() as u64, hash: Some(hashing.hash()) }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..=250).cycle().step_by(7).take(count).collect()
    }

    #[test]
    fn what_is_not_confirmed_can_be_said_again_from_any_byte() {
        let all = bytes(200_000);
        let mut replay = Replay::default();
        // Confirmed piece by piece, so that the kept bytes run around the end of their buffer.
        for (number, block) in all.chunks(10_000).enumerate() {
            replay.push(block);
            replay.confirm(number as u64 * 9_000).unwrap();
        }
        assert_eq!((replay.bytes(), replay.hash()), (200_000, have(&all).hash.unwrap()));
        for from in [171_000, 171_001, 199_999, 200_000] {
            assert!(replay.goes_on(have(&all[..from])), "{from}");
            let mut said = Vec::new();
            while said.len() < all.len() - from {
                said.extend(replay.chunk((from + said.len()) as u64));
            }
            assert_eq!(said, &all[from..]);
        }
        assert!(replay.chunk(200_000).is_empty());
    }

    #[test]
    fn what_was_forgotten_or_never_said_cannot_be_gone_on_with() {
        let all = bytes(1000);
        let mut replay = Replay::default();
        replay.push(&all);
        assert!(replay.goes_on(Have::default()));
        replay.confirm(500).unwrap();
        for lost in [Have::default(), have(&all[..499]), have(&bytes(1001)), have(&[9; 600])] {
            assert!(!replay.goes_on(lost), "{}", lost.bytes);
        }
        assert!(replay.confirm(1001).is_err());
        // An old confirmation that comes late changes nothing.
        replay.confirm(3).unwrap();
        assert!(replay.goes_on(have(&all[..500])));
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let mut replay = Replay::default();
        let block = vec![0; CHUNK];
        let mut blocks = 0_u64;
        while replay.has_room() {
            replay.push(&block);
            blocks += 1;
        }
        assert_eq!(replay.kept.len(), MOST);
        replay.confirm(blocks * CHUNK as u64).unwrap();
        assert!(replay.has_room() && replay.kept.is_empty());
    }
}
