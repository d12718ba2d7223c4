//! The service against real nodes, and against hostile ones.

mod contained;
mod network;
mod responder;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::*;
use crate::{discovery::testing::collector, testnet::Testnet};

/// Far more than anything here takes on a busy machine; reached only if a test fails.
const LONG: Duration = Duration::from_secs(60);

/// A client on loopback that enters through these addresses.
async fn client<A: ToString>(bootstrap: &[A]) -> BitTorrentDht {
    BitTorrentDht::open(settings(bootstrap)).await.unwrap()
}

fn settings<A: ToString>(bootstrap: &[A]) -> BitTorrentSettings {
    let host = |address: &A| {
        let text = address.to_string();
        let (host, port) = text.rsplit_once(':').unwrap();
        (host.to_owned(), port.parse().unwrap())
    };
    BitTorrentSettings {
        bootstrap: bootstrap.iter().map(host).collect(),
        address: Ipv4Addr::LOCALHOST,
        port: 0,
    }
}

/// What one lookup reports, in order.
async fn finds(dht: &BitTorrentDht, topic: &Topic) -> Result<Vec<String>, Error> {
    let (found, addresses) = collector();
    dht.look_up(topic, &found).await?;
    let mut finds: Vec<_> = addresses.lock().unwrap().iter().map(ToString::to_string).collect();
    finds.sort_unstable();
    Ok(finds)
}
