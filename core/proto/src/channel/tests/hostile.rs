//! What no peer of ours would send.

use super::*;

#[test]
fn a_frame_that_announces_four_gibibytes_is_refused_and_nothing_is_allocated() {
    let mut pair = Pair::open();
    let mut bytes = vec![];
    push_varint(&mut bytes, 4 << 30);
    bytes.push(FrameType::Data as u8);
    assert_eq!(pair.inject(&bytes), Some(CloseCode::Protocol));
}

#[test]
fn a_message_that_announces_more_than_the_limit_is_refused_with_its_first_piece() {
    let mut pair = Pair::open();
    let mut bytes = vec![];
    let flags = DataFlags { kind: Kind::Bytes, more: true };
    push_data_header(&mut bytes, 0, flags, Some((16 << 20) + 1), 10);
    assert_eq!(pair.inject(&bytes), Some(CloseCode::TooBig));
}

#[test]
fn more_data_than_the_window_allows_ends_the_connection() {
    let mut pair = Pair::open();
    let mut bytes = vec![];
    let flags = DataFlags { kind: Kind::Bytes, more: false };
    push_data_header(&mut bytes, 0, flags, None, 60_000);
    bytes.resize(bytes.len() + 60_000, 0);
    let codes: Vec<_> = (0..20).map(|_| pair.inject(&bytes)).collect();
    assert_eq!(codes.last(), Some(&Some(CloseCode::Protocol)));
}

#[test]
fn text_that_is_not_utf8_ends_the_connection() {
    let mut pair = Pair::open();
    let mut bytes = vec![];
    let flags = DataFlags { kind: Kind::Text, more: false };
    push_data_header(&mut bytes, 0, flags, None, 2);
    bytes.extend([0xff, 0xfe]);
    assert_eq!(pair.inject(&bytes), Some(CloseCode::Protocol));
}

#[test]
fn nothing_but_hello_is_taken_before_the_handshake() {
    for frame_type in [FrameType::Data, FrameType::Ping, FrameType::Welcome, FrameType::Subjects] {
        let mut pair = Pair::new(&[1], &[1]);
        let mut bytes = vec![];
        push_frame(&mut bytes, frame_type, &[0; 16]);
        assert_eq!(pair.inject(&bytes), Some(CloseCode::Protocol), "{frame_type:?}");
    }
}

fn piece(more: bool, kind: Kind, total: Option<u64>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    push_data_header(&mut bytes, 0, DataFlags { kind, more }, total, payload.len());
    bytes.extend(payload);
    bytes
}

#[test]
fn messages_that_contradict_themselves_end_the_connection() {
    let shorter = [piece(true, Kind::Bytes, Some(9), b"12"), piece(false, Kind::Bytes, None, b"3")];
    let longer = [piece(true, Kind::Bytes, Some(2), b"12"), piece(false, Kind::Bytes, None, b"3")];
    let mixed = [piece(true, Kind::Bytes, Some(3), b"12"), piece(false, Kind::Text, None, b"3")];
    let endless = [piece(true, Kind::Bytes, Some(2), b"12"), piece(true, Kind::Bytes, None, b"3")];
    for pieces in [shorter, longer, endless, mixed] {
        assert_eq!(Pair::open().inject(&pieces.concat()), Some(CloseCode::Protocol));
    }
}

#[test]
fn nothing_may_follow_an_end_and_an_end_not_interrupt_a_message() {
    let mut end = vec![];
    push_frame(&mut end, FrameType::Fin, &[0]);
    let data = piece(false, Kind::Bytes, None, b"more");
    let begun = piece(true, Kind::Bytes, Some(9), b"12");
    for pieces in [[&end, &data], [&end, &end], [&begun, &end]] {
        assert_eq!(
            Pair::open().inject(&pieces.map(|it| &**it).concat()),
            Some(CloseCode::Protocol)
        );
    }
}

#[test]
fn a_frame_longer_than_a_hello_is_refused_before_the_handshake_from_its_length_alone() {
    let mut pair = Pair::new(&[1], &[1]);
    let mut bytes = vec![];
    push_varint(&mut bytes, 8193);
    bytes.push(FrameType::Hello as u8);
    assert_eq!(pair.inject(&bytes), Some(CloseCode::Protocol));
}

#[test]
fn too_many_pings_in_a_minute_end_the_connection() {
    let mut pair = Pair::open();
    let mut bytes = vec![];
    push_frame(&mut bytes, FrameType::Ping, &[0; 8]);
    let codes: Vec<_> = (0..601).map(|_| pair.inject(&bytes)).collect();
    assert_eq!((codes[599], codes[600]), (None, Some(CloseCode::Protocol)));
}

#[test]
fn no_ping_goes_out_before_the_handshake_is_over_or_after_the_end() {
    let mut pair = Pair::new(&[1], &[1]);
    pair.dialler.ping(pair.now);
    pair.acceptor.ping(pair.now);
    pair.pump();
    assert_eq!((pair.dialler.closed(), pair.acceptor.closed()), (None, None));
    pair.dialler.close(CloseCode::Normal, "");
    pair.dialler.ping(pair.now);
    let last = pair.dialler.poll_transmit(pair.now).unwrap();
    assert_eq!(last.bytes, [2, FrameType::Close as u8, 0]);
}

#[test]
fn a_peer_whose_window_fits_no_block_is_refused() {
    let mut pair = Pair::with(Config { window: MIN_WINDOW - 1, ..config() }, &[1], &[1]);
    pair.pump();
    assert_eq!(pair.acceptor.closed().and_then(Reason::code), Some(CloseCode::Protocol));
}

#[test]
fn a_second_channel_for_a_subject_that_has_one_is_refused() {
    let mut pair = Pair::open();
    pair.dialler.offer([(SubjectKey(0), &pair.subjects[0][0])], &[9; 32], pair.now);
    let offer = pair.dialler.poll_transmit(pair.now).unwrap();
    pair.acceptor.handle_bytes(&offer.bytes, pair.now);
    let Some(Event::Subjects(subjects)) = pair.acceptor.poll_event() else { panic!() };
    let binding = pair.acceptor.peer_binding(subjects.number);
    let all = common(&subjects.tags, keyed(&pair.subjects[1]), &binding);
    pair.acceptor.acknowledge(&subjects, &all);
    let answer = pair.acceptor.poll_transmit(pair.now).unwrap();
    pair.dialler.handle_bytes(&answer.bytes, pair.now);
    assert_eq!(pair.dialler.closed().and_then(Reason::code), Some(CloseCode::Protocol));
}

#[test]
fn the_length_of_a_welcome_does_not_tell_how_many_subjects_matched() {
    let lengths = [&[1][..], &[1, 2, 3]].map(|own| {
        let mut pair = Pair::new(&[1, 2, 3, 4], own);
        let hello = pair.dialler.poll_transmit(pair.now).unwrap();
        pair.acceptor.handle_bytes(&hello.bytes, pair.now);
        let Some(Event::Hello(hello)) = pair.acceptor.poll_event() else { panic!() };
        let binding = pair.acceptor.peer_binding(0);
        let common = common(&hello.tags, keyed(&pair.subjects[1]), &binding);
        pair.acceptor.welcome(&common, hello.tags.len(), None, pair.now);
        pair.acceptor.poll_transmit(pair.now).unwrap().bytes.len()
    });
    assert_eq!(lengths[0], lengths[1]);
}

#[test]
fn tags_of_hello_sent_back_as_an_offer_prove_nothing() {
    let mut pair = Pair::new(&[1, 2], &[1]);
    // The acceptor knows 1 only; it sends back the tags of HELLO under number 0.
    let hello = pair.dialler.poll_transmit(pair.now).unwrap();
    pair.acceptor.handle_bytes(&hello.bytes, pair.now);
    pair.react(true);
    let Some(Event::Hello(hello)) = pair.events[1].pop() else { panic!() };
    pair.pump();
    let mut bytes = vec![];
    push_frame(&mut bytes, FrameType::Subjects, &Subjects { number: 0, tags: hello.tags }.encode());
    pair.dialler.handle_bytes(&bytes, pair.now);
    pair.pump();
    assert_eq!(pair.dialler.closed().and_then(Reason::code), Some(CloseCode::Protocol));
}
#[test]
fn a_head_of_overlong_integers_never_panics_wherever_it_is_cut() {
    for cut in 1..30 {
        let mut pair = Pair::open();
        let mut bytes = vec![
            0xc0, 0, 0, 0, 0, 0, 0, 60, 7, 0xc0, 0, 0, 0, 0, 0, 0, 0, 4, 0xc0, 0, 0, 0, 0, 0, 0,
            100,
        ];
        bytes.extend([0; 60]);
        pair.acceptor.handle_bytes(&bytes[..cut], pair.now);
        pair.acceptor.handle_bytes(&bytes[cut..], pair.now);
    }
}
#[test]
fn unknown_flags_end_the_connection_however_long_the_frame_says_it_is() {
    for cut in 1..40 {
        let mut pair = Pair::open();
        let mut bytes = vec![0x50, 0x00, FrameType::Data as u8, 0, 0xff];
        bytes.extend([0; 60]);
        pair.inject(&bytes[..cut]);
        assert_eq!(pair.inject(&bytes[cut..]), Some(CloseCode::Protocol), "cut at {cut}");
    }
}

#[test]
fn what_arrives_after_a_reset_is_skipped_and_never_a_message() {
    for keep in [65_000, 65_550, 131_000, 200_000 - 3 * 65_536] {
        let mut pair = Pair::open();
        pair.send(&vec![0xffu8; 200_000]);
        let now = pair.now;
        let mut all = vec![];
        while let Some(t) = pair.dialler.poll_transmit(now) {
            all.extend_from_slice(&t.bytes);
            pair.dialler.recycle(t);
        }
        let at = if keep == 200_000 - 3 * 65_536 { all.len() - keep - 5 } else { keep };
        pair.acceptor.handle_bytes(&all[..at], now);
        pair.acceptor.reset(CHANNEL, CloseCode::Timeout); // the program still holds the remote
        pair.acceptor.handle_bytes(&all[at..], now);
        assert_eq!(pair.acceptor.closed(), None);
        assert!(pair.receive().is_empty());
    }
}

#[test]
fn a_channel_may_end_between_any_two_bytes_of_a_frame() {
    // The head of a first piece says more than that of a frame to skip: its total.
    let total = 600_000;
    let frame = piece(true, Kind::Bytes, Some(total), &[b'x'; 65_536]);
    let cuts = (0..20).chain([1000, frame.len() - 1, frame.len()]);
    for cut in cuts {
        let mut pair = Pair::open();
        pair.acceptor.handle_bytes(&frame[..cut], pair.now);
        pair.acceptor.reset(CHANNEL, CloseCode::Refused);
        pair.acceptor.handle_bytes(&frame[cut..], pair.now);
        pair.dialler.ping(pair.now);
        pair.pump();
        assert_eq!(pair.acceptor.closed(), None, "cut at {cut}");
        assert!(pair.events[0].contains(&Event::Pong), "cut at {cut}");
    }
}

#[test]
fn too_many_offers_in_a_minute_end_the_connection() {
    let mut pair = Pair::open();
    let offer = |number| {
        let mut bytes = vec![];
        let subjects = Subjects { number, tags: vec![] };
        push_frame(&mut bytes, FrameType::Subjects, &subjects.encode());
        bytes
    };
    let codes: Vec<_> = (1..=65).map(|number| pair.inject(&offer(number))).collect();
    assert_eq!((codes[63], codes[64]), (None, Some(CloseCode::Protocol)));
}

#[test]
fn frames_of_later_versions_are_skipped() {
    let mut pair = Pair::open();
    pair.part = 3;
    let mut bytes = vec![];
    push_varint(&mut bytes, 11);
    bytes.extend([0x40; 11]);
    assert_eq!(pair.inject(&bytes), None);
    pair.send(b"still here");
    pair.pump();
    assert_eq!(pair.receive(), [b"still here"]);
}
