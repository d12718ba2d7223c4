//! Noticing that the other side is gone although nobody said so.
//!
//! After a silence of one interval a PING asks; after two unanswered ones, two thirds of an
//! interval apart, the connection has timed out: 35 s with the default of 15 s.
//!
//! A machine that was suspended, or a process that was stopped, finds all its timers run out at once,
//! and has heard nobody meanwhile. So a timer that runs more than 10 s late says nothing about the
//! peer: it is asked at once, and gets the time for two answers as if nothing had been asked before.

use std::time::Duration;

use crate::time::Time;

/// PINGs without an answer after which the peer counts as gone.
const UNANSWERED: u32 = 2;

#[derive(Debug)]
pub(super) struct Liveness {
    interval: Duration,
    last_received: Time,
    unanswered: u32,
    next: Time,
    /// The last PING: its number, and when it was sent.
    sent: Option<(u64, Time)>,
    number: u64,
    rtt: Option<Duration>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Ping(u64),
    Dead,
}

impl Liveness {
    pub(super) fn new(interval: Duration, now: Time) -> Self {
        Self {
            interval,
            last_received: now,
            unanswered: 0,
            next: now + interval,
            sent: None,
            number: 0,
            rtt: None,
        }
    }

    /// A silence of this length is asked about from now on.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
        if self.unanswered == 0 {
            self.next = self.last_received + interval;
        }
    }

    pub(super) const fn handle_received(&mut self, now: Time) {
        self.last_received = now;
        self.unanswered = 0;
    }

    /// Returns whether it answers the last PING.
    pub(super) fn handle_pong(&mut self, number: u64, now: Time) -> bool {
        let Some((_, sent)) = self.sent.take_if(|(expected, _)| *expected == number) else {
            return false;
        };
        // An answer that this machine slept through has told nothing about the way.
        if !now.has_slept(sent) {
            self.set_rtt(now - sent);
        }
        true
    }

    /// Smoothed as RFC 6298 does: one eighth of the newest sample.
    pub(super) fn set_rtt(&mut self, sample: Duration) {
        self.rtt = Some(self.rtt.map_or(sample, |rtt| rtt - rtt / 8 + sample / 8));
    }

    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Asks now, whatever was heard lately.
    pub(super) fn ping(&mut self, now: Time) -> u64 {
        self.number += 1;
        self.sent = Some((self.number, now));
        self.number
    }

    pub(super) const fn poll_timeout(&self) -> Time {
        self.next
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Option<Beat> {
        if now < self.next {
            return None;
        }
        let quiet = self.last_received + self.interval;
        if now.has_slept(self.next) {
            self.unanswered = 0;
        } else if self.unanswered == 0 && now < quiet {
            self.next = quiet;
            return None;
        } else if self.unanswered == UNANSWERED {
            return Some(Beat::Dead);
        }
        self.unanswered += 1;
        self.next = now + self.interval * 2 / 3;
        Some(Beat::Ping(self.ping(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(15);

    fn seconds(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn another_interval_counts_from_what_was_heard_last() {
        let mut liveness = Liveness::new(INTERVAL, Time::ZERO);
        liveness.handle_received(seconds(3));
        liveness.set_interval(Duration::from_secs(4));
        assert_eq!(liveness.poll_timeout(), seconds(7));
        liveness.set_interval(INTERVAL);
        assert_eq!(liveness.poll_timeout(), seconds(18));
        // A peer that has been asked gets the time it was promised.
        assert_eq!(liveness.handle_timeout(seconds(18)), Some(Beat::Ping(1)));
        liveness.set_interval(Duration::from_secs(1));
        assert_eq!(liveness.poll_timeout(), seconds(28));
    }

    #[test]
    fn a_silent_peer_is_asked_twice_and_then_given_up() {
        let mut liveness = Liveness::new(INTERVAL, Time::ZERO);
        assert_eq!(liveness.handle_timeout(seconds(15)), Some(Beat::Ping(1)));
        assert_eq!(liveness.handle_timeout(seconds(24)), None);
        assert_eq!(liveness.handle_timeout(seconds(25)), Some(Beat::Ping(2)));
        assert_eq!(liveness.handle_timeout(seconds(35)), Some(Beat::Dead));
    }

    #[test]
    fn anything_received_counts_as_an_answer() {
        let mut liveness = Liveness::new(INTERVAL, Time::ZERO);
        assert_eq!(liveness.handle_timeout(seconds(15)), Some(Beat::Ping(1)));
        liveness.handle_received(seconds(20));
        assert_eq!(liveness.handle_timeout(seconds(25)), None);
        assert_eq!(liveness.poll_timeout(), seconds(35));
        assert_eq!(liveness.handle_timeout(seconds(35)), Some(Beat::Ping(2)));
    }

    #[test]
    fn after_a_sleep_the_peer_is_asked_at_once_and_gets_the_time_for_two_answers() {
        // Whatever was asked before, and also if something was heard just then.
        for asked in 0..=2 {
            let mut liveness = Liveness::new(INTERVAL, Time::ZERO);
            let mut number = 0;
            for _ in 0..asked {
                number += 1;
                let due = liveness.poll_timeout();
                assert_eq!(liveness.handle_timeout(due), Some(Beat::Ping(number)));
            }
            let woken = liveness.poll_timeout() + Duration::from_secs(3600);
            if asked == 0 {
                liveness.handle_received(woken);
            }
            assert_eq!(liveness.handle_timeout(woken), Some(Beat::Ping(number + 1)));
            let second = woken + Duration::from_secs(10);
            assert_eq!(liveness.poll_timeout(), second);
            assert_eq!(liveness.handle_timeout(second), Some(Beat::Ping(number + 2)));
            let third = second + Duration::from_secs(10);
            assert_eq!(liveness.handle_timeout(third), Some(Beat::Dead));
        }
    }

    #[test]
    fn a_timer_that_runs_a_little_late_excuses_nobody() {
        let mut liveness = Liveness::new(INTERVAL, Time::ZERO);
        liveness.handle_timeout(seconds(15 + 10));
        liveness.handle_timeout(seconds(35 + 10));
        assert_eq!(liveness.handle_timeout(seconds(55 + 10)), Some(Beat::Dead));
    }

    #[test]
    fn a_round_trip_that_was_slept_through_is_no_measure() {
        let mut liveness = Liveness::new(INTERVAL, Time::ZERO);
        liveness.set_rtt(Duration::from_millis(20));
        let number = liveness.ping(seconds(1));
        assert!(liveness.handle_pong(number, seconds(3600)));
        assert_eq!(liveness.rtt(), Some(Duration::from_millis(20)));
    }

    #[test]
    fn only_the_answer_to_the_last_ping_measures_the_round_trip() {
        let mut liveness = Liveness::new(INTERVAL, Time::ZERO);
        let number = liveness.ping(seconds(1));
        assert!(!liveness.handle_pong(number + 1, seconds(2)));
        assert!(liveness.handle_pong(number, seconds(3)));
        assert!(!liveness.handle_pong(number, seconds(4)));
        assert_eq!(liveness.rtt(), Some(Duration::from_secs(2)));
    }
}
