//! Other settings for a node that runs: what changes, what is not touched, and what an error leaves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{Arc, OnceLock},
};

use common::{
    deserted, event, exchange,
    flood::{assert_whole, flood},
    listening, meet, node, own_ip, pair_of,
    recorder::{Asked, Recorder},
    start, still_healthy, until, within,
};
use p2pchan::{
    Address, BoxFuture, Changes, DiscoveryService, Error, ErrorKind, Event, Found, Node, Topic,
    Value,
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
};

fn changes<V: Into<Value>>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> Changes {
    pairs.into_iter().collect()
}

fn change(key: &str, value: impl Into<Value>) -> Changes {
    [(key, value)].into_iter().collect()
}

fn on_tcp() -> p2pchan::Builder {
    Node::builder().set("listen", "tcp://127.0.0.1:0")
}

fn on_quic() -> p2pchan::Builder {
    Node::builder().set("listen", "quic://127.0.0.1:0")
}

/// What must be as it was after an update that failed.
fn state(node: &Node) -> (Vec<Address>, Changes) {
    (node.addresses(), node.settings())
}

/// That an update fails with this kind, that its message has all of these words, and that nothing
/// has changed.
async fn assert_refused(node: &Node, changes: Changes, kind: ErrorKind, words: &[&str]) {
    let before = state(node);
    let error = within(node.update(changes)).await.expect_err("it was taken");
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.message().contains(word), "{word:?} is missing in: {error}");
    }
    assert_eq!(state(node), before);
}

/// The inode of the socket that listens at a port, as the system's table has it: another socket would
/// have another.
fn listening_socket(address: SocketAddr) -> String {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", address.port());
    let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut listening = line.filter(|line| line[1].ends_with(&port) && line[3] == "0A");
    listening.next().expect("it listens")[9].to_owned()
}

#[tokio::test]
async fn what_is_wrong_with_an_update_is_told_and_changes_nothing() {
    let node = start(on_tcp()).await;
    let settings = ErrorKind::Settings;
    for (changes, words) in [
        (change("limits.mesage", "1MiB"), &["limits.mesage", "limits.message?"] as &[_]),
        (change("lissten", Value::Null), &["lissten", "listen?"]),
        (change("limits.dials", 0), &["limits.dials = 0", "1 to 256"]),
        (change("limits.dials", "many"), &["limits.dials = \"many\"", "whole number"]),
        (change("listen", "127.0.0.1:65536"), &["listen", "65536"]),
        (change("listen", "localhost:1"), &["listen", "localhost"]),
        (change("allow", "nobody"), &["allow", "nobody"]),
        (change("discovery.seeds", "0.0.0.0:1"), &["discovery.seeds", "0.0.0.0:1"]),
        (change("limits.low_water", "1GiB"), &["limits.low_water", "limits.high_water"]),
        (change("limits.message", "1GiB"), &["limits.message", "limits.reassembly"]),
        (change("identity", "elsewhere/key"), &["identity", "start the node anew"]),
        (change("runtime.threads", 2), &["runtime.threads = 2", "start the node anew"]),
        (change("discovery.bittorrent.address", "127.0.0.1"), &["address", "is off"]),
        // One right value among wrong ones does not count either.
        (changes([("limits.dials", 3), ("limits.waiting", 0)]), &["limits.waiting = 0"]),
    ] {
        assert_refused(&node, changes, settings, words).await;
    }
    still_healthy(&node).await;
}

#[tokio::test]
async fn a_port_in_use_leaves_the_old_listeners_open_and_names_the_key() {
    let node = start(on_tcp()).await;
    let before = node.addresses()[0].socket;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_at = taken.local_addr().unwrap().to_string();
    // The old one is closed first, and comes back; one that could be opened is closed again.
    let free = TcpListener::bind((own_ip(), 0)).unwrap().local_addr().unwrap();
    let listen = [format!("tcp://{free}"), format!("tcp://{taken_at}")];
    let mut changes = change("listen", listen);
    changes.set("limits.dials", 3);
    assert_refused(&node, changes, ErrorKind::Io, &["setting listen", &taken_at, "use"]).await;
    TcpListener::bind(free).unwrap();
    listening_socket(before);
    still_healthy(&node).await;
}

#[tokio::test]
async fn a_discovery_service_that_cannot_open_leaves_everything_as_it_was() {
    let node = start(on_tcp()).await;
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let changes = changes([
        ("listen", "tcp://127.0.0.1:0,tcp://127.0.0.2:0"),
        ("discovery.seeds", "127.0.0.1:1"),
        ("discovery.bittorrent.bootstrap", "127.0.0.1:1"),
        ("discovery.bittorrent.address", "127.0.0.1"),
        ("discovery.bittorrent.port", &port),
    ]);
    let words = ["setting discovery.bittorrent.port", &port];
    assert_refused(&node, changes, ErrorKind::Io, &words).await;
    still_healthy(&node).await;
}

#[tokio::test]
async fn a_service_that_was_closed_for_an_update_that_failed_comes_back_at_its_port() {
    let builder = on_tcp()
        .set("discovery.bittorrent.bootstrap", "127.0.0.1:1")
        .set("discovery.bittorrent.address", "127.0.0.1")
        .set("discovery.bittorrent.port", 0);
    let node = start(builder).await;
    let opened = |event: &Event| match event {
        Event::Opened { socket, .. } => Some(socket.clone()),
        _ => None,
    };
    let before = event(&mut node.events(), opened).await;
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let changes = change("discovery.bittorrent.port", port);
    assert_refused(&node, changes, ErrorKind::Io, &["discovery.bittorrent.port"]).await;
    assert_eq!(event(&mut node.events(), opened).await, before);
}

#[tokio::test]
async fn a_closed_node_takes_no_update() {
    let node = node().await;
    node.close().await;
    let error = node.update(change("limits.dials", 3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn too_many_updates_at_once_are_refused() {
    let node = node().await;
    let (sender, mut results) = mpsc::unbounded_channel();
    for dials in 1..=100 {
        let (node, sender) = (node.clone(), sender.clone());
        tokio::spawn(async move { sender.send(node.update(change("limits.dials", dials)).await) });
    }
    drop(sender);
    let mut refused = 0;
    while let Some(result) = within(results.recv()).await {
        refused += usize::from(result.is_err_and(|error| error.kind() == ErrorKind::Refused));
    }
    assert_eq!(refused, 100 - 64);
    node.update(change("limits.dials", 3)).await.unwrap();
}

#[tokio::test]
async fn what_an_update_does_not_name_is_not_touched() {
    let recorder = Recorder::default();
    let node = start(on_tcp().discovery(recorder.clone())).await;
    let address = node.addresses()[0];
    let first = Asked::Announce(vec![address]);
    recorder.asked(|asked| *asked == first).await;
    let socket = listening_socket(address.socket);
    for (key, value) in [
        ("limits.dials", "3"),
        ("timeouts.ping", "1s"),
        ("discovery.seeds", "127.0.0.1:1"),
        ("listen", "tcp://127.0.0.2:0,tcp://127.0.0.1:0"),
    ] {
        node.update(change(key, value)).await.unwrap();
    }
    assert_eq!(node.addresses().len(), 2);
    assert_eq!(node.addresses()[1], address, "in the order of the setting");
    assert_eq!(listening_socket(address.socket), socket);
    // Everything before it would have been told before.
    let second = Asked::Announce(node.addresses());
    recorder.asked(|asked| *asked == second).await;
    assert_eq!(recorder.told(), [first, second]);
}

#[tokio::test]
async fn new_addresses_are_announced_at_once_and_none_are_withdrawn() {
    let recorder = Recorder::default();
    let node = start(on_tcp().discovery(recorder.clone())).await;
    node.update(change("listen", "tcp://127.0.0.2:0")).await.unwrap();
    let moved = Asked::Announce(node.addresses());
    recorder.asked(|asked| *asked == moved).await;
    node.update(change("listen", Value::Null)).await.unwrap();
    assert_eq!(node.addresses(), []);
    recorder.asked(|asked| *asked == Asked::Withdraw).await;
    node.update(change("listen", "tcp://127.0.0.1:0")).await.unwrap();
    let again = Asked::Announce(node.addresses());
    recorder.asked(|asked| *asked == again).await;
}

#[tokio::test]
async fn a_listener_that_goes_frees_its_port_and_keeps_its_remotes() {
    let mut pair = pair_of(on_tcp(), Node::builder()).await;
    let [near, _far] = &pair.nodes;
    let old = near.addresses()[0];
    let mut events = near.events();
    near.update(change("listen", "tcp://127.0.0.1:0,tcp://127.0.0.2:0")).await.unwrap();
    assert_eq!(near.addresses()[0], old);
    near.update(change("listen", "tcp://127.0.0.2:0")).await.unwrap();
    event(&mut events, |event| match event {
        Event::NotListening { address } => (*address == old).then_some(()),
        _ => None,
    })
    .await;
    TcpListener::bind(old.socket).unwrap();
    assert!(TcpStream::connect(old.socket).await.is_err());
    exchange(&mut pair.to_far, &mut pair.to_near).await;
    still_healthy(near).await;
}

#[tokio::test]
async fn a_quic_port_that_goes_stays_for_its_remotes_and_for_nobody_else() {
    let mut pair = pair_of(on_quic(), Node::builder()).await;
    let [near, _far] = &pair.nodes;
    let old = near.addresses()[0];
    near.update(change("listen", Value::Null)).await.unwrap();
    assert_eq!(near.addresses(), []);
    exchange(&mut pair.to_far, &mut pair.to_near).await;
    let stranger = start(Node::builder().set("timeouts.dial", "1s")).await;
    assert!(within(stranger.connect(old)).await.is_err());
    // Named again, it is the same port, and the remotes do not notice.
    near.update(change("listen", old.to_string())).await.unwrap();
    assert_eq!(near.addresses(), [old]);
    still_healthy(near).await;
    exchange(&mut pair.to_far, &mut pair.to_near).await;
    near.update(change("listen", Value::Null)).await.unwrap();
    drop(pair.to_near);
    pair.nodes[1].close().await;
    until("the port is free", || UdpSocket::bind(old.socket).is_ok()).await;
}

#[tokio::test]
async fn a_quic_port_without_remotes_is_free_once_the_update_is_made() {
    let node = start(on_quic()).await;
    let old = node.addresses()[0];
    node.update(change("listen", "quic://127.0.0.2:0")).await.unwrap();
    UdpSocket::bind(old.socket).unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = format!("quic://{}", taken.local_addr().unwrap());
    assert_refused(&node, change("listen", &*listen), ErrorKind::Io, &["listen", &listen]).await;
    still_healthy(&node).await;
}

#[tokio::test]
async fn seeds_that_come_with_an_update_are_dialled_and_those_that_go_are_not() {
    let near = node().await;
    let far = start(Node::builder()).await;
    let seed = |address: Address| change("discovery.seeds", address.to_string());
    far.update(seed(near.addresses()[0])).await.unwrap();
    assert_eq!(within(far.next_remote()).await.unwrap().peer(), near.id());
    let (first, second) = (deserted(), deserted());
    let mut events = far.events();
    far.update(seed(first)).await.unwrap();
    let failed = |event: &Event| match event {
        Event::DialFailed { address, .. } => Some(*address),
        _ => None,
    };
    assert_eq!(event(&mut events, failed).await, first);
    far.update(seed(second)).await.unwrap();
    // The first would have been tried again before the second is for the third time.
    for _ in 0..3 {
        assert_eq!(event(&mut events, failed).await, second);
    }
    far.update(change("discovery.seeds", Value::Null)).await.unwrap();
    let mut events = far.events();
    far.discover_topic([9; 32]).unwrap();
    event(&mut events, |event| matches!(event, Event::Warning { .. }).then_some(())).await;
}

#[tokio::test]
async fn whom_allow_does_not_name_any_more_keeps_the_remote_and_gets_no_other() {
    let mut pair = pair_of(on_tcp(), Node::builder()).await;
    let [near, far] = &pair.nodes;
    near.update(change("allow", Value::List(vec![]))).await.unwrap();
    exchange(&mut pair.to_far, &mut pair.to_near).await;
    far.close().await;
    let far = start(Node::builder()).await;
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    near.update(change("allow", far.id().to_string())).await.unwrap();
    within(far.connect(near.addresses()[0])).await.unwrap();
}

#[tokio::test]
async fn limits_count_at_once_also_for_what_is_open() {
    let pair = pair_of(on_tcp(), Node::builder()).await;
    let [_near, far] = &pair.nodes;
    far.update(changes([("limits.high_water", "4KiB"), ("limits.low_water", "0")])).await.unwrap();
    // Nothing is sent meanwhile: this thread is the node's, too.
    pair.to_near.try_send([0; 4000]).unwrap();
    assert_eq!(pair.to_near.try_send([0; 4000]).unwrap_err().kind(), ErrorKind::WouldBlock);
    far.update(change("limits.high_water", "1MiB")).await.unwrap();
    within(pair.to_near.send([0; 4000])).await.unwrap();
    far.update(change("limits.subjects", 1)).await.unwrap();
    assert_eq!(far.discover_topic([8; 32]).unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn an_update_goes_on_when_its_future_is_dropped() {
    let node = node().await;
    let mut events = node.events();
    {
        let updating = node.update(change("listen", "tcp://127.0.0.2:0"));
        tokio::pin!(updating);
        std::future::poll_fn(|context| {
            assert!(updating.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    let there = |event: &Event| match event {
        Event::Listening { address } => {
            address.socket.ip().to_string().ends_with("2").then_some(())
        }
        _ => None,
    };
    event(&mut events, there).await;
}

#[tokio::test]
async fn a_flood_goes_on_while_listeners_come_and_go() {
    let mut pair = pair_of(on_tcp(), Node::builder()).await;
    let stop = watch::channel(false).0;
    let sending = tokio::spawn(flood(pair.to_near.sender(), stop.subscribe()));
    let near = pair.nodes[0].clone();
    let updating = tokio::spawn(async move {
        for round in 0..50 {
            let last = round % 2 + 1;
            near.update(change("listen", format!("tcp://127.0.0.{last}:0"))).await.unwrap();
            assert_eq!(near.addresses().len(), 1);
        }
        stop.send_replace(true);
    });
    assert_whole(&mut pair.to_far).await;
    within(async { tokio::join!(sending, updating) }).await.0.unwrap();
}

/// A node that is known to its own hooks only once it has started.
type Itself = Arc<OnceLock<Node>>;

#[tokio::test]
async fn the_refuse_hook_may_begin_an_update() {
    let itself = Itself::default();
    let (sender, mut results) = mpsc::unbounded_channel();
    let hook = itself.clone();
    let builder = on_tcp().refuse(move |_| {
        let (node, sender) = (hook.get().unwrap().clone(), sender.clone());
        tokio::spawn(async move {
            let listen = change("listen", "tcp://127.0.0.2:0");
            sender.send(node.update(listen).await).unwrap();
        });
        false
    });
    let near = start(builder).await;
    itself.set(near.clone()).unwrap();
    let far = start(Node::builder()).await;
    let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
    assert_eq!(within(results.recv()).await, Some(Ok(())));
    exchange(&mut here, &mut there).await;
    assert_eq!(near.settings().value("listen"), Some(&["tcp://127.0.0.2:0"].into()));
}

/// Updates its own node whenever it is asked.
struct Meddler {
    itself: Itself,
    results: mpsc::UnboundedSender<Result<(), Error>>,
}

impl Meddler {
    fn update(&self, key: &'static str, value: &'static str) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let Some(node) = self.itself.get() else { return Ok(()) };
            self.results.send(node.update(change(key, value)).await).unwrap();
            Ok(())
        })
    }
}

impl DiscoveryService for Meddler {
    fn name(&self) -> &str {
        "meddler"
    }

    fn announce<'a>(&'a self, _: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
        self.update("limits.dials", "3")
    }

    fn look_up<'a>(&'a self, _: &'a Topic, _: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        self.update("limits.waiting", "5")
    }
}

#[tokio::test]
async fn a_discovery_service_may_update_its_node_and_wait_for_it() {
    let itself = Itself::default();
    let (results, mut heard) = mpsc::unbounded_channel();
    let meddler = Meddler { itself: itself.clone(), results };
    let node = on_tcp().discovery(meddler).start().await.unwrap();
    itself.set(node.clone()).unwrap();
    node.discover_topic([1; 32]).unwrap();
    for _ in 0..2 {
        assert_eq!(within(heard.recv()).await, Some(Ok(())));
    }
    let settings = node.settings();
    assert_eq!(settings.value("limits.dials"), Some(&3.into()));
    assert_eq!(settings.value("limits.waiting"), Some(&5.into()));
}

#[tokio::test]
async fn whoever_handles_a_message_may_update_the_node() {
    let mut pair = pair_of(listening(), Node::builder()).await;
    pair.to_near.send("tcp://127.0.0.2:0").await.unwrap();
    let message = within(pair.to_far.recv()).await.unwrap().unwrap();
    let near = &pair.nodes[0];
    near.update(change("listen", message.as_text().unwrap())).await.unwrap();
    assert_eq!(near.addresses().len(), 1);
    exchange(&mut pair.to_far, &mut pair.to_near).await;
}
