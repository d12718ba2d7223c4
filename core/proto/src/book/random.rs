//! Chance for jitter and samples: the splitmix64 generator (Steele, Lea and Flood, 2014).
//!
//! The same seed gives the same run. Nothing secret may come from here: outputs tell the state.

use std::time::Duration;

pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound` - 1; 0 for a bound of 0. The bias of the remainder is below
    /// 2^-32 for every bound used here.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        match self.draw().checked_rem(bound) {
            Some(number) => number,
            None => 0,
        }
    }

    /// A duration from `least` to `most`, to the microsecond; `least` if they are the wrong way round.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let width = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least.saturating_add(Duration::from_micros(self.below(width.saturating_add(1))))
    }

    /// The duration give or take a fifth, so that nodes that began together do not stay in step.
    pub(super) fn around(&mut self, duration: Duration) -> Duration {
        let fifth = duration / 5;
        self.between(duration.saturating_sub(fifth), duration.saturating_add(fifth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_yields_the_published_sequence_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!(expected.map(|_| random.draw()), expected);
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_spreads() {
        let mut random = Random::new(7);
        let second = Duration::from_secs(1);
        let drawn: Vec<_> = (0..1000).map(|_| random.around(second)).collect();
        assert!(drawn.iter().all(|d| (800..=1200).contains(&d.as_millis())));
        assert!(drawn.iter().any(|d| d.as_millis() < 850));
        assert!(drawn.iter().any(|d| d.as_millis() > 1150));
    }

    #[test]
    fn bounds_that_make_no_sense_do_not_panic() {
        let mut random = Random::new(7);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.between(Duration::MAX, Duration::ZERO), Duration::MAX);
        random.between(Duration::ZERO, Duration::MAX);
        random.around(Duration::MAX);
    }
}
