use std::{collections::HashSet, net::Ipv4Addr};

use super::*;
use crate::discovery::{
    BitTorrentDht, BitTorrentSettings, DiscoveryService,
    testing::{collector, topic},
};

/// Far more than anything here takes on a busy machine; reached only if a test fails.
const LONG: Duration = Duration::from_secs(60);

async fn client(testnet: &Testnet) -> BitTorrentDht {
    let bootstrap = testnet.bootstrap().iter().map(|at| (at.ip().to_string(), at.port())).collect();
    let address = Ipv4Addr::LOCALHOST;
    BitTorrentDht::open(BitTorrentSettings { bootstrap, address, port: 0 }).await.unwrap()
}

#[tokio::test]
async fn all_nodes_are_on_loopback_and_have_ports_of_their_own() {
    let testnet = Testnet::builder(5).start().await.unwrap();
    let distinct: HashSet<_> = testnet.bootstrap().iter().collect();
    assert_eq!(distinct.len(), 5);
    assert!(testnet.bootstrap().iter().all(|at| at.ip().is_loopback() && at.port() != 0));
}

#[tokio::test]
async fn the_first_node_has_the_port_that_was_asked_for_and_frees_it_when_closed() {
    let first = Testnet::builder(2).start().await.unwrap();
    let port = first.bootstrap()[0].port();
    let error = Testnet::builder(2).port(port).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.message().contains(&port.to_string()), "{error}");
    first.close().await;
    let second = Testnet::builder(2).port(port).start().await.unwrap();
    assert_eq!(second.bootstrap()[0].port(), port);
}

#[tokio::test]
async fn dropping_a_testnet_stops_its_nodes() {
    let testnet = Testnet::builder(2).start().await.unwrap();
    let addresses = testnet.bootstrap().to_vec();
    drop(testnet);
    let freed = async {
        for address in addresses {
            while UdpSocket::bind(address).is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        }
    };
    timeout(LONG, freed).await.unwrap();
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_by_name() {
    for nodes in [0, 1, 51] {
        let error = Testnet::builder(nodes).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(&nodes.to_string()), "{error}");
    }
    let error = Testnet::builder(2).lifetime(Duration::ZERO).start().await.unwrap_err();
    assert!(error.message().contains("lifetime"), "{error}");
}

#[tokio::test]
async fn as_many_nodes_as_allowed_find_each_other() {
    let testnet = Testnet::builder(MAX_NODES).start().await.unwrap();
    let dht = client(&testnet).await;
    let topic = topic("large", &["tcp://127.0.0.1:8099"]);
    dht.announce(&topic).await.unwrap();
    let (found, addresses) = collector();
    dht.look_up(&topic, &found).await.unwrap();
    assert_eq!(addresses.lock().unwrap().len(), 1);
    testnet.close().await;
}

#[tokio::test]
async fn an_announced_peer_is_found_also_after_every_node_was_replaced() {
    let testnet = Testnet::builder(4).lifetime(Duration::from_secs(2)).start().await.unwrap();
    let entrance = testnet.bootstrap().to_vec();
    let announcer = client(&testnet).await;
    let seeker = client(&testnet).await;
    let topic = topic("replaced", &["tcp://127.0.0.1:8099"]);
    let mut replaced = testnet.replaced();
    for turn in 0..=6 {
        timeout(LONG, replaced.wait_for(|count| *count >= turn)).await.unwrap().unwrap();
        // A node that is just being replaced makes a query slow, not wrong.
        announcer.announce(&topic).await.unwrap();
    }
    // Also for a newcomer, who knows only what the network says now.
    for dht in [&seeker, &client(&testnet).await] {
        let (found, addresses) = collector();
        dht.look_up(&topic, &found).await.unwrap();
        let addresses: Vec<_> = addresses.lock().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1:8099"]);
    }
    assert_eq!(testnet.bootstrap(), entrance);
    testnet.close().await;
}

#[test]
fn a_network_bound_to_all_addresses_is_entered_through_a_real_one() {
    assert!(!reachable(Ipv4Addr::UNSPECIFIED).is_unspecified());
    assert_eq!(reachable(Ipv4Addr::new(127, 0, 0, 5)), Ipv4Addr::new(127, 0, 0, 5));
}
