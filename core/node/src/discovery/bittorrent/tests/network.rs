//! Announcing and finding in networks of real nodes.

use std::net::UdpSocket;

use tokio::time::{sleep, timeout};

use super::*;
use crate::discovery::testing::topic;

#[tokio::test]
async fn two_services_find_each_other_at_the_ports_they_announced() {
    let testnet = Testnet::builder(4).start().await.unwrap();
    let (a, b) = (client(testnet.bootstrap()).await, client(testnet.bootstrap()).await);
    let (topic_a, topic_b) =
        (topic("pair", &["tcp://127.0.0.1:8001"]), topic("pair", &["tcp://127.0.0.1:8002"]));
    a.announce(&topic_a).await.unwrap();
    b.announce(&topic_b).await.unwrap();
    for (dht, topic) in [(&a, &topic_a), (&b, &topic_b)] {
        assert_eq!(finds(dht, topic).await.unwrap(), ["127.0.0.1:8001", "127.0.0.1:8002"]);
    }
}

#[tokio::test]
async fn one_entrance_is_enough() {
    let testnet = Testnet::builder(4).start().await.unwrap();
    let (a, b) = (client(&testnet.bootstrap()[..1]).await, client(&testnet.bootstrap()[3..]).await);
    let topic = topic("entrance", &["tcp://0.0.0.0:8001"]);
    a.announce(&topic).await.unwrap();
    assert_eq!(finds(&b, &topic).await.unwrap(), ["127.0.0.1:8001"]);
}

#[tokio::test]
async fn another_subject_is_not_found() {
    let testnet = Testnet::builder(2).start().await.unwrap();
    let dht = client(testnet.bootstrap()).await;
    dht.announce(&topic("this", &["tcp://127.0.0.1:8001"])).await.unwrap();
    assert!(finds(&dht, &topic("that", &[])).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_node_that_does_not_listen_announces_nothing() {
    let testnet = Testnet::builder(2).start().await.unwrap();
    let dht = client(testnet.bootstrap()).await;
    let topic = topic("deaf", &[]);
    dht.announce(&topic).await.unwrap();
    assert!(finds(&dht, &topic).await.unwrap().is_empty());
}

#[test]
fn the_announced_port_is_that_of_the_first_address_that_hears_ipv4() {
    let port = |addresses: &[&str]| announced_port(topic("x", addresses).listening());
    assert_eq!(port(&[]).unwrap(), None);
    assert_eq!(
        port(&["tcp://[2001:db8::1]:1", "tcp://192.0.2.1:2", "tcp://192.0.2.1:3"]).unwrap(),
        Some(2)
    );
    assert!(port(&["tcp://[2001:db8::1]:1", "tcp://[::]:2"]).is_err());
    let error = port(&["tcp://[2001:db8::1]:1"]).unwrap_err();
    assert!(error.message().contains("[2001:db8::1]:1"), "{error}");
}

#[tokio::test]
async fn a_network_of_ones_own_is_found_by_those_who_are_told_of_it() {
    let host = client::<SocketAddr>(&[]).await;
    let guest = client(&[host.local_address()]).await;
    let (at_host, at_guest) =
        (topic("own", &["tcp://127.0.0.1:8001"]), topic("own", &["tcp://127.0.0.1:8002"]));
    host.announce(&at_host).await.unwrap();
    guest.announce(&at_guest).await.unwrap();
    for dht in [&host, &guest] {
        assert_eq!(finds(dht, &at_host).await.unwrap(), ["127.0.0.1:8001", "127.0.0.1:8002"]);
    }
}

#[tokio::test]
async fn a_network_of_ones_own_has_the_port_that_was_asked_for() {
    let port = free_port();
    let host = BitTorrentDht::open(BitTorrentSettings { port, ..settings::<SocketAddr>(&[]) })
        .await
        .unwrap();
    assert_eq!(host.local_address().port(), port);
    host.close().await;
    UdpSocket::bind(("127.0.0.1", port)).unwrap();
}

#[tokio::test]
async fn a_bootstrap_node_that_comes_up_late_is_used_without_a_restart() {
    // A socket that nobody reads: the node is down, and nobody else takes its port.
    let down = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = down.local_addr().unwrap();
    let dht = client(&[address]).await;
    let bound = dht.local_address();
    let topic = topic("late", &["tcp://127.0.0.1:8001"]);
    for error in [finds(&dht, &topic).await.unwrap_err(), dht.announce(&topic).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.message().contains(&address.to_string()), "{error}");
    }

    drop(down);
    let _testnet = Testnet::builder(2).port(address.port()).start().await.unwrap();
    let announced = async { while dht.announce(&topic).await.is_err() {} };
    timeout(LONG, announced).await.unwrap();
    assert_eq!(finds(&dht, &topic).await.unwrap(), ["127.0.0.1:8001"]);
    assert_eq!(dht.local_address(), bound);
}

#[tokio::test]
async fn a_bootstrap_node_may_be_a_name_and_one_that_does_not_resolve_does_no_harm() {
    let testnet = Testnet::builder(2).start().await.unwrap();
    let port = testnet.bootstrap()[0].port();
    let dht = client(&["nobody.invalid:6881".to_owned(), format!("localhost:{port}")]).await;
    dht.announce(&topic("name", &["tcp://127.0.0.1:8001"])).await.unwrap();
}

#[tokio::test]
async fn names_of_which_none_resolves_fail_the_lookup_and_not_the_opening() {
    let dht = client(&["nobody.invalid:6881"]).await;
    for _ in 0..2 {
        let error = finds(&dht, &topic("unresolved", &[])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.message().contains("nobody.invalid:6881"), "{error}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for bootstrap in [&["127.0.0.1:9"][..], &[]] {
        let settings = BitTorrentSettings { port, ..settings(bootstrap) };
        let error = BitTorrentDht::open(settings).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.message().contains(&format!("127.0.0.1:{port}")), "{error}");
    }
}

#[tokio::test]
async fn the_named_port_is_bound_and_free_again_when_the_service_is_closed() {
    let port = free_port();
    let settings = BitTorrentSettings { port, ..settings(&["127.0.0.1:9"]) };
    for _ in 0..3 {
        let dht = BitTorrentDht::open(settings.clone()).await.unwrap();
        assert_eq!(dht.local_address(), SocketAddr::from(([127, 0, 0, 1], port)));
        dht.close().await;
        let error = finds(&dht, &topic("closed", &[])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn dropping_the_service_in_the_middle_of_a_lookup_frees_its_port() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let dht = client(&[silent.local_addr().unwrap()]).await;
    let bound = dht.local_address();
    assert!(UdpSocket::bind(bound).is_err());
    let topic = topic("dropped", &[]);
    let lookup = tokio::spawn(async move { finds(&dht, &topic).await });
    // The query has been sent when it arrives.
    silent.set_nonblocking(true).unwrap();
    let silent = tokio::net::UdpSocket::from_std(silent).unwrap();
    timeout(LONG, silent.recv(&mut [0; 2048])).await.unwrap().unwrap();
    lookup.abort();
    let freed = async {
        while UdpSocket::bind(bound).is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, freed).await.unwrap();
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
