//! A peer that does not read: its sender waits, memory stays bounded, others are not held up, and in
//! the end every message is there. And messages that are too long.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use common::{Pair, exchange, listening, meet, pair, pair_of, start, within};
use p2pchan::{ErrorKind, Kind, Message, Node, Remote};

/// Sends messages of this length, numbered from here, until the send buffer is full; the next number.
fn fill(remote: &Remote, mut sent: u32, length: usize) -> u32 {
    loop {
        match remote.try_send(numbered(sent, length)) {
            Ok(()) => sent += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return sent;
            }
        }
    }
}

fn numbered(number: u32, length: usize) -> Vec<u8> {
    let mut message = number.to_be_bytes().to_vec();
    message.resize(length, 0x5a);
    message
}

async fn receive_numbered(remote: &mut Remote, numbers: std::ops::Range<u32>, length: usize) {
    for number in numbers {
        let message = within(remote.recv()).await.unwrap().unwrap();
        assert_eq!(message.payload()[..], numbered(number, length)[..]);
    }
}

#[tokio::test]
async fn try_send_says_would_block_queues_nothing_then_and_writable_comes_when_there_is_room() {
    let Pair { mut to_far, to_near, nodes: _nodes } = pair().await;
    let sender = to_near.sender();
    let mut sent = fill(&to_near, 0, 60_000);
    let queued = to_near.queued();
    assert!(queued <= 1 << 20, "{queued} bytes wait");
    for _ in 0..10 {
        assert_eq!(sender.try_send([0; 60_000]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    assert_eq!(to_near.queued(), queued);
    let mut received = 0;
    for _ in 0..20 {
        let (writable, ()) = tokio::join!(
            within(sender.writable()),
            receive_numbered(&mut to_far, received..sent, 60_000)
        );
        writable.unwrap();
        received = sent;
        sent = fill(&to_near, sent, 60_000);
        assert!(sent > received);
    }
    receive_numbered(&mut to_far, received..sent, 60_000).await;
    assert!(to_far.try_recv().is_none());
}

#[tokio::test]
async fn a_full_remote_does_not_hold_up_the_others_of_its_node() {
    let near = start(listening()).await;
    // The send buffer does not fit into the window of the one that does not read.
    let idle = Node::builder().set("limits.window", "256KiB");
    let (idle, busy) = (start(idle).await, start(Node::builder()).await);
    let (to_idle, mut idle_to_near) = meet(&near, &idle, near.addresses()[0]).await;
    let (mut to_busy, mut busy_to_near) = meet(&near, &busy, near.addresses()[0]).await;
    let mut sent = 0;
    loop {
        let went = fill(&to_idle, sent, 60_000);
        if went == sent {
            break;
        }
        sent = went;
        exchange(&mut to_busy, &mut busy_to_near).await;
    }
    let waiting = to_idle.sender();
    let waiting = tokio::spawn(async move { waiting.send([1; 60_000]).await });
    for _ in 0..100 {
        exchange(&mut to_busy, &mut busy_to_near).await;
    }
    assert!(!waiting.is_finished());
    receive_numbered(&mut idle_to_near, 0..sent, 60_000).await;
    within(waiting).await.unwrap().unwrap();
    assert_eq!(within(idle_to_near.recv()).await.unwrap().unwrap().payload()[0], 1);
}

#[tokio::test]
async fn a_full_remote_does_not_hold_up_the_other_one_on_the_same_connection() {
    let other = [9; 32];
    let far = Node::builder().set("limits.window", "256KiB");
    let (near, far) = (start(listening()).await, start(far).await);
    near.discover_topic(other).unwrap();
    far.discover_topic(other).unwrap();
    let (to_far, to_near) = meet(&near, &far, near.addresses()[0]).await;
    let (also_to_far, also_to_near) =
        within(async { tokio::join!(near.next_remote(), far.next_remote()) }).await;
    let mut here = [to_far, also_to_far.unwrap()];
    let mut there = [to_near, also_to_near.unwrap()];
    here.sort_by_key(|remote| remote.subject().to_owned());
    there.sort_by_key(|remote| remote.subject().to_owned());
    let sent = fill(&here[0], 0, 60_000);
    for _ in 0..100 {
        exchange(&mut here[1], &mut there[1]).await;
    }
    receive_numbered(&mut there[0], 0..sent, 60_000).await;
}

#[tokio::test]
async fn a_paused_remote_takes_nothing_and_a_resumed_one_everything() {
    let Pair { mut to_far, to_near, nodes: _nodes } = pair().await;
    to_far.pause();
    let sent = fill(&to_near, 0, 60_000);
    assert!(to_far.try_recv().is_none());
    tokio::select! {
        biased;
        message = to_far.recv() => panic!("{message:?} came"),
        () = tokio::task::yield_now() => {}
    }
    to_far.resume();
    receive_numbered(&mut to_far, 0..sent, 60_000).await;
    exchange(&mut to_far, &mut { to_near }).await;
}

#[tokio::test]
async fn both_sides_can_be_full_at_once_and_get_everything_across() {
    let Pair { to_far, to_near, nodes: [near, far] } = pair().await;
    let flood = |mut remote: Remote| async move {
        let sender = remote.sender();
        let sending = tokio::spawn(async move {
            for number in 0..300 {
                sender.send(numbered(number, 100_000)).await.unwrap();
            }
        });
        receive_numbered(&mut remote, 0..300, 100_000).await;
        sending.await.unwrap();
        remote
    };
    let (here, there) = (tokio::spawn(flood(to_far)), tokio::spawn(flood(to_near)));
    let _remotes = within(async { (here.await.unwrap(), there.await.unwrap()) }).await;
    within(async { tokio::join!(near.close(), far.close()) }).await;
}

#[tokio::test]
async fn a_message_longer_than_the_peer_takes_is_refused_and_the_channel_goes_on() {
    let Pair { mut to_far, mut to_near, nodes: _nodes } =
        pair_of(listening().set("limits.message", "1KiB"), Node::builder()).await;
    for result in [to_near.try_send([0; 1025]), to_near.send([0; 1025]).await] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooBig);
        assert!(error.message().contains("1024"), "{error}");
    }
    assert_eq!(to_near.queued(), 0);
    to_near.send([1; 1024]).await.unwrap();
    assert_eq!(within(to_far.recv()).await.unwrap().unwrap().payload().len(), 1024);
    exchange(&mut to_far, &mut to_near).await;
}

#[tokio::test]
async fn each_side_takes_what_its_own_limit_allows() {
    let Pair { mut to_far, mut to_near, nodes: _nodes } = pair_of(
        listening().set("limits.message", "20MiB"),
        Node::builder().set("limits.message", "1MiB"),
    )
    .await;
    // `limits.message` is also what a node itself may send.
    let error = to_far.send(vec![0; (1 << 20) + 1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooBig);
    to_far.send(vec![7; 1 << 20]).await.unwrap();
    assert_eq!(within(to_near.recv()).await.unwrap().unwrap().payload().len(), 1 << 20);
    exchange(&mut to_far, &mut to_near).await;
}

#[tokio::test]
async fn a_node_sends_no_longer_messages_than_its_own_limit_says() {
    let Pair { mut to_far, mut to_near, nodes: _nodes } =
        pair_of(listening(), Node::builder().set("limits.message", "1KiB")).await;
    let error = to_near.send([0; 1025]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooBig);
    assert_eq!(to_near.queued(), 0);
    exchange(&mut to_far, &mut to_near).await;
}

#[tokio::test]
async fn the_longest_message_is_larger_than_any_buffer_and_arrives_whole() {
    let Pair { mut to_far, to_near, nodes: _nodes } = pair().await;
    let longest: Vec<u8> = (0..16u32 << 18).flat_map(u32::to_le_bytes).collect();
    assert_eq!(longest.len(), 16 << 20);
    let sender = to_near.sender();
    let message = Message::bytes(longest.clone());
    let sending = tokio::spawn(async move {
        sender.send("before").await.unwrap();
        sender.send(message).await.unwrap();
        sender.send("after").await.unwrap();
    });
    assert_eq!(within(to_far.recv()).await.unwrap().unwrap().as_text(), Some("before"));
    let message = within(to_far.recv()).await.unwrap().unwrap();
    assert_eq!(message.kind(), Kind::Bytes);
    assert!(message.payload()[..] == longest[..]);
    assert_eq!(within(to_far.recv()).await.unwrap().unwrap().as_text(), Some("after"));
    within(sending).await.unwrap();
}

#[tokio::test]
async fn long_messages_of_many_peers_take_turns_in_the_reassembly_budget() {
    const LENGTH: usize = 4 << 20;
    let near =
        start(listening().set("limits.message", "4MiB").set("limits.reassembly", "8MiB")).await;
    let mut running = Vec::new();
    for number in 0..6u8 {
        let far = start(Node::builder()).await;
        let (mut to_far, to_near) = meet(&near, &far, near.addresses()[0]).await;
        running.push(tokio::spawn(async move {
            for _ in 0..3 {
                to_near.send(vec![number; LENGTH]).await.unwrap();
            }
            (far, to_near)
        }));
        running.push(tokio::spawn(async move {
            for _ in 0..3 {
                let message = within(to_far.recv()).await.unwrap().unwrap();
                assert!(message.payload()[..] == vec![number; LENGTH][..]);
            }
            (start(Node::builder()).await, to_far)
        }));
    }
    for task in running {
        within(task).await.unwrap();
    }
}
