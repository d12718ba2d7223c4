//! The settings of the book, and the bounds that nobody needs to set.

use std::time::Duration;

use super::backoff::Backoff;

/// What an operator may change. Every number is a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Dials at once: more find peers sooner, and cost sockets and handshakes. Default 8.
    pub dials: usize,
    /// Further dials at once that only [`handle_manual`](super::Book::handle_manual) may use, so that
    /// a program's own wish never waits behind strangers. Default 4.
    pub reserve: usize,
    /// Addresses not yet tried that wait per source and subject. Default 64.
    pub pending: usize,
    /// Addresses remembered in all, 2 to 4 KiB each with a full log. Default 1,024.
    pub entries: usize,
    /// The waits after an address could not be reached, before jitter. Default 1 s to 5 min.
    pub backoff: Backoff,
    /// How long a dial may take (`timeouts.dial`). Default 20 s.
    pub patience: Duration,
    /// How long a first dial may take while more addresses wait than may be dialled at once; each
    /// failure doubles it, twice at most. Default 3 s.
    pub hurry: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dials: 8,
            reserve: 4,
            pending: 64,
            entries: 1024,
            backoff: Backoff::secs(1, 5 * 60),
            patience: Duration::from_secs(20),
            hurry: Duration::from_secs(3),
        }
    }
}

/// Attempts remembered per address: enough to see a pattern.
pub(super) const MAX_ATTEMPTS: usize = 8;
/// Ways remembered per dial: each transport, and what may come beside them.
pub(super) const MAX_TRIED: usize = 4;
/// Bytes of a reason that are kept: it may quote what a stranger sent.
pub(super) const MAX_REASON: usize = 128;
/// Subjects per address: a HELLO carries no more.
pub(super) const MAX_SUBJECTS: usize = 256;
/// Addresses waiting for their first dial, and dials at once, per public IPv4 address or IPv6 /64: a
/// stranger who lists the ports of a victim makes us send it little.
pub(super) const MAX_PER_SITE: usize = 3;
/// Addresses remembered because a dial reached this node itself: one per way around a NAT.
pub(super) const MAX_MIRRORS: usize = 64;
/// Dials asked for by the program that wait for a slot; the next is refused.
pub(super) const MAX_MANUAL: usize = 64;
/// A link that lasted this long was a good one: the next wait is a first wait again.
pub(super) const LASTING: Duration = Duration::from_secs(60);
/// An address that nobody reported for this long and that fails is forgotten if it never worked, and
/// dialled only this often if it did.
pub(super) const STALE: Duration = Duration::from_secs(60 * 60);
