//! What travels on the one UDP port of a node, and how it is told apart.
//!
//! QUIC, the BitTorrent DHT and our own packets share a port, so that one hole in a NAT serves all
//! of them and one setting names all that is open. [`classify`] looks at three bytes of a packet:
//!
//! | first byte | further | is |
//! |---|---|---|
//! | `0x97` | | [`Class::Own`]: ours, see [`probe`] |
//! | `d` | the second byte is an ASCII digit, the last is `e` | [`Class::Krpc`]: a message of BEP 5 |
//! | bit `0x40` is set | none of the above | [`Class::Quic`] |
//! | anything else | | [`Class::Other`]: STUN, other DHTs, scans |
//!
//! # Why no packet is taken for another
//! - The first byte of a QUIC packet has bit `0x40` set (RFC 9000, section 17). An extension lets an
//!   endpoint clear it at random (RFC 9287), but only towards one that says it copes; ours never
//!   does. In `0x97`, that is `0b1001_0111`, the bit is clear.
//! - A long header has bit `0x80` set too, so its first byte is never `d`, that is `0x64`.
//! - A short header may well be `d`, but then the connection id follows, which the receiver chose:
//!   those of [`connection_id`] begin with `0x80` or more, and no digit does.
//! - A KRPC message is a dictionary with at least one key: `d`, the length of the key, …, `e`.
//!
//! One kind of packet escapes the rule: a stateless reset has random bytes where the connection id
//! would stand, so one in 420,000 reads as KRPC and is lost there. Resets are only ever hints, and
//! the next packet to the same peer calls forth another.
//!
//! # Layout
//! - [`probe`]: asks an address whether a member of one of our subjects lives there.
//! - [`paths`]: the addresses that QUIC is given in place of real ones.

pub mod paths;
pub mod probe;
#[cfg(test)]
mod tests;

/// Bytes in our connection ids.
pub const CONNECTION_ID_LEN: usize = 8;
/// The first byte of our own packets.
pub const OWN: u8 = 0x97;
/// The bit that the first byte of a QUIC packet has set.
const QUIC_BIT: u8 = 0x40;

/// Whose a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// QUIC's.
    Quic,
    /// The BitTorrent DHT's.
    Krpc,
    /// Our own, beside QUIC.
    Own,
    /// Nobody's here.
    Other,
}

/// Tells packets apart; see the [module's page](self). Of packets that the kernel has merged, each
/// must be asked about by itself.
pub const fn classify(packet: &[u8]) -> Class {
    match packet {
        [OWN, ..] => Class::Own,
        [b'd', b'0'..=b'9', .., b'e'] => Class::Krpc,
        [first, ..] if *first & QUIC_BIT != 0 => Class::Quic,
        _ => Class::Other,
    }
}

/// A connection id for packets to this node, made of random bytes: 63 of its bits are random.
pub const fn connection_id(random: [u8; CONNECTION_ID_LEN]) -> [u8; CONNECTION_ID_LEN] {
    let mut id = random;
    id[0] |= 0x80;
    id
}
