//! Time as the machines know it: microseconds since the node began.
//!
//! A machine never asks what time it is; whoever drives it says so. That makes every run
//! repeatable and lets a simulator live through hours in milliseconds.

use std::{
    fmt,
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

/// A moment: microseconds since the node began. Arithmetic saturates, so no input can overflow it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment at which the node began.
    pub const ZERO: Self = Self(0);

    /// The moment this many microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the beginning.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// How late a timer runs only if the machine or the process has slept, or was held up as badly.
pub(crate) const SLEPT: Duration = Duration::from_secs(10);

impl Time {
    /// Whether a timer that was due then runs so late that this machine has slept meanwhile. What did
    /// not happen until now is then nobody's fault: no packet was read either.
    pub(crate) fn has_slept(self, due: Self) -> bool {
        self.since(due) > SLEPT
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_more_than_fits_saturates() {
        assert_eq!(Time::from_micros(u64::MAX) + Duration::MAX, Time::from_micros(u64::MAX));
    }

    #[test]
    fn a_timer_that_runs_ten_seconds_late_was_not_slept_through_and_one_that_runs_later_was() {
        let due = Time::from_micros(7);
        assert!(!Time::ZERO.has_slept(due));
        assert!(!(due + SLEPT).has_slept(due));
        assert!((due + SLEPT + Duration::from_micros(1)).has_slept(due));
    }

    #[test]
    fn the_time_since_a_later_moment_is_zero() {
        assert_eq!(Time::from_micros(1) - Time::from_micros(5), Duration::ZERO);
    }
}
