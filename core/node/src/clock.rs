//! The wall between the machines' time and the computer's.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use p2pchan_proto::time::Time;
use tokio::time::Instant;

/// Counts from when the node began, the time that the computer was suspended included: the system's
/// own timers stand still meanwhile, and peers do not.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// Microseconds.
    slept: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), slept: Arc::default() }
    }

    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.began.elapsed() + self.slept()
    }

    /// The moment at which a timer has to fire, if the computer is not suspended until then.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        let awake = Duration::from_micros(time.as_micros()).saturating_sub(self.slept());
        self.began + awake
    }

    /// The computer was suspended for so long.
    pub(crate) fn note_sleep(&self, slept: Duration) {
        let micros = u64::try_from(slept.as_micros()).unwrap_or(u64::MAX);
        self.slept.fetch_add(micros, Ordering::Relaxed);
    }

    fn slept(&self) -> Duration {
        Duration::from_micros(self.slept.load(Ordering::Relaxed))
    }
}

/// Waits for a moment; for ever if there is none.
pub(crate) async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}
