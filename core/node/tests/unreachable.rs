//! A peer that was found and cannot be reached is an event with a reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod common;

use common::{event, within};
use p2pchan::{Address, Event, Events, Node};
use tokio::net::TcpListener;

/// A node that is told of one address.
async fn seeker(address: Address) -> Node {
    let seeds = Node::builder().set("discovery.seeds", address.to_string());
    let node = seeds.set("discovery.lookup_interval_alone", "100ms~200ms").start().await.unwrap();
    node.discover_topic(common::TOPIC).unwrap();
    node
}

async fn unreachable(events: &mut Events) -> (Address, String, u32) {
    event(events, |event| match event {
        Event::Unreachable { address, reason, attempts, subject } => {
            let topic = "07".repeat(32);
            assert_eq!(subject.as_deref(), Some(&*topic));
            assert!(!event.to_string().contains(&topic), "the subject is told");
            Some((*address, reason.clone(), *attempts))
        }
        _ => None,
    })
    .await
}

/// An address at which nobody listens.
async fn closed_port() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Address::tcp(listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_seed_that_refuses_is_told_once_though_it_is_tried_again_and_again() {
    let address = closed_port().await;
    let node = seeker(address).await;
    let mut events = node.events();
    let told = unreachable(&mut events).await;
    assert_eq!((told.0, told.2), (address, 1));
    assert!(told.1.contains("refused"), "{}", told.1);
    for _ in 0..2 {
        event(&mut events, |event| match event {
            Event::Unreachable { .. } => panic!("told again: {event}"),
            Event::DialFailed { .. } => Some(()),
            _ => None,
        })
        .await;
    }
    within(node.close()).await;
}

#[tokio::test]
async fn a_found_node_without_the_subject_is_unreachable_because_of_that() {
    let stranger = common::listening().start().await.unwrap();
    stranger.discover_topic([9; 32]).unwrap();
    let node = seeker(stranger.addresses()[0]).await;
    let mut events = node.events();
    let (_, reason, _) = unreachable(&mut events).await;
    assert!(reason.contains("no subject in common"), "{reason}");
}
