//! How long an address is left alone.

use std::time::Duration;

use super::{config::Config, outcome::Failure};

/// A wait that doubles from `first` up to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// No wait is longer.
    pub most: Duration,
}

impl Backoff {
    /// Waits from `first` to `most` seconds.
    pub(super) const fn secs(first: u64, most: u64) -> Self {
        Self { first: Duration::from_secs(first), most: Duration::from_secs(most) }
    }

    /// The wait after this many earlier waits, without jitter.
    pub(super) fn after(self, earlier: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(earlier)).min(self.most)
    }
}

/// Why an address is left alone. Each reason counts its waits from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Failed(Failure),
    /// Its link broke.
    Lost,
    /// Its link was ended by a program: both sides meant it.
    Clean,
    /// It leads to a peer that is connected through another link. Trying again only matters if word
    /// of that link's end was missed, so it is rare.
    Duplicate,
}

impl Wait {
    pub(super) const fn backoff(self, config: &Config) -> Backoff {
        match self {
            Self::Failed(Failure::Unreachable) | Self::Lost => config.backoff,
            Self::Failed(Failure::Refused) | Self::Clean => Backoff::secs(30, 5 * 60),
            // What speaks something else will hardly change, and its owner did not ask for our dials.
            Self::Failed(Failure::NotOurs) | Self::Duplicate => Backoff::secs(60, 30 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_off_doubles_up_to_its_most_and_never_overflows() {
        let backoff = Backoff::secs(1, 300);
        let waits = [0, 1, 2, 8, 9, u32::MAX].map(|earlier| backoff.after(earlier).as_secs());
        assert_eq!(waits, [1, 2, 4, 256, 300, 300]);
    }
}
