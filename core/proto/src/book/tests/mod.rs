//! Sentences about the book and the schedule, with a driver that has no sockets and no clock.

mod candidates;
mod dials;
mod flood;
mod log;
mod properties;
mod schedule;
mod unreachable;
mod waits;

use std::time::Duration;

use super::*;

const ONE: SubjectKey = SubjectKey(1);
const TWO: SubjectKey = SubjectKey(2);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn at(seconds: u64) -> Time {
    Time::ZERO + secs(seconds)
}

fn address(text: &str) -> Address {
    Address::tcp(text.parse().unwrap())
}

/// A loopback address of which there are many.
fn local(number: u16) -> Address {
    let [a, b] = number.to_be_bytes();
    address(&format!("127.1.{a}.{b}:7000"))
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn book() -> Book {
    Book::new(Config::default(), 7)
}

fn failed(kind: Failure) -> Outcome {
    Outcome::Failed { kind, reason: format!("{kind:?} in a test") }
}

/// A dial as the book asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    dial: DialId,
    address: Address,
    subjects: Vec<SubjectKey>,
    patience: Duration,
}

/// Drains the outputs: dials and offers.
fn drain(book: &mut Book) -> (Vec<Asked>, Vec<(PeerId, SubjectKey)>) {
    let (mut dials, mut offers) = (Vec::new(), Vec::new());
    while let Some(output) = book.poll_output() {
        match output {
            Output::Dial { dial, address, subjects, patience } => {
                dials.push(Asked { dial, address, subjects, patience });
            }
            Output::Offer { peer, subject } => offers.push((peer, subject)),
            Output::Unreachable { .. } => {}
        }
    }
    (dials, offers)
}

fn dials(book: &mut Book) -> Vec<Asked> {
    drain(book).0
}

/// The one dial that is asked for.
fn dial(book: &mut Book) -> Asked {
    let asked = dials(book);
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked[0].clone()
}

/// Lets time pass to the next dial; how long that was after `from`.
fn next_dial(book: &mut Book, from: Time) -> (Duration, Asked) {
    assert_eq!(dials(book), []);
    let due = book.poll_timeout().unwrap();
    book.handle_timeout(due);
    (due - from, dial(book))
}

/// A book with one address that was found, dialled and opened to peer 1.
fn opened(address: Address) -> Book {
    let mut book = book();
    book.handle_candidate(address, "lan", ONE, at(0));
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, Outcome::Opened(peer(1)), at(0));
    book
}

/// Whether a wait is `expected` seconds give or take a fifth.
fn about(wait: Duration, expected: u64) -> bool {
    wait >= secs(expected) * 4 / 5 && wait <= secs(expected) * 6 / 5
}
