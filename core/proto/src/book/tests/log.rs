use super::*;

fn tried(strategy: &'static str, verdict: &str) -> Tried {
    Tried { strategy, began: at(1), ended: Some(at(2)), verdict: verdict.into() }
}

/// A book with one address that is being dialled.
fn dialling() -> (Book, DialId) {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    let dial = dial(&mut book).dial;
    (book, dial)
}

#[test]
fn the_ways_that_a_dial_tried_stand_in_its_log() {
    let (mut book, dial) = dialling();
    assert_eq!(book.dialling(), 1);
    book.handle_tried(dial, tried("quic", "nobody answered"));
    book.handle_tried(dial, tried("tcp", "connected"));
    book.handle_answered(dial, peer(1), Some(secs(1)));
    book.handle_dial_ended(dial, failed(Failure::NotOurs), at(3));
    let known = book.known(local(1)).unwrap();
    let attempt = known.last().unwrap();
    let names: Vec<_> = attempt.tried.iter().map(|tried| tried.strategy).collect();
    assert_eq!(names, ["quic", "tcp"]);
    assert_eq!((attempt.peer, known.peer), (Some(peer(1)), Some(peer(1))));
    assert_eq!(attempt.round_trip, Some(secs(1)));
    assert_eq!(book.dialling(), 0);
}

#[test]
fn who_answered_last_is_remembered_when_nobody_answers_any_more() {
    let mut book = opened(local(1));
    assert_eq!(book.known(local(1)).unwrap().peer, Some(peer(1)));
    book.handle_link_closed(peer(1), false, at(1));
    let (_, asked) = next_dial(&mut book, at(1));
    book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(9));
    assert_eq!(book.known(local(1)).unwrap().peer, Some(peer(1)));
}

#[test]
fn ways_and_their_verdicts_are_bounded() {
    let (mut book, dial) = dialling();
    let long = "é".repeat(1000);
    (0..100).for_each(|_| book.handle_tried(dial, tried("tcp", &long)));
    book.handle_dial_ended(dial, failed(Failure::Unreachable), at(3));
    let known = book.known(local(1)).unwrap();
    let tried = &known.last().unwrap().tried;
    assert_eq!(tried.len(), 4);
    assert_eq!(tried[0].verdict.len(), 128);
}

#[test]
fn a_way_of_a_dial_that_has_ended_is_ignored() {
    let (mut book, dial) = dialling();
    book.handle_dial_ended(dial, failed(Failure::Unreachable), at(3));
    book.handle_tried(dial, tried("tcp", "connected"));
    assert!(book.known(local(1)).unwrap().last().unwrap().tried.is_empty());
}
