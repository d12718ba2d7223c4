//! Channels of one connection take turns, however much one of them has to send.

use super::*;

/// What the dialler hands over next: the lengths of messages on the channels that the acceptor then has.
fn step(pair: &mut Pair) -> Vec<(ChannelId, usize)> {
    let Some(transmit) = pair.dialler.poll_transmit(pair.now) else { return vec![] };
    pair.acceptor.handle_bytes(&transmit.bytes, pair.now);
    let ids = [ChannelId(0), ChannelId(2)];
    let mut arrived = vec![];
    for id in ids {
        if let Taken::Messages(batch) = pair.acceptor.take(id).0 {
            arrived.extend(batch.map(|message| (id, message.payload.len())));
        }
    }
    arrived
}

fn two_channels() -> Pair {
    let mut pair = Pair::with(config(), &[1, 2], &[1, 2]);
    pair.pump();
    assert_eq!(pair.dialler.live_channels(), 2);
    pair
}

#[test]
fn a_small_message_waits_for_at_most_one_block_of_each_other_channel() {
    for length in [64, 60_000, 900_000] {
        for (greedy, small) in [(ChannelId(0), ChannelId(2)), (ChannelId(2), ChannelId(0))] {
            let mut pair = two_channels();
            while pair.dialler.send(greedy, Kind::Bytes, &vec![0; length]).is_ok() {}
            // However far the other one has come.
            for before in 0..3 {
                pair.dialler.send(small, Kind::Bytes, b"small").unwrap();
                let arrived = [step(&mut pair), step(&mut pair)].concat();
                assert!(arrived.contains(&(small, 5)), "{length} bytes, {before} before");
            }
        }
    }
}

#[test]
fn two_channels_that_always_have_something_to_send_get_as_many_blocks_each() {
    let mut pair = two_channels();
    let mut arrived = [0_usize; 2];
    for _ in 0..40 {
        // One sends long messages, the other one short ones.
        while pair.dialler.send(ChannelId(0), Kind::Bytes, &[0; 60_000]).is_ok() {}
        while pair.dialler.send(ChannelId(2), Kind::Bytes, &[0; 600]).is_ok() {}
        for (id, length) in step(&mut pair) {
            arrived[usize::from(id == ChannelId(2))] += length;
        }
        while let Some(credit) = pair.acceptor.poll_transmit(pair.now) {
            pair.dialler.handle_bytes(&credit.bytes, pair.now);
        }
    }
    let [long, short] = arrived;
    assert!(short.abs_diff(long) <= long / 5, "{arrived:?}");
}
