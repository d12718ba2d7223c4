//! A node that is paused: no network activity, and everything again afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{net::TcpListener, sync::Arc};

use common::{
    TOPIC, deserted, event, exchange, listening, meet, node, own_ip,
    recorder::{Asked, Recorder},
    start, within,
};
use p2pchan::{
    Address, BoxFuture, Changes, CloseCode, DiscoveryService, Error, ErrorKind, Event, Found, Node,
    Reason, Topic,
};
use tokio::sync::watch;

fn change(key: &str, value: impl Into<p2pchan::Value>) -> Changes {
    [(key, value)].into_iter().collect()
}

async fn set_paused(node: &Node, paused: bool) {
    within(node.update(change("paused", paused))).await.unwrap();
}

/// Finds the same address again and again.
struct Finder(Address);

impl DiscoveryService for Finder {
    fn name(&self) -> &str {
        "finder"
    }

    fn look_up<'a>(&'a self, _: &'a Topic, found: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            found.address(self.0);
            Ok(())
        })
    }
}

#[tokio::test]
async fn addresses_that_fall_due_in_a_pause_are_dialled_after_it() {
    let address = deserted();
    let awake = start(Node::builder().discovery(Finder(address))).await;
    let asleep = start(Node::builder().discovery(Finder(address))).await;
    let mut events = [asleep.events(), awake.events()];
    let failed = |event: &Event| matches!(event, Event::DialFailed { .. }).then_some(());
    event(&mut events[0], failed).await;
    set_paused(&asleep, true).await;
    // Another node's waits are as long, but for some jitter.
    for _ in 0..3 {
        event(&mut events[1], failed).await;
    }
    event(&mut events[0], |event| matches!(event, Event::Paused).then_some(())).await;
    set_paused(&asleep, false).await;
    let next = |event: &Event| match event {
        Event::Dialling { .. } => Some("dialling"),
        Event::Resumed => Some("resumed"),
        _ => None,
    };
    assert_eq!(event(&mut events[0], next).await, "resumed");
    assert_eq!(event(&mut events[0], next).await, "dialling");
}

#[tokio::test]
async fn pausing_ends_remotes_on_both_sides_and_says_why() {
    let (near, far) = (node().await, start(Node::builder()).await);
    let (mut to_far, mut to_near) = meet(&near, &far, near.addresses()[0]).await;
    to_far.send("before").await.unwrap();
    set_paused(&near, true).await;
    let error = within(to_far.recv()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.message().contains("the node was paused"), "{error}");
    assert!(matches!(to_far.reason(), Some(Reason::Here { code: CloseCode::Normal, .. })));
    assert_eq!(within(to_near.recv()).await.unwrap().unwrap().as_text(), Some("before"));
    let error = within(to_near.recv()).await.unwrap_err();
    assert!(error.message().contains("the node was paused"), "{error}");
    assert!(matches!(to_near.reason(), Some(Reason::Peer { code: CloseCode::Normal, .. })));
}

#[tokio::test]
async fn a_paused_node_dials_nobody_and_says_so() {
    let (near, far) = (node().await, start(Node::builder()).await);
    // One that is waiting for its dial when the node pauses.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::tcp(silent.local_addr().unwrap());
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let far = far.clone();
            tokio::spawn(async move { far.connect(address).await.map(drop) })
        })
        .collect();
    event(&mut far.events(), |event| matches!(event, Event::Dialling { .. }).then_some(())).await;
    set_paused(&far, true).await;
    for waiting in waiting {
        let error = within(waiting).await.unwrap().unwrap_err();
        assert!(error.message().contains("paused"), "{error}");
    }
    let error = within(far.connect(near.addresses()[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(error.message().contains("paused"), "{error}");
    set_paused(&far, false).await;
    let (mut here, mut there) = meet(&near, &far, near.addresses()[0]).await;
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn peers_meet_again_after_each_pause() {
    let near = node().await;
    let seed = near.addresses()[0].to_string();
    let far = start(Node::builder().set("discovery.seeds", seed)).await;
    for _ in 0..5 {
        let mut here = within(near.next_remote()).await.unwrap();
        let mut there = within(far.next_remote()).await.unwrap();
        exchange(&mut here, &mut there).await;
        set_paused(&far, true).await;
        assert!(within(here.recv()).await.is_err());
        set_paused(&far, false).await;
    }
    within(near.next_remote()).await.unwrap();
}

#[tokio::test]
async fn announcements_are_taken_back_and_made_again() {
    let recorder = Recorder::default();
    let node = listening().discovery(recorder.clone()).start().await.unwrap();
    let discovery = node.discover_topic(TOPIC).unwrap();
    within(discovery.flushed()).await.unwrap();
    let first = Asked::Announce(node.addresses());
    set_paused(&node, true).await;
    assert_eq!(recorder.told(), [first.clone(), Asked::Withdraw, Asked::Pause]);
    // Noted, and announced when the node goes on.
    let later = node.discover_topic([9; 32]).unwrap();
    within(later.flushed()).await.unwrap();
    assert_eq!(recorder.told().len(), 3);
    set_paused(&node, false).await;
    within(async { tokio::join!(discovery.flushed(), later.flushed()) }).await.1.unwrap();
    let again = Asked::Announce(node.addresses());
    assert_eq!(recorder.told()[3..], [again.clone(), again]);
}

#[tokio::test]
async fn what_changes_while_a_node_is_paused_is_opened_afterwards() {
    let node = start(listening().set("paused", true)).await;
    let taken = TcpListener::bind((own_ip(), 0)).unwrap();
    let address = format!("tcp://{}", taken.local_addr().unwrap());
    node.update(change("listen", &*address)).await.unwrap();
    assert_eq!(node.addresses(), []);
    // It stays paused as long as it cannot open what the settings name.
    let error = node.update(change("paused", false)).await.unwrap_err();
    assert!(error.message().contains(&address), "{error}");
    assert_eq!(node.settings().value("paused"), Some(&true.into()));
    let error = node.connect(address.parse().unwrap()).await.unwrap_err();
    assert!(error.message().contains("paused"), "{error}");
    drop(taken);
    set_paused(&node, false).await;
    assert_eq!(node.addresses(), [address.parse().unwrap()]);
    common::still_healthy(&node).await;
}

/// Pauses its own node while it is being asked.
struct Sleepy {
    itself: Arc<std::sync::OnceLock<Node>>,
    asked: watch::Sender<u32>,
}

impl DiscoveryService for Sleepy {
    fn name(&self) -> &str {
        "sleepy"
    }

    fn look_up<'a>(&'a self, _: &'a Topic, _: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            self.asked.send_modify(|asked| *asked += 1);
            if let Some(node) = self.itself.get() {
                node.update(change("paused", true)).await?;
            }
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_discovery_service_may_pause_its_own_node() {
    let itself = Arc::default();
    let asked = watch::channel(0).0;
    let mut count = asked.subscribe();
    let service = Sleepy { itself: Arc::clone(&itself), asked };
    let node = listening().discovery(service).start().await.unwrap();
    itself.set(node.clone()).unwrap();
    let mut events = node.events();
    node.discover_topic(TOPIC).unwrap();
    for round in 1..=3 {
        within(count.wait_for(|asked| *asked == round)).await.unwrap();
        event(&mut events, |event| matches!(event, Event::Paused).then_some(())).await;
        // Waits until the pausing has ended.
        set_paused(&node, false).await;
    }
}

#[tokio::test]
async fn closing_a_paused_node_leaves_nothing() {
    let recorder = Recorder::default();
    let node = start(listening().set("paused", true).discovery(recorder.clone())).await;
    within(node.close()).await;
    assert_eq!(recorder.told(), [Asked::Close]);
    let error = node.update(change("paused", false)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}
