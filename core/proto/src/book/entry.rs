//! What the book remembers of one address.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    backoff::Wait,
    config::{Config, LASTING, MAX_ATTEMPTS, MAX_SUBJECTS, STALE},
    lanes::{Lane, SourceSet},
    outcome::{Attempt, State},
    random::Random,
    unreachable::Told,
};
use crate::{id::PeerId, subject::SubjectKey, time::Time};

pub(super) struct Entry {
    /// Who found it for which subject. Without a subject it is not dialled.
    pub(super) found: BTreeMap<SubjectKey, SourceSet>,
    pub(super) first_seen: Time,
    /// When it was last reported: what nobody reports goes first.
    pub(super) seen: Time,
    /// Not dialled before.
    pub(super) due: Time,
    /// Puts addresses that fell due together in an order that nobody outside can choose.
    pub(super) lot: u64,
    pub(super) tries: u64,
    /// Whether it ever led to a peer; such addresses are dialled first and forgotten last.
    pub(super) worked: bool,
    /// Who last answered there.
    pub(super) peer: Option<PeerId>,
    pub(super) own: bool,
    pub(super) dialling: bool,
    pub(super) link: Option<Link>,
    /// The reason of the last wait, and how many waits for the same reason came right before it.
    waited: Option<(Wait, u32)>,
    /// Failures since it last worked, and when they began.
    pub(super) failures: u32,
    pub(super) failing_since: Option<Time>,
    pub(super) attempts: VecDeque<Attempt>,
    pub(super) unreachable: Told,
}

/// The connected peer to whom an address leads.
pub(super) struct Link {
    pub(super) peer: PeerId,
    since: Time,
    /// Whether this very address was dialled to open the link, or the peer was connected otherwise.
    dialled: bool,
    /// What was offered to the peer on account of this address.
    pub(super) offered: BTreeSet<SubjectKey>,
}

/// The three kinds of addresses that take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Worked,
    Fresh,
    Retry,
}

impl Entry {
    pub(super) fn new(now: Time, lot: u64) -> Self {
        Self {
            found: BTreeMap::new(),
            first_seen: now,
            seen: now,
            due: now,
            lot,
            tries: 0,
            worked: false,
            peer: None,
            own: false,
            dialling: false,
            link: None,
            waited: None,
            failures: 0,
            failing_since: None,
            attempts: VecDeque::new(),
            unreachable: Told::default(),
        }
    }

    /// Notes who found it; whether the subject is a further one.
    pub(super) fn find(&mut self, lane: Lane, now: Time) -> bool {
        self.seen = now;
        if let Some(sources) = self.found.get_mut(&lane.subject) {
            sources.insert(lane.source);
            return false;
        }
        if self.found.len() >= MAX_SUBJECTS {
            return false;
        }
        self.found.insert(lane.subject, SourceSet::of(lane.source));
        true
    }

    /// Takes a finding back; nothing is left of an address that nobody else found.
    pub(super) fn lose(&mut self, lane: Lane) {
        if let Some(sources) = self.found.get_mut(&lane.subject) {
            sources.remove(lane.source);
            if sources.is_empty() {
                self.found.remove(&lane.subject);
            }
        }
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        let lane = |(&subject, &sources): (&SubjectKey, &SourceSet)| {
            sources.iter().map(move |source| Lane { source, subject })
        };
        self.found.iter().flat_map(lane)
    }

    pub(super) fn is_in(&self, lane: Lane) -> bool {
        self.found.get(&lane.subject).is_some_and(|sources| sources.contains(lane.source))
    }

    /// Found, and waiting for its first dial.
    pub(super) const fn is_fresh(&self) -> bool {
        self.tries == 0 && !self.dialling && !self.own
    }

    /// Whether a dial makes sense once it is due.
    pub(super) fn is_wanted(&self) -> bool {
        let open = self.link.as_ref().is_some_and(|link| link.dialled);
        !(self.found.is_empty() || self.dialling || self.own || open)
    }

    pub(super) const fn class(&self) -> Class {
        match (self.tries, self.worked, &self.link) {
            (0, _, _) => Class::Fresh,
            (_, true, None) => Class::Worked,
            _ => Class::Retry,
        }
    }

    /// Whether it may be forgotten: nothing is going on there.
    pub(super) const fn is_idle(&self) -> bool {
        !self.dialling && self.link.is_none()
    }

    /// Whether it is worth keeping: asked for, in use, or of proven use.
    pub(super) fn is_kept(&self) -> bool {
        !self.found.is_empty() || self.worked || !self.is_idle()
    }

    pub(super) fn state(&self, now: Time) -> State {
        match &self.link {
            _ if self.dialling => State::Dialling,
            _ if self.own => State::Own,
            Some(link) => State::Connected(link.peer),
            None if self.found.is_empty() => State::Idle,
            None if self.due > now => State::BackingOff { until: self.due },
            None => State::Waiting,
        }
    }

    pub(super) fn log(&mut self, attempt: Attempt) {
        self.tries = self.tries.saturating_add(1);
        self.peer = attempt.peer.or(self.peer);
        if self.attempts.len() == MAX_ATTEMPTS {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt);
    }

    /// It led to a peer. `dialled` says whether this dial made the link.
    pub(super) fn connected(
        &mut self,
        peer: PeerId,
        dialled: bool,
        offered: BTreeSet<SubjectKey>,
        now: Time,
    ) {
        self.worked = true;
        self.failures = 0;
        self.failing_since = None;
        self.unreachable = Told::default();
        match &self.link {
            // A second dial to an address changes nothing about its link.
            Some(link) if link.peer == peer && !dialled => {}
            _ => self.link = Some(Link { peer, since: now, dialled, offered }),
        }
    }

    pub(super) fn closed(&mut self, clean: bool, config: &Config, random: &mut Random, now: Time) {
        let Some(link) = self.link.take() else { return };
        if now - link.since >= LASTING {
            self.waited = None;
        }
        self.wait(if clean { Wait::Clean } else { Wait::Lost }, config, random, now);
    }

    /// A dial failed. An open link stays: the failure of a second dial says nothing about it.
    pub(super) fn failed(&mut self, wait: Wait, config: &Config, random: &mut Random, now: Time) {
        if self.link.as_ref().is_some_and(|link| link.dialled) {
            return;
        }
        self.link = None;
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.wait(wait, config, random, now);
        if now - self.seen >= STALE {
            self.due = now + random.around(STALE);
        }
    }

    pub(super) fn wait(&mut self, wait: Wait, config: &Config, random: &mut Random, now: Time) {
        let earlier = match self.waited {
            Some((last, earlier)) if last == wait => earlier.saturating_add(1),
            _ => 0,
        };
        self.waited = Some((wait, earlier));
        self.due = now + random.around(wait.backoff(config).after(earlier));
    }

    /// It is due, as if it had never been waited for.
    pub(super) fn stop_waiting(&mut self, now: Time) {
        self.waited = None;
        self.due = self.due.min(now);
    }

    /// The reason of the last wait.
    pub(super) fn last_wait(&self) -> Option<Wait> {
        self.waited.map(|(wait, _)| wait)
    }
}
