//! Whatever the network sends, the service stays bounded and comes back.

use std::{
    net::SocketAddrV4,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};

use super::{
    responder::{Query, Swarm},
    *,
};
use crate::discovery::testing::topic;

/// An id that gets closer to `key` as `node` rises to 1,000. No two share their first 21 bits,
/// which is what the crate demands of nodes with one IP address.
fn closer(key: [u8; 20], node: usize) -> [u8; 20] {
    let distance = u32::try_from(1000 - node).unwrap() << 3;
    let mut id = key;
    for (byte, difference) in id.iter_mut().zip(&distance.to_be_bytes()[1..]) {
        *byte ^= difference;
    }
    id
}

/// A node that says it knows nobody.
fn lonely(query: &Query<'_>, key: [u8; 20]) -> Vec<u8> {
    query.answer(closer(key, query.node), &[], &[])
}

/// A node that names those of the next `count` nodes that exist.
fn leading_on(query: &Query<'_>, key: [u8; 20], all: &[SocketAddrV4], count: usize) -> Vec<u8> {
    let nodes: Vec<_> =
        all.iter().copied().enumerate().map(|(node, at)| (closer(key, node), at)).collect();
    let next = nodes.get(query.node + 1..).unwrap_or_default();
    query.answer(closer(key, query.node), &next[..count.min(next.len())], &[])
}

#[tokio::test]
async fn a_worker_that_the_network_kills_is_replaced_on_the_same_port() {
    let topic = topic("killed", &["tcp://127.0.0.1:8001"]);
    let key = topic.find_key("bittorrent");
    let hostile = Arc::new(AtomicBool::new(true));
    let mode = Arc::clone(&hostile);
    // 300 nodes lead the lookup from one to the next. The crate cannot announce to more than 255.
    let swarm = Swarm::start(300, move |query, all| match query.method {
        "get_peers" if mode.load(Ordering::Relaxed) => Some(leading_on(query, key, all, 20)),
        _ => Some(lonely(query, key)),
    })
    .await;
    let dht = client(&swarm.addresses[..1]).await;
    let bound = dht.local_address();
    let killed = dht.keeper.client().await.unwrap();
    let error = dht.announce(&topic).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    timeout(LONG, killed.ended().wait()).await.unwrap();

    hostile.store(false, Ordering::Relaxed);
    dht.announce(&topic).await.unwrap();
    assert!(finds(&dht, &topic).await.unwrap().is_empty());
    assert_eq!(dht.local_address(), bound);
}

#[tokio::test]
async fn an_announcement_that_is_answered_with_error_301_fails_alone() {
    let topic = topic("refused", &["tcp://127.0.0.1:8001"]);
    let key = topic.find_key("bittorrent");
    let swarm = Swarm::start(1, move |query, _| match query.method {
        "announce_peer" => Some(query.error(301)),
        _ => Some(lonely(query, key)),
    })
    .await;
    let dht = client(&swarm.addresses).await;
    let before = dht.keeper.client().await.unwrap();
    dht.announce(&topic).await.unwrap_err();
    finds(&dht, &topic).await.unwrap();
    assert!(Arc::ptr_eq(&before, &dht.keeper.client().await.unwrap()));
}

#[tokio::test]
async fn an_announcement_that_nobody_confirms_fails() {
    let topic = topic("unconfirmed", &["tcp://127.0.0.1:8001"]);
    let key = topic.find_key("bittorrent");
    let swarm = Swarm::start(1, move |query, _| match query.method {
        "announce_peer" => None,
        _ => Some(lonely(query, key)),
    })
    .await;
    let error = client(&swarm.addresses).await.announce(&topic).await.unwrap_err();
    assert!(error.message().contains("confirmed"), "{error}");
}

#[tokio::test]
async fn a_thousand_bogus_addresses_are_bounded_and_the_honest_peer_gets_through() {
    let topic = topic("bogus", &[]);
    let key = topic.find_key("bittorrent");
    let honest: SocketAddrV4 = "127.0.0.1:8001".parse().unwrap();
    // Six nodes name 180 bogus addresses each; one of them has been told of the honest peer too.
    let swarm = Swarm::start(6, move |query, _| {
        let first = u16::try_from(1 + 180 * query.node).unwrap();
        let mut peers: Vec<_> = (first..first + 180)
            .map(|port| SocketAddrV4::new([10, 0, 0, 1].into(), port))
            .collect();
        if query.node == 3 {
            peers.push(honest);
        }
        Some(query.answer(closer(key, query.node), &[], &peers))
    })
    .await;
    let dht = client(&swarm.addresses).await;
    let honest_is_found = async {
        loop {
            let finds = finds(&dht, &topic).await.unwrap();
            assert!((1..=MAX_PER_LOOKUP).contains(&finds.len()), "{} addresses", finds.len());
            if finds.contains(&honest.to_string()) {
                break;
            }
        }
    };
    timeout(LONG, honest_is_found).await.unwrap();
}

#[tokio::test]
async fn a_lookup_that_is_led_on_for_ever_is_ended_and_the_next_one_works() {
    let topic = topic("endless", &[]);
    let key = topic.find_key("bittorrent");
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, mode) = (Arc::clone(&asked), Arc::new(AtomicBool::new(true)));
    let hostile = Arc::clone(&mode);
    // Each node takes a while, and the lookup waits for it: all of them would take half a minute.
    let pause = Duration::from_millis(300);
    let swarm = Swarm::start_slow(100, pause, move |query, all| {
        if query.method != "get_peers" || !hostile.load(Ordering::Relaxed) {
            return Some(lonely(query, key));
        }
        count.fetch_add(1, Ordering::Relaxed);
        Some(leading_on(query, key, all, 1))
    })
    .await;
    let plan = Plan {
        bootstrap: vec![("127.0.0.1".into(), swarm.addresses[0].port())],
        address: Ipv4Addr::LOCALHOST,
        port: 0,
        deadline: Duration::from_secs(2),
    };
    let keeper = Keeper::open(plan).await.unwrap();
    let dht = BitTorrentDht { keeper, home: Mutex::default(), entrance: None };
    let led_on = dht.keeper.client().await.unwrap().ended();
    let error = finds(&dht, &topic).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("no end"), "{error}");

    mode.store(false, Ordering::Relaxed);
    finds(&dht, &topic).await.unwrap();
    timeout(LONG, led_on.wait()).await.unwrap();
    assert!(asked.load(Ordering::Relaxed) < 100, "the lookup was not endless");
}

#[tokio::test]
async fn nonsense_in_answers_harms_nobody() {
    let topic = topic("nonsense", &["tcp://127.0.0.1:8001"]);
    let key = topic.find_key("bittorrent");
    let testnet = Testnet::builder(2).start().await.unwrap();
    let turn = AtomicUsize::new(0);
    let swarm = Swarm::start(8, move |query, _| {
        let good = query.answer(closer(key, query.node), &[], &[]);
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        Some(match turn % 6 {
            0 => query.error(203),
            1 => Vec::new(),
            2 => good[..good.len() / 2].to_vec(),
            3 => good.iter().map(|byte| byte.wrapping_add(1)).collect(),
            // An id of 19 bytes, and nodes whose length is no multiple of 26.
            4 => [
                &b"d1:rd2:id19:aaaaaaaaaaaaaaaaaaa5:nodes3:abce1:t4:"[..],
                &query.transaction,
                b"1:y1:re",
            ]
            .concat(),
            _ => [&b"d1:rd2:id99999999999:"[..], &good].concat(),
        })
    })
    .await;
    let mut entrances: Vec<_> = testnet.bootstrap().to_vec();
    entrances.extend(swarm.addresses.iter().copied().map(SocketAddr::V4));
    let dht = client(&entrances).await;
    let before = dht.keeper.client().await.unwrap();
    dht.announce(&topic).await.unwrap();
    assert_eq!(finds(&dht, &topic).await.unwrap(), ["127.0.0.1:8001"]);
    assert!(Arc::ptr_eq(&before, &dht.keeper.client().await.unwrap()));
}

#[tokio::test]
async fn empty_and_garbage_packets_harm_neither_the_client_nor_the_network() {
    let testnet = Testnet::builder(2).start().await.unwrap();
    let dht = client(testnet.bootstrap()).await;
    let before = dht.keeper.client().await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nested = |open: &str| format!("d1:a{}", open.repeat(2000 / open.len())).into_bytes();
    let garbage: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0],
        b"d".to_vec(),
        b"d1:ad2:id20:".to_vec(),
        b"d1:q4:ping1:t1:x1:y1:qe".to_vec(),
        b"d99999999999999999999:".to_vec(),
        b"d-1:aaaaaaaaaaaaaaaaaaaae".to_vec(),
        b"di99999999999999999999999999999999eaaaaaaaaaaaaaae".to_vec(),
        vec![0xff; 60_000],
        nested("l"),
        nested("d1:a"),
        (0..=255).collect(),
    ];
    for target in testnet.bootstrap().iter().copied().chain([dht.local_address()]) {
        for packet in &garbage {
            for _ in 0..20 {
                socket.send_to(packet, target).await.unwrap();
            }
            // Lets the threads empty their sockets, so that no packet is lost untried.
            sleep(Duration::from_millis(1)).await;
        }
    }
    let topic = topic("garbage", &["tcp://127.0.0.1:8001"]);
    dht.announce(&topic).await.unwrap();
    assert_eq!(finds(&dht, &topic).await.unwrap(), ["127.0.0.1:8001"]);
    assert!(Arc::ptr_eq(&before, &dht.keeper.client().await.unwrap()));
}

#[tokio::test]
async fn a_lookup_that_is_dropped_does_not_disturb_the_next() {
    let testnet = Testnet::builder(2).start().await.unwrap();
    let dht = client(testnet.bootstrap()).await;
    let topic = topic("dropped", &["tcp://127.0.0.1:8001"]);
    dht.announce(&topic).await.unwrap();
    for _ in 0..50 {
        let (found, _) = collector();
        let mut lookup = dht.look_up(&topic, &found);
        // Polled once, so that it has begun.
        let begun =
            std::future::poll_fn(|context| std::task::Poll::Ready(lookup.as_mut().poll(context)));
        assert!(begun.await.is_pending());
    }
    assert_eq!(finds(&dht, &topic).await.unwrap(), ["127.0.0.1:8001"]);
}
