use std::net::SocketAddr;

use proptest::{collection::vec, prelude::*};

use crate::{
    datagram::{
        Class, classify,
        probe::{
            ANSWER_LEN, MAX_SUBJECTS, Nonce, PADDING_LEN, PROBE_LEN, ProbeRequest, answer_nonce,
            probe, verify_answer,
        },
    },
    subject::{Subject, SubjectName},
};

const NONCE: Nonce = [0x5a; 14];
const PADDING: [u8; PADDING_LEN] = [0xa5; PADDING_LEN];

fn subject(number: u8) -> Subject {
    Subject::derive(SubjectName::Topic([number; 32]), None).unwrap()
}

fn from() -> SocketAddr {
    "192.0.2.7:8099".parse().unwrap()
}

/// A probe for some subjects, asked of others.
fn ask(asked: &[Subject], has: &[Subject]) -> Option<[u8; ANSWER_LEN]> {
    let packet = probe(asked, &NONCE, PADDING);
    ProbeRequest::parse(&packet).unwrap().answer(has, from())
}

#[test]
fn a_member_answers_with_the_address_it_sees_and_the_answer_is_believed() {
    for from in ["192.0.2.7:8099", "[2001:db8::1]:65535", "[::ffff:192.0.2.7]:1"] {
        let from = from.parse().unwrap();
        let packet = probe([&subject(1), &subject(2)], &NONCE, PADDING);
        assert_eq!(classify(&packet), Class::Own);
        let request = ProbeRequest::parse(&packet).unwrap();
        let answer = request.answer([&subject(3), &subject(2)], from).unwrap();
        assert_eq!(classify(&answer), Class::Own);
        assert_eq!(answer_nonce(&answer), Some(NONCE));
        let seen = verify_answer(&answer, &NONCE, [&subject(1), &subject(2)]);
        assert_eq!(seen, Some(from));
    }
}

#[test]
fn who_has_none_of_the_subjects_says_nothing() {
    assert_eq!(ask(&[subject(1), subject(2)], &[subject(3), subject(4)]), None);
    assert_eq!(ask(&[subject(1)], &[]), None);
    assert_eq!(ask(&[], &[subject(1)]), None);
    // Who knows the phrase but not the secret is nobody.
    let secret = Subject::derive(SubjectName::Topic([1; 32]), Some("open sesame")).unwrap();
    assert_eq!(ask(&[subject(1)], &[secret]), None);
}

#[test]
fn one_probe_asks_for_six_subjects_and_no_more() {
    let subjects: Vec<_> = (0..10).map(subject).collect();
    for (number, one) in subjects.iter().enumerate() {
        let answered = ask(&subjects, std::slice::from_ref(one)).is_some();
        assert_eq!(answered, number < MAX_SUBJECTS, "{number}");
    }
}

#[test]
fn how_many_subjects_are_asked_for_does_not_show() {
    let subjects: Vec<_> = (0..6).map(subject).collect();
    for count in 0..=6 {
        let packet = probe(&subjects[..count], &NONCE, PADDING);
        assert_eq!(packet.len(), PROBE_LEN);
        // What follows the MACs is the padding as it was given.
        let unused = packet[16..].iter().rev().take_while(|byte| **byte == 0xa5).count();
        assert_eq!(unused / 8, 6 - count);
    }
}

#[test]
fn an_answer_is_shorter_than_its_probe() {
    const { assert!(ANSWER_LEN < PROBE_LEN) };
    assert_eq!(ask(&[subject(1)], &[subject(1)]).unwrap().len(), 43);
}

#[test]
fn an_answer_belongs_to_its_probe_and_its_subject() {
    let answer = ask(&[subject(1)], &[subject(1)]).unwrap();
    assert_eq!(verify_answer(&answer, &NONCE, [&subject(1)]), Some(from()));
    assert_eq!(verify_answer(&answer, &[0; 14], [&subject(1)]), None);
    assert_eq!(verify_answer(&answer, &NONCE, [&subject(2)]), None);
    assert_eq!(verify_answer(&answer, &NONCE, []), None);
}

#[test]
fn every_changed_bit_of_an_answer_is_noticed() {
    let answer = ask(&[subject(1)], &[subject(1)]).unwrap();
    for bit in 0..ANSWER_LEN * 8 {
        let mut changed = answer;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verify_answer(&changed, &NONCE, [&subject(1)]), None, "bit {bit}");
    }
}

#[test]
fn a_probe_does_not_answer_itself_and_other_lengths_are_nothing() {
    let packet = probe([&subject(1)], &NONCE, PADDING);
    assert_eq!(answer_nonce(&packet), None);
    let answer = ask(&[subject(1)], &[subject(1)]).unwrap();
    assert_eq!(ProbeRequest::parse(&answer), None);
    for len in 0..PROBE_LEN {
        assert_eq!(ProbeRequest::parse(&packet[..len]), None);
    }
    for len in 0..ANSWER_LEN {
        assert_eq!(answer_nonce(&answer[..len]), None);
    }
    assert_eq!(ProbeRequest::parse(&[&packet[..], b"x"].concat()), None);
    assert_eq!(answer_nonce(&[&answer[..], b"x"].concat()), None);
}

proptest! {
    #[test]
    fn any_packet_can_be_read_and_none_that_is_made_up_is_answered(
        packet in vec(any::<u8>(), 0..100),
        macs: [[u8; 16]; 3],
    ) {
        let subject = subject(1);
        let made_up = [&[0x97, 1][..], &NONCE, macs.as_flattened()].concat();
        for packet in [packet, made_up] {
            let request = ProbeRequest::parse(&packet);
            prop_assert_eq!(request.and_then(|it| it.answer([&subject], from())), None);
            prop_assert_eq!(verify_answer(&packet, &NONCE, [&subject]), None);
        }
    }

    #[test]
    fn every_observed_address_survives(ip: std::net::IpAddr, port: u16) {
        let from = SocketAddr::new(ip, port);
        let request = ProbeRequest::parse(&probe([&subject(1)], &NONCE, PADDING)).unwrap();
        let answer = request.answer([&subject(1)], from).unwrap();
        prop_assert_eq!(verify_answer(&answer, &NONCE, [&subject(1)]), Some(from));
    }
}
