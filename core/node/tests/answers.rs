//! What is sent right after something was received leaves on the thread that sends it, not on that of the
//! connection; and whoever sends from wherever, everything arrives once and in its order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
};

use common::{DEADLINE, Pair, listening, pair, start, within};
use p2pchan::{Address, Builder, Node, Remote, Sender};
use tokio::runtime;

/// A node with a thread of its own that accepts one remote and does this with it.
fn apart<F: Future<Output = ()>>(
    builder: Builder,
    serve: impl FnOnce(Remote) -> F + Send + 'static,
) -> (Address, JoinHandle<()>) {
    let (addresses, address) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let node = start(builder).await;
            addresses.send(node.addresses()[0]).unwrap();
            serve(within(node.next_remote()).await.unwrap()).await;
            node.close().await;
        });
    });
    (address.recv_timeout(DEADLINE).unwrap(), thread)
}

async fn dial(builder: Builder, address: Address) -> (Node, Remote) {
    let node = start(builder).await;
    let remote = within(node.connect(address)).await.unwrap();
    (node, remote)
}

async fn text(remote: &mut Remote) -> String {
    within(remote.recv()).await.unwrap().unwrap().as_text().unwrap().into()
}

#[tokio::test]
async fn an_answer_leaves_while_the_thread_of_its_connection_does_something_else() {
    let (tell, told) = mpsc::channel();
    let (address, thread) = apart(listening(), |mut remote| async move {
        assert_eq!(text(&mut remote).await, "first");
        remote.send("answer").await.unwrap();
        assert_eq!(text(&mut remote).await, "second");
        remote.try_send("answer").unwrap();
        // Nothing else runs on this thread until the answer is there.
        told.recv_timeout(DEADLINE).unwrap();
    });
    let (node, mut remote) = dial(Node::builder(), address).await;
    for question in ["first", "second"] {
        remote.send(question).await.unwrap();
        assert_eq!(text(&mut remote).await, "answer");
    }
    tell.send(()).unwrap();
    node.close().await;
    thread.join().unwrap();
}

#[tokio::test]
async fn answers_for_which_the_system_has_no_room_arrive_when_it_has() {
    const ANSWERS: u32 = 100;
    let answer = |number: u32| [number.to_be_bytes().to_vec(), vec![7; 300_000]].concat();
    let (tell, told) = mpsc::channel();
    // No PING wakes a task that was not woken for what is left.
    let builder = listening().set("limits.high_water", 64 << 20).set("timeouts.ping", "5m");
    let (address, thread) = apart(builder, move |mut remote| async move {
        for number in 0..ANSWERS {
            assert_eq!(text(&mut remote).await, "question");
            remote.try_send(answer(number)).unwrap();
        }
        tell.send(()).unwrap();
        assert!(within(remote.recv()).await.unwrap().is_none());
    });
    let builder = Node::builder().set("limits.window", 64 << 20).set("timeouts.ping", "5m");
    let (node, mut remote) = dial(builder, address).await;
    for _ in 0..ANSWERS {
        remote.send("question").await.unwrap();
    }
    within(std::future::poll_fn(|context| {
        futures_sink::Sink::poll_flush(std::pin::Pin::new(&mut remote), context)
    }))
    .await
    .unwrap();
    // Nobody reads meanwhile.
    told.recv_timeout(DEADLINE).unwrap();
    for number in 0..ANSWERS {
        let received = within(remote.recv()).await.unwrap().unwrap();
        assert!(received.payload()[..] == answer(number)[..], "answer {number}");
    }
    within(remote.end()).await.unwrap();
    node.close().await;
    thread.join().unwrap();
}

/// Sends as fast as it may, from a thread of the program.
fn count_up(sender: Sender, name: usize, most: u32) -> JoinHandle<()> {
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for number in 0..most {
            runtime.block_on(sender.send(format!("{name} {number}"))).unwrap();
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_answer_at_the_same_time_keep_their_order_and_lose_nothing() {
    const THREADS: usize = 4;
    const EACH: u32 = 5_000;
    let Pair { mut to_far, mut to_near, nodes } = pair().await;
    let threads: Vec<_> = (0..THREADS).map(|name| count_up(to_far.sender(), name, EACH)).collect();
    // Each message that comes lets the next one that is sent be an answer.
    let echo = to_near.sender();
    let reading = tokio::spawn(async move {
        while let Some(message) = within(to_far.recv()).await.unwrap() {
            assert_eq!(message.as_text(), Some("again"));
        }
    });
    let mut next = [0; THREADS];
    for _ in (0..THREADS).flat_map(|_| 0..EACH) {
        let message = text(&mut to_near).await;
        let (name, number) = message.split_once(' ').unwrap();
        let expected = &mut next[name.parse::<usize>().unwrap()];
        assert_eq!(number.parse::<u32>().unwrap(), *expected);
        *expected += 1;
        echo.send("again").await.unwrap();
    }
    assert_eq!(next, [EACH; THREADS]);
    within(to_near.end()).await.unwrap();
    within(reading).await.unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for node in nodes {
        node.close().await;
    }
}
