//! Which address is dialled next.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Book,
    config::MAX_PER_SITE,
    entry::{Class, Entry},
    lanes::Lane,
    reach::Site,
};
use crate::{address::Address, time::Time};

/// Which class goes first, by turn. What worked comes first and what was never tried before what
/// failed; but of four dials one is for the untried and one for a retry if there are any, so that no
/// class starves behind another, however many come.
const ORDERS: [[Class; 3]; 4] = [
    [Class::Worked, Class::Fresh, Class::Retry],
    [Class::Fresh, Class::Worked, Class::Retry],
    [Class::Worked, Class::Fresh, Class::Retry],
    [Class::Retry, Class::Worked, Class::Fresh],
];

/// The lowest is next: the source and lane served longest ago, then the address due longest.
type Rank = ((u64, u64), Time, u64);

/// The best of a class.
#[derive(Clone, Copy)]
struct Best {
    rank: Rank,
    lane: Lane,
    address: Address,
}

impl Book {
    /// Chooses the next address and how long it may take, and counts the turn.
    pub(super) fn pick(&mut self) -> Option<(Address, Duration)> {
        if self.flights.len() >= self.config.dials {
            return None;
        }
        let mut best: [Option<Best>; 3] = [None; 3];
        let mut waiting = 0;
        let busy = self.busy_sites();
        for (&address, entry) in &self.entries {
            if !entry.is_wanted() || entry.due > self.now || is_busy(&busy, address) {
                continue;
            }
            waiting += 1;
            let slot = &mut best[entry.class() as usize];
            if let Some((rank, lane)) = self.rank(entry)
                && slot.is_none_or(|best| rank < best.rank)
            {
                *slot = Some(Best { rank, lane, address });
            }
        }
        let order = ORDERS[usize::try_from(self.lanes.turn() % 4).unwrap_or_default()];
        let Best { lane, address, .. } = order.iter().find_map(|&class| best[class as usize])?;
        self.lanes.serve(lane);
        Some((address, self.patience(address, waiting > self.config.dials)))
    }

    /// When the next address falls due; nothing while no slot is free, as a dial must end first.
    pub(super) fn next_due(&self) -> Option<Time> {
        if self.flights.len() >= self.config.dials {
            return None;
        }
        // What is due already waits for a dial to its site to end.
        let later = |entry: &&Entry| entry.is_wanted() && entry.due > self.now;
        self.entries.values().filter(later).map(|entry| entry.due).min()
    }

    fn rank(&self, entry: &Entry) -> Option<(Rank, Lane)> {
        let served = entry.lanes().map(|lane| (self.lanes.served(lane), lane));
        served.min().map(|(served, lane)| ((served, entry.due, entry.lot), lane))
    }

    /// While many wait, addresses that stay silent must not hold the slots for long; but one that is
    /// slow, not silent, gets more time with each failure.
    fn patience(&self, address: Address, crowded: bool) -> Duration {
        if !crowded {
            return self.config.patience;
        }
        let failures = self.entries.get(&address).map_or(0, |entry| entry.failures);
        self.config.hurry.saturating_mul(1 << failures.min(2)).min(self.config.patience)
    }

    fn busy_sites(&self) -> BTreeMap<Site, usize> {
        let mut busy = BTreeMap::new();
        for site in self.flights.values().filter_map(|flight| Site::of(flight.address)) {
            *busy.entry(site).or_default() += 1;
        }
        busy
    }
}

fn is_busy(busy: &BTreeMap<Site, usize>, address: Address) -> bool {
    Site::of(address).and_then(|site| busy.get(&site)).is_some_and(|&dials| dials >= MAX_PER_SITE)
}
