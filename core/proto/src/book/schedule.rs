//! When one discovery service announces, looks up and withdraws for one subject.
//!
//! ```text
//! announce   at once if the node listens, and when its addresses change; again every 10 to 15 minutes;
//!            after a failure in 2 s, doubling to 1 minute
//! look up    after the first announcement; again every 1 to 2 minutes, while alone sooner: in 1 s,
//!            doubling to 30 s
//! withdraw   if anything was announced: at the end, and when the node listens no more
//! ```
//!
//! All waits count from the end of the action before and are jittered, so nodes that were started
//! together drift apart. One action runs at a time. A lookup that goes on for long (some services are
//! told of newcomers, and never come to an end) is cut short when an announcement has been due for 10
//! seconds, and begun anew after it; at once when the addresses have changed, as is an announcement of
//! the old ones.

use std::time::Duration;

use super::{backoff::Backoff, random::Random};
use crate::time::Time;

/// How often a service is asked. Shorter finds peers sooner and loads the network more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Least and most time between announcements. Default 10 to 15 minutes.
    pub announce: (Duration, Duration),
    /// Least and most time between lookups while a remote is open. Default 1 to 2 minutes.
    pub look_up: (Duration, Duration),
    /// The waits between lookups while none is. Default 1 to 30 seconds.
    pub alone: Backoff,
}

impl Default for Pace {
    fn default() -> Self {
        let minutes =
            |from: u64, to: u64| (Duration::from_secs(from * 60), Duration::from_secs(to * 60));
        Self { announce: minutes(10, 15), look_up: minutes(1, 2), alone: Backoff::secs(1, 30) }
    }
}

/// The verbs of a discovery service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell others where this node listens.
    Announce,
    /// Look for others once.
    LookUp,
    /// Take the announcement back.
    Withdraw,
}

/// What to do with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begin it. Exactly one [`Schedule::handle_done`] must follow.
    Begin(Action),
    /// Stop it, then call [`Schedule::handle_done`] at once.
    Cut(Action),
}

/// What a schedule is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is under way.
    pub running: Option<Action>,
    /// When to announce next; nothing while that runs, if the node does not listen, and at the end.
    pub announce_at: Option<Time>,
    /// When to look up next; nothing while that runs, and at the end.
    pub look_up_at: Option<Time>,
}

/// The waits after an announcement failed.
const RETRY: Backoff = Backoff::secs(2, 60);
/// How long an announcement that is due waits for a lookup to end: most take a few seconds.
const GRACE: Duration = Duration::from_secs(10);

/// Plans the actions. Drain [`poll_output`](Self::poll_output) after each `handle_*`.
pub struct Schedule {
    pace: Pace,
    random: Random,
    now: Time,
    running: Option<Running>,
    /// When to announce; never while the node does not listen or an announcement runs.
    announce_at: Option<Time>,
    look_up_at: Time,
    listening: bool,
    alone: bool,
    /// Lookups since the node has been alone, and announcements that failed in a row.
    lonely: u32,
    failures: u32,
    /// Whether others may have heard of this node: a failed announcement may have reached some.
    told: bool,
    stands: bool,
    /// The addresses have changed since the running action began.
    changed: bool,
    stopping: bool,
}

struct Running {
    action: Action,
    cut: bool,
}

impl Schedule {
    /// A schedule that begins at once, alone. `listening` says whether there is anything to announce.
    pub const fn new(pace: Pace, listening: bool, seed: u64, now: Time) -> Self {
        Self {
            pace,
            random: Random::new(seed),
            now,
            running: None,
            announce_at: if listening { Some(now) } else { None },
            look_up_at: now,
            listening,
            alone: true,
            lonely: 0,
            failures: 0,
            told: false,
            stands: false,
            changed: false,
            stopping: false,
        }
    }

    /// An action ended; `ok` says whether without error. One that is not running is ignored.
    pub fn handle_done(&mut self, action: Action, ok: bool, now: Time) {
        self.advance(now);
        let Some(running) = self.running.take_if(|running| running.action == action) else {
            return;
        };
        match action {
            // Something else is due already.
            Action::Announce if running.cut => {}
            Action::Announce => self.announced(ok),
            Action::LookUp if running.cut => self.look_up_at = self.now,
            Action::LookUp => self.looked_up(),
            Action::Withdraw => {}
        }
    }

    /// Whether no remote is open for the subject. Newly alone, the next lookup is soon.
    pub fn handle_alone(&mut self, alone: bool, now: Time) {
        self.advance(now);
        if alone == self.alone {
            return;
        }
        self.alone = alone;
        self.lonely = 0;
        let next = self.now + self.look_up_wait();
        self.look_up_at = if alone { self.look_up_at.min(next) } else { next };
    }

    /// The addresses at which the node listens changed, or there are none any more.
    pub fn handle_listening(&mut self, listening: bool, now: Time) {
        self.advance(now);
        self.listening = listening;
        self.changed = true;
        self.failures = 0;
        self.announce_at = listening.then_some(self.now);
    }

    /// Another pace applies from now on: what is due later than it says is due sooner.
    pub fn handle_pace(&mut self, pace: Pace, now: Time) {
        self.advance(now);
        if pace == self.pace {
            return;
        }
        self.pace = pace;
        let (least, most) = pace.announce;
        let announce = self.now + self.random.between(least, most);
        self.announce_at = self.announce_at.map(|due| due.min(announce));
        self.lonely = 0;
        let look_up = self.now + self.look_up_wait();
        self.look_up_at = self.look_up_at.min(look_up);
    }

    /// The subject is no longer looked for: what runs is cut, and what was announced is withdrawn.
    pub fn handle_stop(&mut self, now: Time) {
        self.advance(now);
        self.stopping = true;
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
    }

    /// What to do next, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Step> {
        if let Some(running) = &mut self.running {
            let action = running.action;
            let overdue = self.announce_at.is_some_and(|due| due + GRACE <= self.now);
            let cut = match action {
                Action::LookUp => self.stopping || self.changed || overdue,
                Action::Announce => self.stopping || self.changed,
                Action::Withdraw => false,
            };
            if !cut || running.cut {
                return None;
            }
            running.cut = true;
            return Some(Step::Cut(action));
        }
        let action = self.next()?;
        match action {
            Action::Announce => {
                self.announce_at = None;
                self.told = true;
            }
            Action::LookUp => {}
            Action::Withdraw => self.told = false,
        }
        self.changed = false;
        self.running = Some(Running { action, cut: false });
        Some(Step::Begin(action))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), once the outputs are drained.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.running {
            _ if self.stopping => None,
            Some(Running { action: Action::LookUp, cut: false }) => {
                self.announce_at.map(|due| due + GRACE)
            }
            Some(_) => None,
            None => Some(self.announce_at.map_or(self.look_up_at, |due| due.min(self.look_up_at))),
        }
    }

    /// What comes next, for people.
    pub fn plan(&self) -> Plan {
        let running = self.running.as_ref().map(|running| running.action);
        Plan {
            running,
            announce_at: self.announce_at.filter(|_| !self.stopping),
            look_up_at: Some(self.look_up_at)
                .filter(|_| !self.stopping && running != Some(Action::LookUp)),
        }
    }

    /// Whether an announcement has been made since the beginning, or there is none to make.
    pub const fn flushed(&self) -> bool {
        self.stands || !self.listening
    }

    /// Whether it was stopped and has nothing left to do.
    pub const fn finished(&self) -> bool {
        self.stopping && self.running.is_none() && !self.told
    }

    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// What is due, an announcement first: after each there is time for a lookup.
    fn next(&self) -> Option<Action> {
        if self.stopping {
            return self.told.then_some(Action::Withdraw);
        }
        if self.told && !self.listening {
            return Some(Action::Withdraw);
        }
        if self.announce_at.is_some_and(|due| due <= self.now) {
            return Some(Action::Announce);
        }
        (self.look_up_at <= self.now).then_some(Action::LookUp)
    }

    fn announced(&mut self, ok: bool) {
        let wait = if ok {
            self.stands = true;
            self.failures = 0;
            self.random.between(self.pace.announce.0, self.pace.announce.1)
        } else {
            let wait = RETRY.after(self.failures);
            self.failures = self.failures.saturating_add(1);
            self.random.around(wait)
        };
        // New addresses that came meanwhile are due already.
        if self.listening && self.announce_at.is_none() {
            self.announce_at = Some(self.now + wait);
        }
    }

    fn looked_up(&mut self) {
        let wait = self.look_up_wait();
        self.look_up_at = self.now + wait;
    }

    fn look_up_wait(&mut self) -> Duration {
        if !self.alone {
            return self.random.between(self.pace.look_up.0, self.pace.look_up.1);
        }
        let wait = self.pace.alone.after(self.lonely);
        self.lonely = self.lonely.saturating_add(1);
        self.random.around(wait)
    }
}
