use proptest::{collection::vec, prelude::*};

use crate::datagram::{CONNECTION_ID_LEN, Class, OWN, classify, connection_id};

/// Numbers without a pattern: xorshift64 (Marsaglia, 2003).
struct Numbers(u64);

impl Numbers {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.draw().to_be_bytes()[3]
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.draw() % bound).unwrap()
    }

    fn bytes(&mut self, least: u64, most: u64) -> Vec<u8> {
        let count = self.below(most - least + 1) + usize::try_from(least).unwrap();
        (0..count).map(|_| self.byte()).collect()
    }

    fn connection_id(&mut self) -> [u8; CONNECTION_ID_LEN] {
        connection_id(self.draw().to_be_bytes())
    }

    /// A packet of an open connection to us. One in four looks as much like KRPC as one can.
    fn short_header(&mut self) -> Vec<u8> {
        let (id, body) = (self.connection_id(), self.bytes(12, 40));
        let mut packet = [&[0x40 | self.byte() & 0x3f][..], &id, &body].concat();
        if self.below(4) == 0 {
            packet[0] = b'd';
            *packet.last_mut().unwrap() = b'e';
        }
        packet
    }

    /// A packet of a handshake: any id can stand in it, as the dialler chooses the first ones.
    fn long_header(&mut self) -> Vec<u8> {
        let (id, body) = (self.bytes(0, 20), self.bytes(12, 40));
        let id_len = u8::try_from(id.len()).unwrap();
        let version = [[0, 0, 0, 1], [0x6b, 0x33, 0x43, 0xcf], [0; 4]][self.below(3)];
        let mut packet =
            [&[0xc0 | self.byte() & 0x3f][..], &version, &[id_len], &id, &body].concat();
        if self.below(4) == 0 {
            *packet.last_mut().unwrap() = b'e';
        }
        packet
    }

    fn own(&mut self) -> Vec<u8> {
        [&[OWN][..], &self.bytes(0, 63)].concat()
    }

    /// A message of BEP 5: query, response or error.
    fn krpc(&mut self) -> Vec<u8> {
        let (id, transaction) = (self.bytes(20, 20), self.bytes(1, 8));
        match self.below(3) {
            0 => dictionary(&[
                (b"a", dictionary(&[(b"id", string(&id)), (b"info_hash", string(&id))])),
                (b"q", string(b"get_peers")),
                (b"t", string(&transaction)),
                (b"y", string(b"q")),
            ]),
            1 => dictionary(&[
                (b"r", dictionary(&[(b"id", string(&id)), (b"nodes", string(&self.bytes(0, 52)))])),
                (b"t", string(&transaction)),
                (b"y", string(b"r")),
            ]),
            _ => dictionary(&[
                (b"e", b"li201e5:Errore".to_vec()),
                (b"t", string(&transaction)),
                (b"y", string(b"e")),
            ]),
        }
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [bytes.len().to_string().as_bytes(), b":", bytes].concat()
}

fn dictionary(entries: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().map(|(key, value)| [string(key), value.clone()].concat());
    [b"d".to_vec(), entries.collect::<Vec<_>>().concat(), b"e".to_vec()].concat()
}

#[test]
fn of_two_million_packets_none_is_taken_for_another() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for number in 0..2_000_000 {
        let (packet, class) = match number % 8 {
            0..=3 => (numbers.short_header(), Class::Quic),
            4 | 5 => (numbers.long_header(), Class::Quic),
            6 => (numbers.own(), Class::Own),
            _ => (numbers.krpc(), Class::Krpc),
        };
        assert_eq!(classify(&packet), class, "{packet:02x?}");
    }
}

#[test]
fn what_belongs_to_nobody_is_other() {
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    for packet in [&[][..], &[0], &[3, 0, 1], &[0x13], &stun, &[0x80, 1, 2], b"\x9700"] {
        let expected = if packet.first() == Some(&OWN) { Class::Own } else { Class::Other };
        assert_eq!(classify(packet), expected, "{packet:02x?}");
    }
}

#[test]
fn no_first_byte_is_of_two_classes() {
    for first in 0..=u8::MAX {
        let id = connection_id([0; CONNECTION_ID_LEN]);
        let to_us = [&[first][..], &id, b"e"].concat();
        let expected = match first {
            OWN => Class::Own,
            _ if first & 0x40 != 0 => Class::Quic,
            _ => Class::Other,
        };
        assert_eq!(classify(&to_us), expected, "{first:02x}");
        let like_krpc = [first, b'1', b'e'];
        let expected = if first == b'd' { Class::Krpc } else { expected };
        assert_eq!(classify(&like_krpc), expected, "{first:02x}");
    }
}

#[test]
fn a_connection_id_keeps_its_randomness_and_begins_with_a_high_bit() {
    assert_eq!(connection_id([0; 8]), [0x80, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(connection_id([0xff; 8]), [0xff; 8]);
    assert_eq!(connection_id([b'7', 1, 2, 3, 4, 5, 6, 7]), [0xb7, 1, 2, 3, 4, 5, 6, 7]);
}

proptest! {
    #[test]
    fn a_packet_of_an_open_connection_is_quic_whatever_is_in_it(
        first in 0x40_u8..0x80,
        random: [u8; CONNECTION_ID_LEN],
        rest in vec(any::<u8>(), 0..64),
        krpc_like: bool,
    ) {
        let mut packet = [&[first][..], &connection_id(random), &rest].concat();
        if krpc_like {
            packet[0] = b'd';
            packet.push(b'e');
        }
        prop_assert_eq!(classify(&packet), Class::Quic);
    }

    #[test]
    fn a_dictionary_with_any_keys_and_values_is_krpc(
        entries in vec((vec(any::<u8>(), 0..30), vec(any::<u8>(), 0..30)), 1..5),
    ) {
        let entries: Vec<_> =
            entries.iter().map(|(key, value)| (&key[..], string(value))).collect();
        prop_assert_eq!(classify(&dictionary(&entries)), Class::Krpc);
    }
}
