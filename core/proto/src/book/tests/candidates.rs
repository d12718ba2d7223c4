use super::*;

#[test]
fn what_several_services_find_for_several_subjects_is_one_address() {
    let mut book = book();
    assert_eq!(book.handle_candidate(local(1), "lan", TWO, at(0)), Noted::New);
    assert_eq!(book.handle_candidate(local(1), "lan", TWO, at(1)), Noted::Again);
    assert_eq!(book.handle_candidate(local(1), "seeds", TWO, at(2)), Noted::Again);
    assert_eq!(book.handle_candidate(local(1), "seeds", ONE, at(3)), Noted::Further);
    let known = book.known(local(1)).unwrap();
    assert_eq!(known.sources, ["lan", "seeds"]);
    let found = [(ONE, vec!["seeds"]), (TWO, vec!["lan", "seeds"])];
    assert_eq!(known.found, found);
    assert_eq!((known.first_seen, known.seen), (at(0), at(3)));
    assert_eq!(known.state, State::Waiting);
    assert_eq!(book.attempts().count(), 1);
    assert_eq!(dial(&mut book).subjects, [ONE, TWO]);
}

#[test]
fn an_address_mapped_into_ipv6_is_the_ipv4_address() {
    let mut book = book();
    book.handle_candidate(address("192.0.2.1:5"), "lan", ONE, at(0));
    let mapped = address("[::ffff:192.0.2.1]:5");
    assert_eq!(book.handle_candidate(mapped, "lan", ONE, at(0)), Noted::Again);
    assert!(book.known(mapped).is_some());
}

#[test]
fn addresses_that_nobody_can_have_are_never_dialled() {
    let mut book = book();
    for text in [
        "127.0.0.1:0",
        "0.0.0.0:5",
        "0.1.2.3:5",
        "224.0.0.1:5",
        "239.255.255.255:5",
        "240.0.0.1:5",
        "[fd15:7032:7063:6861::1]:1",
        "255.255.255.255:5",
        "[::]:5",
        "[ff02::1]:5",
        "[::ffff:224.0.0.1]:5",
        "[::ffff:0.0.0.0]:5",
    ] {
        let noted = book.handle_candidate(address(text), "lan", ONE, at(0));
        assert!(matches!(noted, Noted::Ignored(Ignored::Never(_))), "{text}: {noted:?}");
        let error = book.handle_manual(address(text), [ONE], at(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
    }
    assert_eq!(dials(&mut book), []);
    assert_eq!(book.attempts().count(), 0);
}

#[test]
fn the_addresses_where_the_node_listens_are_never_dialled() {
    let mut book = book();
    book.handle_candidate(local(2), "lan", ONE, at(0));
    book.handle_own_addresses([local(1), address("[::ffff:127.1.0.2]:7000")]);
    for own in [local(1), local(2)] {
        let noted = book.handle_candidate(own, "lan", ONE, at(0));
        assert_eq!(noted, Noted::Ignored(Ignored::Own));
        let error = book.handle_manual(own, [ONE], at(0)).unwrap_err();
        assert!(error.message().contains("own"), "{error}");
    }
    assert_eq!(dials(&mut book), []);
    // The same IP address with another port is somebody else.
    book.handle_candidate(address("127.1.0.1:7001"), "lan", ONE, at(0));
    assert_eq!(dials(&mut book).len(), 1);
}

#[test]
fn an_own_address_stays_own_under_every_scheme_that_leads_to_it() {
    let socket: std::net::SocketAddr = "192.0.2.1:7000".parse().unwrap();
    let (any, tcp, quic) = (Address::any(socket), Address::tcp(socket), Address::quic(socket));
    for (own, others) in [(tcp, [tcp, any]), (quic, [quic, any]), (any, [tcp, quic])] {
        let mut book = book();
        for other in others {
            assert_eq!(book.handle_candidate(other, "lan", ONE, at(0)), Noted::New);
        }
        book.handle_own_addresses([own]);
        assert_eq!(dials(&mut book), [], "{own}");
        for other in others {
            let noted = book.handle_candidate(other, "seeds", ONE, at(0));
            assert_eq!(noted, Noted::Ignored(Ignored::Own), "{other} at {own}");
            assert!(book.handle_manual(other, [ONE], at(0)).is_err(), "{other} at {own}");
        }
    }
    // A TCP port and the UDP port of the same number may belong to different programs.
    let mut book = book();
    book.handle_own_addresses([tcp]);
    assert_eq!(book.handle_candidate(quic, "lan", ONE, at(0)), Noted::New);
}

#[test]
fn what_led_back_here_is_own_for_a_waiting_address_at_the_same_socket_too() {
    let mut book = Book::new(Config { dials: 1, ..Config::default() }, 7);
    let (any, tcp) = (Address::any(local(1).socket), local(1));
    book.handle_candidate(any, "lan", ONE, at(0));
    let asked = dial(&mut book);
    book.handle_candidate(tcp, "lan", ONE, at(0));
    book.handle_dial_ended(asked.dial, Outcome::Own, at(0));
    assert_eq!(book.known(tcp).unwrap().state, State::Own);
    assert_eq!(dials(&mut book), []);
}

#[test]
fn an_address_where_the_node_listens_no_more_is_dialled_like_any_other() {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    book.handle_candidate(local(2), "lan", ONE, at(0));
    book.handle_own_addresses([local(1), local(2)]);
    assert_eq!(dials(&mut book), []);
    book.handle_own_addresses([local(2)]);
    assert_eq!(dial(&mut book).address, local(1));
    // One that led back here by another way still does.
    book.handle_own_addresses([]);
    let asked = dial(&mut book);
    book.handle_own_addresses([local(2)]);
    book.handle_dial_ended(asked.dial, Outcome::Own, at(0));
    book.handle_own_addresses([]);
    assert_eq!(book.known(local(2)).unwrap().state, State::Own);
}

#[test]
fn what_only_a_service_found_that_is_gone_is_forgotten() {
    let mut book = book();
    book.handle_candidate(local(1), "seeds", ONE, at(0));
    book.handle_candidate(local(1), "lan", ONE, at(0));
    book.handle_candidate(local(2), "seeds", ONE, at(0));
    book.handle_source_stopped("seeds");
    book.handle_source_stopped("never heard of");
    assert_eq!(dial(&mut book).address, local(1));
    assert_eq!(book.known(local(2)), None);
    // One that was on its way is counted, and not repeated.
    book.handle_candidate(local(3), "seeds", ONE, at(1));
    let asked = dial(&mut book);
    book.handle_source_stopped("seeds");
    book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(2));
    assert_eq!(book.known(local(3)), None);
}

#[test]
fn an_address_that_leads_back_here_is_never_dialled_again() {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, Outcome::Own, at(0));
    assert_eq!(book.known(local(1)).unwrap().state, State::Own);
    assert_eq!(book.poll_timeout(), None);
    let again = book.handle_candidate(local(1), "seeds", TWO, at(9999));
    assert_eq!(again, Noted::Ignored(Ignored::Own));
    assert_eq!(dials(&mut book), []);
}

#[test]
fn a_further_subject_is_offered_over_the_open_link() {
    let mut book = opened(local(1));
    assert_eq!(book.known(local(1)).unwrap().state, State::Connected(peer(1)));
    assert_eq!(book.handle_candidate(local(1), "lan", ONE, at(1)), Noted::Again);
    assert_eq!(drain(&mut book), (vec![], vec![]));
    assert_eq!(book.handle_candidate(local(1), "lan", TWO, at(2)), Noted::Further);
    assert_eq!(drain(&mut book), (vec![], vec![(peer(1), TWO)]));
    assert_eq!(book.handle_candidate(local(1), "lan", TWO, at(3)), Noted::Again);
    assert_eq!(drain(&mut book), (vec![], vec![]));
}

#[test]
fn what_the_peer_declined_is_offered_again_when_it_is_found_again() {
    let address = local(1);
    let mut book = opened(address);
    book.handle_candidate(address, "lan", TWO, at(1));
    assert_eq!(drain(&mut book).1, [(peer(1), TWO)]);
    book.handle_candidate(address, "lan", TWO, at(2));
    assert_eq!(drain(&mut book).1, [], "the answer is still under way");
    book.handle_declined(peer(1), TWO);
    assert_eq!(drain(&mut book).1, []);
    book.handle_candidate(address, "lan", TWO, at(3));
    assert_eq!(drain(&mut book).1, [(peer(1), TWO)]);
}

#[test]
fn a_subject_found_while_the_dial_was_on_its_way_is_offered_when_it_opened() {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    let asked = dial(&mut book);
    assert_eq!(book.handle_candidate(local(1), "lan", TWO, at(0)), Noted::Further);
    assert_eq!(drain(&mut book), (vec![], vec![]));
    book.handle_dial_ended(asked.dial, Outcome::Opened(peer(1)), at(1));
    assert_eq!(drain(&mut book), (vec![], vec![(peer(1), TWO)]));
}

#[test]
fn subjects_found_by_a_second_address_of_a_connected_peer_are_offered_once() {
    let mut book = opened(local(1));
    for subject in [ONE, TWO] {
        book.handle_candidate(local(2), "lan", subject, at(0));
    }
    let asked = dial(&mut book);
    book.handle_dial_ended(asked.dial, Outcome::Duplicate(peer(1)), at(0));
    assert_eq!(book.known(local(2)).unwrap().state, State::Connected(peer(1)));
    assert_eq!(drain(&mut book), (vec![], vec![(peer(1), TWO)]));
    let (_, asked) = next_dial(&mut book, at(0));
    book.handle_dial_ended(asked.dial, Outcome::Duplicate(peer(1)), at(200));
    assert_eq!(drain(&mut book), (vec![], vec![]));
}

#[test]
fn stopping_a_subject_forgets_what_was_found_only_for_it_unless_it_worked() {
    let mut book = opened(local(1));
    book.handle_candidate(local(2), "lan", ONE, at(0));
    book.handle_candidate(local(2), "lan", TWO, at(0));
    book.handle_candidate(local(3), "lan", ONE, at(0));
    book.handle_subject_stopped(ONE);
    book.handle_link_closed(peer(1), false, at(1));
    assert_eq!(book.known(local(1)).unwrap().state, State::Idle);
    assert_eq!(book.known(local(2)).unwrap().found, [(TWO, vec!["lan"])]);
    assert!(book.known(local(3)).is_none());
    let asked = dial(&mut book);
    assert_eq!((asked.address, asked.subjects), (local(2), vec![TWO]));
    book.handle_dial_ended(asked.dial, Outcome::Opened(peer(2)), at(1));
    assert_eq!(book.poll_timeout(), None);
    // Found again, what worked is dialled at once, without waiting for chance.
    assert_eq!(book.handle_candidate(local(1), "lan", TWO, at(99)), Noted::Further);
    assert_eq!(dial(&mut book).address, local(1));
}

#[test]
fn an_address_whose_subject_stopped_during_its_dial_is_forgotten_when_it_fails() {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    let asked = dial(&mut book);
    book.handle_subject_stopped(ONE);
    assert_eq!(book.known(local(1)).unwrap().state, State::Dialling);
    book.handle_dial_ended(asked.dial, failed(Failure::Unreachable), at(1));
    assert!(book.known(local(1)).is_none());
    assert_eq!(book.poll_timeout(), None);
}

#[test]
fn an_offer_of_a_stopped_subject_is_taken_back() {
    let mut book = opened(local(1));
    book.handle_candidate(local(1), "lan", TWO, at(0));
    book.handle_subject_stopped(TWO);
    assert_eq!(drain(&mut book), (vec![], vec![]));
}

#[test]
fn three_untried_addresses_of_a_public_ip_address_wait_and_many_of_a_private_one() {
    let mut book = Book::new(Config { dials: 0, ..Config::default() }, 7);
    let mut noted = |text: String| book.handle_candidate(text.parse().unwrap(), "lan", ONE, at(0));
    let crowded = Noted::Ignored(Ignored::Crowded);
    for port in 1..=3 {
        assert_eq!(noted(format!("198.51.100.1:{port}")), Noted::New);
        // All of an IPv6 /64 mostly belongs to one holder.
        assert_eq!(noted(format!("[2001:db8:0:1::{port}]:9")), Noted::New);
    }
    assert_eq!(noted("198.51.100.1:4".into()), crowded);
    assert_eq!(noted("[2001:db8:0:1:ffff::4]:9".into()), crowded);
    assert_eq!(noted("198.51.100.1:1".into()), Noted::Again);
    // The same socket under another scheme is another address, and none of them is for free.
    assert_eq!(noted("tcp://198.51.100.1:1".into()), crowded);
    assert_eq!(noted("quic://198.51.100.1:1".into()), crowded);
    assert_eq!(noted("198.51.100.2:4".into()), Noted::New);
    assert_eq!(noted("[2001:db8:0:2::4]:9".into()), Noted::New);
    for ip in
        ["127.0.0.1", "10.0.0.1", "169.254.0.1", "100.64.0.1", "[::1]", "[fe80::1]", "[fd00::1]"]
    {
        for port in 1..=5 {
            assert_eq!(noted(format!("{ip}:{port}")), Noted::New);
        }
    }
}

#[test]
fn an_address_that_failed_makes_place_for_another_of_its_ip_address() {
    let mut book = book();
    for port in 1..=3 {
        book.handle_candidate(address(&format!("198.51.100.1:{port}")), "lan", ONE, at(0));
    }
    let asked = dials(&mut book);
    let fourth = address("198.51.100.1:4");
    let noted = book.handle_candidate(fourth, "lan", ONE, at(0));
    assert_eq!(noted, Noted::Ignored(Ignored::Crowded));
    book.handle_dial_ended(asked[0].dial, failed(Failure::Unreachable), at(0));
    assert_eq!(book.handle_candidate(fourth, "lan", ONE, at(0)), Noted::New);
    assert_eq!(dial(&mut book).address, fourth);
}

#[test]
fn a_full_book_forgets_what_never_worked_and_has_failed_longest() {
    let mut book = Book::new(Config { entries: 4, ..Config::default() }, 7);
    let outcomes = [
        Outcome::Opened(peer(1)),
        failed(Failure::NotOurs),
        Outcome::Opened(peer(3)),
        failed(Failure::NotOurs),
    ];
    for (number, outcome) in (1..).zip(outcomes) {
        book.handle_candidate(local(number), "lan", ONE, at(u64::from(number)));
        let asked = dials(&mut book).pop().unwrap();
        book.handle_dial_ended(asked.dial, outcome, at(u64::from(number)));
    }
    book.handle_link_closed(peer(3), true, at(5));
    let mut forgotten_for = |number: u16| {
        let noted = book.handle_candidate(local(number), "lan", ONE, at(5));
        assert_eq!(noted, Noted::New);
        let kept: Vec<_> = (1..number).filter(|&n| book.known(local(n)).is_some()).collect();
        let asked = dials(&mut book).pop().unwrap();
        (kept, asked.dial)
    };
    // 2 failed longest; then 4; then 3, which worked but is idle. What is dialled or open stays.
    assert_eq!(forgotten_for(5).0, [1, 3, 4]);
    assert_eq!(forgotten_for(6).0, [1, 3, 5]);
    assert_eq!(forgotten_for(7).0, [1, 5, 6]);
    let noted = book.handle_candidate(local(8), "lan", ONE, at(5));
    assert_eq!(noted, Noted::Ignored(Ignored::Full));
    // A dial that the program asks for goes ahead, though there is no room to remember it.
    let wish = book.handle_manual(local(9), [ONE], at(5)).unwrap();
    assert_eq!(dial(&mut book).dial, wish);
    book.handle_dial_ended(wish, Outcome::Opened(peer(9)), at(5));
    assert!(book.known(local(9)).is_none());
}

#[test]
fn what_worked_once_is_kept_though_it_has_failed_longest() {
    let mut book = Book::new(Config { entries: 2, ..Config::default() }, 7);
    for (number, outcome) in [(1, Outcome::Opened(peer(1))), (2, failed(Failure::NotOurs))] {
        book.handle_candidate(local(number), "lan", ONE, at(0));
        let asked = dial(&mut book);
        let now = at(u64::from(number));
        book.handle_dial_ended(asked.dial, outcome, now);
        // The first loses its link, and cannot be reached again.
        book.handle_link_closed(peer(1), false, now);
        let wish = book.handle_manual(local(1), [ONE], now).unwrap();
        assert_eq!(dial(&mut book).dial, wish);
        book.handle_dial_ended(wish, failed(Failure::NotOurs), now);
    }
    assert_eq!(book.handle_candidate(local(3), "lan", ONE, at(99)), Noted::New);
    assert!(book.known(local(1)).unwrap().worked);
    assert!(book.known(local(2)).is_none());
}

#[test]
fn a_dial_that_is_not_remembered_is_not_made_twice() {
    let mut book = Book::new(Config { entries: 1, ..Config::default() }, 7);
    book.handle_candidate(local(1), "lan", ONE, at(0));
    let busy = dial(&mut book);
    let wish = book.handle_manual(local(2), [ONE], at(0)).unwrap();
    assert_eq!(dial(&mut book).dial, wish);
    book.handle_dial_ended(busy.dial, failed(Failure::NotOurs), at(0));
    assert_eq!(book.handle_candidate(local(2), "lan", ONE, at(0)), Noted::New);
    assert_eq!(book.known(local(2)).unwrap().state, State::Dialling);
    assert_eq!(dials(&mut book), []);
}

#[test]
fn a_subject_that_is_looked_for_again_is_offered_again() {
    let mut book = opened(local(1));
    book.handle_candidate(local(1), "lan", TWO, at(0));
    book.handle_subject_stopped(TWO);
    book.handle_candidate(local(1), "lan", TWO, at(0));
    assert_eq!(drain(&mut book), (vec![], vec![(peer(1), TWO)]));
}

#[test]
fn subjects_that_come_and_go_leave_nothing_behind() {
    let mut book = book();
    for number in 0..1000 {
        book.handle_candidate(local(1), "lan", SubjectKey(number), at(0));
        drain(&mut book);
        book.handle_subject_stopped(SubjectKey(number));
    }
    assert_eq!(book.lanes.len(), 0);
}

#[test]
fn the_log_of_an_address_keeps_the_last_eight_dials_with_their_reasons() {
    let mut book = book();
    book.handle_candidate(local(1), "lan", ONE, at(0));
    for number in 0..10 {
        let now = book.poll_timeout().unwrap_or(at(0));
        book.handle_timeout(now);
        let asked = dial(&mut book);
        let reason = format!("try {number} {}", "é".repeat(200));
        let outcome = Outcome::Failed { kind: Failure::Unreachable, reason };
        book.handle_dial_ended(asked.dial, outcome, now + secs(1));
        assert_eq!(dials(&mut book), []);
    }
    let known = book.known(local(1)).unwrap();
    assert_eq!((known.tries, known.worked, known.attempts.len()), (10, false, 8));
    let last = known.last().unwrap();
    assert!(last.outcome.to_string().starts_with("try 9 é"));
    assert_eq!(last.outcome.to_string().len(), 128);
    assert_eq!(last.ended - last.began, secs(1));
    assert!(matches!(known.state, State::BackingOff { until } if until > last.ended));
}
