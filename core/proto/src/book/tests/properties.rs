use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Small numbers everywhere, so that inputs meet.
#[derive(Clone, Debug)]
enum Input {
    Candidate(u8, u8, u8),
    Stopped(u8),
    Own(u8),
    Ended(u8, u8),
    Closed(u8, bool),
    Manual(u8, u8),
    Wait(u64),
    ToTimeout,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => (0..60_u8, 0..3_u8, 0..4_u8).prop_map(|(a, s, k)| Input::Candidate(a, s, k)),
        1 => (0..4_u8).prop_map(Input::Stopped),
        1 => (0..60_u8).prop_map(Input::Own),
        8 => (any::<u8>(), 0..8_u8).prop_map(|(dial, outcome)| Input::Ended(dial, outcome)),
        2 => (0..6_u8, any::<bool>()).prop_map(|(peer, clean)| Input::Closed(peer, clean)),
        2 => (0..60_u8, 0..4_u8).prop_map(|(a, k)| Input::Manual(a, k)),
        2 => (0..8_000_000_u64).prop_map(Input::Wait),
        4 => Just(Input::ToTimeout),
    ]
}

/// Some local, some of one public IP address, some of an IPv6 /64, some never dialled.
fn some_address(number: u8) -> Address {
    address(&match number {
        0..30 => format!("127.0.0.{number}:5"),
        30..45 => format!("198.51.100.1:{number}"),
        45..55 => format!("[2001:db8::{number}]:5"),
        55 => "0.0.0.0:5".into(),
        56 => "224.0.0.1:5".into(),
        57 => "[::ffff:240.0.0.1]:5".into(),
        58 => "127.0.0.1:0".into(),
        _ => format!("[::ffff:127.0.0.{number}]:5"),
    })
}

fn some_outcome(number: u8) -> Outcome {
    match number {
        0 => Outcome::Opened(peer(1)),
        1 => Outcome::Opened(peer(2)),
        2 => Outcome::Duplicate(peer(1)),
        3 => Outcome::Own,
        4 => Outcome::Cancelled,
        5 => failed(Failure::NotOurs),
        6 => failed(Failure::Refused),
        _ => failed(Failure::Unreachable),
    }
}

const CONFIG: fn() -> Config =
    || Config { dials: 5, reserve: 2, pending: 5, entries: 20, ..Config::default() };

/// Drives a book and checks after every step what must always hold.
struct Checker {
    book: Book,
    now: Time,
    flying: BTreeMap<DialId, Address>,
    named: BTreeSet<DialId>,
    wishes: BTreeSet<DialId>,
    listeners: BTreeSet<Address>,
    mirrors: BTreeSet<Address>,
    subjects: BTreeSet<SubjectKey>,
    /// How many addresses were told of as unreachable.
    told: u64,
}

impl Checker {
    fn new(seed: u64) -> Self {
        Self {
            book: Book::new(CONFIG(), seed),
            now: Time::ZERO,
            flying: BTreeMap::new(),
            named: BTreeSet::new(),
            wishes: BTreeSet::new(),
            listeners: BTreeSet::new(),
            mirrors: BTreeSet::new(),
            subjects: BTreeSet::new(),
            told: 0,
        }
    }

    fn step(&mut self, input: &Input) {
        let (book, now) = (&mut self.book, self.now);
        match *input {
            Input::Candidate(number, source, key) => {
                let key = SubjectKey(key.into());
                self.subjects.insert(key);
                book.handle_candidate(some_address(number), &format!("s{source}"), key, now);
            }
            Input::Stopped(key) => {
                self.subjects.remove(&SubjectKey(key.into()));
                book.handle_subject_stopped(SubjectKey(key.into()));
            }
            Input::Own(number) => {
                self.listeners = [canonical(some_address(number))].into();
                book.handle_own_addresses([some_address(number)]);
            }
            Input::Ended(pick, outcome) => self.end(pick, some_outcome(outcome)),
            Input::Closed(number, clean) => book.handle_link_closed(peer(number), clean, now),
            Input::Manual(number, key) => {
                let wish = book.handle_manual(some_address(number), [SubjectKey(key.into())], now);
                self.wishes.extend(wish.ok());
            }
            Input::Wait(micros) => self.now += Duration::from_micros(micros),
            Input::ToTimeout => self.now = book.poll_timeout().unwrap_or(now).max(now),
        }
        self.check();
    }

    /// Ends one dial in flight, or one that ended long ago.
    fn end(&mut self, pick: u8, outcome: Outcome) {
        let all: Vec<_> = self.flying.keys().copied().collect();
        let dial = match all.len() {
            0 => DialId(pick.into()),
            len => all[usize::from(pick) % len],
        };
        if let Some(address) = self.flying.remove(&dial)
            && outcome == Outcome::Own
        {
            self.mirrors.insert(address);
        }
        self.wishes.remove(&dial);
        self.book.handle_dial_ended(dial, outcome, self.now);
    }

    /// The dials; what is told is checked.
    fn drain(&mut self) -> Vec<Asked> {
        let mut dials = Vec::new();
        while let Some(output) = self.book.poll_output() {
            match output {
                Output::Dial { dial, address, subjects, patience } => {
                    dials.push(Asked { dial, address, subjects, patience });
                }
                Output::Offer { .. } => {}
                Output::Unreachable { address, subjects, attempts, .. } => {
                    self.told += 1;
                    assert!(self.book.known(address).is_some() && attempts > 0);
                    assert!(
                        !subjects.is_empty()
                            && subjects.iter().all(|it| self.subjects.contains(it))
                    );
                }
            }
        }
        let most = 16 + self.now.as_micros() / 5_000_000;
        assert!(self.told <= most, "{} were told by {:?}", self.told, self.now);
        dials
    }

    fn check(&mut self) {
        self.book.handle_timeout(self.now);
        for asked in self.drain() {
            assert!(self.named.insert(asked.dial), "a dial's number was used twice");
            // An address can become this node's own after the program asked for it.
            let wished = self.wishes.contains(&asked.dial);
            let own = [&self.listeners, &self.mirrors].iter().any(|it| it.contains(&asked.address));
            assert!(wished || !own, "own {}", asked.address);
            assert!(never_dialled(asked.address).is_none(), "{}", asked.address);
            assert!(asked.subjects.is_sorted() && (wished || !asked.subjects.is_empty()));
            let known = |subject| wished || self.subjects.contains(subject);
            assert!(asked.subjects.iter().all(known), "a stopped subject was offered");
            let elsewhere = self.flying.values().all(|&address| address != asked.address);
            assert!(elsewhere, "{} is dialled twice at once", asked.address);
            self.flying.insert(asked.dial, asked.address);
            let limit = if wished { 7 } else { 5 };
            assert!(self.flying.len() <= limit, "{} in flight", self.flying.len());
        }
        assert!(self.book.poll_timeout().is_none_or(|due| due > self.now), "a busy loop");
        assert!(self.book.attempts().count() <= 20);
        for known in self.book.attempts() {
            assert!(known.attempts.len() <= 8);
            let flying = self.flying.values().any(|&address| address == known.address);
            assert_eq!(known.state == State::Dialling, flying, "{known:?}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_book_keeps_its_bounds(
        seed: u64,
        inputs in prop::collection::vec(input(), 1..300),
    ) {
        let mut checker = Checker::new(seed);
        for input in &inputs {
            checker.step(input);
        }
    }

    #[test]
    fn the_same_seed_and_inputs_give_the_same_dials(
        seed: u64,
        inputs in prop::collection::vec(input(), 1..100),
    ) {
        let run = || {
            let mut checker = Checker::new(seed);
            for input in &inputs {
                checker.step(input);
            }
            (checker.flying, checker.book.poll_timeout())
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn once_all_dials_end_every_wanted_address_is_dialled_within_an_hour(
        seed: u64,
        inputs in prop::collection::vec(input(), 1..200),
    ) {
        let mut checker = Checker::new(seed);
        for input in &inputs {
            checker.step(input);
        }
        // Fail everything: each address must come round again, however the book was left.
        let mut wanted: BTreeSet<_> = checker
            .book
            .attempts()
            .filter(|known| matches!(known.state, State::Waiting | State::BackingOff { .. }))
            .map(|known| known.address)
            .collect();
        let end = checker.now + secs(3600);
        let mut dialled = BTreeSet::new();
        while checker.now < end && !wanted.is_subset(&dialled) {
            dialled.extend(checker.flying.values().copied());
            while !checker.flying.is_empty() {
                checker.end(0, failed(Failure::Unreachable));
                checker.check();
                dialled.extend(checker.flying.values().copied());
                checker.now += Duration::from_millis(100);
            }
            checker.step(&Input::ToTimeout);
        }
        // Dials that the program had asked for may have taken the place of some.
        wanted.retain(|&address| checker.book.known(address).is_some());
        prop_assert!(wanted.is_subset(&dialled), "{wanted:?} {dialled:?}");
    }
}
