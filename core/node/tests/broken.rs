//! Connections that break in the middle of something.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use common::{
    Pair, listening, meet, node,
    proxy::{Mode, Proxy},
    start, still_healthy, within,
};
use p2pchan::{CloseCode, ErrorKind, Node, Reason};

const LONG: usize = 10 << 20;

#[tokio::test]
async fn a_connection_reset_within_a_message_is_an_error_and_what_was_whole_before_is_delivered() {
    let (near, far) = (node().await, start(Node::builder()).await);
    let proxy = Proxy::to(near.addresses()[0]).await;
    proxy.set(Mode::ResetAfter(LONG / 2));
    let (mut to_far, mut to_near) = meet(&near, &far, proxy.address).await;
    for number in 0..100u8 {
        to_near.send([number]).await.unwrap();
    }
    // It is accepted: the buffer takes a message of any length when little waits.
    to_near.send(vec![9; LONG]).await.unwrap();
    for number in 0..100u8 {
        assert_eq!(within(to_far.recv()).await.unwrap().unwrap().payload()[..], [number]);
    }
    let error = within(to_far.recv()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.message().contains("connection lost"), "{error}");
    assert!(matches!(to_far.reason(), Some(Reason::Lost { .. })));
    // The sender is told that something it was promised may not have arrived.
    let error = within(to_near.recv()).await.unwrap_err();
    assert!(error.message().contains("connection lost"), "{error}");
    assert!(error.message().contains("bytes were still waiting to be sent"), "{error}");
    assert_eq!(to_near.send("more").await.unwrap_err().kind(), ErrorKind::Closed);
    // An error stays one, however often it is asked for.
    assert!(within(to_far.recv()).await.is_err());
    still_healthy(&near).await;
}

#[tokio::test]
async fn a_connection_that_ends_without_a_word_is_an_error_and_not_a_clean_end() {
    let (near, far) = (node().await, start(Node::builder()).await);
    let proxy = Proxy::to(near.addresses()[0]).await;
    let (mut to_far, mut to_near) = meet(&near, &far, proxy.address).await;
    to_near.send("whole").await.unwrap();
    assert_eq!(within(to_far.recv()).await.unwrap().unwrap().as_text(), Some("whole"));
    drop(proxy);
    for remote in [&mut to_far, &mut to_near] {
        let error = within(remote.recv()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(error.message().contains("connection lost"), "{error}");
    }
    still_healthy(&near).await;
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_noticed_on_both_sides() {
    let settings = || listening().set("timeouts.ping", "500ms");
    let (near, far) = (start(settings()).await, start(settings()).await);
    let proxy = Proxy::to(near.addresses()[0]).await;
    let (mut to_far, mut to_near) = meet(&near, &far, proxy.address).await;
    proxy.set(Mode::Silent);
    for remote in [&mut to_far, &mut to_near] {
        let error = within(remote.recv()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(remote.reason().and_then(Reason::code), Some(CloseCode::Timeout));
    }
}

#[tokio::test]
async fn ending_towards_a_peer_that_does_not_read_gives_up_in_time_and_says_how_much_is_lost() {
    let far = start(Node::builder().set("timeouts.close", "500ms")).await;
    // The send buffer does not fit into the window.
    let near = start(listening().set("limits.window", "256KiB")).await;
    let (to_far, to_near) = meet(&near, &far, near.addresses()[0]).await;
    while to_near.try_send([0; 60_000]).is_ok() {}
    let error = within(to_near.end()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("bytes could not be sent in time"), "{error}");
    drop(to_far);
}

#[tokio::test]
async fn a_remote_that_is_refused_tells_the_peer() {
    let Pair { to_far, mut to_near, nodes: _nodes } = common::pair().await;
    to_far.refuse();
    assert_eq!(within(to_near.recv()).await.unwrap_err().kind(), ErrorKind::Refused);
}
