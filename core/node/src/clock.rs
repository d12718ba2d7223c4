//! The wall between the machines' time and the computer's.

use std::time::Duration;

use p2pchan_proto::time::Time;
use tokio::time::Instant;

/// Counts from when the node began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.0.elapsed()
    }

    /// The moment at which a timer has to fire.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.0 + Duration::from_micros(time.as_micros())
    }
}
