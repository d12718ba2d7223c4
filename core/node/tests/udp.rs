//! What a node does with its UDP port when others misbehave there, and when the network does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use common::{
    TOPIC, alone, event, exchange, meet, memory, panics, start, still_healthy, tasks,
    udp::{LOOPBACK, Nat, initials},
    until, within,
};
use p2pchan::{Address, ErrorKind, Event, Node};

async fn over_quic() -> Node {
    start(Node::builder().set("listen", "quic://127.0.0.1:0")).await
}

/// Two hundred thousand datagrams that are empty, one byte, or random, while two nodes talk.
#[tokio::test]
async fn strange_datagrams_disturb_nobody_and_are_not_answered_with_more() {
    panics();
    let (near, far) = (over_quic().await, start(Node::builder()).await);
    let address = near.addresses()[0];
    let (mut here, mut there) = meet(&near, &far, address).await;
    let before = memory();
    let flood = std::thread::spawn(move || {
        let socket = UdpSocket::bind(LOOPBACK).unwrap();
        socket.set_nonblocking(true).unwrap();
        let (mut seed, mut sent, mut answered) = (1u64, 0, 0);
        let mut answer = [0; 65_536];
        for number in 0..200_000u32 {
            let mut packet = [0; 1200];
            for byte in &mut packet {
                // xorshift64: random enough to hit every branch, and the same in each run.
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                *byte = seed.to_le_bytes()[0];
            }
            let length = match number % 4 {
                0 => 0,
                1 => 1,
                2 => usize::from(packet[0]),
                _ => packet.len(),
            };
            if let Ok(length) = socket.send_to(&packet[..length], address.socket) {
                sent += length;
            }
            while let Ok(length) = socket.recv(&mut answer) {
                answered += length;
            }
        }
        (sent, answered)
    });
    while !flood.is_finished() {
        exchange(&mut here, &mut there).await;
    }
    let (sent, answered) = flood.join().unwrap();
    assert!(answered < sent / 4, "{answered} bytes for {sent}");
    assert!(memory() < before + (64 << 20), "{before} bytes grew to {}", memory());
    assert_eq!(panics(), 0);
    still_healthy(&near).await;
}

/// Connections that ten thousand senders begin, who may not exist.
#[tokio::test]
async fn a_flood_of_first_packets_is_asked_for_proof_and_takes_no_memory() {
    const SENDERS: usize = 10_000;
    const LOOKING: usize = 50;
    let near = over_quic().await;
    let address = near.addresses()[0].socket;
    let initials = tokio::task::spawn_blocking({
        let runtime = tokio::runtime::Handle::current();
        move || {
            let _runtime = runtime.enter();
            initials(SENDERS)
        }
    });
    let initials = within(initials).await.unwrap();
    let (before, tasks_before) = (memory(), tasks());
    let flood = std::thread::spawn(move || {
        let (mut retries, mut buffer) = (0, [0; 2048]);
        for (number, initial) in initials.iter().enumerate() {
            let [_, _, high, low] = u32::try_from(number).unwrap().to_be_bytes();
            let sender = SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 0));
            let socket = UdpSocket::bind(sender).unwrap();
            socket.send_to(initial, address).unwrap();
            // Most senders do not exist, and hear nothing; some look what they get.
            if number % LOOKING != 0 {
                continue;
            }
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            if let Ok(length) = socket.recv(&mut buffer) {
                assert!(length <= initial.len(), "{length} bytes for {}", initial.len());
                // A long header of type Retry (RFC 9000, section 17.2.5).
                retries += usize::from(buffer[0] & 0xf0 == 0xf0);
            }
        }
        retries
    });
    until("the flood is over", || flood.is_finished()).await;
    let retries = flood.join().unwrap();
    assert!(retries > SENDERS / LOOKING / 2, "only {retries} were asked for proof");
    assert!(memory() < before + (32 << 20), "{before} bytes grew to {}", memory());
    assert!(tasks() < tasks_before + 200, "{tasks_before} tasks grew to {}", tasks());
    // Whoever can answer gets in, whatever others pretend.
    still_healthy(&near).await;
}

#[tokio::test]
async fn a_peer_whose_nat_forgets_it_keeps_its_remote_and_loses_nothing() {
    let (near, far) = (over_quic().await, start(Node::builder()).await);
    let nat = Nat::to(near.addresses()[0]).await;
    let (mut here, mut there) = meet(&near, &far, nat.address).await;
    for _ in 0..5 {
        exchange(&mut here, &mut there).await;
        nat.rebind().await;
        // Only the client can show the server where it is now.
        there.send("I moved").await.unwrap();
        assert_eq!(within(here.recv()).await.unwrap().unwrap().as_text(), Some("I moved"));
    }
    exchange(&mut here, &mut there).await;
}

#[tokio::test]
async fn a_peer_that_falls_silent_over_quic_is_noticed_on_both_sides_with_a_reason() {
    let quick = |builder: p2pchan::Builder| builder.set("timeouts.ping", "1s");
    let near = start(quick(Node::builder().set("listen", "quic://127.0.0.1:0"))).await;
    let far = start(quick(Node::builder())).await;
    let nat = Nat::to(near.addresses()[0]).await;
    let (mut here, mut there) = meet(&near, &far, nat.address).await;
    exchange(&mut here, &mut there).await;
    drop(nat);
    for remote in [&mut here, &mut there] {
        let error = within(remote.recv()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
}

/// What takes everything and is silent, for as long as it is held.
#[expect(dead_code, reason = "sockets that nobody reads")]
enum Silent {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// A node that can be reached by one transport only, and what holds the other one's port.
async fn half_open(scheme: &str) -> (Node, Silent) {
    loop {
        let node = Node::builder().set("listen", format!("{scheme}://127.0.0.1:0")).start().await;
        let node = node.unwrap();
        let socket = node.addresses()[0].socket;
        let silent = if scheme == "tcp" {
            UdpSocket::bind(socket).map(Silent::Udp)
        } else {
            TcpListener::bind(socket).map(Silent::Tcp)
        };
        if let Ok(silent) = silent {
            node.discover_topic(TOPIC).unwrap();
            return (node, silent);
        }
        node.close().await;
    }
}

#[tokio::test]
async fn where_one_transport_is_blocked_the_other_one_connects() {
    for (scheme, found) in [("tcp", false), ("tcp", true), ("quic", false), ("quic", true)] {
        let (near, _silent) = half_open(scheme).await;
        let any = Address::any(near.addresses()[0].socket);
        let far = if found {
            // Somebody announced it: QUIC comes only after a probe.
            start(Node::builder().discovery(common::rendezvous::Tells(any))).await
        } else {
            start(Node::builder().set("discovery.seeds", any.to_string())).await
        };
        let (to_far, to_near) =
            within(async { tokio::join!(near.next_remote(), far.next_remote()) }).await;
        let (mut to_far, mut to_near) = (to_far.unwrap(), to_near.unwrap());
        assert!(to_near.address().to_string().starts_with(&format!("{scheme}://")));
        exchange(&mut to_far, &mut to_near).await;
        within(async { tokio::join!(near.close(), far.close()) }).await;
    }
}

#[test]
fn the_transport_that_loses_a_race_leaves_no_trace_on_either_side() {
    alone(async {
        for _ in 0..30 {
            let near = start(Node::builder().set("listen", "127.0.0.1:0")).await;
            let far = start(Node::builder()).await;
            let mut events = (near.events(), far.events());
            let any = Address::any(near.addresses()[0].socket);
            let (mut to_far, mut to_near) = meet(&near, &far, any).await;
            exchange(&mut to_far, &mut to_near).await;
            until("one connection is open and none is half open", || {
                [&near, &far].into_iter().all(|node| {
                    let status = node.status();
                    let dials = status.limits.dials.used;
                    (status.links.len(), status.limits.unproven.used, dials) == (1, 0, 0)
                })
            })
            .await;
            event(&mut events.0, |event| matches!(event, Event::RemoteOpened { .. }).then_some(()))
                .await;
            event(&mut events.1, |event| matches!(event, Event::RemoteOpened { .. }).then_some(()))
                .await;
            let ended = tokio::join!(common::rest(events.0), common::rest(events.1), async {
                within(async { tokio::join!(near.close(), far.close()) }).await
            });
            for event in ended.0.iter().chain(&ended.1) {
                assert!(matches!(event, Event::RemoteEnded { .. }), "{event}");
            }
        }
    });
}

#[tokio::test]
async fn a_found_address_costs_a_stranger_six_probes_at_most_and_no_quic() {
    let victim = UdpSocket::bind(LOOPBACK).unwrap();
    victim.set_nonblocking(true).unwrap();
    let any = Address::any(victim.local_addr().unwrap());
    let far = start(Node::builder().discovery(common::rendezvous::Tells(any))).await;
    let mut events = far.events();
    let failed = |event: &Event| match event {
        Event::DialFailed { error, .. } => Some(error.to_string()),
        _ => None,
    };
    let error = event(&mut events, failed).await;
    assert!(error.contains("no answer to probes"), "{error}");
    let (mut buffer, mut probes) = ([0; 2048], 0);
    while let Ok(length) = victim.recv(&mut buffer) {
        assert_eq!((length, buffer[0]), (64, 0x97));
        probes += 1;
    }
    assert!((1..=6).contains(&probes), "{probes} probes");
}

#[tokio::test]
async fn a_probe_of_somebody_who_does_not_know_the_subject_is_not_answered() {
    let near = over_quic().await;
    let stranger = tokio::net::UdpSocket::bind(LOOPBACK).await.unwrap();
    let address = near.addresses()[0].socket;
    let probe = [&[0x97, 1][..], &[7; 62]].concat();
    stranger.send_to(&probe, address).await.unwrap();
    // A member's dial is answered after it, so the probe has been looked at by then.
    still_healthy(&near).await;
    assert!(stranger.try_recv(&mut [0; 64]).is_err(), "a stranger was answered");
}
