use super::*;

/// What is told, and to be told now: address, reason and attempts.
fn told(book: &mut Book) -> Vec<(Address, String, u32)> {
    let mut told = Vec::new();
    while let Some(output) = book.poll_output() {
        if let Output::Unreachable { address, subjects, reason, attempts } = output {
            assert_eq!(subjects, [ONE]);
            told.push((address, reason, attempts));
        }
    }
    told
}

fn because(reason: &str) -> Outcome {
    Outcome::Failed { kind: Failure::Unreachable, reason: reason.into() }
}

fn found() -> Book {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    book
}

/// Lets the next dial of the only address begin and end like this, `lasting` later; what is told.
fn next(book: &mut Book, outcome: Outcome, lasting: Duration) -> Vec<(String, u32)> {
    let now = book.poll_timeout().unwrap_or(at(0));
    book.handle_timeout(now);
    let asked = dial(book);
    book.handle_dial_ended(asked.dial, outcome, now + lasting);
    told(book).into_iter().map(|(_, reason, attempts)| (reason, attempts)).collect()
}

#[test]
fn the_first_failure_of_a_found_address_is_told_and_its_retries_are_not() {
    let mut book = found();
    let first = next(&mut book, because("refused"), secs(0));
    assert_eq!(first, [("refused".into(), 1)]);
    for _ in 0..20 {
        assert_eq!(next(&mut book, because("refused"), secs(0)), []);
    }
}

#[test]
fn another_reason_is_told_and_the_same_one_in_other_words_of_silence_is_not() {
    let mut book = found();
    assert_eq!(next(&mut book, because("refused"), secs(0)).len(), 1);
    assert_eq!(
        next(&mut book, because("silent for 20 s"), secs(20)),
        [("silent for 20 s".into(), 2)]
    );
    assert_eq!(next(&mut book, because("silent for 21 s"), secs(21)), []);
    let other = Outcome::Failed { kind: Failure::NotOurs, reason: "refused".into() };
    assert_eq!(next(&mut book, other, secs(0)), [("refused".into(), 4)]);
}

#[test]
fn an_address_that_worked_in_between_is_told_of_again() {
    let mut book = found();
    assert_eq!(next(&mut book, because("refused"), secs(0)).len(), 1);
    assert_eq!(next(&mut book, Outcome::Opened(peer(1)), secs(0)), []);
    let now = book.now;
    book.handle_link_closed(peer(1), false, now);
    assert_eq!(next(&mut book, because("refused"), secs(0)), [("refused".into(), 1)]);
}

#[test]
fn what_is_no_failure_is_not_told() {
    let mut book = found();
    for outcome in [Outcome::Cancelled, Outcome::Duplicate(peer(1)), Outcome::Own] {
        assert_eq!(next(&mut book, outcome, secs(0)), []);
        if book.known(local(1)).is_some_and(|known| known.state != State::Own) {
            let now = book.now;
            book.handle_link_closed(peer(1), false, now);
        }
    }
}

/// Addresses of which more wait than there are slots, so that all are dialled in a hurry, and one of
/// which nothing is heard; how many of its dials failed before it was told of.
fn told_in_a_hurry(outcome: &Outcome, silent: bool) -> u32 {
    let mut book = Book::new(Config { dials: 1, ..Config::default() }, 7);
    let mut now = at(0);
    for round in 0..100 {
        // Others come again and again.
        (0..8).for_each(|number| {
            book.handle_candidate(local(number + 8 * round), "lan", ONE, now);
        });
        while let Some(output) = book.poll_output() {
            match output {
                Output::Dial { dial, patience, .. } => {
                    assert!(patience < secs(20));
                    now += if silent { patience } else { secs(0) };
                    book.handle_dial_ended(dial, outcome.clone(), now);
                }
                Output::Unreachable { attempts, .. } => return attempts,
                Output::Offer { .. } => {}
            }
        }
    }
    panic!("nothing was told")
}

#[test]
fn silence_in_a_hurry_counts_only_the_third_time_and_a_refusal_at_once() {
    assert_eq!(told_in_a_hurry(&because("silent"), true), 3);
    assert_eq!(told_in_a_hurry(&because("refused"), false), 1);
}

#[test]
fn a_flood_of_failures_is_told_slowly_and_nobody_is_left_out() {
    let mut book = Book::new(Config { dials: 100, ..Config::default() }, 7);
    for number in 0..50 {
        book.handle_candidate(local(number), "lan", ONE, at(0));
    }
    for asked in dials(&mut book) {
        book.handle_dial_ended(asked.dial, because("refused"), at(0));
    }
    let mut all: Vec<_> = told(&mut book).into_iter().map(|(address, ..)| address).collect();
    assert_eq!(all.len(), 16);
    let mut now = at(0);
    while all.len() < 50 {
        now = book.poll_timeout().unwrap().max(now);
        assert!(now < at(50 * 5), "somebody is left out");
        book.handle_timeout(now);
        let mut more = Vec::new();
        while let Some(output) = book.poll_output() {
            match output {
                Output::Unreachable { address, .. } => more.push(address),
                Output::Dial { dial, .. } => book.handle_dial_ended(dial, because("refused"), now),
                Output::Offer { .. } => {}
            }
        }
        assert!(more.len() <= usize::from(now >= at(5)), "{now:?}: {more:?}");
        all.extend(more);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 50);
}

#[test]
fn an_address_that_works_before_its_turn_comes_is_not_told() {
    let mut book = Book::new(Config { dials: 100, ..Config::default() }, 7);
    for number in 0..17 {
        book.handle_candidate(local(number), "lan", ONE, at(0));
    }
    let asked = dials(&mut book);
    for asked in &asked {
        book.handle_dial_ended(asked.dial, because("refused"), at(0));
    }
    let told_of: Vec<_> = told(&mut book).into_iter().map(|(address, ..)| address).collect();
    let last = asked.iter().map(|asked| asked.address).find(|it| !told_of.contains(it)).unwrap();
    for second in 1..10 {
        book.handle_timeout(at(second));
        while let Some(output) = book.poll_output() {
            match output {
                Output::Dial { dial, address, .. } if address == last => {
                    book.handle_dial_ended(dial, Outcome::Opened(peer(1)), at(second));
                }
                Output::Dial { dial, .. } => {
                    book.handle_dial_ended(dial, because("refused"), at(second));
                }
                Output::Unreachable { address, .. } => panic!("told of {address}"),
                Output::Offer { .. } => {}
            }
        }
    }
}

#[test]
fn a_dial_that_only_the_program_asked_for_is_its_own_to_hear_of() {
    let mut book = book();
    let wish = book.handle_manual(local(1), [ONE], at(0)).unwrap();
    assert_eq!(dial(&mut book).dial, wish);
    book.handle_dial_ended(wish, because("refused"), at(0));
    assert_eq!(told(&mut book), []);
}

#[test]
fn a_subject_that_is_stopped_takes_what_waits_to_be_told_along() {
    let mut book = found();
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, because("refused"), at(0));
    book.handle_subject_stopped(ONE);
    assert_eq!(told(&mut book), []);
    assert_eq!(book.poll_timeout(), None);
}
