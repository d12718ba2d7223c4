//! What is left of a node that has closed, of what an update has closed, and of a node that is paused:
//! nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::net::{TcpListener, UdpSocket};

use common::{
    alone, descriptors, event, listening, meet, node, peer::Peer, start, tasks, threads, until,
    within,
};
use p2pchan::{Address, Changes, Event, Node, Testnet, Value};
use tokio::net::TcpStream;

#[test]
fn closing_gives_back_descriptors_tasks_and_ports() {
    alone(async {
        let before = (descriptors(), tasks());
        for _ in 0..3 {
            let near = start(Node::builder().set("listen", "127.0.0.1:0")).await;
            let far = start(Node::builder()).await;
            let [address, over_quic] = near.addresses()[..] else { panic!("two transports") };
            let (to_far, to_near) = meet(&near, &far, address).await;
            let other = start(Node::builder()).await;
            let (to_other, other_to_near) = meet(&near, &other, over_quic).await;
            other_to_near.send([0; 100_000]).await.unwrap();
            to_near.send([0; 100_000]).await.unwrap();
            // And one that is half-way, and one that is on its way.
            let silent = TcpStream::connect(address.socket).await.unwrap();
            let unproven = Peer::dial(address, [1; 32]).await;
            within(async { tokio::join!(near.close(), far.close(), other.close()) }).await;
            drop((silent, unproven, to_far, to_near, to_other, other_to_near));
            TcpListener::bind(address.socket).unwrap();
            UdpSocket::bind(over_quic.socket).unwrap();
            assert_eq!((descriptors(), tasks()), before);
        }
    });
}

#[test]
fn closing_a_node_with_a_dht_client_gives_back_its_thread_and_its_port() {
    alone(async {
        let testnet = Testnet::builder(2).start().await.unwrap();
        let bootstrap = testnet.bootstrap()[0].to_string();
        let before = (descriptors(), threads(), tasks());
        let node = start(
            listening()
                .set("discovery.bittorrent.bootstrap", bootstrap.as_str())
                .set("discovery.bittorrent.address", "127.0.0.1"),
        )
        .await;
        let mut events = node.events();
        let opened = event(&mut events, |event| match event {
            Event::Opened { socket, .. } => Some(socket.clone()),
            _ => None,
        })
        .await;
        assert!(threads() > before.1, "the client has a thread");
        within(node.close()).await;
        drop(node);
        UdpSocket::bind(opened.strip_prefix("udp://").unwrap()).unwrap();
        assert_eq!(descriptors(), before.0);
        // The system lists a thread for a moment after its end.
        until("the client's thread is gone", || threads() == before.1).await;
        until("the watchers of its queries have noticed", || tasks() == before.2).await;
        testnet.close().await;
    });
}

#[test]
fn updates_leave_nothing_of_what_they_closed() {
    alone(async {
        let testnet = Testnet::builder(2).start().await.unwrap();
        let bootstrap = testnet.bootstrap()[0].to_string();
        // Dials by QUIC would open a port to leave from, which stays.
        let node = start(listening().set("transports", "tcp")).await;
        let before = (descriptors(), threads(), tasks());
        for round in 0..5 {
            let mut changes = Changes::new();
            changes
                .set("listen", format!("127.0.0.{}:0", round + 2))
                .set("subjects", format!("subject {round}"))
                .set("discovery.seeds", "127.0.0.1:1")
                .set("discovery.bittorrent.bootstrap", &*bootstrap)
                .set("discovery.bittorrent.address", "127.0.0.1");
            within(node.update(changes)).await.unwrap();
            assert!(descriptors() > before.0);
        }
        let mut changes = Changes::new();
        changes.set("subjects", Value::Null).set("discovery.seeds", Value::Null);
        changes.set("discovery.bittorrent.bootstrap", Value::Null);
        changes.set("discovery.bittorrent.address", Value::Null);
        changes.set("listen", "tcp://127.0.0.1:0");
        within(node.update(changes)).await.unwrap();
        assert_eq!(descriptors(), before.0);
        until("the client's threads are gone", || threads() == before.1).await;
        until("tasks that were told to end have ended", || tasks() == before.2).await;
        within(node.close()).await;
        testnet.close().await;
    });
}

async fn set_paused(node: &Node, paused: bool) {
    let changes: Changes = [("paused", paused)].into_iter().collect();
    within(node.update(changes)).await.unwrap();
}

#[test]
fn while_a_node_is_paused_it_has_no_socket() {
    alone(async {
        let testnet = Testnet::builder(2).start().await.unwrap();
        let peer = node().await;
        let before = descriptors();
        let builder = listening()
            .set("paused", "true")
            .set("discovery.seeds", peer.addresses()[0].to_string())
            .set("discovery.bittorrent.bootstrap", testnet.bootstrap()[0].to_string())
            .set("discovery.bittorrent.address", "127.0.0.1");
        let node = start(builder).await;
        assert_eq!((descriptors(), node.addresses()), (before, vec![]));
        for transport in ["tcp", "quic"] {
            set_paused(&node, false).await;
            // One connection of each side's, one that is half-way, and one that nobody answers.
            let changes = [("transports", transport)].into_iter().collect();
            node.update(changes).await.unwrap();
            let remote = within(node.next_remote()).await.unwrap();
            assert_eq!(remote.peer(), peer.id());
            let unproven = Peer::dial(node.addresses()[0], [1; 32]).await;
            let silent = TcpListener::bind("127.0.0.1:0").unwrap();
            let silent_at = Address::tcp(silent.local_addr().unwrap());
            let dialling = tokio::spawn({
                let node = node.clone();
                async move { node.connect(silent_at).await.map(drop) }
            });
            let mut events = node.events();
            event(&mut events, |event| matches!(event, Event::Opened { .. }).then_some(())).await;
            set_paused(&node, true).await;
            drop((remote, unproven, silent));
            let _ = within(dialling).await.unwrap();
            // The peer's side of the connections is in the same process.
            until("only the sockets of others are open", || descriptors() == before).await;
            assert_eq!(node.addresses(), []);
        }
        within(peer.close()).await;
        let before = descriptors();
        set_paused(&node, false).await;
        assert!(descriptors() > before);
        set_paused(&node, true).await;
        // At once, where nobody else has any.
        assert_eq!(descriptors(), before);
        within(node.close()).await;
        testnet.close().await;
    });
}

#[test]
fn a_port_that_was_only_dialled_from_is_closed_by_a_pause() {
    alone(async {
        let near = start(Node::builder().set("listen", "quic://127.0.0.1:0")).await;
        let before = descriptors();
        let far = start(Node::builder()).await;
        let remotes = meet(&near, &far, near.addresses()[0]).await;
        assert!(descriptors() > before);
        set_paused(&far, true).await;
        assert_eq!(descriptors(), before);
        drop(remotes);
    });
}
