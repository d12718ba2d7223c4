//! The address book: which addresses are dialled, when, and how it went.
//!
//! Discovery services report candidates; the [`Book`] merges them into one entry per address, decides
//! which is dialled next, and remembers the outcome. A candidate is a rumour: anybody may announce any
//! address under a key he knows, so the book is built to be lied to.
//!
//! ```text
//!             candidate                          slot free, turn come
//! (unknown) ───────────► Waiting ◄───────┐ due ┌──────────────► Dialling
//!                                        │     │                │  │  │ opened, duplicate
//!                                     BackingOff ◄── failed ────┘  │  └──────► Connected
//!                                        ▲                    own  ▼              │
//!                                        └──── link closed ───── Own (never) ─────┘
//! ```
//!
//! - **What is dialled next**: addresses that worked before, then those never tried, then retries; but
//!   whichever was passed over three times goes first, so none starves. Within these the sources take turns, and so do the subjects of a source.
//! - **How much**: at most [`Config::dials`] at once, at most three at once to one public IP address,
//!   and at most three untried addresses of it; a bounded sample of what each source reports.
//! - **How long**: [`Config::patience`], and less while many wait.
//! - **When again**: after a wait that depends on what happened and doubles, with a fifth of jitter.
//!   A link that broke starts at the first wait; one that a program ended is left alone for longer.
//! - **What is forgotten**: at [`Config::entries`], first what never worked; what fails, never worked
//!   and was not reported for an hour. Nothing that is being dialled or connected.
//! - **What is told**: that a found address could not be reached, once, and not in floods (`unreachable`).
//!
//! [`Schedule`] says when a discovery service is asked.
//!
//! # Order of calls
//! After any `handle_*`, drain [`Book::poll_output`], then ask [`Book::poll_timeout`] and call
//! [`Book::handle_timeout`] at that time.

mod admit;
mod backoff;
mod config;
mod entry;
mod lanes;
mod log;
mod outcome;
mod pick;
mod random;
mod reach;
mod schedule;
#[cfg(test)]
mod tests;
mod unreachable;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

pub use backoff::Backoff;
pub use config::Config;
pub use log::Tried;
pub use outcome::{Attempt, DialId, Failure, Ignored, Known, Noted, Outcome, Output, State};
pub use schedule::{Action, Pace, Plan, Schedule, Step};

use self::{
    backoff::Wait,
    config::{MAX_MANUAL, MAX_MIRRORS, STALE},
    entry::Entry,
    lanes::{Lane, Lanes},
    pick::Passed,
    random::Random,
    reach::{canonical, never_dialled},
};
use crate::{
    address::Address,
    error::{Error, ErrorKind},
    id::PeerId,
    subject::SubjectKey,
    time::Time,
};

/// Plans dials. See the [module's page](self).
pub struct Book {
    config: Config,
    random: Random,
    /// The latest time heard of.
    now: Time,
    /// At most `config.entries`. Boxed, as the map makes room for eleven at once, and many nodes know one
    /// address or two.
    entries: BTreeMap<Address, Box<Entry>>,
    lanes: Lanes,
    passed: Passed,
    /// Dials in progress: at most `config.dials + config.reserve`. Boxed, as the map keeps its room.
    flights: BTreeMap<DialId, Box<Flight>>,
    /// Dials the program asked for that wait for a slot, at most `MAX_MANUAL`.
    manual: VecDeque<(DialId, Flight)>,
    next_dial: u64,
    /// Where this node listens; as many as the settings name.
    listeners: BTreeSet<Address>,
    /// Other addresses that turned out to lead here, at most `MAX_MIRRORS`.
    mirrors: VecDeque<Address>,
    /// Outputs other than dials; at most one per address and subject between two polls.
    offers: VecDeque<Output>,
    telling: unreachable::Pace,
}

/// A dial on its way or about to start.
struct Flight {
    address: Address,
    subjects: BTreeSet<SubjectKey>,
    began: Time,
    patience: Duration,
    /// How the ways went; at most `MAX_TRIED`.
    tried: Vec<Tried>,
    peer: Option<PeerId>,
    round_trip: Option<Duration>,
}

impl Flight {
    const fn new(address: Address, subjects: BTreeSet<SubjectKey>, began: Time) -> Self {
        Self {
            address,
            subjects,
            began,
            patience: Duration::ZERO,
            tried: Vec::new(),
            peer: None,
            round_trip: None,
        }
    }
}

impl Book {
    /// An empty book. The seed decides jitter and samples; give each node its own.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            random: Random::new(seed),
            now: Time::ZERO,
            entries: BTreeMap::new(),
            lanes: Lanes::default(),
            passed: Passed::default(),
            flights: BTreeMap::new(),
            manual: VecDeque::new(),
            next_dial: 0,
            listeners: BTreeSet::new(),
            mirrors: VecDeque::new(),
            offers: VecDeque::new(),
            telling: unreachable::Pace::full(),
        }
    }

    /// A discovery service (`source`, its name) found an address for a subject. Says what became of
    /// it: [`Noted::New`] and [`Noted::Further`] are worth a `found` event.
    pub fn handle_candidate(
        &mut self,
        address: Address,
        source: &str,
        subject: SubjectKey,
        now: Time,
    ) -> Noted {
        self.advance(now);
        let address = canonical(address);
        if let Some(why) = never_dialled(address) {
            return Noted::Ignored(Ignored::Never(why));
        }
        if self.is_own(address) {
            return Noted::Ignored(Ignored::Own);
        }
        let lane = Lane { source: self.lanes.source(source), subject };
        self.see_again(address, lane).unwrap_or_else(|| self.admit(address, lane))
    }

    /// The program asks for this address to be dialled: at once, whatever went before, unless more
    /// than the reserve are on their way or the address is being dialled right now. It is one dial;
    /// if it fails, or the link ends, only an address that is also a candidate is dialled again.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an address that is never dialled or this node's own,
    /// [`ErrorKind::Refused`] if 64 such dials wait already.
    pub fn handle_manual(
        &mut self,
        address: Address,
        subjects: impl IntoIterator<Item = SubjectKey>,
        now: Time,
    ) -> Result<DialId, Error> {
        self.advance(now);
        let address = canonical(address);
        if let Some(why) = never_dialled(address) {
            let message = format!("address {address} {why}; give one that can be reached");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if self.is_own(address) {
            let message = format!("address {address} is this node's own; give a peer's");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if self.manual.len() >= MAX_MANUAL {
            let message = format!("{MAX_MANUAL} dials wait already; dial {address} later");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let dial = self.name_dial();
        let subjects = subjects.into_iter().collect();
        self.manual.push_back((dial, Flight::new(address, subjects, now)));
        Ok(dial)
    }

    /// A subject is no longer looked for. Addresses found only for it are forgotten unless they
    /// worked; dials on their way go on.
    pub fn handle_subject_stopped(&mut self, subject: SubjectKey) {
        self.lanes.forget(subject);
        for entry in self.entries.values_mut() {
            entry.found.remove(&subject);
            if let Some(link) = &mut entry.link {
                link.offered.remove(&subject);
            }
        }
        for (_, flight) in &mut self.manual {
            flight.subjects.remove(&subject);
        }
        self.offers
            .retain(|offer| !matches!(offer, Output::Offer { subject: s, .. } if *s == subject));
        self.entries.retain(|_, entry| entry.is_kept());
    }

    /// A discovery service (`source`, its name) is gone. Addresses that nobody else found are forgotten
    /// unless they worked; dials on their way go on.
    pub fn handle_source_stopped(&mut self, source: &str) {
        let Some(source) = self.lanes.known(source) else { return };
        for entry in self.entries.values_mut() {
            let lanes: Vec<_> = entry.lanes().filter(|lane| lane.source == source).collect();
            lanes.into_iter().for_each(|lane| entry.lose(lane));
        }
        self.entries.retain(|_, entry| entry.is_kept());
    }

    /// Everything rested for a while, so what was learned of the network is old: whatever waits for its
    /// next dial is due now, and its waits begin anew.
    pub fn handle_resumed(&mut self, now: Time) {
        self.advance(now);
        for entry in self.entries.values_mut().filter(|entry| entry.link.is_none()) {
            entry.stop_waiting(self.now);
        }
    }

    /// This node listens at these addresses and no others: neither they are ever dialled, nor those at
    /// the same sockets that have a transport in common with them. (Others that lead here show
    /// themselves as [`Outcome::Own`].)
    pub fn handle_own_addresses(&mut self, addresses: impl IntoIterator<Item = Address>) {
        self.listeners = addresses.into_iter().map(canonical).collect();
        let own = self.listeners.iter().chain(&self.mirrors);
        for (address, entry) in &mut self.entries {
            entry.own = own.clone().any(|own| address.same_place(own));
        }
    }

    /// Other numbers apply from now on. What is beyond a bound that has shrunk goes on.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// A dial ended, or one that was asked for is no longer wanted ([`Outcome::Cancelled`]). A dial
    /// that is not known or has ended before is ignored.
    pub fn handle_dial_ended(&mut self, dial: DialId, outcome: Outcome, now: Time) {
        self.advance(now);
        self.manual.retain(|(waiting, _)| *waiting != dial);
        let Some(flight) = self.flights.remove(&dial) else { return };
        let Flight { address, subjects, began, patience, tried, peer, round_trip } = *flight;
        let outcome = outcome.bounded();
        let peer = outcome.peer().or(peer);
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.dialling = false;
            let outcome = outcome.clone();
            entry.log(Attempt { began, ended: now, tried, peer, round_trip, outcome });
        }
        match outcome {
            Outcome::Opened(peer) => self.connected(address, peer, Some(subjects)),
            Outcome::Duplicate(peer) => self.connected(address, peer, None),
            Outcome::Own => self.reached_itself(address),
            Outcome::Cancelled => self.cancelled(address),
            Outcome::Failed { kind, .. } => self.failed(address, kind),
        }
        self.judge(address, patience);
        self.forget_if_useless(address);
    }

    /// The link to a peer ended, whoever dialled it. `clean` says that a program ended it on purpose,
    /// here or there; else the addresses that lead to the peer are tried again soon. Call it also when
    /// another link takes the old one's place, before that one is reported as opened.
    pub fn handle_link_closed(&mut self, peer: PeerId, clean: bool, now: Time) {
        self.advance(now);
        for entry in self.entries.values_mut() {
            if entry.link.as_ref().is_some_and(|link| link.peer == peer) {
                entry.closed(clean, &self.config, &mut self.random, self.now);
            }
        }
    }

    /// The peer does not have a subject that was offered to it, or the offer could not be made. It is
    /// offered again when an address of the peer is found again through it.
    pub fn handle_declined(&mut self, peer: PeerId, subject: SubjectKey) {
        for link in self.entries.values_mut().filter_map(|entry| entry.link.as_mut()) {
            if link.peer == peer {
                link.offered.remove(&subject);
            }
        }
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
    }

    /// What to do next, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(offer) = self.offers.pop_front() {
            return Some(offer);
        }
        if let Some(unreachable) = self.tell_unreachable() {
            return Some(unreachable);
        }
        if let Some(output) = self.start_manual() {
            return Some(output);
        }
        let (address, patience) = self.pick()?;
        let dial = self.name_dial();
        let flight = Flight::new(address, BTreeSet::new(), self.now);
        Some(self.start(dial, flight, patience))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), once the outputs are drained.
    pub fn poll_timeout(&self) -> Option<Time> {
        [self.next_due(), self.next_telling()].into_iter().flatten().min()
    }

    /// Time never goes back here, whatever the caller says.
    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    fn is_own(&self, address: Address) -> bool {
        self.listeners.iter().chain(&self.mirrors).any(|own| own.same_place(&address))
    }

    fn is_flying(&self, address: Address) -> bool {
        self.flights.values().any(|flight| flight.address == address)
    }

    const fn name_dial(&mut self) -> DialId {
        self.next_dial += 1;
        DialId(self.next_dial)
    }

    /// The first dial asked for whose address is not being dialled.
    fn start_manual(&mut self) -> Option<Output> {
        if self.flights.len() >= self.config.dials.saturating_add(self.config.reserve) {
            return None;
        }
        let ready = self.manual.iter().position(|(_, flight)| !self.is_flying(flight.address))?;
        let (dial, flight) = self.manual.remove(ready)?;
        // Without room it is dialled all the same, and not remembered.
        if !self.entries.contains_key(&flight.address) && self.make_room() {
            let entry = Entry::new(self.now, self.random.draw());
            self.entries.insert(flight.address, Box::new(entry));
        }
        Some(self.start(dial, flight, self.config.patience))
    }

    fn start(&mut self, dial: DialId, mut flight: Flight, patience: Duration) -> Output {
        flight.began = self.now;
        flight.patience = patience;
        if let Some(entry) = self.entries.get_mut(&flight.address) {
            entry.dialling = true;
            flight.subjects.extend(entry.found.keys());
        }
        let (address, subjects) = (flight.address, flight.subjects.iter().copied().collect());
        self.flights.insert(dial, Box::new(flight));
        Output::Dial { dial, address, subjects, patience }
    }

    /// The address leads to a peer, who was offered these subjects if the dial made the link.
    fn connected(&mut self, address: Address, peer: PeerId, offered: Option<BTreeSet<SubjectKey>>) {
        let Some(entry) = self.entries.get_mut(&address) else { return };
        let dialled = offered.is_some();
        entry.connected(peer, dialled, offered.unwrap_or_default(), self.now);
        if !dialled {
            entry.wait(Wait::Duplicate, &self.config, &mut self.random, self.now);
        }
        self.offer(address, peer);
    }

    fn reached_itself(&mut self, address: Address) {
        if self.mirrors.len() == MAX_MIRRORS {
            self.mirrors.pop_front();
        }
        self.mirrors.push_back(address);
        self.mark_own(address);
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.link = None;
        }
    }

    fn mark_own(&mut self, own: Address) {
        for (address, entry) in &mut self.entries {
            entry.own |= address.same_place(&own);
        }
    }

    fn cancelled(&mut self, address: Address) {
        if let Some(entry) = self.entries.get_mut(&address) {
            // A moment's rest, lest a caller that cancels at once keeps it going round.
            entry.due = entry.due.max(self.now + self.config.backoff.first);
        }
    }

    fn failed(&mut self, address: Address, kind: Failure) {
        let Some(entry) = self.entries.get_mut(&address) else { return };
        entry.failed(Wait::Failed(kind), &self.config, &mut self.random, self.now);
        if !entry.worked && self.now - entry.seen >= STALE {
            self.entries.remove(&address);
        }
    }
}
