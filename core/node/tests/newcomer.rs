//! A peer that comes again while an old connection of it still seems open.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use common::{
    exchange, meet, node,
    proxy::{Mode, Proxy},
    start, within,
};
use p2pchan::{CloseCode, ErrorKind, Node, Reason};

/// The same identity for what is the same program, started again.
fn twin() -> p2pchan::Builder {
    Node::builder().set("identity", "5c".repeat(32).as_str())
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_an_old_connection_that_vanished_without_a_word() {
    let near = node().await;
    let proxy = Proxy::to(near.addresses()[0]).await;
    let old = start(twin()).await;
    let (mut to_old, _old_to_near) = meet(&near, &old, proxy.address).await;
    to_old.send("lost").await.unwrap();
    proxy.set(Mode::Silent);
    let new = start(twin()).await;
    let (mut to_new, mut new_to_near) = meet(&near, &new, near.addresses()[0]).await;
    assert_eq!(to_new.peer(), to_old.peer());
    let error = within(to_old.recv()).await.unwrap_err();
    assert_eq!(to_old.reason().and_then(Reason::code), Some(CloseCode::Replaced), "{error}");
    exchange(&mut to_new, &mut new_to_near).await;
}

#[tokio::test]
async fn a_newcomer_is_refused_as_a_duplicate_while_the_old_connection_answers() {
    let near = node().await;
    let old = start(twin()).await;
    let (mut to_old, mut old_to_near) = meet(&near, &old, near.addresses()[0]).await;
    let new = start(twin()).await;
    for _ in 0..3 {
        let error = within(new.connect(near.addresses()[0])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        assert!(error.message().contains("connected already"), "{error}");
    }
    exchange(&mut to_old, &mut old_to_near).await;
}

#[tokio::test]
async fn an_old_connection_that_is_busy_and_unread_still_answers() {
    let near = node().await;
    let old = start(twin()).await;
    let (to_old, mut old_to_near) = meet(&near, &old, near.addresses()[0]).await;
    while to_old.try_send([0; 60_000]).is_ok() {}
    while old_to_near.try_send([0; 60_000]).is_ok() {}
    let new = start(twin()).await;
    let error = within(new.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert!(to_old.reason().is_none());
    assert!(within(old_to_near.recv()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_program_that_left_cleanly_may_come_again_at_once() {
    let near = node().await;
    for _ in 0..5 {
        let again = start(twin()).await;
        let (mut to_again, mut to_near) = meet(&near, &again, near.addresses()[0]).await;
        exchange(&mut to_again, &mut to_near).await;
        within(async {
            tokio::join!(again.close(), async { assert_eq!(to_again.recv().await.unwrap(), None) })
        })
        .await;
    }
}

#[tokio::test]
async fn connecting_twice_is_an_error_and_the_first_connection_goes_on() {
    let (near, far) = (node().await, start(Node::builder()).await);
    let (mut to_far, mut to_near) = meet(&near, &far, near.addresses()[0]).await;
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    exchange(&mut to_far, &mut to_near).await;
}
