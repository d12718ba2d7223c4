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
/// Of each message the number, the length and eight more words count: all of 64 bytes, and of
/// longer ones a word out of each eighth, in places that change from message to message. Reading
/// every byte would cost both systems the same and so hide the difference between them.
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
    let eighth = message.len() / 8;
    if eighth < 8 {
        return message.iter().fold(length, |sum, byte| scatter(sum ^ u64::from(*byte)));
    }
    let number = word(message, 0);
    let within = place(number, eighth - 7);
    let words = (0..8).map(|part| word(message, part * eighth + within));
    words.fold(number ^ length, |sum, word| sum.rotate_left(9).wrapping_add(word))
}

/// A place below `bound` that changes with `number`.
#[inline]
fn place(number: u64, bound: usize) -> usize {
    let high = u128::from(number.wrapping_mul(ODD)) * bound as u128;
    usize::try_from(high >> 64).unwrap_or(0)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn scatter(value: u64) -> u64 {
    let product = value.wrapping_mul(ODD);
    product ^ product >> 32
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
        for size in [64, 100, 1024, 65_536] {
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
    fn the_tally_notices_a_torn_long_message() {
        let sent = some(4096);
        let mut received = sent.clone();
        let (torn, follows) = (received[4].split_off(1000), received[5].clone());
        received[4].extend_from_slice(&follows[..torn.len()]);
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
