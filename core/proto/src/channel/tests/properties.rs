//! Whatever the order of what happens.

use proptest::{collection::vec, prelude::*};

use super::*;

proptest! {
    #[test]
    fn random_bytes_never_panic_before_or_after_the_handshake(
        bytes in vec(any::<u8>(), 0..2000), open: bool, part in 1..64usize,
    ) {
        let mut pair = if open { Pair::open() } else { Pair::new(&[1], &[1]) };
        for part in bytes.chunks(part) {
            pair.acceptor.handle_bytes(part, pair.now);
        }
    }

    #[test]
    fn random_frames_never_panic(
        frames in vec((1..16u8, vec(any::<u8>(), 0..40)), 0..60),
    ) {
        let mut pair = Pair::open();
        for (number, body) in frames {
            let mut bytes = vec![];
            push_varint(&mut bytes, body.len() as u64 + 1);
            bytes.push(number);
            bytes.extend(body);
            pair.acceptor.handle_bytes(&bytes, pair.now);
            while pair.acceptor.poll_transmit(pair.now).is_some() {}
        }
    }

    #[test]
    fn random_conversations_lose_nothing(
        script in vec((any::<bool>(), 0..150_000usize, any::<bool>()), 1..40),
        part in prop_oneof![1..200usize, Just(usize::MAX)],
    ) {
        let mut pair = Pair::open();
        pair.part = part.max(50);
        let (mut sent, mut received) = (vec![], vec![]);
        for (fill, (send, size, read)) in (0..).zip(script) {
            let message = vec![fill; size];
            if send && pair.dialler.send(CHANNEL, Kind::Bytes, &message).is_ok() {
                sent.push(message);
            }
            pair.pump();
            if read {
                received.extend(pair.receive());
            }
        }
        pair.dialler.finish(CHANNEL, pair.now);
        for _ in 0..100 {
            pair.pump();
            received.extend(pair.receive());
        }
        prop_assert!(received == sent);
        prop_assert_eq!(pair.ended(), [Some(Reason::Clean), Some(Reason::Clean)]);
    }
}
