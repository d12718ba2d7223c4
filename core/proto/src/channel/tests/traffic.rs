//! What is counted.

use super::*;

#[test]
fn a_channel_counts_messages_and_their_bytes_in_both_directions() {
    let mut pair = Pair::open();
    let long = vec![7; 3 * MAX_PAYLOAD];
    for message in [&b"one"[..], b"", &long] {
        pair.send(message);
    }
    pair.pump();
    let expected = 3 + 3 * MAX_PAYLOAD as u64;
    let sent = pair.dialler.channel_status(CHANNEL).unwrap();
    assert_eq!((sent.traffic.messages_sent, sent.traffic.bytes_sent), (3, expected));
    assert_eq!((sent.traffic.messages_received, sent.queued), (0, 0));
    let received = pair.acceptor.channel_status(CHANNEL).unwrap();
    assert_eq!(received.traffic.messages_received, 3);
    assert_eq!(received.traffic.bytes_received, expected);
    assert!(received.unread >= expected, "{received:?}");
    pair.receive();
    assert_eq!(pair.acceptor.channel_status(CHANNEL).unwrap().unread, 0);
}

#[test]
fn short_messages_that_arrive_together_and_in_parts_count_alike() {
    for part in [1, 7, usize::MAX] {
        let mut pair = Pair::open();
        pair.part = part;
        (0..100).for_each(|_| pair.send(b"ten bytes!"));
        pair.pump();
        let traffic = pair.acceptor.channel_status(CHANNEL).unwrap().traffic;
        assert_eq!((traffic.messages_received, traffic.bytes_received), (100, 1000));
    }
}

#[test]
fn what_one_side_of_a_connection_sends_the_other_one_receives() {
    let mut pair = Pair::open();
    pair.send(b"there");
    pair.acceptor.send(CHANNEL, Kind::Bytes, b"and back").unwrap();
    pair.pump();
    let [here, there] = [&pair.dialler, &pair.acceptor].map(|it| it.status().traffic);
    assert!(here.bytes_sent > 20, "the greeting counts too: {here:?}");
    assert_eq!((here.bytes_sent, here.bytes_received), (there.bytes_received, there.bytes_sent));
    assert_eq!((here.messages_sent, here.messages_received), (1, 1));
}

#[test]
fn channels_that_are_forgotten_still_count_for_the_connection() {
    let mut pair = Pair::open();
    pair.send(b"once");
    pair.pump();
    pair.receive();
    for session in [&mut pair.dialler, &mut pair.acceptor] {
        session.abandon(CHANNEL, pair.now);
    }
    pair.pump();
    assert_eq!(pair.dialler.channel_status(CHANNEL), None);
    assert_eq!(pair.dialler.traffic().messages_sent, 1);
    assert_eq!(pair.acceptor.traffic().messages_received, 1);
}

#[test]
fn a_message_that_waits_for_credit_is_sent_and_queued() {
    let mut pair = Pair::open();
    let before = pair.dialler.status();
    assert_eq!((before.queued, before.window, before.open), (0, Some(1 << 20), true));
    while pair.dialler.send(CHANNEL, Kind::Bytes, &[0; 60_000]).is_ok() {
        while pair.dialler.poll_transmit(pair.now).is_some() {}
    }
    let status = pair.dialler.channel_status(CHANNEL).unwrap();
    assert!(status.queued > 0 && status.credit < 1 << 20, "{status:?}");
    assert_eq!(pair.dialler.status().queued, status.queued);
}
