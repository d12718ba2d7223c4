//! What is left of a node that has closed: nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::net::{TcpListener, UdpSocket};

use common::{
    alone, descriptors, listening, meet, peer::Peer, start, tasks, threads, until, within,
};
use p2pchan::{Changes, Event, Node, Testnet, Value};
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
        let opened = common::event(&mut events, |event| match event {
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
