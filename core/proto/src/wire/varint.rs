//! Variable-length integers (RFC 9000, section 16): two bits of length, then 6, 14, 30 or 62 bits.

/// The largest integer that can be written: 2^62 - 1.
pub(crate) const MAX: u64 = (1 << 62) - 1;

/// How many bytes `value` takes: 1, 2, 4 or 8. Larger than 2^62 - 1 is written as 2^62 - 1.
pub const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// Appends `value` in as few bytes as it takes.
#[expect(clippy::cast_possible_truncation, reason = "each arm holds values that fit")]
pub fn push_varint(out: &mut Vec<u8>, value: u64) {
    let value = if value > MAX { MAX } else { value };
    match varint_len(value) {
        1 => out.push(value as u8),
        2 => out.extend_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        4 => out.extend_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
        _ => out.extend_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

/// The integer at the start of `bytes` and how many bytes it took; `None` if it is not all there.
#[inline]
pub fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let rest = bytes.get(1..len)?;
    let value =
        rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, len))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_integer_survives_the_wire(value in 0..=MAX) {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            prop_assert_eq!(bytes.len(), varint_len(value));
            prop_assert_eq!(read_varint(&bytes), Some((value, bytes.len())));
            prop_assert_eq!(read_varint(&bytes[..bytes.len() - 1]), None);
        }

        #[test]
        fn reading_any_bytes_never_panics(bytes: Vec<u8>) {
            let _ = read_varint(&bytes);
        }
    }

    #[test]
    fn the_examples_of_rfc_9000_read_as_it_says() {
        assert_eq!(
            read_varint(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            Some((151_288_809_941_952_652, 8))
        );
        assert_eq!(read_varint(&[0x9d, 0x7f, 0x3e, 0x7d]), Some((494_878_333, 4)));
        assert_eq!(read_varint(&[0x7b, 0xbd]), Some((15_293, 2)));
        assert_eq!(read_varint(&[0x25]), Some((37, 1)));
    }
}
