//! Programs that send without a pause: the connection's task has its turn all the same, on the same thread.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use common::{Pair, pair, within};
use futures_sink::Sink;
use p2pchan::{ErrorKind, Message};
use serde_json::json;

const KIB: usize = 1024;
/// Together with the message that goes beyond it.
const TURN: usize = 113 * KIB;

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::new(Bell::default());
    (bell.clone(), bell.into())
}

#[tokio::test]
async fn a_send_without_a_pause_leaves_the_connections_task_its_turn() {
    let Pair { to_near, to_far: _to_far, nodes: _nodes } = pair().await;
    let mut most = 0;
    for _ in 0..220 {
        within(to_near.send([7; KIB])).await.unwrap();
        most = most.max(to_near.queued());
    }
    assert!(most <= TURN, "{most} bytes waited together");
    assert!(most >= TURN / 2, "a turn for {most} bytes costs too much");
}

#[tokio::test]
async fn whoever_left_the_turn_goes_on_even_if_nobody_took_it() {
    let Pair { to_near, to_far: _to_far, nodes: _nodes } = pair().await;
    let (bell, waker) = bell();
    let mut context = Context::from_waker(&waker);
    let mut left = 0;
    // Nothing is awaited here, so no task but this one runs.
    while to_near.queued() < 500 * KIB {
        let mut sending = pin!(to_near.send([7; KIB]));
        let before = to_near.queued();
        if sending.as_mut().poll(&mut context).is_pending() {
            left += 1;
            assert_eq!(to_near.queued(), before, "what is not ready has sent nothing");
            assert_eq!(bell.rings(), left, "it is polled again at once");
            assert!(matches!(sending.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
        }
        assert!(to_near.queued() > before);
    }
    assert_eq!(left, 500 * KIB / TURN);
}

#[tokio::test]
async fn a_sink_leaves_the_connections_task_its_turn_too() {
    let Pair { mut to_near, to_far: _to_far, nodes: _nodes } = pair().await;
    let (bell, waker) = bell();
    let mut context = Context::from_waker(&waker);
    for turn in 1..3 {
        while to_near.queued() < turn * TURN {
            match pin!(&mut to_near).poll_ready(&mut context) {
                Poll::Ready(ready) => ready.unwrap(),
                Poll::Pending => break,
            }
            pin!(&mut to_near).start_send(Message::bytes(vec![7; KIB])).unwrap();
        }
        let queued = to_near.queued();
        assert!(queued <= turn * TURN, "{queued} bytes in turn {turn}");
        assert_eq!(bell.rings(), turn);
    }
}

#[tokio::test]
async fn try_send_takes_what_the_buffer_holds_and_leaves_no_turn() {
    let Pair { to_near, to_far: _to_far, nodes: _nodes } = pair().await;
    while to_near.try_send([7; KIB]).is_ok() {}
    assert!(to_near.queued() > 1000 * KIB);
}

#[tokio::test]
async fn values_of_json_that_wait_for_room_arrive_once_each_and_in_order() {
    let Pair { to_near, mut to_far, nodes: _nodes } = pair().await;
    let text = "x".repeat(100 * KIB);
    let sending = tokio::spawn(async move {
        for number in 0..50 {
            to_near.send(json!({ "number": number, "text": text })).await.unwrap();
        }
        to_near
    });
    for number in 0..50 {
        let value: serde_json::Value =
            within(to_far.recv()).await.unwrap().unwrap().json().unwrap();
        assert_eq!(value["number"], number);
    }
    within(sending).await.unwrap();
    assert!(to_far.try_recv().is_none());
}

#[tokio::test]
async fn a_send_that_is_polled_after_it_was_ready_says_so_and_sends_nothing_more() {
    let Pair { to_near, to_far: _to_far, nodes: _nodes } = pair().await;
    let mut sending = pin!(to_near.send("once"));
    within(sending.as_mut()).await.unwrap();
    let queued = to_near.queued();
    assert_eq!(within(sending).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(to_near.queued(), queued);
}
