//! A program that has no tokio runtime: the node runs on the library's own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use p2pchan::Node;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn nodes_start_talk_and_close_where_there_is_no_runtime() {
    let start = || block_on(Node::builder().set("listen", "127.0.0.1:0").start()).unwrap();
    let (near, far) = (start(), start());
    near.discover("a program of threads").unwrap();
    far.discover("a program of threads").unwrap();
    let to_near = block_on(far.connect(near.addresses()[0])).unwrap();
    let mut to_far = block_on(near.next_remote()).unwrap();
    block_on(to_near.send("hello")).unwrap();
    assert_eq!(block_on(to_far.recv()).unwrap().unwrap().as_text(), Some("hello"));
    let reading = thread::spawn(move || block_on(to_far.recv()).unwrap());
    block_on(to_near.end()).unwrap();
    assert_eq!(reading.join().unwrap(), None);
    block_on(far.close());
    block_on(near.close());
}

#[test]
fn statistics_are_told_where_there_is_no_runtime() {
    let node = block_on(Node::builder().set("stats.interval", "10ms").start()).unwrap();
    let mut stats = node.stats();
    assert_eq!(block_on(stats.next()).unwrap().changed["subjects"], 0);
    node.discover_topic([7; 32]).unwrap();
    while block_on(stats.next()).unwrap().changed.get("subjects") != Some(&1) {}
    block_on(node.close());
    assert_eq!(block_on(stats.next()), None);
}
