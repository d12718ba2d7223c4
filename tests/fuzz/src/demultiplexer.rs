//! Packets of the UDP port.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::OnceLock,
};

use p2pchan_proto::{
    address::is_virtual,
    datagram::{
        Class, OWN, classify, connection_id,
        paths::PathTable,
        probe::{self, ANSWER_LEN, PROBE_LEN, ProbeRequest, answer_nonce, verify_answer},
    },
    subject::{Subject, SubjectName},
};

use crate::input::Input;

/// The first byte says what the others are.
pub fn demultiplexer(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 4 {
        0 => packet(input.rest()),
        1 => faulty_probe(&mut input),
        2 => short_header(&mut input),
        _ => paths(&mut input),
    }
}

fn subjects() -> &'static [Subject; 8] {
    static SUBJECTS: OnceLock<[Subject; 8]> = OnceLock::new();
    let derive = |number| Subject::derive(SubjectName::Topic([number; 32]), None).unwrap();
    // None of them is in the test vectors, whose probes are among the inputs.
    SUBJECTS.get_or_init(|| [101, 102, 103, 104, 105, 106, 107, 108].map(derive))
}

fn observed() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 8099))
}

/// A packet as it comes: nobody can make up a MAC, so nothing is answered or believed.
fn packet(packet: &[u8]) {
    let class = classify(packet);
    let first = packet.first().copied().unwrap_or(0);
    match class {
        Class::Own => assert_eq!(first, OWN),
        Class::Krpc => assert!(first == b'd' && packet.ends_with(b"e")),
        Class::Quic => assert_ne!(first & 0x40, 0),
        Class::Other => assert_eq!(first & 0x40, 0),
    }
    if let Some(request) = ProbeRequest::parse(packet) {
        assert_eq!((class, packet.len()), (Class::Own, PROBE_LEN));
        assert_eq!(request.answer(subjects(), observed()), None);
    }
    if let Some(nonce) = answer_nonce(packet) {
        assert_eq!((class, packet.len()), (Class::Own, ANSWER_LEN));
        assert_eq!(verify_answer(packet, &nonce, subjects()), None);
    }
}

/// A probe of a member to another, one byte of it or of its answer changed on the way.
fn faulty_probe(input: &mut Input<'_>) {
    let (asked, has) = (input.byte(), input.byte());
    let chosen = |set: u8| {
        subjects().iter().enumerate().filter(move |(at, _)| set >> at & 1 == 1).map(|(_, it)| it)
    };
    let nonce = input.array();
    let mut packet = probe::probe(chosen(asked), &nonce, [0xa5; probe::PADDING_LEN]);
    // The fault in the probe.
    let (at, mask) = (input.below(PROBE_LEN), input.byte());
    packet[at] ^= mask;
    assert_eq!(classify(&packet) == Class::Own, at != 0 || mask == 0);
    let answer = ProbeRequest::parse(&packet).and_then(|it| it.answer(chosen(has), observed()));
    let six = (0..8).filter(|bit| asked >> bit & 1 == 1).take(probe::MAX_SUBJECTS);
    let common = six.filter(|bit| has >> bit & 1 == 1).count();
    // A fault hits the head, the nonce and so every MAC, or one MAC.
    let spoilt = mask != 0 && at < 16;
    let hit = usize::from(mask != 0 && at >= 16);
    match answer {
        Some(_) => assert!(common > 0 && !spoilt),
        None => assert!(spoilt || common <= hit),
    }
    let Some(mut answer) = answer else { return };
    assert_eq!(verify_answer(&answer, &nonce, chosen(asked)), Some(observed()));
    let (at, mask) = (input.below(ANSWER_LEN), input.byte());
    answer[at] ^= mask;
    let believed = verify_answer(&answer, &nonce, chosen(asked)).is_some();
    assert_eq!(believed, mask == 0, "byte {at} changed by {mask:02x}");
}

/// A packet of an open connection, whatever stands in it.
fn short_header(input: &mut Input<'_>) {
    let first = 0x40 | input.byte() & 0x3f;
    let packet = [&[first][..], &connection_id(input.array()), input.rest()].concat();
    assert_eq!(classify(&packet), Class::Quic);
}

/// The path table beside a count of its uses.
fn paths(input: &mut Input<'_>) {
    const MOST: usize = 5;
    let mut table = PathTable::new(MOST);
    let mut uses: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    while !input.is_empty() {
        let (verb, one, other) = (input.byte(), address(input), address(input));
        let name = if verb & 8 == 0 { one } else { table.to_virtual(one) };
        match verb % 4 {
            0 | 1 => {
                let given = if verb % 4 == 0 { table.open(name) } else { table.hold(name) };
                if let Some(given) = given {
                    *uses.entry(given).or_default() += 1;
                }
            }
            2 => {
                let before = table.to_real(name);
                if !table.reroute(name, other) {
                    assert_eq!(table.to_real(name), before);
                }
            }
            _ => {
                table.close(name);
                if let Some(count) = uses.get_mut(&name) {
                    *count -= 1;
                }
                uses.retain(|_, count| *count > 0);
            }
        }
        check(&table, &uses);
        assert!(table.len() <= MOST);
    }
}

fn check(table: &PathTable, uses: &BTreeMap<SocketAddr, usize>) {
    assert_eq!(table.len(), uses.len());
    let mut reals = BTreeSet::new();
    for name in uses.keys() {
        let real = table.to_real(*name).unwrap();
        assert!(!is_virtual(real.ip()) && real.is_ipv4() == name.is_ipv4());
        assert_eq!(table.to_virtual(real), *name);
        assert!(reals.insert(real), "two paths to {real}");
    }
}

/// One of a few addresses of each kind.
fn address(input: &mut Input<'_>) -> SocketAddr {
    let byte = input.byte();
    let number = byte & 7;
    match byte >> 6 {
        0 | 1 => SocketAddr::from(([192, 0, 2, number], 7)),
        2 => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)], 7)),
        _ => SocketAddr::from(([240, 0, 0, number], 1)),
    }
}
