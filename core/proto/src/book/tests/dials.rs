use super::*;

#[test]
fn only_so_many_dials_are_in_flight() {
    let mut book = book();
    for number in 0..20 {
        book.handle_candidate(local(number), "lan", ONE, at(0));
    }
    let asked = dials(&mut book);
    assert_eq!(asked.len(), 8);
    assert_eq!(book.poll_timeout(), None);
    for ended in &asked[..3] {
        book.handle_dial_ended(ended.dial, failed(Failure::Unreachable), at(0));
    }
    // The same news twice frees no second slot.
    book.handle_dial_ended(asked[0].dial, failed(Failure::Unreachable), at(0));
    assert_eq!(dials(&mut book).len(), 3);
}

#[test]
fn after_a_long_sleep_everything_is_due_and_still_only_so_many_dials_are_in_flight() {
    let mut book = Book::new(Config { pending: 100, ..Config::default() }, 7);
    for number in 0..60 {
        book.handle_candidate(local(number), "lan", ONE, at(0));
        for port in 0..2 {
            let stranger = address(&format!("198.51.100.{}:{}", number % 4, 1 + port));
            book.handle_candidate(stranger, "dht", ONE, at(0));
        }
    }
    let fail_all = |book: &mut Book, now| loop {
        let asked = dials(book);
        if asked.is_empty() {
            break;
        }
        for asked in asked {
            book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), now);
        }
    };
    fail_all(&mut book, at(0));
    let morning = at(24 * 3600);
    book.handle_timeout(morning);
    let asked = dials(&mut book);
    assert_eq!(asked.len(), 8);
    assert_eq!(dials(&mut book), []);
    let first = asked.first().unwrap();
    book.handle_dial_ended(first.dial, failed(Failure::Unreachable), morning);
    assert_eq!(dials(&mut book).len(), 1);
}

#[test]
fn only_three_dials_go_to_one_public_ip_address_at_once() {
    let mut book = book();
    // A stranger's ports come in as earlier ones fail, until all wait for a retry.
    let mut tried = 0;
    for port in 1..=9 {
        book.handle_candidate(address(&format!("198.51.100.1:{port}")), "lan", ONE, at(0));
        for asked in dials(&mut book) {
            tried += 1;
            book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(0));
        }
    }
    assert_eq!(tried, 9);
    book.handle_candidate(local(1), "lan", ONE, at(9));
    let asked = dials(&mut book);
    assert_eq!(asked.len(), 4, "three to the stranger, one to another: {asked:?}");
    assert_eq!(dials(&mut book), []);
    let stranger = asked.iter().find(|asked| asked.address != local(1)).unwrap();
    book.handle_dial_ended(stranger.dial, failed(Failure::Unreachable), at(9));
    assert_eq!(dials(&mut book).len(), 1);
}

#[test]
fn what_worked_is_dialled_before_the_untried_and_these_before_what_failed() {
    let mut book = Book::new(Config { dials: 1, ..Config::default() }, 7);
    for (number, outcome) in [(1, failed(Failure::Unreachable)), (2, Outcome::Opened(peer(2)))] {
        book.handle_candidate(local(number), "lan", ONE, at(0));
        let asked = dial(&mut book);
        book.handle_dial_ended(asked.dial, outcome, at(0));
    }
    book.handle_link_closed(peer(2), false, at(0));
    book.handle_candidate(local(3), "lan", ONE, at(99));
    let mut order = Vec::new();
    for _ in 0..3 {
        let asked = dial(&mut book);
        order.push(asked.address);
        book.handle_dial_ended(asked.dial, failed(Failure::NotOurs), at(99));
    }
    assert_eq!(order, [local(2), local(3), local(1)]);
}

#[test]
fn no_class_is_passed_over_more_than_four_times_while_others_have_plenty() {
    let mut book = Book::new(Config { dials: 1, pending: 1000, ..Config::default() }, 7);
    let mut worked = BTreeSet::new();
    let mut failing = worked.clone();
    for number in 0..200 {
        book.handle_candidate(local(number), "lan", ONE, at(0));
        let asked = dial(&mut book);
        let good = number % 2 == 0;
        let outcome = if good { Outcome::Opened(peer(1)) } else { failed(Failure::Unreachable) };
        if good { &mut worked } else { &mut failing }.insert(asked.address);
        book.handle_dial_ended(asked.dial, outcome, at(0));
    }
    book.handle_link_closed(peer(1), false, at(0));
    for number in 200..300 {
        book.handle_candidate(local(number), "lan", ONE, at(99));
    }
    let mut classes = Vec::new();
    for _ in 0..40 {
        let asked = dial(&mut book);
        let is_in = |set: &BTreeSet<_>| set.contains(&asked.address);
        classes.push((is_in(&worked), is_in(&failing)));
        book.handle_dial_ended(asked.dial, failed(Failure::NotOurs), at(99));
    }
    for five in classes.windows(5) {
        let kinds: BTreeSet<_> = five.iter().collect();
        assert_eq!(kinds.len(), 3, "{classes:?}");
    }
}

#[test]
fn sources_and_the_subjects_of_a_source_take_turns() {
    let mut book = Book::new(Config { dials: 1, ..Config::default() }, 7);
    for number in 0..40 {
        book.handle_candidate(local(number), "loud", ONE, at(0));
    }
    for number in 40..44 {
        book.handle_candidate(local(number), "loud", TWO, at(0));
    }
    for number in 44..48 {
        book.handle_candidate(local(number), "quiet", ONE, at(0));
    }
    let mut served = BTreeMap::new();
    for _ in 0..8 {
        let asked = dial(&mut book);
        let known = book.known(asked.address).unwrap();
        *served.entry((known.sources[0].to_owned(), known.found[0].0)).or_insert(0) += 1;
        book.handle_dial_ended(asked.dial, failed(Failure::NotOurs), at(0));
    }
    let served: Vec<_> = served.into_values().collect();
    assert_eq!(served, [2, 2, 4], "loud for one subject, for the other, quiet");
}

#[test]
fn a_lane_is_served_in_the_order_of_arrival() {
    let mut book = Book::new(Config { dials: 1, ..Config::default() }, 7);
    for (number, second) in [(3, 0), (1, 1), (2, 2)] {
        book.handle_candidate(local(number), "lan", ONE, at(second));
    }
    for number in [3, 1, 2] {
        let asked = dial(&mut book);
        assert_eq!(asked.address, local(number));
        book.handle_dial_ended(asked.dial, failed(Failure::NotOurs), at(2));
    }
}

#[test]
fn patience_is_short_while_many_wait_and_grows_with_each_failure() {
    let mut book = book();
    book.handle_candidate(local(0), "lan", ONE, at(0));
    assert_eq!(dial(&mut book).patience, secs(20));
    for number in 1..=40 {
        book.handle_candidate(local(number), "lan", ONE, at(0));
    }
    let mut asked = dials(&mut book);
    assert!(asked.iter().all(|asked| asked.patience == secs(3)), "{asked:?}");
    let mut by_tries = BTreeMap::new();
    let mut now = at(0);
    for _ in 0..400 {
        for ended in std::mem::take(&mut asked) {
            book.handle_dial_ended(ended.dial, failed(Failure::Unreachable), now);
        }
        // Keep it crowded: everything is due again after five minutes and more.
        now += secs(400);
        for number in 1..=40 {
            book.handle_candidate(local(number), "lan", ONE, now);
        }
        asked = dials(&mut book);
        for asked in &asked {
            let tries = book.known(asked.address).unwrap().tries;
            by_tries.insert(tries.min(4), asked.patience);
        }
        if by_tries.contains_key(&4) {
            break;
        }
    }
    let patience: Vec<_> = (1..=4).map(|tries| by_tries[&tries]).collect();
    assert_eq!(patience, [secs(6), secs(12), secs(12), secs(12)]);
}

#[test]
fn a_dial_that_the_program_asks_for_ignores_waits_and_has_a_reserve() {
    let mut book = book();
    book.handle_candidate(local(0), "lan", ONE, at(0));
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, failed(Failure::NotOurs), at(0));
    for number in 1..=8 {
        book.handle_candidate(local(number), "lan", ONE, at(0));
    }
    assert_eq!(dials(&mut book).len(), 8);
    let wishes: Vec<_> = (0..5)
        .map(|n| book.handle_manual(local(if n == 0 { 0 } else { 100 + n }), [TWO], at(0)).unwrap())
        .collect();
    let asked = dials(&mut book);
    assert_eq!(asked.iter().map(|asked| asked.dial).collect::<Vec<_>>(), wishes[..4]);
    assert_eq!(asked[0].subjects, [ONE, TWO], "also what the address was found for");
    assert_eq!(asked[1].subjects, [TWO]);
    assert!(asked.iter().all(|asked| asked.patience == secs(20)));
    book.handle_dial_ended(wishes[0], Outcome::Opened(peer(1)), at(0));
    assert_eq!(dial(&mut book).dial, wishes[4]);
}

#[test]
fn a_second_wish_for_an_address_waits_for_the_dial_on_its_way() {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    let first = dial(&mut book);
    let wish = book.handle_manual(local(1), [ONE], at(0)).unwrap();
    assert_eq!(dials(&mut book), []);
    book.handle_dial_ended(first.dial, failed(Failure::Unreachable), at(1));
    assert_eq!(dial(&mut book).dial, wish);
}

#[test]
fn a_wish_that_is_taken_back_while_it_waits_is_never_dialled() {
    let mut book = Book::new(Config { dials: 0, reserve: 0, ..Config::default() }, 7);
    let wishes: Vec<_> =
        (0..64).map(|n| book.handle_manual(local(n), [ONE], at(0)).unwrap()).collect();
    let error = book.handle_manual(local(64), [ONE], at(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    book.handle_dial_ended(wishes[0], Outcome::Cancelled, at(0));
    assert!(book.handle_manual(local(64), [ONE], at(0)).is_ok());
    assert_eq!(dials(&mut book), []);
}

#[test]
fn a_wish_for_an_address_nobody_found_is_one_dial() {
    let mut book = book();
    let wish = book.handle_manual(local(1), [ONE], at(0)).unwrap();
    assert_eq!(dial(&mut book).dial, wish);
    book.handle_dial_ended(wish, failed(Failure::Unreachable), at(0));
    assert!(book.known(local(1)).is_none());
    let wish = book.handle_manual(local(1), [ONE], at(0)).unwrap();
    assert_eq!(dial(&mut book).dial, wish);
    book.handle_dial_ended(wish, Outcome::Opened(peer(1)), at(0));
    assert_eq!(book.known(local(1)).unwrap().state, State::Connected(peer(1)));
    book.handle_link_closed(peer(1), false, at(1));
    assert_eq!((dials(&mut book), book.poll_timeout()), (vec![], None));
    assert_eq!(book.known(local(1)).unwrap().state, State::Idle);
}

#[test]
fn a_failed_wish_for_a_connected_address_leaves_the_link_alone() {
    let mut book = opened(local(1));
    let wish = book.handle_manual(local(1), [ONE], at(1)).unwrap();
    assert_eq!(dial(&mut book).dial, wish);
    book.handle_dial_ended(wish, failed(Failure::Unreachable), at(2));
    assert_eq!(book.known(local(1)).unwrap().state, State::Connected(peer(1)));
    assert_eq!(book.poll_timeout(), None);
}

#[test]
fn a_cancelled_dial_is_not_blamed_on_the_address() {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    for _ in 0..5 {
        let now = book.poll_timeout().unwrap_or(at(0));
        book.handle_timeout(now);
        let asked = dial(&mut book);
        book.handle_dial_ended(asked.dial, Outcome::Cancelled, now);
        assert_eq!(next_due(&book), now + secs(1));
    }
}

fn next_due(book: &Book) -> Time {
    book.poll_timeout().unwrap()
}
