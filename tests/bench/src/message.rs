//! The messages that are sent, and the tally by which both ends agree that they arrived.

use crate::Outcome;

/// The signal that ends a flood, and asks for the tally: shorter than any message.
pub(crate) const END: &[u8] = b"end";

/// Messages of one size: a pattern of which the first eight bytes are the number of the message.
pub(crate) struct Messages {
    bytes: Vec<u8>,
    next: u64,
}

impl Messages {
    pub(crate) fn new(size: usize) -> Self {
        let words = (0..size.div_ceil(8) as u64).map(|place| scatter(place + 1));
        let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        bytes.truncate(size);
        Self { bytes, next: 0 }
    }

    #[inline]
    pub(crate) fn following(&mut self) -> &[u8] {
        self.bytes[..8].copy_from_slice(&self.next.to_le_bytes());
        self.next += 1;
        &self.bytes
    }
}

/// How many messages there were, and a checksum that a lost, doubled, reordered, torn or changed
/// one would change.
///
/// Of each message the length and the first 64 bytes count, with its number, and of longer ones 64
/// more bytes in a place that changes from message to message. Reading every byte would cost both
/// systems the same and so hide the difference between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    checksum: u64,
}

impl Tally {
    #[inline]
    pub(crate) fn add(&mut self, message: &[u8]) {
        self.count += 1;
        self.checksum = scatter(self.checksum.rotate_left(7) ^ sample(message));
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, checksum) = bytes.split_at_checked(8)?;
        (checksum.len() == 8).then(|| Self { count: word(count, 0), checksum: word(checksum, 0) })
    }

    /// That the receiver's tally is this one, the sender's.
    pub(crate) fn check(self, received: Self) -> Outcome<()> {
        if self.count != received.count {
            return Err(format!(
                "{} messages were sent and {} arrived",
                self.count, received.count
            )
            .into());
        }
        if self != received {
            return Err("as many messages arrived as were sent, but not the same ones".into());
        }
        Ok(())
    }
}

#[inline]
fn sample(message: &[u8]) -> u64 {
    let length = message.len() as u64;
    let Some(first) = message.first_chunk::<LINE>() else {
        return message.iter().fold(length, |sum, byte| scatter(sum ^ u64::from(*byte)));
    };
    let sum = length ^ weigh(first);
    let beyond = message.len() - LINE;
    let other = message[place(sum, beyond + 1)..].first_chunk::<LINE>();
    if beyond == 0 { sum } else { sum.rotate_left(9) ^ other.map_or(0, weigh) }
}

/// The words, each with a weight of its own, so that none can stand for another.
#[inline]
fn weigh(line: &[u8; LINE]) -> u64 {
    let (words, _) = line.as_chunks::<8>();
    let weights = (0..8).map(|place| ODD.wrapping_mul(2 * place + 1));
    let weighed = words
        .iter()
        .zip(weights)
        .map(|(word, weight)| u64::from_le_bytes(*word).wrapping_mul(weight));
    weighed.fold(0, u64::wrapping_add)
}

const LINE: usize = 64;

/// A place below `bound` that changes with `seed`.
#[inline]
fn place(seed: u64, bound: usize) -> usize {
    let high = u128::from(scatter(seed)) * bound as u128;
    usize::try_from(high >> 64).unwrap_or(0)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn scatter(value: u64) -> u64 {
    let product = (value ^ value >> 32).wrapping_mul(ODD);
    product ^ product >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(messages: &[Vec<u8>]) -> Tally {
        let mut tally = Tally::default();
        messages.iter().for_each(|message| tally.add(message));
        tally
    }

    fn some(size: usize) -> Vec<Vec<u8>> {
        let mut messages = Messages::new(size);
        (0..50).map(|_| messages.following().to_vec()).collect()
    }

    #[test]
    fn the_tally_notices_messages_that_were_lost_doubled_or_swapped() {
        for size in [8, 64, 100, 1024, 65_536] {
            let sent = some(size);
            let expected = tally(&sent);
            let (mut lost, mut doubled, mut swapped) = (sent.clone(), sent.clone(), sent.clone());
            lost.remove(7);
            doubled.insert(7, sent[7].clone());
            swapped.swap(7, 8);
            for received in [lost, doubled, swapped] {
                assert!(expected.check(tally(&received)).is_err(), "size {size}");
            }
            assert!(expected.check(tally(&sent)).is_ok());
        }
    }

    #[test]
    fn the_tally_notices_every_changed_byte_of_a_short_message() {
        let sent = some(64);
        for place in 0..64 {
            let mut received = sent.clone();
            received[3][place] ^= 1;
            assert!(tally(&sent).check(tally(&received)).is_err(), "byte {place}");
        }
    }

    #[test]
    fn the_tally_notices_long_messages_that_are_torn_behind_their_beginning() {
        let sent = some(4096);
        let mut received = sent.clone();
        for message in &mut received {
            message[1000..].rotate_left(1);
        }
        assert!(tally(&sent).check(tally(&received)).is_err());
    }

    #[test]
    fn a_tally_survives_its_bytes_and_other_lengths_are_refused() {
        let sent = tally(&some(64));
        assert_eq!(Tally::from_bytes(&sent.to_bytes()), Some(sent));
        assert_eq!(Tally::from_bytes(&[0; 15]), None);
        assert_eq!(Tally::from_bytes(&[0; 17]), None);
    }
}
