//! A thousand updates at random, while messages flow both ways over TCP and QUIC: none is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]
mod common;

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
};

use common::{
    flood::{assert_whole, flood},
    meet, start, still_healthy, within,
};
use p2pchan::{Address, Changes, ErrorKind, Node, Value};
use tokio::{spawn, sync::watch};

const UPDATES: usize = 1000;

/// Numbers that look random (xorshift), the same for the same seed.
struct Random(u64);

impl Random {
    /// Another one each time; shown, so that a failure can be tried again.
    fn new() -> Self {
        let seed = RandomState::new().hash_one(0) | 1;
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Values of a key that a node can run with while it keeps its peer. Empty: leave the key alone.
fn values(key: &str) -> &'static [&'static str] {
    match key {
        "listen" => &[
            "127.0.0.1:0",
            "tcp://127.0.0.1:0",
            "quic://127.0.0.1:0",
            "tcp://127.0.0.1:0, quic://127.0.0.2:0",
            "127.0.0.2:0, 127.0.0.3:0",
        ],
        "transports" => &["tcp", "quic", "tcp, quic"],
        "subjects" => &["one", "two", "[]"],
        "discovery.seeds" => &["127.0.0.1:1", "127.0.0.2:2, localhost:3"],
        "discovery.announce_interval" => &["1s", "10m~15m"],
        "discovery.lookup_interval" => &["1s~2s", "1h"],
        "discovery.lookup_interval_alone" => &["100ms~1s", "1m"],
        "limits.message" => &["1KiB", "1MiB"],
        "limits.reassembly" => &["1MiB", "1GiB"],
        "limits.high_water" => &["4KiB", "64KiB", "2MiB"],
        "limits.low_water" => &["0", "3KiB", "60KiB", "1MiB"],
        "limits.window" => &["256KiB", "2MiB"],
        "limits.remotes" | "limits.channels" | "limits.unproven" | "limits.dials" => &["1", "50"],
        "limits.waiting" | "limits.dials_pending" => &["1", "9"],
        "limits.subjects" => &["2", "200"],
        "timeouts.handshake" | "timeouts.dial" => &["1s", "9s"],
        "timeouts.close" => &["1s", "5s"],
        "timeouts.ping" => &["5s", "1m"],
        "timeouts.idle" => &["100ms", "1h"],
        _ => &[],
    }
}

/// One to three keys, each with a value or back to its default.
fn some_changes(random: &mut Random, keys: &[String], peer: &Node) -> Changes {
    let mut changes = Changes::new();
    for _ in 0..=random.below(3) {
        if random.below(10) == 0 {
            let allow = [Value::Null, peer.id().to_string().into()];
            changes.set("allow", allow[random.below(2)].clone());
        }
        let key = &keys[random.below(keys.len())];
        let values = values(key);
        let value = values.get(random.below(values.len() + 1));
        changes.set(key, value.copied());
    }
    changes
}

async fn update_at_random(random: &mut Random, nodes: &[Node; 2]) {
    let keys = nodes[0].settings();
    let keys: Vec<_> = keys.iter().map(|(key, _)| key.to_owned()).collect();
    let keys: Vec<_> = keys.into_iter().filter(|key| !values(key).is_empty()).collect();
    let mut changed = BTreeSet::new();
    let mut contradictions = 0;
    for _ in 0..UPDATES {
        let here = random.below(2);
        let changes = some_changes(random, &keys, &nodes[1 - here]);
        let before = (nodes[here].settings(), nodes[here].addresses());
        match within(nodes[here].update(changes.clone())).await {
            Ok(()) => {
                changed.extend(changes.iter().map(|(key, _)| key.to_owned()));
            }
            // Marks that contradict each other, mostly.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Settings, "{error}");
                assert_eq!((nodes[here].settings(), nodes[here].addresses()), before);
                contradictions += 1;
            }
        }
    }
    assert_eq!(changed.len(), keys.len() + 1, "every key and allow: {changed:?}");
    assert!(contradictions < UPDATES / 2, "{contradictions} were refused");
}

/// Two nodes that are connected by one transport, both flooding each other.
async fn survive(transport: &str) {
    let mut random = Random::new();
    let both = || Node::builder().set("listen", "127.0.0.1:0");
    let (near, far) = (start(both()).await, start(both()).await);
    let is_meant = |address: &&Address| address.transport.name() == transport;
    let address = *near.addresses().iter().find(is_meant).unwrap();
    let (mut to_far, mut to_near) = meet(&near, &far, address).await;
    let stop = watch::channel(false).0;
    let floods = [to_far.sender(), to_near.sender()].map(|it| spawn(flood(it, stop.subscribe())));
    let readers = async { tokio::join!(assert_whole(&mut to_far), assert_whole(&mut to_near)) };
    let nodes = [near, far];
    let updating = async {
        update_at_random(&mut random, &nodes).await;
        stop.send_replace(true);
    };
    tokio::join!(readers, updating);
    for flood in floods {
        within(flood).await.unwrap();
    }
    // And they can still be met.
    for node in &nodes {
        let mut changes = Changes::new();
        changes.set("listen", "127.0.0.1:0").set("transports", Value::Null);
        changes.set("allow", Value::Null).set("limits.remotes", Value::Null);
        changes.set("limits.channels", Value::Null).set("limits.unproven", Value::Null);
        node.update(changes).await.unwrap();
        still_healthy(node).await;
    }
}

#[tokio::test]
async fn a_thousand_updates_at_random_lose_no_message_over_tcp() {
    survive("tcp").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_updates_at_random_lose_no_message_over_quic_and_on_two_threads() {
    survive("quic").await;
}
