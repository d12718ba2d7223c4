//! What the book tells of an address: the log of its dials, and by which ways each was tried.

use std::time::Duration;

use super::{
    Book,
    config::{MAX_REASON, MAX_TRIED},
    entry::Entry,
    lanes::SourceSet,
    outcome::{DialId, Ignored, Known},
    reach::{canonical, never_dialled},
};
use crate::{address::Address, id::PeerId, time::Time};

/// One way by which a dial tried to reach its address. Several may run at once; what ends the dial
/// is its [`Outcome`](super::Outcome).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The name of the way, such as `tcp` or `quic`.
    pub strategy: &'static str,
    /// When it began.
    pub began: Time,
    /// When it had an encrypted connection, had failed, or was given up; `None` if it never ended.
    pub ended: Option<Time>,
    /// How it went, for people; the first 128 bytes are kept.
    pub verdict: String,
}

impl Book {
    /// How one way of a dial in progress went. At most four are kept for each dial.
    pub fn handle_tried(&mut self, dial: DialId, mut tried: Tried) {
        let Some(flight) = self.flights.get_mut(&dial) else { return };
        if flight.tried.len() < MAX_TRIED {
            bound(&mut tried.verdict);
            flight.tried.push(tried);
        }
    }

    /// A dial in progress has an encrypted connection to this peer, whatever comes of it, and the
    /// network took so long for a packet there and one back.
    pub fn handle_answered(&mut self, dial: DialId, peer: PeerId, round_trip: Option<Duration>) {
        if let Some(flight) = self.flights.get_mut(&dial) {
            flight.peer = Some(peer);
            flight.round_trip = round_trip;
        }
    }

    /// Dials in progress, those asked for by the program included.
    pub fn dialling(&self) -> usize {
        self.flights.len()
    }

    /// Since when an address has been dialled, if it is being dialled now.
    pub fn dialling_since(&self, address: Address) -> Option<Time> {
        let address = canonical(address);
        self.flights.values().find(|flight| flight.address == address).map(|flight| flight.began)
    }

    /// Why an address is never dialled, whoever finds it.
    pub fn ignores(&self, address: Address) -> Option<Ignored> {
        let address = canonical(address);
        let never = never_dialled(address).map(Ignored::Never);
        never.or_else(|| self.is_own(address).then_some(Ignored::Own))
    }

    /// Addresses that are remembered.
    pub fn addresses(&self) -> usize {
        self.entries.len()
    }

    /// All addresses with their last dials, for status and events.
    pub fn attempts(&self) -> impl Iterator<Item = Known<'_>> {
        self.entries.iter().map(|(&address, entry)| self.view(address, entry))
    }

    /// What is known of one address.
    pub fn known(&self, address: Address) -> Option<Known<'_>> {
        let address = canonical(address);
        self.entries.get(&address).map(|entry| self.view(address, entry))
    }

    fn view<'a>(&'a self, address: Address, entry: &'a Entry) -> Known<'a> {
        let names = |set: SourceSet| set.iter().map(|source| self.lanes.name(source)).collect();
        Known {
            address,
            sources: names(entry.found.values().fold(SourceSet::EMPTY, |all, set| all.union(*set))),
            found: entry.found.iter().map(|(subject, set)| (*subject, names(*set))).collect(),
            first_seen: entry.first_seen,
            seen: entry.seen,
            tries: entry.tries,
            worked: entry.worked,
            peer: entry.peer,
            state: entry.state(self.now),
            attempts: entry.attempts.iter().collect(),
        }
    }
}

/// Cuts a text that may quote what a stranger sent.
pub(super) fn bound(reason: &mut String) {
    reason.truncate(reason.floor_char_boundary(MAX_REASON));
    reason.shrink_to_fit();
}
