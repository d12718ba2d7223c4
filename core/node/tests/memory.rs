//! What a peer that does not read costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::{Pair, alone, memory, pair, until, within};

fn numbered(number: u32, length: usize) -> Vec<u8> {
    let mut message = number.to_be_bytes().to_vec();
    message.resize(length, 0x5a);
    message
}

#[test]
fn a_sender_whose_peer_does_not_read_waits_in_bounded_memory_and_loses_nothing() {
    alone(async {
        const LENGTH: usize = 10_000;
        // 400 MB in all: what does not wait in the sender would show.
        const COUNT: u32 = 40_000;
        let Pair { mut to_far, to_near, nodes: [near, far] } = pair().await;
        let before = memory();
        let (sender, sent) = (to_near.sender(), Arc::new(AtomicUsize::new(0)));
        let counter = sent.clone();
        let sending = tokio::spawn(async move {
            for number in 0..COUNT {
                sender.send(numbered(number, LENGTH)).await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        // It stops: the window, both buffers of the kernel and the send buffer are full.
        let mut last = 0;
        let mut steady = 0;
        until("the sender waits", || {
            let now = sent.load(Ordering::SeqCst);
            steady = if now == last && now > 0 { steady + 1 } else { 0 };
            last = now;
            steady == 50
        })
        .await;
        assert!(!sending.is_finished());
        // 1 MiB of window, 1 MiB of send buffer, what the kernel holds, and some.
        let most = 32 << 20;
        assert!(last * LENGTH < most, "{last} messages went");
        assert!(memory() < before + most, "{before} bytes grew to {}", memory());
        for number in 0..COUNT {
            let message = within(to_far.recv()).await.unwrap().unwrap();
            assert_eq!(message.payload()[..], numbered(number, LENGTH)[..]);
        }
        within(sending).await.unwrap();
        within(async { tokio::join!(near.close(), far.close()) }).await;
    });
}
