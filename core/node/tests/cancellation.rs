//! Futures that are dropped before they are ready: nothing is lost, nothing comes twice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use common::{Pair, exchange, listening, node, pair, pair_of, start, within};
use p2pchan::Node;

/// Polls a future a few times, yielding between, and gives it up if it is still not ready.
async fn briefly<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(value);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn dropping_recv_at_any_moment_loses_no_message() {
    let Pair { mut to_far, to_near, nodes: _nodes } = pair().await;
    let sender = to_near.sender();
    let sending = tokio::spawn(async move {
        for number in 0..20_000u32 {
            // Some short, some in several frames.
            let length = if number % 1000 == 0 { 200_000 } else { 4 };
            let mut message = number.to_be_bytes().to_vec();
            message.resize(length, 0);
            sender.send(message).await.unwrap();
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let (mut expected, mut dropped) = (0u32, 0);
    let receiving = async {
        while expected < 20_000 {
            match briefly(expected % 3, to_far.recv()).await {
                Some(message) => {
                    let message = message.unwrap().unwrap();
                    assert_eq!(message.payload()[..4], expected.to_be_bytes());
                    expected += 1;
                }
                None => {
                    dropped += 1;
                    // One that is never polled again must not keep the next from being woken.
                    let message = to_far.recv().await.unwrap().unwrap();
                    assert_eq!(message.payload()[..4], expected.to_be_bytes());
                    expected += 1;
                }
            }
        }
    };
    within(receiving).await;
    assert!(dropped > 0);
    within(sending).await.unwrap();
}

#[tokio::test]
async fn a_send_that_is_dropped_before_it_is_ready_has_sent_nothing_and_one_that_is_ready_all() {
    let far = Node::builder().set("limits.high_water", "64KiB").set("limits.low_water", "16KiB");
    let Pair { mut to_far, to_near, nodes: _nodes } = pair_of(listening(), far).await;
    let sender = to_near.sender();
    let sending = tokio::spawn(async move {
        let (mut sent, mut dropped) = (Vec::new(), 0);
        for number in 0..2000u32 {
            let mut message = number.to_be_bytes().to_vec();
            message.resize(10_000, 0);
            match briefly(number % 4, sender.send(message)).await {
                Some(result) => {
                    result.unwrap();
                    sent.push(number);
                }
                None => dropped += 1,
            }
        }
        sender.send("that is all").await.unwrap();
        (sent, dropped)
    });
    let mut received = Vec::new();
    loop {
        let message = within(to_far.recv()).await.unwrap().unwrap();
        if message.as_text().is_some() {
            break;
        }
        received.push(u32::from_be_bytes(message.payload()[..4].try_into().unwrap()));
    }
    let (sent, dropped) = within(sending).await.unwrap();
    assert_eq!(received, sent);
    assert!(dropped > 500, "{dropped}");
}

#[tokio::test]
async fn a_dropped_send_does_not_keep_the_others_from_being_woken() {
    let Pair { mut to_far, to_near, nodes: _nodes } = pair().await;
    while to_near.try_send([0; 60_000]).is_ok() {}
    let mut waiting = Vec::new();
    for number in 0..20u8 {
        let sender = to_near.sender();
        waiting.push(tokio::spawn(async move { sender.send(vec![number; 60_000]).await.is_ok() }));
    }
    tokio::task::yield_now().await;
    for task in waiting.iter().step_by(2) {
        task.abort();
    }
    let receiving = tokio::spawn(async move {
        let mut ours = Vec::new();
        while let Some(message) = to_far.recv().await.unwrap() {
            ours.extend(message.payload().first().filter(|number| **number > 0).copied());
        }
        ours
    });
    let mut sent = Vec::new();
    for (number, task) in (0u8..).zip(waiting) {
        if within(task).await.unwrap_or(false) && number > 0 {
            sent.push(number);
        }
    }
    within(to_near.end()).await.unwrap();
    let mut received = within(receiving).await.unwrap();
    received.sort_unstable();
    assert_eq!(received, sent);
    assert!(sent.len() >= 10);
}

#[tokio::test]
async fn a_connect_that_is_dropped_leaves_no_remote_behind() {
    for polls in 0..30 {
        let (near, far) = (node().await, start(Node::builder()).await);
        let address = near.addresses()[0];
        drop(briefly(polls, far.connect(address)).await);
        // Whatever became of the first, the program gets another one: from its next dial, or on the
        // connection that the first one made.
        let to_near = loop {
            tokio::select! {
                remote = far.next_remote() => break remote.unwrap(),
                remote = far.connect(address) => match remote {
                    Ok(remote) => break remote,
                    Err(error) => assert!(error.message().contains("connected already"), "{error}"),
                }
            }
        };
        to_near.send("here").await.unwrap();
        loop {
            let mut to_far = within(near.next_remote()).await.unwrap();
            // Others are those that nobody waited for any more.
            if let Ok(Some(message)) = within(to_far.recv()).await {
                assert_eq!(message.as_text(), Some("here"));
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_next_remote_that_is_dropped_loses_no_remote() {
    let near = node().await;
    for polls in 0..20 {
        let far = start(Node::builder()).await;
        let connecting = within(far.connect(near.addresses()[0]));
        let (first, to_near) = tokio::join!(briefly(polls, near.next_remote()), connecting);
        let mut to_far = match first {
            Some(remote) => remote.unwrap(),
            None => within(near.next_remote()).await.unwrap(),
        };
        exchange(&mut to_far, &mut to_near.unwrap()).await;
    }
}

#[tokio::test]
async fn an_end_that_is_no_longer_waited_for_ends_all_the_same() {
    let Pair { mut to_far, to_near, nodes: _nodes } = pair().await;
    to_near.send("last").await.unwrap();
    assert!(briefly(1, to_near.end()).await.is_none());
    assert_eq!(within(to_far.recv()).await.unwrap().unwrap().as_text(), Some("last"));
    assert_eq!(within(to_far.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn a_close_that_is_no_longer_waited_for_can_be_waited_for_again() {
    let Pair { mut to_far, to_near: _to_near, nodes: [near, far] } = pair().await;
    assert!(briefly(1, far.close()).await.is_none());
    let ended = async { assert_eq!(to_far.recv().await.unwrap(), None) };
    within(async { tokio::join!(far.close(), ended) }).await;
    within(near.close()).await;
}
