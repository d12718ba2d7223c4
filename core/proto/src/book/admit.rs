//! Which candidates are kept.
//!
//! A source that reports thousands of addresses gets `pending` places per subject. While they are
//! taken, the n-th newcomer takes the place of a random waiting address with probability pending/n
//! (reservoir sampling, Vitter 1985), so every reported address has the same chance, in whatever order
//! a flood arranges them. Only addresses not yet tried are displaced, and only in their lane: one that
//! another source found too stays.

use super::{
    Book,
    backoff::Wait,
    config::MAX_PER_SITE,
    entry::Entry,
    lanes::Lane,
    outcome::{Failure, Ignored, Noted, Output},
    reach::Site,
};
use crate::address::Address;

impl Book {
    pub(super) fn admit(&mut self, address: Address, lane: Lane) -> Noted {
        if Site::of(address).is_some_and(|site| self.crowd(site) >= MAX_PER_SITE) {
            return Noted::Ignored(Ignored::Crowded);
        }
        if !(self.make_room_in(lane) && self.make_room()) {
            return Noted::Ignored(Ignored::Full);
        }
        let mut entry = Entry::new(self.now, self.random.draw());
        entry.find(lane, self.now);
        // A program's dial goes ahead also without room to remember it; it may be on its way still.
        entry.dialling = self.is_flying(address);
        self.entries.insert(address, Box::new(entry));
        Noted::New
    }

    /// A known address was reported; nothing if it is not known.
    pub(super) fn see_again(&mut self, address: Address, lane: Lane) -> Option<Noted> {
        let entry = self.entries.get_mut(&address)?;
        let further = entry.find(lane, self.now);
        if let Some(peer) = entry.link.as_ref().map(|link| link.peer) {
            // Also what was offered before and declined: the peer may have it by now.
            self.offer(address, peer);
        }
        if !further {
            return Some(Noted::Again);
        }
        let entry = self.entries.get_mut(&address)?;
        let declined = entry.last_wait() == Some(Wait::Failed(Failure::NotOurs)) && !entry.worked;
        if entry.link.is_none() && declined {
            // There may be a common subject now.
            entry.due = entry.due.min(self.now);
        }
        Some(Noted::Further)
    }

    /// Offers the peer to whom this address leads what was found through it and not offered yet.
    pub(super) fn offer(&mut self, address: Address, peer: crate::id::PeerId) {
        let Some(entry) = self.entries.get(&address) else { return };
        let links = self.entries.values().filter_map(|entry| entry.link.as_ref());
        let offered: Vec<_> =
            links.filter(|link| link.peer == peer).map(|link| &link.offered).collect();
        let open = |subject: &_| offered.iter().any(|offered| offered.contains(subject));
        let missing: Vec<_> =
            entry.found.keys().copied().filter(|subject| !open(subject)).collect();
        if let Some(link) = self.entries.get_mut(&address).and_then(|entry| entry.link.as_mut()) {
            link.offered.extend(&missing);
        }
        self.offers.extend(missing.into_iter().map(|subject| Output::Offer { peer, subject }));
    }

    /// Addresses of a site that wait for their first dial or are being dialled.
    fn crowd(&self, site: Site) -> usize {
        let waits = |entry: &Entry| entry.is_fresh() || (entry.dialling && !entry.worked);
        let of_site = |address: &Address| Site::of(*address) == Some(site);
        self.entries.iter().filter(|(address, entry)| waits(entry) && of_site(address)).count()
    }

    /// Makes room for a newcomer in a lane; false if chance is against it.
    fn make_room_in(&mut self, lane: Lane) -> bool {
        let waits = |entry: &Entry| entry.is_fresh() && entry.is_in(lane);
        let waiting = self.entries.values().filter(|entry| waits(entry)).count();
        let room = waiting < self.config.pending;
        let offered = self.lanes.offer(lane, waiting, room);
        if room {
            return true;
        }
        let place = usize::try_from(self.random.below(offered)).unwrap_or(usize::MAX);
        let mut waiters = self.entries.iter_mut().filter(|(_, entry)| waits(entry));
        let Some((&address, entry)) = waiters.nth(place) else { return false };
        entry.lose(lane);
        self.forget_if_useless(address);
        true
    }

    /// Makes room for one more entry; false if all are in use. What never worked goes first, then
    /// what has failed longest, then what has not been seen longest.
    pub(super) fn make_room(&mut self) -> bool {
        if self.entries.len() < self.config.entries {
            return true;
        }
        let idle = self.entries.iter().filter(|(_, entry)| entry.is_idle());
        let rank = |entry: &Entry| {
            let since = entry.failing_since;
            (entry.worked, since.is_none(), since, entry.seen, entry.lot)
        };
        let worst = idle.min_by_key(|(_, entry)| rank(entry)).map(|(&address, _)| address);
        worst.is_some_and(|address| self.entries.remove(&address).is_some())
    }

    pub(super) fn forget_if_useless(&mut self, address: Address) {
        if self.entries.get(&address).is_some_and(|entry| !entry.is_kept()) {
            self.entries.remove(&address);
        }
    }
}
