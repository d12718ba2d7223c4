//! A bound on how often the peer may do something.

use std::time::Duration;

use crate::time::Time;

const MINUTE: Duration = Duration::from_secs(60);

/// Counts events per minute in fixed windows: at most twice the limit in any 60 s.
#[derive(Debug)]
pub(super) struct Rate {
    limit: u32,
    count: u32,
    since: Time,
}

impl Rate {
    pub(super) const fn per_minute(limit: u32) -> Self {
        Self { limit, count: 0, since: Time::ZERO }
    }

    /// Counts one event; whether it is within the limit.
    pub(super) fn allows(&mut self, now: Time) -> bool {
        if now - self.since >= MINUTE {
            (self.count, self.since) = (0, now);
        }
        self.count += 1;
        self.count <= self.limit
    }
}
