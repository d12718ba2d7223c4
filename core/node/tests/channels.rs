//! Remotes between nodes on loopback: real sockets, real TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use common::listening;
use p2pchan::{Error, ErrorKind, Kind, Message, Node, Remote};
use tokio::time::timeout;

const TOPIC: [u8; 32] = [7; 32];
const DEADLINE: Duration = Duration::from_secs(60);

async fn node() -> Node {
    let node = listening().start().await.unwrap();
    node.discover_topic(TOPIC).unwrap();
    node
}

/// Two nodes and the remote at each.
async fn pair() -> (Node, Remote, Node, Remote) {
    let (near, far) = (node().await, node().await);
    let to_near = far.connect(near.addresses()[0]).await.unwrap();
    let to_far = within(near.next_remote()).await.unwrap();
    (near, to_far, far, to_near)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it took too long")
}

#[tokio::test]
async fn bytes_text_and_json_arrive_as_what_they_are() {
    let (near, mut to_far, far, to_near) = pair().await;
    to_near.send(b"\xff\x00").await.unwrap();
    to_near.send("Hello, dude!").await.unwrap();
    to_near.send(serde_json::json!({"yo": "ppl"})).await.unwrap();
    let mut received = vec![];
    for _ in 0..3 {
        received.push(within(to_far.recv()).await.unwrap().unwrap());
    }
    let kinds: Vec<_> = received.iter().map(Message::kind).collect();
    assert_eq!(kinds, [Kind::Bytes, Kind::Text, Kind::Json]);
    assert_eq!(received[1].as_text(), Some("Hello, dude!"));
    assert_eq!(received[2].json::<serde_json::Value>().unwrap()["yo"], "ppl");
    near.close().await;
    far.close().await;
}

#[tokio::test]
async fn messages_can_be_taken_by_batches_and_one_by_one() {
    let (near, mut to_far, _far, to_near) = pair().await;
    let count = 10_000_u32;
    let sending = tokio::spawn(async move {
        for number in 0..count {
            to_near.send(number.to_be_bytes()).await.unwrap();
        }
        to_near
    });
    let mut expected = 0;
    while expected < count {
        // One that is taken by itself is not in the batch that follows.
        let one = within(to_far.recv()).await.unwrap().unwrap();
        assert_eq!(**one.payload(), expected.to_be_bytes());
        expected += 1;
        if expected < count {
            let batch = within(to_far.recv_batch()).await.unwrap().unwrap();
            assert!(batch.len() > 0);
            for (kind, payload) in batch.lent() {
                assert_eq!((kind, payload), (Kind::Bytes, &expected.to_be_bytes()[..]));
                expected += 1;
            }
        }
    }
    assert!(to_far.try_recv().is_none());
    to_far.pause();
    let to_near = within(sending).await.unwrap();
    to_near.send("held back").await.unwrap();
    within(async {
        while near.status().totals.messages_received <= count.into() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let poll = pin!(to_far.recv_batch()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending(), "a paused remote gives out nothing");
    to_far.resume();
    assert_eq!(within(to_far.recv_batch()).await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_batch_that_was_given_out_counts_as_read() {
    let (_near, mut to_far, _far, to_near) = pair().await;
    to_near.send("the only one").await.unwrap();
    let ending = tokio::spawn(to_near.end());
    let batch = within(to_far.recv_batch()).await.unwrap().unwrap();
    assert!(within(to_far.recv_batch()).await.unwrap().is_none());
    within(to_far.end()).await.unwrap();
    within(ending).await.unwrap().unwrap();
    assert_eq!(batch.into_iter().next().unwrap().as_text(), Some("the only one"));
}

#[tokio::test]
async fn both_sides_know_each_other_and_the_subject() {
    let (near, to_far, far, to_near) = pair().await;
    assert_eq!((to_far.peer(), to_near.peer()), (far.id(), near.id()));
    assert_eq!(to_near.subject(), "07".repeat(32));
    assert_eq!(to_near.address(), near.addresses()[0]);
    assert!(to_near.rtt().is_some());
}

#[tokio::test]
async fn a_hundred_thousand_messages_arrive_in_order_both_ways_at_once() {
    let (near, to_far, far, to_near) = pair().await;
    let talk = |mut remote: Remote| async move {
        let sender = remote.sender();
        let sending = tokio::spawn(async move {
            for number in 0..100_000u32 {
                sender.send(number.to_be_bytes()).await.unwrap();
            }
        });
        for number in 0..100_000u32 {
            let message = remote.recv().await.unwrap().unwrap();
            assert_eq!(message.payload()[..], number.to_be_bytes());
        }
        sending.await.unwrap();
        remote
    };
    let (here, there) = (tokio::spawn(talk(to_far)), tokio::spawn(talk(to_near)));
    let (here, there) = (within(here).await.unwrap(), within(there).await.unwrap());
    drop((here, there));
    near.close().await;
    far.close().await;
}

#[tokio::test]
async fn an_end_is_clean_on_both_sides_after_all_data() {
    let (_near, mut to_far, _far, to_near) = pair().await;
    for number in 0..1000u32 {
        to_near.send(number.to_be_bytes()).await.unwrap();
    }
    let reading = tokio::spawn(async move {
        let mut count = 0;
        while to_far.recv().await.unwrap().is_some() {
            count += 1;
        }
        count
    });
    within(to_near.end()).await.unwrap();
    assert_eq!(within(reading).await.unwrap(), 1000);
}

#[tokio::test]
async fn closing_a_node_sends_what_was_queued_and_ends_its_remotes_cleanly() {
    let (_near, mut to_far, far, to_near) = pair().await;
    to_near.send("goodbye").await.unwrap();
    let reading = async {
        let message = to_far.recv().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some("goodbye"));
        assert_eq!(to_far.recv().await.unwrap(), None);
    };
    within(async { tokio::join!(far.close(), reading) }).await;
}

#[tokio::test]
async fn without_a_common_subject_connecting_fails_and_says_so() {
    let (near, far) = (node().await, Node::builder().start().await.unwrap());
    far.discover_topic([8; 32]).unwrap();
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.message().contains("no subject in common"), "{error}");
}

#[tokio::test]
async fn connecting_without_any_subject_is_a_settings_error() {
    let (near, far) = (node().await, Node::builder().start().await.unwrap());
    let error: Error = far.connect(near.addresses()[0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
}

#[tokio::test]
async fn a_phrase_that_is_still_being_derived_is_waited_for() {
    let near = listening().start().await.unwrap();
    let far = Node::builder().start().await.unwrap();
    far.discover("one phrase").unwrap();
    near.discover("one phrase").unwrap();
    let remote = within(far.connect(near.addresses()[0])).await.unwrap();
    assert_eq!(remote.subject(), "one phrase");
}

#[tokio::test]
async fn nodes_connect_over_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return eprintln!("SKIPPED: this machine has no IPv6 loopback");
    }
    let near = Node::builder().set("listen", "[::1]:0").start().await.unwrap();
    let far = Node::builder().start().await.unwrap();
    near.discover_topic(TOPIC).unwrap();
    far.discover_topic(TOPIC).unwrap();
    let to_near = within(far.connect(near.addresses()[0])).await.unwrap();
    let mut to_far = within(near.next_remote()).await.unwrap();
    to_near.send("over IPv6").await.unwrap();
    assert_eq!(within(to_far.recv()).await.unwrap().unwrap().as_text(), Some("over IPv6"));
    assert!(to_far.address().socket.is_ipv6());
}

#[tokio::test]
async fn a_node_takes_the_first_free_port_of_a_range() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port();
    let range = format!("127.0.0.1:{taken}~{}", taken.saturating_add(20));
    let node = Node::builder().set("listen", range.as_str()).start().await.unwrap();
    let port = node.addresses()[0].socket.port();
    assert!(port > taken && port <= taken + 20, "{port}");
}
