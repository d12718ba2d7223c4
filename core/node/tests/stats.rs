//! The stream of statistics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod common;

use std::collections::BTreeSet;

use common::{exchange, listening, meet, start, within};
use p2pchan::{Builder, Node, Stats, StatsChange};
use tokio::time::{Duration, timeout};

fn often(node: Builder) -> Builder {
    node.set("stats.interval", "10ms")
}

/// Items up to the one in which a counter has this value.
async fn until(stats: &mut Stats, name: &str, value: u64) -> Vec<StatsChange> {
    within(async {
        let mut items = Vec::new();
        loop {
            let item = stats.next().await.expect("the node runs");
            assert!(!item.changed.is_empty(), "nothing changed");
            let found = item.changed.get(name) == Some(&value);
            items.push(item);
            if found {
                return items;
            }
        }
    })
    .await
}

#[tokio::test]
async fn the_first_item_has_all_counters_and_later_ones_those_that_changed() {
    let near = start(often(listening())).await;
    let mut stats = near.stats();
    let first = within(stats.next()).await.unwrap();
    assert_eq!((first.changed["links"], first.changed["subjects"]), (0, 1));
    let far = start(Node::builder()).await;
    let (mut to_far, mut to_near) = meet(&near, &far, near.addresses()[0]).await;
    let items = until(&mut stats, "remotes_opened", 1).await;
    assert!(items.iter().all(|item| !item.changed.contains_key("subjects")), "{items:?}");
    exchange(&mut to_far, &mut to_near).await;
    let items = until(&mut stats, "messages_received", 1).await;
    let all: BTreeSet<_> = items.iter().flat_map(|item| item.changed.keys().cloned()).collect();
    assert!(all.contains("bytes_received") && !all.contains("warnings"), "{items:?}");
    drop((to_far, to_near));
    until(&mut stats, "remotes", 0).await;
}

#[tokio::test]
async fn while_nothing_changes_nothing_is_told() {
    let node = often(Node::builder()).start().await.unwrap();
    let mut stats = node.stats();
    within(stats.next()).await.unwrap();
    // Long enough for dozens of items, if there were any.
    timeout(Duration::from_millis(500), stats.next()).await.unwrap_err();
    // What was awaited in vain has lost nothing.
    node.discover_topic(common::TOPIC).unwrap();
    let item = until(&mut stats, "subjects", 1).await.pop().unwrap();
    assert!(!item.changed.contains_key("links"), "{item:?}");
}

#[tokio::test]
async fn the_interval_can_change_while_somebody_waits() {
    let node = Node::builder().set("stats.interval", "1h").start().await.unwrap();
    let mut stats = node.stats();
    within(stats.next()).await.unwrap();
    node.discover_topic(common::TOPIC).unwrap();
    let waiting = tokio::spawn(async move { stats.next().await.unwrap() });
    let shorter = [("stats.interval", "10ms")].into_iter().collect();
    within(node.update(shorter)).await.unwrap();
    assert_eq!(within(waiting).await.unwrap().changed["subjects"], 1);
}

#[tokio::test]
async fn the_stream_ends_when_the_node_closes() {
    let node = often(Node::builder()).start().await.unwrap();
    let mut stats = node.stats();
    within(stats.next()).await.unwrap();
    let (ended, ()) = tokio::join!(within(stats.next()), within(node.close()));
    assert_eq!(ended, None);
    assert_eq!(within(stats.next()).await, None);
}

#[tokio::test]
async fn the_names_of_the_counters_are_those_of_their_page() {
    let node = Node::builder().start().await.unwrap();
    let item = within(node.stats().next()).await.unwrap();
    let json = serde_json::to_value(&item).unwrap();
    let shown: BTreeSet<_> = json.as_object().unwrap().keys().cloned().collect();
    assert_eq!(shown, common::documents::documented("## `stats`"));
    assert_eq!(serde_json::from_value::<StatsChange>(json).unwrap(), item);
}
