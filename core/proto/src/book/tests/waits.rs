use super::*;

/// The waits between dials that all end like this, in seconds without jitter, as `expected`.
fn waits(book: &mut Book, outcome: &Outcome, expected: &[u64]) {
    let mut now = at(0);
    let mut asked = dial(book);
    for &expected in expected {
        book.handle_dial_ended(asked.dial, outcome.clone(), now);
        // Somebody goes on reporting it, so it is not stale.
        book.handle_candidate(asked.address, "lan", ONE, now);
        let (wait, next) = next_dial(book, now);
        assert!(about(wait, expected), "waited {wait:?}, not about {expected} s");
        (now, asked) = (now + wait, next);
    }
}

fn found() -> Book {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    book
}

#[test]
fn an_unreachable_address_is_tried_after_one_second_doubling_to_five_minutes() {
    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
    waits(&mut found(), &failed(Failure::Unreachable), &expected);
}

#[test]
fn what_is_not_ours_is_left_alone_for_a_minute_doubling_to_thirty() {
    waits(&mut found(), &failed(Failure::NotOurs), &[60, 120, 240, 480, 960, 1800, 1800]);
}

#[test]
fn a_peer_that_refuses_is_left_alone_for_half_a_minute_doubling_to_five() {
    waits(&mut found(), &failed(Failure::Refused), &[30, 60, 120, 240, 300, 300]);
}

#[test]
fn a_second_way_to_a_connected_peer_is_tried_rarely() {
    waits(&mut found(), &Outcome::Duplicate(peer(1)), &[60, 120, 240, 480, 960, 1800, 1800]);
}

#[test]
fn a_failure_of_another_kind_starts_at_its_first_wait() {
    let mut book = found();
    waits(&mut book, &failed(Failure::Unreachable), &[1, 2, 4]);
    // The last dial of the row before is on its way.
    let wish = book.handle_manual(local(1), [ONE], at(9)).unwrap();
    let under_way = book.flights.keys().copied().find(|&dial| dial != wish).unwrap();
    book.handle_dial_ended(under_way, failed(Failure::Refused), at(9));
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(9));
    let (wait, _) = next_dial(&mut book, at(9));
    assert!(about(wait, 1), "{wait:?}");
}

#[test]
fn a_clock_that_goes_back_does_not_make_the_book_go_back() {
    let mut book = failing();
    book.handle_timeout(at(100));
    book.handle_timeout(at(0));
    assert_eq!(dials(&mut book).len(), 1);
}

#[test]
fn being_reported_again_does_not_shorten_a_wait() {
    let mut book = found();
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(0));
    assert_eq!(dials(&mut book), []);
    let due = book.poll_timeout();
    for source in ["lan", "seeds"] {
        book.handle_candidate(local(1), source, ONE, at(0));
        book.handle_candidate(local(1), source, TWO, at(0));
    }
    assert_eq!((dials(&mut book), book.poll_timeout()), (vec![], due));
}

#[test]
fn what_had_no_common_subject_is_tried_at_once_for_a_further_one() {
    let mut book = found();
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, failed(Failure::NotOurs), at(0));
    book.handle_candidate(local(1), "lan", TWO, at(1));
    assert_eq!(dial(&mut book).subjects, [ONE, TWO]);
}

#[test]
fn a_link_that_broke_is_dialled_again_soon_from_the_first_wait() {
    let mut book = found();
    waits(&mut book, &failed(Failure::Unreachable), &[1, 2, 4, 8, 16, 32]);
    let dial = *book.flights.keys().next().unwrap();
    book.handle_dial_ended(dial, Outcome::Opened(peer(1)), at(100));
    book.handle_link_closed(peer(1), false, at(101));
    let (wait, asked) = next_dial(&mut book, at(101));
    assert!(about(wait, 1), "{wait:?}");
    book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(102));
    let (wait, _) = next_dial(&mut book, at(102));
    assert!(about(wait, 1), "{wait:?}");
}

/// The waits after links that lasted this long, in seconds without jitter, as `expected`.
fn waits_after_links(lasting: u64, clean: bool, expected: &[u64]) {
    let mut book = found();
    let mut now = at(0);
    let mut asked = dial(&mut book);
    for &expected in expected {
        book.handle_dial_ended(asked.dial, Outcome::Opened(peer(1)), now);
        assert_eq!(book.poll_timeout(), None);
        now += secs(lasting);
        book.handle_link_closed(peer(1), clean, now);
        let (wait, next) = next_dial(&mut book, now);
        assert!(about(wait, expected), "waited {wait:?}, not about {expected} s");
        (now, asked) = (now + wait, next);
    }
}

#[test]
fn links_that_break_at_once_are_dialled_ever_more_rarely() {
    waits_after_links(1, false, &[1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
}

#[test]
fn links_that_lasted_are_dialled_soon_each_time() {
    waits_after_links(60, false, &[1, 1, 1]);
}

#[test]
fn a_link_that_was_ended_on_purpose_is_left_alone_for_half_a_minute_doubling_to_five() {
    waits_after_links(1, true, &[30, 60, 120, 240, 300, 300]);
}

#[test]
fn all_addresses_of_a_peer_are_tried_when_its_link_is_lost() {
    let mut book = opened(local(1));
    book.handle_candidate(local(2), "lan", ONE, at(0));
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, Outcome::Duplicate(peer(1)), at(0));
    book.handle_link_closed(peer(2), false, at(1));
    assert_eq!(dials(&mut book), []);
    book.handle_link_closed(peer(1), false, at(1));
    book.handle_timeout(at(3));
    assert_eq!(dials(&mut book).len(), 2);
}

/// Fails every dial for two hours; how many dials there were in the second.
fn two_hours(book: &mut Book, reported: bool) -> usize {
    let mut second_hour = 0;
    while let Some(now) = book.poll_timeout().filter(|&now| now < at(7200)) {
        book.handle_timeout(now);
        for asked in dials(book) {
            second_hour += usize::from(now > at(3600));
            book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), now);
        }
        if reported {
            book.handle_candidate(local(1), "lan", ONE, now);
        }
    }
    second_hour
}

fn failing() -> Book {
    let mut book = found();
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(0));
    book
}

#[test]
fn a_failing_address_that_nobody_reports_is_forgotten_after_an_hour() {
    let mut book = failing();
    assert!(two_hours(&mut book, false) <= 1);
    assert!(book.known(local(1)).is_none());
    let mut book = failing();
    assert!(two_hours(&mut book, true) >= 10);
    assert!(book.known(local(1)).is_some());
}

#[test]
fn an_address_that_worked_is_kept_though_nobody_reports_it_and_tried_every_hour() {
    let mut book = opened(local(1));
    book.handle_link_closed(peer(1), false, at(0));
    assert!((1..=3).contains(&two_hours(&mut book, false)));
    let known = book.known(local(1)).unwrap();
    assert!(known.worked);
    assert!(matches!(known.state, State::BackingOff { .. }));
}

#[test]
fn after_a_rest_everything_is_due_as_if_for_the_first_time() {
    let mut book = opened(local(1));
    book.handle_link_closed(peer(1), true, at(1));
    book.handle_candidate(local(2), "lan", ONE, at(1));
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, failed(Failure::NotOurs), at(1));
    assert_eq!(dials(&mut book), []);
    book.handle_resumed(at(2));
    assert_eq!(dials(&mut book).len(), 2);
}
