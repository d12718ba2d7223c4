//! When it is told that a found address could not be reached.
//!
//! Every dial that fails is in the log of its address; what a person wants to hear is the verdict, and
//! that once. So a failure is told
//! - if the address was found by somebody, and the dial had all its patience, or it is the third to
//!   fail in a row: silence in a hurry proves little;
//! - the first time; and again only if the address has worked in between, or fails for another reason;
//! - at most 16 at once and one every 5 s: the others wait for their turn, with what is true then. One
//!   that works before its turn comes, or is forgotten, is not told.

use std::time::Duration;

use super::{
    Book,
    entry::Entry,
    outcome::{Attempt, Failure, Outcome, Output},
};
use crate::{address::Address, time::Time};

/// Failures in a row that count although the dials were short.
const CONVINCING: u32 = 3;
/// How many are told at once.
const BURST: u32 = 16;
/// How long until one more may be told.
const EVERY: Duration = Duration::from_secs(5);

/// Why an address cannot be reached, as far as it makes a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// It did not answer as long as it was given.
    Silence,
    /// It failed at once.
    Failed(Failure, String),
}

/// What was told of an address since it last worked, and what is to be told.
#[derive(Debug, Default)]
pub(super) struct Told {
    told: Option<Cause>,
    waiting: Option<(Time, Cause)>,
}

impl Told {
    fn note(&mut self, cause: Cause, now: Time) {
        let since = self.waiting.take().map_or(now, |(since, _)| since);
        self.waiting = (self.told.as_ref() != Some(&cause)).then_some((since, cause));
    }
}

/// How many may be told now: a token bucket.
#[derive(Debug)]
pub(super) struct Pace {
    left: u32,
    /// Whether any address may wait to be told of: spares looking through all of them.
    waiting: bool,
    /// When the bucket was not full any more, or last got a token.
    since: Time,
}

impl Pace {
    pub(super) const fn full() -> Self {
        Self { left: BURST, waiting: false, since: Time::ZERO }
    }

    /// Whether there is a token for somebody who waits.
    fn is_ready(&mut self, now: Time) -> bool {
        while self.left < BURST && self.since + EVERY <= now {
            self.left += 1;
            self.since += EVERY;
        }
        if self.left == BURST {
            self.since = now;
        }
        self.waiting && self.left > 0
    }

    fn next(&self) -> Time {
        if self.left > 0 { self.since } else { self.since + EVERY }
    }
}

impl Book {
    /// The last dial of this address had this much patience: decides whether it is to be told.
    pub(super) fn judge(&mut self, address: Address, patience: Duration) {
        let Some(entry) = self.entries.get_mut(&address) else { return };
        let Some(attempt) = entry.attempts.back() else { return };
        let Outcome::Failed { kind, reason } = &attempt.outcome else { return };
        let silent = attempt.ended - attempt.began >= patience;
        let hurried = silent && patience < self.config.patience && entry.failures < CONVINCING;
        if entry.link.is_some() || hurried {
            return;
        }
        let cause = if silent { Cause::Silence } else { Cause::Failed(*kind, reason.clone()) };
        entry.unreachable.note(cause, self.now);
        self.telling.waiting = true;
    }

    /// The next address to tell of, if it is time: who waits longest goes first.
    pub(super) fn tell_unreachable(&mut self) -> Option<Output> {
        if !self.telling.is_ready(self.now) {
            return None;
        }
        let next = self.untold().min();
        self.telling.waiting = next.is_some();
        let (_, address) = next?;
        self.telling.left -= 1;
        let entry = self.entries.get_mut(&address)?;
        entry.unreachable.told = entry.unreachable.waiting.take().map(|(_, cause)| cause);
        Some(Output::Unreachable {
            address,
            subjects: entry.found.keys().copied().collect(),
            reason: entry.attempts.iter().rev().find_map(failure)?.to_owned(),
            attempts: entry.failures,
        })
    }

    /// When [`Self::tell_unreachable`] has something to say.
    pub(super) fn next_telling(&self) -> Option<Time> {
        let waits = self.telling.waiting && self.untold().next().is_some();
        waits.then(|| self.telling.next())
    }

    fn untold(&self) -> impl Iterator<Item = (Time, Address)> {
        let told_of = |entry: &Entry| !entry.found.is_empty() && !entry.own;
        let waiting = move |entry: &Entry| {
            entry.unreachable.waiting.as_ref().filter(|_| told_of(entry)).map(|(since, _)| *since)
        };
        self.entries.iter().filter_map(move |(address, entry)| Some((waiting(entry)?, *address)))
    }
}

fn failure(attempt: &Attempt) -> Option<&str> {
    match &attempt.outcome {
        Outcome::Failed { reason, .. } => Some(reason),
        _ => None,
    }
}
