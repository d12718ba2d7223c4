//! What the tests of nodes share.

#![allow(dead_code, reason = "each file of tests uses its part")]

pub(crate) mod documents;
pub(crate) mod flood;
pub(crate) mod peer;
pub(crate) mod proxy;
pub(crate) mod recorder;
pub(crate) mod rendezvous;
pub(crate) mod udp;

use std::{
    fs::File,
    net::Ipv4Addr,
    panic,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use p2pchan::{Address, Builder, Event, Events, Node, Remote};
use tokio::{
    runtime,
    time::{sleep, timeout},
};

pub(crate) const TOPIC: [u8; 32] = [7; 32];
/// Generous: it only has to be shorter than the patience of whoever runs the tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it took too long")
}

/// Waits until something is so that nobody tells of, such as the number of open descriptors.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("never came true: {what}"));
}

/// Where nodes listen: TCP, or QUIC in the tests that `over_quic` runs again.
pub(crate) const LISTEN: &str =
    if is_over_quic(module_path!()) { "quic://127.0.0.1:0" } else { "tcp://127.0.0.1:0" };

const fn is_over_quic(module: &str) -> bool {
    matches!(module.as_bytes(), [b'o', b'v', b'e', b'r', b'_', b'q', b'u', b'i', b'c', ..])
}

/// A loopback address that only this process binds to. A port that it frees is still free when it is
/// to be taken again: the other tests use, and dial from, 127.0.0.1.
pub(crate) fn own_ip() -> Ipv4Addr {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, a | 64, b, c)
}

/// Settings of a node that listens on loopback.
pub(crate) fn listening() -> Builder {
    Node::builder().set("listen", LISTEN)
}

pub(crate) async fn start(builder: Builder) -> Node {
    let node = builder.start().await.unwrap();
    node.discover_topic(TOPIC).unwrap();
    node
}

pub(crate) async fn node() -> Node {
    start(listening()).await
}

/// An address at which nobody listens.
pub(crate) fn deserted() -> Address {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Address::tcp(listener.local_addr().unwrap())
}

/// Two nodes, and each one's remote to the other: the first accepts, the second dials.
pub(crate) struct Pair {
    pub(crate) to_far: Remote,
    pub(crate) to_near: Remote,
    pub(crate) nodes: [Node; 2],
}

pub(crate) async fn pair() -> Pair {
    pair_of(listening(), Node::builder()).await
}

pub(crate) async fn pair_of(near: Builder, far: Builder) -> Pair {
    let (near, far) = (start(near).await, start(far).await);
    let (to_far, to_near) = meet(&near, &far, near.addresses()[0]).await;
    Pair { to_far, to_near, nodes: [near, far] }
}

/// Lets `far` dial an address that leads to `near`; the remotes at `near` and at `far`.
pub(crate) async fn meet(near: &Node, far: &Node, address: Address) -> (Remote, Remote) {
    let (to_far, to_near) =
        within(async { tokio::join!(near.next_remote(), far.connect(address)) }).await;
    (to_far.unwrap(), to_near.unwrap())
}

/// That a remote works both ways.
pub(crate) async fn exchange(here: &mut Remote, there: &mut Remote) {
    here.send("ping").await.unwrap();
    assert_eq!(within(there.recv()).await.unwrap().unwrap().as_text(), Some("ping"));
    there.send("pong").await.unwrap();
    assert_eq!(within(here.recv()).await.unwrap().unwrap().as_text(), Some("pong"));
}

/// That an honest peer can still come in, and that what it says arrives.
pub(crate) async fn still_healthy(node: &Node) {
    let honest = start(Node::builder()).await;
    let (mut here, mut there) = meet(node, &honest, node.addresses()[0]).await;
    exchange(&mut here, &mut there).await;
    let (ended, closed) = tokio::join!(within(here.recv()), within(honest.close()));
    assert_eq!((ended.unwrap(), closed), (None, ()));
}

/// The next event for which `pick` has an answer.
pub(crate) async fn event<T>(events: &mut Events, pick: impl Fn(&Event) -> Option<T>) -> T {
    within(async {
        loop {
            let event = events.next().await.expect("the node runs");
            if let Some(picked) = pick(&event) {
                return picked;
            }
        }
    })
    .await
}

/// All further events, up to the node's end.
pub(crate) async fn rest(mut events: Events) -> Vec<Event> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

/// Runs a test on a runtime of its own, alone among those that ask for it too: it counts what the process has
/// open, and a runtime has descriptors as well. It is a file that is locked, as one program may hold this
/// module several times.
pub(crate) fn alone(test: impl Future<Output = ()>) {
    let alone = File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/alone")).unwrap();
    alone.lock().unwrap();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

/// File descriptors that this process has open.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Threads of this process, but for those of its runtimes, which keep them for blocking work a while.
pub(crate) fn threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // A thread may end between being listed and being looked at.
        std::fs::read_to_string(task.unwrap().path().join("comm")).ok()
    });
    names.filter(|name| !name.starts_with("tokio-")).count()
}

/// Counts the panics of all threads from now on; those of the test itself end it anyway.
pub(crate) fn panics() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            COUNT.fetch_add(1, Ordering::SeqCst);
            report(info);
        }));
    });
    COUNT.load(Ordering::SeqCst)
}

/// Tasks on this test's runtime.
pub(crate) fn tasks() -> usize {
    runtime::Handle::current().metrics().num_alive_tasks()
}

/// Bytes of memory that this process uses.
pub(crate) fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
