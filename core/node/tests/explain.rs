//! Why a peer is connected, or is not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod common;

use std::net::{TcpListener, UdpSocket};

use common::{
    documents::{documented, names},
    event, listening, meet, start, until, within,
};
use p2pchan::{Address, Event, Explanation, Node, PeerId, Target};

/// A node that is told of these addresses, and gives each dial little time.
async fn seeker(seeds: &[Address]) -> Node {
    let seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
    start(Node::builder().set("discovery.seeds", seeds).set("timeouts.dial", "300ms")).await
}

/// What the node explains of an address once a dial of it has failed.
async fn failed(node: &Node, address: Address) -> Explanation {
    let tried = || node.explain(address).candidates.first().is_some_and(|it| it.entry.tries > 0);
    until("a dial has failed", tried).await;
    node.explain(address)
}

/// An address at which nobody listens.
fn closed_port() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Address::tcp(listener.local_addr().unwrap())
}

#[tokio::test]
async fn of_an_address_that_refuses_it_tells_who_found_it_why_it_fails_and_when_it_is_tried_next() {
    let address = closed_port();
    let node = seeker(&[address]).await;
    let explanation = failed(&node, address).await;
    assert!(explanation.known && explanation.links.is_empty());
    let candidate = &explanation.candidates[0];
    assert_eq!(candidate.entry.address, address.to_string());
    assert_eq!((&*candidate.entry.found[0].source, candidate.entry.found[0].subject), ("seeds", 1));
    let strategy = &candidate.attempts[0].strategies[0];
    assert_eq!(strategy.strategy, "tcp");
    assert!(strategy.verdict.contains("refused") && strategy.ended.is_some(), "{strategy:?}");
    let text = explanation.to_string();
    for part in ["not connected", "found by seeds for subject 1", "tcp: Connection refused after"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains(&"07".repeat(32)), "the subject is told:\n{text}");
    // It may be dialled again by now.
    assert!(["backing_off", "dialling", "waiting"].contains(&&*candidate.entry.state));
}

#[tokio::test]
async fn an_address_that_takes_connections_and_says_nothing_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::tcp(listener.local_addr().unwrap());
    let explanation = failed(&seeker(&[address]).await, address).await;
    let attempt = &explanation.candidates[0].attempts[0];
    assert!(attempt.verdict.contains("no TLS within 300ms"), "{attempt:?}");
    assert_eq!(attempt.peer, None);
}

#[tokio::test]
async fn a_udp_port_that_says_nothing_is_silent_over_quic() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = Address::quic(socket.local_addr().unwrap());
    let explanation = failed(&seeker(&[address]).await, address).await;
    let strategy = &explanation.candidates[0].attempts[0].strategies[0];
    assert_eq!(strategy.strategy, "quic");
    assert!(strategy.verdict.contains("within 300ms"), "{strategy:?}");
}

#[tokio::test]
async fn a_peer_with_another_subject_is_known_by_its_identity_and_says_so() {
    let stranger = listening().start().await.unwrap();
    stranger.discover_topic([9; 32]).unwrap();
    let node = seeker(&[stranger.addresses()[0]]).await;
    failed(&node, stranger.addresses()[0]).await;
    let explanation = node.explain(stranger.id());
    let attempt = &explanation.candidates[0].attempts[0];
    assert!(attempt.verdict.contains("no subject in common"), "{attempt:?}");
    assert_eq!(attempt.peer, Some(stranger.id().to_string()));
    assert!(attempt.rtt.is_some() && attempt.strategies.iter().any(|it| it.verdict == "won"));
    let text = explanation.to_string();
    assert!(
        text.contains("no subject in common, round trip ") && text.contains(": won after "),
        "{text}"
    );
}

#[tokio::test]
async fn a_connected_peer_is_explained_by_its_id_its_beginning_and_its_address() {
    let (near, far) = (start(listening()).await, start(Node::builder()).await);
    let address = near.addresses()[0];
    let (_to_far, _to_near) = meet(&near, &far, address).await;
    let short = near.id().short();
    let targets: [Target; 3] = [near.id().into(), short.parse().unwrap(), address.into()];
    for target in targets {
        let explanation = far.explain(target);
        assert_eq!(explanation.links[0].peer, near.id().to_string());
        let attempt = explanation.candidates[0].attempts.last().unwrap();
        assert!(attempt.verdict.starts_with("opened to"), "{attempt:?}");
        let text = explanation.to_string();
        assert!(text.contains(": connected\n") && text.contains("dialled tcp://"), "{text}");
    }
    // The one that was dialled knows no address of the other, only the connection.
    let explanation = near.explain(far.id());
    assert_eq!((explanation.links.len(), explanation.candidates.len()), (1, 0));
}

#[tokio::test]
async fn of_what_is_not_known_it_says_so_and_lists_what_is() {
    let (near, far) = (start(listening()).await, start(Node::builder()).await);
    let (_to_far, _to_near) = meet(&near, &far, near.addresses()[0]).await;
    let explanation = far.explain(PeerId::from_bytes([1; 32]));
    assert!(!explanation.known);
    assert_eq!(explanation.other_peers, [near.id().to_string()]);
    assert_eq!(explanation.other_addresses, [near.addresses()[0].to_string()]);
    let text = explanation.to_string();
    assert!(text.contains(": unknown\n") && text.contains(&near.id().to_string()));
}

#[tokio::test]
async fn what_is_never_dialled_is_explained() {
    let peer = "ab".repeat(32);
    let node = start(listening().set("allow", &*peer)).await;
    let note = |target: Target| node.explain(target).notes.first().cloned().unwrap_or_default();
    assert!(note(node.addresses()[0].into()).contains("this node itself listens there"));
    assert!(note(node.id().into()).contains("this node itself"));
    assert!(note("240.0.0.1:1".parse().unwrap()).contains("never dialled"));
    assert!(note(PeerId::from_bytes([1; 32]).into()).contains("allow"));
    assert_eq!(note(peer.parse().unwrap()), "");
}

#[tokio::test]
async fn the_names_of_an_explanation_are_those_of_its_page() {
    let (near, far) = (start(listening()).await, start(Node::builder()).await);
    let (_to_far, _to_near) = meet(&near, &far, near.addresses()[0]).await;
    let found = seeker(&[near.addresses()[0]]).await;
    let mut events = found.events();
    event(&mut events, |event| matches!(event, Event::RemoteOpened { .. }).then_some(())).await;
    let explanation = found.explain(near.id());
    let shown = names(&serde_json::to_value(&explanation).unwrap());
    assert_eq!(shown, documented("## `explain`"));
    let text = serde_json::to_string(&explanation).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&text).unwrap(), explanation);
    within(found.close()).await;
}
