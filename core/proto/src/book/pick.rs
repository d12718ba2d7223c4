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

/// How often a class is passed over before it goes first: so what worked comes first and what was
/// never tried before what failed, but no class starves behind another, however many come.
const PATIENT: u8 = 3;

/// How often each class had an address to dial and was passed over, in a row.
#[derive(Default)]
pub(super) struct Passed([u8; 3]);

impl Passed {
    /// The class to serve, of those that have something.
    fn choose(&mut self, waits: impl Fn(Class) -> bool) -> Option<Class> {
        let waiting = || CLASSES.into_iter().filter(|&class| waits(class));
        let starved = waiting().find(|&class| self.0[class as usize] >= PATIENT);
        let chosen = starved.or_else(|| waiting().next())?;
        for class in waiting() {
            self.0[class as usize] = self.0[class as usize].saturating_add(1);
        }
        self.0[chosen as usize] = 0;
        Some(chosen)
    }
}

/// In order of preference.
const CLASSES: [Class; 3] = [Class::Worked, Class::Fresh, Class::Retry];

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
            if entry.due > self.now || !entry.is_wanted() || is_busy(&busy, address) {
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
        let class = self.passed.choose(|class| best[class as usize].is_some())?;
        let Best { lane, address, .. } = best[class as usize]?;
        self.lanes.serve(lane);
        Some((address, self.patience(address, waiting > self.config.dials)))
    }

    /// When the next address falls due; nothing while no slot is free, as a dial must end first.
    pub(super) fn next_due(&self) -> Option<Time> {
        if self.flights.len() >= self.config.dials {
            return None;
        }
        // What is due already waits for a dial to its site to end.
        let later = |entry: &Entry| entry.due > self.now && entry.is_wanted();
        self.entries.values().filter(|entry| later(entry)).map(|entry| entry.due).min()
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
