//! What a node tells of itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod common;

use common::{
    documents::{documented, names},
    exchange, listening, meet, pair, start, until, within,
};
use p2pchan::{Address, BoxFuture, DiscoveryService, Error, ErrorKind, Found, Node, Status, Topic};
use serde_json::Value;
use tokio::net::TcpListener;

/// An address at which nobody listens.
async fn closed_port() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Address::tcp(listener.local_addr().unwrap())
}

/// A service that finds one address, and fails from the second lookup on.
struct Finder(Address, std::sync::atomic::AtomicBool);

impl Finder {
    fn new(address: Address) -> Self {
        Self(address, false.into())
    }
}

impl DiscoveryService for Finder {
    fn name(&self) -> &str {
        "finder"
    }

    fn look_up<'a>(&'a self, _: &'a Topic, found: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        found.address(self.0);
        let failed = self.1.swap(true, std::sync::atomic::Ordering::SeqCst);
        let error = Error::new(ErrorKind::Io, "the finder is tired");
        Box::pin(async move { if failed { Err(error) } else { Ok(()) } })
    }
}

#[tokio::test]
async fn a_status_shows_who_is_connected_and_what_went_over() {
    let mut pair = pair().await;
    exchange(&mut pair.to_far, &mut pair.to_near).await;
    let [near, far] = &pair.nodes;
    let (here, there) = (near.status(), far.status());
    assert_eq!((here.node.id, here.node.closing), (near.id().to_string(), false));
    assert_eq!(here.limits.links.used, 1);
    let (accepted, dialled) = (&here.links[0], &there.links[0]);
    assert_eq!((&*accepted.side, &*dialled.side), ("accepted", "dialled"));
    assert_eq!((&*accepted.state, &*dialled.state), ("open", "open"));
    assert_eq!(accepted.peer, far.id().to_string());
    assert_eq!(dialled.address, pair.to_near.address().to_string());
    assert_eq!((accepted.messages_sent, accepted.messages_received), (1, 1));
    assert!(accepted.bytes_received > 4 && dialled.rtt.is_some());
    let remote = &here.remotes[0];
    assert_eq!((remote.subject, remote.link), (1, accepted.link));
    assert_eq!((remote.messages_sent, remote.bytes_sent), (1, 4));
    assert_eq!(here.subjects[0].remotes, 1);
    assert_eq!((here.totals.remotes_opened, here.totals.messages_sent), (1, 1));
}

#[tokio::test]
async fn what_ended_is_gone_from_the_status_and_stays_in_the_totals() {
    let mut pair = pair().await;
    exchange(&mut pair.to_far, &mut pair.to_near).await;
    let [near, far] = pair.nodes;
    let (ended, _) = tokio::join!(within(pair.to_far.end()), within(pair.to_near.recv()));
    ended.unwrap();
    assert_eq!(near.status().remotes, []);
    within(far.close()).await;
    until("the connection is gone", || near.status().links.is_empty()).await;
    let status = near.status();
    assert_eq!((status.limits.links.used, status.totals.remotes_ended), (0, 1));
    assert_eq!((status.totals.messages_sent, status.totals.messages_received), (1, 1));
    assert!(status.totals.bytes_received > 4);
}

#[tokio::test]
async fn sockets_are_shown_while_they_are_open() {
    let node = listening()
        .set("discovery.bittorrent.bootstrap", "127.0.0.1:9")
        .set("discovery.bittorrent.address", "127.0.0.1")
        .start()
        .await
        .unwrap();
    let sockets = node.status().transport.sockets;
    let listen = node.addresses()[0].to_string();
    assert!(sockets.iter().any(|it| it.address == listen && it.used_by == "listen"), "{sockets:?}");
    let dht = sockets.iter().find(|it| it.used_by == "bittorrent").unwrap();
    assert_eq!(dht.transport, "udp");
    within(node.close()).await;
    let status = node.status();
    assert_eq!((status.transport.sockets, status.node.closing), (vec![], true));
}

#[tokio::test]
async fn only_settings_that_were_changed_are_shown_and_no_secret_is() {
    let seed = "5eed".repeat(16);
    let peers: Vec<String> = (0..40).map(|number| format!("{number:064x}")).collect();
    let node = Node::builder().set("identity", &*seed).set("limits.dials", 9);
    let node = node.set("allow", peers).start().await.unwrap();
    let settings = node.status().settings;
    assert_eq!(settings["limits.dials"], 9);
    assert_eq!(settings["identity"], "(not shown)");
    let allow = settings["allow"].as_array().unwrap();
    assert_eq!((allow.len(), &allow[32]), (33, &Value::from("and 8 more")));
    assert_eq!(settings.len(), 3, "{settings:?}");
}

#[tokio::test]
async fn a_subject_is_shown_by_a_number_and_never_in_clear() {
    let node = listening().start().await.unwrap();
    let first = node.discover("hush, a phrase").unwrap();
    let second = node.discover_with_secret("another phrase", "open sesame").unwrap();
    assert_eq!((first.number(), second.number()), (1, 2));
    second.stop();
    let third = node.discover("a third").unwrap();
    assert_eq!(third.number(), 3);
    within(first.flushed()).await.unwrap();
    let status = node.status();
    let numbers: Vec<_> = status.subjects.iter().map(|subject| subject.subject).collect();
    assert_eq!(numbers, [1, 3]);
    let text = serde_json::to_string(&status).unwrap() + &format!("{status:?}");
    assert!(!text.contains("phrase") && !text.contains("third") && !text.contains("sesame"));
}

#[tokio::test]
async fn without_discovery_a_status_says_what_to_set() {
    let node = Node::builder().start().await.unwrap();
    assert_eq!(node.status().warnings, [""; 0]);
    node.discover_topic(common::TOPIC).unwrap();
    assert!(node.status().warnings[0].contains("discovery.seeds"));
}

#[tokio::test]
async fn a_paused_node_says_so_and_shows_nothing_open() {
    let node = common::node().await;
    let set = |paused: bool| [("paused", paused)].into_iter().collect();
    within(node.update(set(true))).await.unwrap();
    let status = node.status();
    assert!(status.node.paused && status.transport.sockets.is_empty(), "{status:?}");
    assert!(status.warnings[0].contains("paused"), "{:?}", status.warnings);
    within(node.update(set(false))).await.unwrap();
    let status = node.status();
    assert!(!status.node.paused && !status.transport.sockets.is_empty(), "{status:?}");
}

#[tokio::test]
async fn subjects_that_the_settings_name_are_not_shown() {
    let node = Node::builder().set("subjects", "hush, a phrase").start().await.unwrap();
    let status = node.status();
    assert_eq!(status.settings["subjects"], "(not shown)");
    assert!(!serde_json::to_string(&status).unwrap().contains("hush"));
    assert_eq!(status.subjects.len(), 1);
}

#[tokio::test]
async fn the_state_of_discovery_and_of_an_address_is_shown() {
    let address = closed_port().await;
    let node = listening().discovery(Finder::new(address));
    let node = start(node.set("discovery.lookup_interval_alone", "100ms~100ms")).await;
    let failed = |status: &Status| {
        let search = status.discovery.first().and_then(|service| service.searches.first());
        let done = search.and_then(|search| search.looked_up.as_ref());
        done.is_some_and(|done| done.error.is_some()) && status.address_book.backing_off == 1
    };
    until("a lookup and a dial have failed", || failed(&node.status())).await;
    let status = node.status();
    let (service, entry) = (&status.discovery[0], &status.address_book.entries[0]);
    assert_eq!(service.source, "finder");
    let search = &service.searches[0];
    assert_eq!((search.subject, search.found), (1, 1));
    assert_eq!(search.announced.as_ref().unwrap().error, None);
    let error = search.looked_up.as_ref().unwrap().error.as_deref();
    assert_eq!(error, Some("the finder is tired"));
    assert!(search.next_announce.is_some());
    assert_eq!((&*entry.address, entry.worked), (&*address.to_string(), false));
    assert!(entry.verdict.as_ref().unwrap().contains("refused"), "{entry:?}");
    assert_eq!((&*entry.found[0].source, entry.found[0].subject), ("finder", 1));
    assert!(entry.next_try.is_some() && entry.tries > 0);
    assert!(status.totals.dials_failed > 0 && status.totals.discovery_failed > 0);
}

#[tokio::test]
async fn a_full_address_book_is_shown_whole_and_its_status_stays_small() {
    let node =
        listening().set("limits.dials_pending", 65_536).discovery(Crowd).start().await.unwrap();
    node.discover_topic(common::TOPIC).unwrap();
    until("the book is full", || node.status().address_book.known == 1024).await;
    let status = node.status();
    assert_eq!(status.address_book.entries.len(), 1024);
    assert!(serde_json::to_string(&status).unwrap().len() < 1 << 20);
    within(node.close()).await;
}

/// Finds more than anybody remembers, where nobody answers.
struct Crowd;

impl DiscoveryService for Crowd {
    fn name(&self) -> &str {
        "crowd"
    }

    fn look_up<'a>(&'a self, _: &'a Topic, found: &'a Found) -> BoxFuture<'a, Result<(), Error>> {
        for number in 1..3000_u16 {
            let [high, low] = number.to_be_bytes();
            found.address(Address::tcp(([127, 77, high, low], 1).into()));
        }
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn the_names_of_the_document_are_those_of_its_page() {
    let both = Node::builder().set("listen", "127.0.0.1:0");
    let here = start(both.discovery(Finder::new(closed_port().await))).await;
    let there = start(Node::builder()).await;
    let (_to_there, _to_here) = meet(&here, &there, here.addresses()[0]).await;
    let done = |status: &Status| {
        let search = status.discovery.first().and_then(|it| it.searches.first());
        let both = search.map(|it| it.announced.is_some() && it.looked_up.is_some());
        both == Some(true) && !status.address_book.entries.is_empty()
    };
    until("the service was asked", || done(&here.status())).await;
    let status = here.status();
    let shown = names(&serde_json::to_value(&status).unwrap());
    assert_eq!(shown, documented("## `status`"));
    // What was written can be read again.
    let text = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    let newer = text.replacen('{', r#"{"something_new": 1, "#, 1);
    assert_eq!(serde_json::from_str::<Status>(&newer).unwrap(), status);
    assert_eq!(serde_json::from_str::<Status>("{}").unwrap(), Status::default());
}
