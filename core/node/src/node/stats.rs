//! The stream of statistics.
//!
//! Nothing runs for it: whoever awaits the next item waits out the interval, then looks at the
//! counters, again and again until one has changed.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use p2pchan_proto::{settings::Settings, time::Time};
use tokio::{
    runtime,
    sync::watch,
    time::{self, Instant},
};

use super::inner::Inner;
use crate::status::{Gauges, StatsChange, counters};

/// The counters that change, from [`Node::stats`](super::Node::stats) on.
pub struct Stats {
    inner: Weak<Inner>,
    /// Its timers are used, so that any executor will do.
    runtime: runtime::Handle,
    settings: watch::Receiver<Arc<Settings>>,
    closing: watch::Receiver<bool>,
    /// When the counters were last looked at.
    looked: Option<Instant>,
    told: BTreeMap<&'static str, u64>,
}

impl Stats {
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        Self {
            inner: Arc::downgrade(inner),
            runtime: inner.runtime.clone(),
            settings: inner.settings.subscribe(),
            closing: inner.closing.subscribe(),
            looked: None,
            told: BTreeMap::new(),
        }
    }

    /// The next item: all counters at once the first time, then those that have changed since the item
    /// before, when at least `stats.interval` has passed. `None` once the node closes. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<StatsChange> {
        loop {
            self.interval().await?;
            let (uptime, counters) = self.inner.upgrade()?.counters();
            let changed: Vec<_> = counters
                .into_iter()
                .filter(|(name, count)| self.told.get(name) != Some(count))
                .collect();
            self.looked = Some(Instant::now());
            if !changed.is_empty() {
                self.told.extend(changed.iter().copied());
                let changed = changed.into_iter().map(|(name, count)| (name.into(), count));
                return Some(StatsChange::new(uptime, changed.collect()));
            }
        }
    }

    /// Waits until it is time to look; nothing if the node closes before.
    async fn interval(&mut self) -> Option<()> {
        loop {
            let interval = self.settings.borrow_and_update().stats.interval;
            let due = self.looked.map_or_else(Instant::now, |looked| looked + interval);
            let sleep = {
                let _timers = self.runtime.enter();
                time::sleep_until(due)
            };
            tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing) => return None,
                () = sleep => return Some(()),
                // The interval may be another one now.
                changed = self.settings.changed() => changed.ok()?,
            }
        }
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats").finish_non_exhaustive()
    }
}

impl Inner {
    fn counters(&self) -> (Duration, [(&'static str, u64); 21]) {
        let core = self.core();
        let (mut traffic, mut queued) = (core.gone, 0);
        for link in core.table.values() {
            let session = link.lock().session.status();
            traffic += session.traffic;
            queued += session.queued;
        }
        let gauges = Gauges {
            links: core.links.open_count(),
            unproven: core.admission.count(),
            remotes: core.remotes.len(),
            dialling: core.book.dialling(),
            addresses: core.book.addresses(),
            subjects: core.subjects.active().len(),
            queued,
        };
        let uptime = self.clock.now() - Time::ZERO;
        (uptime, counters(&gauges, &self.counters.totals(traffic)))
    }
}
