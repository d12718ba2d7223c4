//! A thousand simultaneous dials in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::collections::BTreeSet;

use common::{LISTEN, TOPIC, alone, descriptors, listening, rendezvous::Rendezvous, until, within};
use p2pchan::{Event, Events, Node, PeerId};

/// 46 nodes make 1,035 pairs.
const MESH: usize = 46;

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

fn missed(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Missed { .. }))
}

/// Starts nodes that all find each other at the same moment.
async fn mesh(count: usize) -> Vec<(Node, Events)> {
    let rendezvous = Rendezvous::of(count);
    let mut nodes = Vec::new();
    for _ in 0..count {
        let node = listening()
            .set("limits.dials", 64)
            .set("limits.unproven", 1024)
            .set("timeouts.handshake", "60s")
            .set("timeouts.dial", "60s")
            .discovery(rendezvous.clone())
            .start()
            .await
            .unwrap();
        let events = node.events();
        nodes.push((node, events));
    }
    for (node, _) in &nodes {
        node.discover_topic(TOPIC).unwrap();
    }
    nodes
}

#[test]
fn a_thousand_pairs_that_dial_each_other_at_once_have_one_connection_each() {
    alone(async {
        let before = descriptors();
        let mut nodes = mesh(MESH).await;
        let all: BTreeSet<_> = nodes.iter().map(|(node, _)| node.id()).collect();
        let mut remotes = Vec::new();
        for (node, _) in &nodes {
            let mut others = all.clone();
            others.remove(&node.id());
            for _ in 1..MESH {
                let remote = within(node.next_remote()).await.unwrap();
                assert!(others.remove(&remote.peer()), "a second remote of the same peer");
                remotes.push(remote);
            }
        }
        // A socket for each node, and over TCP two ends of a connection for each pair.
        let ends = if LISTEN.starts_with("tcp") { MESH * (MESH - 1) } else { 0 };
        let expected = before + MESH + ends;
        until("each two nodes have one connection", || descriptors() == expected).await;
        for remote in &remotes {
            remote.send(remote.peer().to_string()).await.unwrap();
        }
        for remote in &mut remotes {
            let message = within(remote.recv()).await.unwrap().unwrap();
            assert!(all.iter().any(|id| message.as_text() == Some(&id.to_string())));
            assert!(remote.try_recv().is_none());
        }
        for (node, events) in &mut nodes {
            let mut happened = Vec::new();
            while let Some(Some(event)) = now(events.next()).await {
                happened.push(event);
            }
            assert!(!missed(&happened) && !ended(&happened), "{happened:?}");
            let peers = opened(&happened);
            assert_eq!(peers.len(), MESH - 1, "{} raised too many", node.id());
        }
        drop(remotes);
        let closing: Vec<_> = nodes
            .into_iter()
            .map(|(node, _)| tokio::spawn(async move { node.close().await }))
            .collect();
        for task in closing {
            within(task).await.unwrap();
        }
        until("everything is closed", || descriptors() == before).await;
    });
}

/// What a future is ready with now.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}
