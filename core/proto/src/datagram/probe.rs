//! Probes: does a member of one of our subjects live at this address, and does UDP get there?
//!
//! ```text
//! probe, 64 bytes                            answer, 43 bytes
//!  0   u8   0x97                              0   u8   0x97
//!  1   u8   1                                 1   u8   2
//!  2   14   nonce, random                     2   14   the nonce of the probe
//! 16   8×6  MACs, one for each subject       16   u8   4 or 6, the family of what follows
//!           that is asked for, the rest      17   16   where the probe came from: an IPv6 address,
//!           random                                     or an IPv4 address and 12 zero bytes
//!                                            33   u16  its port
//!                                            35   8    MAC
//!
//! MAC of a probe    HMAC(punch key, "probe" || nonce)[0..8]
//! MAC of an answer  HMAC(punch key, "answer" || nonce || bytes 16 to 35)[0..8]
//! ```
//!
//! The answer is shorter than the probe, so nobody can use a node to multiply what he sends under a
//! false address; and it comes only to somebody who has a subject in common, so scans get nothing.
//! What a probe costs is bounded: one MAC for each subject of the node, and six comparisons each.
//! The caller limits how many probes of one source are looked at.
//!
//! A probe can be replayed: who was probed by one member can ask another with it, and learns that
//! both have the subject. Who is looked for in a DHT has told that already.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use subtle::{Choice, ConstantTimeEq};

use super::OWN;
use crate::subject::Subject;

/// Bytes in a probe.
pub const PROBE_LEN: usize = 64;
/// Bytes in an answer: fewer than in a probe.
pub const ANSWER_LEN: usize = 43;
/// Subjects that one probe can ask for.
pub const MAX_SUBJECTS: usize = 6;
/// Bytes of a probe that are filled with MACs or random bytes.
pub const PADDING_LEN: usize = MAX_SUBJECTS * MAC;

const PROBE: u8 = 1;
const ANSWER: u8 = 2;
/// Bytes in a MAC. Who guesses right once in 2^64 gets an answer, or has QUIC try an address.
const MAC: usize = 8;
const SOCKET: usize = 1 + 16 + 2;

/// Makes the answer belong to one probe; random.
pub type Nonce = [u8; 14];

/// The probe that asks for these subjects; of more than [`MAX_SUBJECTS`], for the first. `padding` is
/// random, and stands where there are fewer, so that their number does not show.
pub fn probe<'a>(
    subjects: impl IntoIterator<Item = &'a Subject>,
    nonce: &Nonce,
    padding: [u8; PADDING_LEN],
) -> [u8; PROBE_LEN] {
    let mut macs = padding;
    let (places, _) = macs.as_chunks_mut();
    for (place, subject) in places.iter_mut().zip(subjects) {
        *place = probe_mac(subject, nonce);
    }
    join([&[OWN, PROBE], nonce, &macs])
}

/// A probe that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeRequest {
    nonce: Nonce,
    macs: [[u8; MAC]; MAX_SUBJECTS],
}

impl ProbeRequest {
    /// Reads a packet; `None` if it is no probe.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(&[OWN, PROBE])?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (macs, []) = rest.as_chunks() else { return None };
        Some(Self { nonce: *nonce, macs: macs.try_into().ok()? })
    }

    /// The answer, if one of these subjects is asked for; `observed` is where the probe came from.
    ///
    /// All subjects are looked at, whichever matches.
    pub fn answer<'a>(
        &self,
        subjects: impl IntoIterator<Item = &'a Subject>,
        observed: SocketAddr,
    ) -> Option<[u8; ANSWER_LEN]> {
        let matching = subjects.into_iter().filter(|subject| self.asks_for(subject));
        let subject = matching.fold(None, |first, next| first.or(Some(next)))?;
        let observed = socket_bytes(observed);
        let mac = answer_mac(subject, &self.nonce, &observed);
        Some(join([&[OWN, ANSWER], &self.nonce, &observed, &mac]))
    }

    fn asks_for(&self, subject: &Subject) -> bool {
        let wanted = probe_mac(subject, &self.nonce);
        let same = self.macs.iter().map(|mac| mac.ct_eq(&wanted));
        same.fold(Choice::from(0), |any, this| any | this).into()
    }
}

/// The nonce of an answer, by which the probe that it may belong to is found; `None` if the packet is
/// no answer.
pub fn answer_nonce(packet: &[u8]) -> Option<Nonce> {
    split_answer(packet).map(|(nonce, ..)| *nonce)
}

/// Where the other side saw the probe with this nonce come from, if the packet is an answer to it by
/// a member of one of these subjects.
pub fn verify_answer<'a>(
    packet: &[u8],
    nonce: &Nonce,
    subjects: impl IntoIterator<Item = &'a Subject>,
) -> Option<SocketAddr> {
    let (answered, observed, mac) = split_answer(packet)?;
    if answered != nonce {
        return None;
    }
    let is_of = |subject| answer_mac(subject, nonce, observed).ct_eq(mac);
    let any = subjects.into_iter().fold(Choice::from(0), |any, subject| any | is_of(subject));
    if any.into() { socket_of(observed) } else { None }
}

fn split_answer(packet: &[u8]) -> Option<(&Nonce, &[u8; SOCKET], &[u8; MAC])> {
    let rest = packet.strip_prefix(&[OWN, ANSWER])?;
    let (nonce, rest) = rest.split_first_chunk()?;
    let (observed, rest) = rest.split_first_chunk()?;
    Some((nonce, observed, rest.try_into().ok()?))
}

fn probe_mac(subject: &Subject, nonce: &Nonce) -> [u8; MAC] {
    head(&subject.punch_mac(&[b"probe", nonce]))
}

fn answer_mac(subject: &Subject, nonce: &Nonce, observed: &[u8; SOCKET]) -> [u8; MAC] {
    head(&subject.punch_mac(&[b"answer", nonce, observed]))
}

const fn head(mac: &[u8; 32]) -> [u8; MAC] {
    let [a, b, c, d, e, f, g, h, ..] = *mac;
    [a, b, c, d, e, f, g, h]
}

fn socket_bytes(socket: SocketAddr) -> [u8; SOCKET] {
    let (family, ip) = match socket.ip() {
        IpAddr::V4(ip) => (4, join([&ip.octets(), &[0; 12]])),
        IpAddr::V6(ip) => (6, ip.octets()),
    };
    join([&[family], &ip, &socket.port().to_be_bytes()])
}

fn socket_of(bytes: &[u8; SOCKET]) -> Option<SocketAddr> {
    let [family, ip @ .., high, low] = *bytes;
    let ip: [u8; 16] = ip;
    let ip = match (family, ip) {
        (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => Ipv4Addr::new(a, b, c, d).into(),
        (6, ip) => Ipv6Addr::from(ip).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([high, low])))
}

/// The parts one behind the other; together they must have `N` bytes.
fn join<const N: usize, const P: usize>(parts: [&[u8]; P]) -> [u8; N] {
    let mut joined = [0; N];
    let bytes = parts.into_iter().flatten();
    joined.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    joined
}
