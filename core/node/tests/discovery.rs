//! Finding others, and who is let in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{TOPIC, event, exchange, listening, meet, node, own_ip, rest, start, until, within};
use p2pchan::{
    Address, BoxFuture, Builder, DiscoveryService, Error, ErrorKind, Event, Found, Newcomer, Node,
    Testnet, Topic,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::sleep,
};

/// A listening node that looks in the DHT with this entrance, often.
fn in_dht(bootstrap: SocketAddr) -> Builder {
    listening()
        .set("discovery.bittorrent.bootstrap", bootstrap.to_string().as_str())
        .set("discovery.bittorrent.address", "127.0.0.1")
        .set("discovery.lookup_interval_alone", "100ms~1s")
}

#[tokio::test]
async fn two_nodes_find_each_other_through_a_dht() {
    let testnet = Testnet::builder(5).start().await.unwrap();
    let (left, right) = (
        in_dht(testnet.bootstrap()[0]).start().await.unwrap(),
        in_dht(testnet.bootstrap()[1]).start().await.unwrap(),
    );
    for node in [&left, &right] {
        within(node.discover("one phrase").unwrap().flushed()).await.unwrap();
    }
    let (here, there) =
        within(async { tokio::join!(left.next_remote(), right.next_remote()) }).await;
    let (mut here, mut there) = (here.unwrap(), there.unwrap());
    assert_eq!((here.peer(), there.peer()), (right.id(), left.id()));
    assert_eq!((here.subject(), there.subject()), ("one phrase", "one phrase"));
    exchange(&mut here, &mut there).await;
    within(async { tokio::join!(left.close(), right.close()) }).await;
    testnet.close().await;
}

#[tokio::test]
async fn a_bootstrap_that_is_down_at_the_start_and_comes_up_later_is_used_then() {
    let bootstrap = std::net::UdpSocket::bind((own_ip(), 0)).unwrap().local_addr().unwrap();
    let (left, right) =
        (in_dht(bootstrap).start().await.unwrap(), in_dht(bootstrap).start().await.unwrap());
    let mut events = left.events();
    let flushed = left.discover_topic(TOPIC).unwrap();
    right.discover_topic(TOPIC).unwrap();
    let error = event(&mut events, |event| match event {
        Event::DiscoveryFailed { error, source, .. } if &**source == "bittorrent" => {
            Some(error.clone())
        }
        _ => None,
    })
    .await;
    assert!(error.message().contains(&bootstrap.port().to_string()), "{error}");
    let testnet =
        Testnet::builder(3).address(own_ip()).port(bootstrap.port()).start().await.unwrap();
    within(flushed.flushed()).await.unwrap();
    let (here, there) =
        within(async { tokio::join!(left.next_remote(), right.next_remote()) }).await;
    exchange(&mut here.unwrap(), &mut there.unwrap()).await;
    within(async { tokio::join!(left.close(), right.close()) }).await;
    testnet.close().await;
}

/// A listener that accepts, keeps the connections a while and says nothing; it counts how many there
/// are at once.
struct Sink {
    ports: Vec<u16>,
    most: Arc<AtomicUsize>,
    total: Arc<AtomicUsize>,
}

impl Sink {
    async fn start(ports: usize) -> Self {
        let (most, total) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let open = Arc::new(AtomicUsize::new(0));
        let mut sink = Self { ports: Vec::new(), most, total };
        for _ in 0..ports {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sink.ports.push(listener.local_addr().unwrap().port());
            let (most, total, open) = (sink.most.clone(), sink.total.clone(), open.clone());
            tokio::spawn(async move {
                loop {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    total.fetch_add(1, Ordering::SeqCst);
                    most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let open = open.clone();
                    tokio::spawn(async move {
                        sleep(Duration::from_millis(30)).await;
                        // Before it is closed: the next dial may come as soon as it is.
                        open.fetch_sub(1, Ordering::SeqCst);
                        drop(stream);
                    });
                }
            });
        }
        sink
    }
}

/// Reports a thousand addresses at once, of which one is good.
struct Poisoned {
    bogus: Vec<u16>,
    good: Address,
}

impl DiscoveryService for Poisoned {
    fn name(&self) -> &str {
        "poisoned"
    }

    fn look_up<'a>(&'a self, _: &'a Topic, found: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        let middle = self.bogus.len() / 2;
        for (number, port) in self.bogus.iter().enumerate() {
            if number == middle {
                found.address(self.good);
            }
            found.address(Address::tcp(([127, 0, 0, 1], *port).into()));
        }
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_thousand_bogus_addresses_are_dialled_a_few_at_a_time_and_the_honest_peer_is_found() {
    let honest = node().await;
    let sink = Sink::start(1000).await;
    let service = Poisoned { bogus: sink.ports.clone(), good: honest.addresses()[0] };
    let node = Node::builder()
        .set("limits.dials", 4)
        .set("discovery.lookup_interval_alone", "100ms~200ms")
        .discovery(service)
        .start()
        .await
        .unwrap();
    node.discover_topic(TOPIC).unwrap();
    let remote = within(node.next_remote()).await.unwrap();
    assert_eq!(remote.peer(), honest.id());
    let most = sink.most.load(Ordering::SeqCst);
    assert!(most <= 4, "{most} dials at once");
    assert!(sink.total.load(Ordering::SeqCst) > 0);
    within(node.close()).await;
}

#[tokio::test]
async fn bogus_announcements_in_a_real_dht_keep_nobody_from_the_honest_peer() {
    let testnet = Testnet::builder(5).start().await.unwrap();
    let bootstrap = testnet.bootstrap()[0];
    let sink = Sink::start(30).await;
    let honest = start(in_dht(bootstrap).set("limits.dials", 2)).await;
    within(honest.discover_topic(TOPIC).unwrap().flushed()).await.unwrap();
    // Each liar has a client of its own: nodes of the DHT keep one record for each id.
    let mut liars = Vec::new();
    for port in &sink.ports {
        let liar = mainline::Dht::builder()
            .bootstrap(&[bootstrap])
            .bind_address([127, 0, 0, 1].into())
            .build()
            .unwrap()
            .as_async();
        liars.push((liar, *port));
    }
    let key = find_key(TOPIC).into();
    for (liar, port) in &liars {
        liar.announce_peer(key, Some(*port)).await.unwrap();
    }
    let seeker = start(in_dht(bootstrap).set("limits.dials", 2)).await;
    let remote = within(seeker.next_remote()).await.unwrap();
    assert_eq!(remote.peer(), honest.id());
    // Both of them have found the sink.
    let most = sink.most.load(Ordering::SeqCst);
    assert!(most <= 4, "{most} dials at once");
    within(async { tokio::join!(seeker.close(), honest.close()) }).await;
    testnet.close().await;
}

fn find_key(topic: [u8; 32]) -> [u8; 20] {
    let name = p2pchan_proto::subject::SubjectName::Topic(topic);
    p2pchan_proto::subject::Subject::derive(name, None).unwrap().find_key("bittorrent")
}

/// A service that writes down what it is asked.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn note(&self, what: &str, topic: &Topic) {
        let listening = topic.listening().len();
        let subject = topic.subject().unwrap_or("a topic");
        self.0.lock().unwrap().push(format!("{what} {subject} {listening}"));
    }

    fn notes(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl DiscoveryService for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    fn announce<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
        self.note("announce", topic);
        Box::pin(async { Ok(()) })
    }

    fn look_up<'a>(&'a self, topic: &'a Topic, _: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        self.note("look up", topic);
        Box::pin(std::future::pending())
    }

    fn withdraw<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, ()> {
        self.note("withdraw", topic);
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_service_is_asked_to_announce_then_to_look_and_at_the_end_to_withdraw() {
    let recorder = Recorder::default();
    let node = listening().discovery(recorder.clone()).start().await.unwrap();
    let mut events = node.events();
    let discovery = node.discover("watched").unwrap();
    within(discovery.flushed()).await.unwrap();
    event(&mut events, |event| match event {
        Event::Announced { source, subject } => {
            assert_eq!((&**source, &**subject), ("recorder", "watched"));
            Some(())
        }
        _ => None,
    })
    .await;
    until("it looks", || recorder.notes().len() == 2).await;
    // Discovering again is the same discovery.
    within(node.discover("watched").unwrap().flushed()).await.unwrap();
    discovery.stop();
    until("it withdraws", || recorder.notes().len() == 3).await;
    assert_eq!(recorder.notes(), ["announce watched 1", "look up watched 1", "withdraw watched 1"]);
    within(node.close()).await;
    assert_eq!(recorder.notes().len(), 3);
}

#[tokio::test]
async fn closing_withdraws_what_was_announced() {
    let recorder = Recorder::default();
    let node = listening().discovery(recorder.clone()).start().await.unwrap();
    within(node.discover("watched").unwrap().flushed()).await.unwrap();
    within(node.close()).await;
    assert_eq!(recorder.notes().last().unwrap(), "withdraw watched 1");
}

#[tokio::test]
async fn a_node_that_does_not_listen_announces_nothing_and_is_flushed_at_once() {
    let recorder = Recorder::default();
    let node = Node::builder().discovery(recorder.clone()).start().await.unwrap();
    let discovery = node.discover("watched").unwrap();
    within(discovery.flushed()).await.unwrap();
    until("it looks", || !recorder.notes().is_empty()).await;
    discovery.stop();
    within(node.close()).await;
    assert_eq!(recorder.notes(), ["look up watched 0"]);
}

#[tokio::test]
async fn flushed_fails_if_the_discovery_is_stopped_or_the_node_closed_before() {
    struct Never;
    impl DiscoveryService for Never {
        fn name(&self) -> &str {
            "never"
        }

        fn announce<'a>(&'a self, _: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
            Box::pin(std::future::pending())
        }

        fn look_up<'a>(&'a self, _: &'a Topic, _: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
            Box::pin(async { Ok(()) })
        }
    }
    let node = listening().discovery(Never).start().await.unwrap();
    let first = node.discover("first").unwrap();
    node.stop_discover("first").unwrap();
    assert_eq!(within(first.flushed()).await.unwrap_err().kind(), ErrorKind::Closed);
    let second = node.discover("second").unwrap();
    let (result, ()) = within(async { tokio::join!(second.flushed(), node.close()) }).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_failing_service_is_reported_and_asked_again() {
    #[derive(Default)]
    struct Failing(AtomicUsize);
    impl DiscoveryService for Failing {
        fn name(&self) -> &str {
            "failing"
        }

        fn look_up<'a>(&'a self, _: &'a Topic, _: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { Err(Error::new(ErrorKind::Io, format!("failure {number}"))) })
        }
    }
    let node = Node::builder()
        .set("discovery.lookup_interval_alone", "100ms~200ms")
        .discovery(Failing::default())
        .start()
        .await
        .unwrap();
    let mut events = node.events();
    node.discover_topic(TOPIC).unwrap();
    for number in 0..3 {
        let error = event(&mut events, |event| match event {
            Event::DiscoveryFailed { source, error, .. } if &**source == "failing" => {
                Some(error.clone())
            }
            _ => None,
        })
        .await;
        assert_eq!(error.message(), format!("failure {number}"));
    }
}

#[tokio::test]
async fn a_seed_that_comes_up_later_is_found_then() {
    let taken = std::net::TcpListener::bind((own_ip(), 0)).unwrap();
    let seed = taken.local_addr().unwrap().to_string();
    drop(taken);
    let node = start(Node::builder().set("discovery.seeds", seed.as_str())).await;
    let mut events = node.events();
    event(&mut events, |event| matches!(event, Event::DialFailed { .. }).then_some(())).await;
    let late = start(Node::builder().set("listen", seed.as_str())).await;
    assert_eq!(within(node.next_remote()).await.unwrap().peer(), late.id());
}

#[tokio::test]
async fn a_peer_that_is_not_on_the_list_is_refused_when_it_dials() {
    let near = start(listening().set("allow", "ab".repeat(32).as_str())).await;
    let mut events = near.events();
    let far = start(Node::builder()).await;
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    let peer = event(&mut events, |event| match event {
        Event::Refused { peer, .. } => Some(*peer),
        _ => None,
    })
    .await;
    assert_eq!(peer, far.id());
}

#[tokio::test]
async fn a_peer_that_is_not_on_the_list_is_not_greeted_when_it_is_dialled() {
    let near = node().await;
    let far = start(Node::builder().set("allow", "ab".repeat(32).as_str())).await;
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.message().contains("allow"), "{error}");
}

#[tokio::test]
async fn a_peer_on_the_list_is_let_in() {
    let far = start(Node::builder()).await;
    let near = start(listening().set("allow", far.id().to_string().as_str())).await;
    let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn the_programs_hook_refuses_on_either_side() {
    let hooked = || listening().refuse(|newcomer| newcomer.subject.starts_with("07"));
    let (near, far) = (start(hooked()).await, start(Node::builder()).await);
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");

    let (near, far) = (node().await, start(hooked()).await);
    let events = far.events();
    let connecting = tokio::spawn({
        let (far, address) = (far.clone(), near.addresses()[0]);
        async move { far.connect(address).await }
    });
    // The acceptor has a remote for a moment; then it is refused.
    let mut to_far = within(near.next_remote()).await.unwrap();
    assert_eq!(within(to_far.recv()).await.unwrap_err().kind(), ErrorKind::Refused);
    far.close().await;
    assert!(within(connecting).await.unwrap().is_err());
    let opened = |event: &Event| matches!(event, Event::RemoteOpened { .. });
    assert!(!rest(events).await.iter().any(opened));
}

/// A hook that answers when the test says so, and who is asking.
fn patient() -> (mpsc::UnboundedReceiver<(Newcomer, oneshot::Sender<bool>)>, Builder) {
    let (asks, asked) = mpsc::unbounded_channel();
    let builder = listening().refuse_later(move |newcomer| {
        let (answer, answered) = oneshot::channel();
        let _ = asks.send((newcomer, answer));
        Box::pin(async move { answered.await.unwrap_or(true) })
    });
    (asked, builder)
}

#[tokio::test]
async fn a_newcomer_waits_for_a_hook_that_takes_its_time() {
    let (mut asked, builder) = patient();
    let (near, far) = (start(builder).await, start(Node::builder()).await);
    let (address, dialling) = (near.addresses()[0], far.clone());
    let connecting = tokio::spawn(async move { dialling.connect(address).await });
    let (newcomer, answer) = within(asked.recv()).await.unwrap();
    assert_eq!(newcomer.peer, far.id());
    assert!(!connecting.is_finished());
    answer.send(false).unwrap();
    let mut to_near = within(connecting).await.unwrap().unwrap();
    let mut to_far = within(near.next_remote()).await.unwrap();
    exchange(&mut to_far, &mut to_near).await;
}

#[tokio::test]
async fn a_hook_that_takes_its_time_refuses_on_either_side() {
    let (mut asked, builder) = patient();
    let (near, far) = (start(builder).await, start(Node::builder()).await);
    let (address, dialling) = (near.addresses()[0], far.clone());
    let connecting = tokio::spawn(async move { dialling.connect(address).await });
    within(asked.recv()).await.unwrap().1.send(true).unwrap();
    let error = within(connecting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");

    let (mut asked, builder) = patient();
    let (near, far) = (node().await, start(builder).await);
    let (address, dialling) = (near.addresses()[0], far.clone());
    let connecting = tokio::spawn(async move { dialling.connect(address).await });
    let mut to_far = within(near.next_remote()).await.unwrap();
    within(asked.recv()).await.unwrap().1.send(true).unwrap();
    assert_eq!(within(to_far.recv()).await.unwrap_err().kind(), ErrorKind::Refused);
    assert!(within(connecting).await.unwrap().is_err());
}

#[tokio::test]
async fn what_ended_while_the_hook_was_asked_is_told_to_nobody() {
    let (mut asked, builder) = patient();
    let (near, far) = (node().await, start(builder).await);
    let (address, dialling) = (near.addresses()[0], far.clone());
    let events = far.events();
    let connecting = tokio::spawn(async move { dialling.connect(address).await });
    let to_far = within(near.next_remote()).await.unwrap();
    let (_, answer) = within(asked.recv()).await.unwrap();
    to_far.refuse();
    near.close().await;
    until("the connection ends", || far.status().links.is_empty()).await;
    answer.send(false).unwrap();
    assert!(within(connecting).await.unwrap().is_err());
    assert!(far.status().remotes.is_empty());
    far.close().await;
    assert!(!rest(events).await.iter().any(|it| matches!(it, Event::RemoteOpened { .. })));
}

#[tokio::test]
async fn a_hook_that_never_answers_refuses_within_the_time_of_a_handshake() {
    let (mut asked, builder) = patient();
    let near = start(builder.set("timeouts.handshake", "1s")).await;
    let mut events = near.events();
    let far = start(Node::builder()).await;
    let (address, dialling) = (near.addresses()[0], far.clone());
    let connecting = tokio::spawn(async move { dialling.connect(address).await });
    let _never = within(asked.recv()).await.unwrap();
    assert!(within(connecting).await.unwrap().is_err());
    let reason = event(&mut events, |event| match event {
        Event::Refused { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.await.contains("timeouts.handshake"));
    assert!(near.status().remotes.is_empty());
}

#[tokio::test]
async fn remotes_beyond_those_that_may_wait_are_refused_with_an_event() {
    let near = start(listening().set("limits.waiting", 2)).await;
    let mut events = near.events();
    let mut fars = Vec::new();
    for _ in 0..3 {
        let far = start(Node::builder()).await;
        let remote = within(far.connect(near.addresses()[0])).await.unwrap();
        fars.push((far, remote));
    }
    let (last, remote) = fars.last_mut().unwrap();
    assert_eq!(within(remote.recv()).await.unwrap_err().kind(), ErrorKind::Refused);
    let (peer, reason) = event(&mut events, |event| match event {
        Event::Refused { peer, reason, .. } => Some((*peer, reason.clone())),
        _ => None,
    })
    .await;
    assert_eq!(peer, last.id());
    assert!(reason.contains("limits.waiting"), "{reason}");
    // The others wait, and work.
    for (far, remote) in &mut fars[..2] {
        let mut to_far = within(near.next_remote()).await.unwrap();
        assert_eq!(to_far.peer(), far.id());
        exchange(&mut to_far, remote).await;
    }
}

#[tokio::test]
async fn beyond_the_limit_of_connections_newcomers_are_told_that_the_node_is_busy() {
    let near = start(listening().set("limits.remotes", 1)).await;
    let (first, second) = (start(Node::builder()).await, start(Node::builder()).await);
    let (mut here, mut there) = meet(&near, &first, near.addresses()[0]).await;
    let error = within(second.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn the_same_subject_with_another_secret_does_not_connect() {
    let (near, far) = (listening().start().await.unwrap(), Node::builder().start().await.unwrap());
    near.discover_with_secret("subject", "one").unwrap();
    far.discover_with_secret("subject", "two").unwrap();
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    far.stop_discover("subject").unwrap();
    far.discover("subject").unwrap();
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    far.stop_discover("subject").unwrap();
    far.discover_with_secret("subject", "one").unwrap();
    let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn stopping_a_discovery_lets_nobody_new_in_and_ends_no_remote() {
    let (near, far) = (node().await, start(Node::builder()).await);
    let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
    near.discover_topic(TOPIC).unwrap().stop();
    exchange(&mut here, &mut there).await;
    let late = start(Node::builder()).await;
    let error = within(late.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    exchange(&mut here, &mut there).await;
}
