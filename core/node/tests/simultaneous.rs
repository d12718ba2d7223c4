//! Nodes that dial each other at the same moment: one connection for each two of them, and no
//! program sees anything of the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use common::{TOPIC, event, exchange, rest, until, within};
use p2pchan::{
    Address, BoxFuture, Changes, DiscoveryService, Error, ErrorKind, Event, Found, Node, PeerId,
    Topic,
};

fn opened(events: &[Event]) -> Vec<PeerId> {
    let peer = |event: &Event| match event {
        Event::RemoteOpened { peer, .. } => Some(*peer),
        _ => None,
    };
    events.iter().filter_map(peer).collect()
}

fn ended(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::RemoteEnded { .. }))
}

#[tokio::test]
async fn two_nodes_that_connect_to_each_other_at_once_have_one_connection() {
    for _ in 0..50 {
        let (left, right) = (common::node().await, common::node().await);
        let events = (left.events(), right.events());
        let (to_right, to_left) = within(async {
            tokio::join!(left.connect(right.addresses()[0]), right.connect(left.addresses()[0]))
        })
        .await;
        // Whoever's own dial lost has its remote from the other's dial.
        let mut to_right = match to_right {
            Ok(remote) => remote,
            Err(_) => within(left.next_remote()).await.unwrap(),
        };
        let mut to_left = match to_left {
            Ok(remote) => remote,
            Err(_) => within(right.next_remote()).await.unwrap(),
        };
        exchange(&mut to_right, &mut to_left).await;
        within(async { tokio::join!(left.close(), right.close()) }).await;
        for events in [rest(events.0).await, rest(events.1).await] {
            assert_eq!(opened(&events).len(), 1);
        }
    }
}

/// Finds one address, again and again.
struct Echo {
    address: Arc<OnceLock<Address>>,
    look_ups: Arc<AtomicUsize>,
}

impl DiscoveryService for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn look_up<'a>(&'a self, _: &'a Topic, found: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        found.address(*self.address.get().unwrap());
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_node_that_finds_itself_dials_itself_once_and_raises_nothing() {
    // A wildcard listener is reached at addresses that the node does not know to be its own.
    let itself = Arc::new(OnceLock::new());
    let look_ups = Arc::new(AtomicUsize::new(0));
    let node = Node::builder()
        .set("listen", "0.0.0.0:0")
        .set("discovery.lookup_interval_alone", "100ms~100ms")
        .discovery(Echo { address: itself.clone(), look_ups: look_ups.clone() })
        .start()
        .await
        .unwrap();
    let port = node.addresses()[0].socket.port();
    let address = Address::any(([127, 0, 0, 1], port).into());
    itself.set(address).unwrap();
    let seeds = Changes::from_iter([("discovery.seeds", address.socket.to_string())]);
    node.update(seeds).await.unwrap();
    let mut events = node.events();
    node.discover_topic(TOPIC).unwrap();
    let dials = |event: &Event| matches!(event, Event::Dialling { .. });
    event(&mut events, |event| dials(event).then_some(())).await;
    // It would be tried again after a second if it counted as a failure.
    let seen = look_ups.load(Ordering::SeqCst);
    until("it was found many times more", || look_ups.load(Ordering::SeqCst) > seen + 25).await;
    let error = within(node.connect(address)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    node.close().await;
    let after = rest(events).await;
    assert!(!after.iter().any(dials), "{after:?}");
    assert!(opened(&after).is_empty() && !ended(&after), "{after:?}");
}
