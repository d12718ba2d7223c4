//! Messages that every language can make up, and so need not be told.
//!
//! Number `n` of a flood of messages of at most `size` bytes has `n * 7919 % (size + 1)` bytes: `n` as
//! four bytes, the highest first, and then 0, 1, 2, … 255, 0, 1, …, cut at its length. Alone, a message
//! of `size` bytes is number 0 at full length. The checksum of several is the CRC-32 of zlib, one after
//! the other.

use std::collections::BTreeMap;

use crc::{CRC_32_ISO_HDLC, Crc};

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Checksums of floods, each reckoned once.
#[derive(Default)]
pub(crate) struct Floods(BTreeMap<(u64, usize), u32>);

impl Floods {
    pub(crate) fn crc(&mut self, count: u64, size: usize) -> u32 {
        *self.0.entry((count, size)).or_insert_with(|| {
            let mut digest = CRC.digest();
            for number in 0..count {
                let length = number * 7919 % (size as u64 + 1);
                digest.update(&message(number, usize::try_from(length).unwrap_or(size)));
            }
            digest.finalize()
        })
    }
}

/// The first bytes of a message of a flood.
pub(crate) fn message(number: u64, length: usize) -> Vec<u8> {
    let mut message = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    let bytes: Vec<u8> = (0..=255).collect();
    message.extend(bytes.repeat(length / bytes.len() + 1));
    message.truncate(length);
    message
}

/// The checksum of one message.
pub(crate) fn crc(message: &[u8]) -> u32 {
    CRC.checksum(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_zlib() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_message_is_its_number_and_then_all_bytes() {
        assert_eq!(message(0x0102_0304, 7), [1, 2, 3, 4, 0, 1, 2]);
        assert_eq!(message(0, 1000)[259], 255);
        assert_eq!(message(5, 2), [0, 0]);
    }
}
