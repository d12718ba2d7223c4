//! The end of a node: everything it had is gone, and the peers know why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::net::TcpListener;

use common::{
    listening, meet, node,
    proxy::{Mode, Proxy},
    rest, start, until, within,
};
use p2pchan::{CloseCode, ErrorKind, Event, Node, Reason};

#[tokio::test]
async fn closing_ends_events_and_remotes_that_wait() {
    let node = node().await;
    let events = tokio::spawn(rest(node.events()));
    let waiting = tokio::spawn({
        let node = node.clone();
        async move { node.next_remote().await.is_none() }
    });
    let connecting = tokio::spawn({
        let node = node.clone();
        // Accepts, by its kernel, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = p2pchan::Address::tcp(silent.local_addr().unwrap());
        async move {
            let result = node.connect(address).await;
            drop(silent);
            result.unwrap_err()
        }
    });
    let mut all = node.events();
    common::event(&mut all, |event| matches!(event, Event::Dialling { .. }).then_some(())).await;
    within(node.close()).await;
    assert!(within(waiting).await.unwrap());
    assert_eq!(within(connecting).await.unwrap().kind(), ErrorKind::Closed);
    within(events).await.unwrap();
    // A second time there is nothing left to do.
    within(node.close()).await;
}

#[tokio::test]
async fn closing_while_a_peer_dials_or_greets_leaves_nobody_hanging() {
    for round in 0..20 {
        let (near, far) = (node().await, start(Node::builder()).await);
        let address = near.addresses()[0];
        let connecting = tokio::spawn(async move {
            let result = far.connect(address).await;
            (far, result)
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        within(near.close()).await;
        let (_far, result) = within(connecting).await.unwrap();
        if let Ok(mut remote) = result {
            let _ = within(remote.recv()).await;
        }
    }
}

#[tokio::test]
async fn dropping_the_last_handle_closes_in_the_background() {
    let (near, far) = (node().await, start(Node::builder()).await);
    let address = near.addresses()[0];
    let (mut to_far, mut to_near) = meet(&near, &far, address).await;
    let events = near.events();
    let another = near.clone();
    drop(near);
    common::exchange(&mut to_far, &mut to_near).await;
    to_far.send("goodbye").await.unwrap();
    drop(another);
    assert_eq!(within(to_near.recv()).await.unwrap().unwrap().as_text(), Some("goodbye"));
    assert_eq!(within(to_near.recv()).await.unwrap(), None);
    within(rest(events)).await;
    until("the port is free", || TcpListener::bind(address.socket).is_ok()).await;
}

#[tokio::test]
async fn closing_towards_a_peer_that_never_reads_ends_in_time_and_says_so() {
    let near = start(listening().set("limits.window", "256KiB")).await;
    let far = start(Node::builder().set("timeouts.close", "500ms")).await;
    let (to_far, mut to_near) = meet(&near, &far, near.addresses()[0]).await;
    while to_near.try_send([0; 60_000]).is_ok() {}
    within(far.close()).await;
    let error = within(to_near.recv()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.message().contains("could not be sent in time"), "{error}");
    drop(to_far);
}

#[tokio::test]
async fn closing_towards_a_dead_line_ends_in_time() {
    let (near, far) = (node().await, start(Node::builder().set("timeouts.close", "500ms")).await);
    let proxy = Proxy::to(near.addresses()[0]).await;
    let (_to_far, to_near) = meet(&near, &far, proxy.address).await;
    proxy.set(Mode::Silent);
    to_near.send("into the void").await.unwrap();
    within(far.close()).await;
    assert!(to_near.reason().is_some_and(|reason| !reason.is_clean()));
}

#[tokio::test]
async fn closing_tells_a_peer_that_is_still_sending_that_not_everything_was_read() {
    let (near, far) = (node().await, start(Node::builder()).await);
    let (to_far, mut to_near) = meet(&near, &far, near.addresses()[0]).await;
    let sender = to_near.sender();
    let sending = tokio::spawn(async move { while sender.send([0; 10_000]).await.is_ok() {} });
    // Something has come and waits.
    until("the sender waits", || to_near.queued() > 500_000).await;
    let (error, ()) = within(async { tokio::join!(to_near.recv(), near.close()) }).await;
    let error = error.unwrap_err();
    assert_eq!(to_near.reason().and_then(Reason::code), Some(CloseCode::Unread), "{error}");
    within(sending).await.unwrap();
    drop(to_far);
}

#[test]
fn a_node_outside_of_any_runtime_lives_on_the_librarys_own() {
    // As C, Python and blocking programs use it: this thread only waits.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (near, far) = futures_block(async {
        let near = listening().start().await.unwrap();
        let far = Node::builder().start().await.unwrap();
        near.discover_topic(common::TOPIC).unwrap();
        far.discover_topic(common::TOPIC).unwrap();
        (near, far)
    });
    runtime.block_on(async {
        let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
        common::exchange(&mut here, &mut there).await;
        within(async { tokio::join!(near.close(), far.close()) }).await;
    });
}

/// Waits for a future without any runtime.
fn futures_block<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}
