//! The BitTorrent DHT (BEP 5): millions of nodes, or a few of one's own, that keep short lists of
//! addresses under 20-byte keys.
//!
//! A node announces the TCP port it listens on under [`Topic::find_key`] and looks there for
//! others. BEP 5 cannot take an announcement back: nodes of the DHT forget it by themselves, most
//! after 30 to 45 minutes. What they name is therefore a hint, and anybody can add to it.
//!
//! The client is the crate `mainline`, on a UDP socket of its own, for IPv4 only. Its faults are
//! contained here:
//! - it blocks or panics where it should not: see `worker`;
//! - an answer can hold any number of bogus addresses: see `answers`;
//! - a lookup lasts as long as somebody names closer nodes, so one that overruns its deadline is
//!   ended with the worker, the only way to stop it;
//! - an announcement is sent to the nodes that answered the last lookup of the key, so one is made
//!   before each;
//! - it would serve strangers once it believes that they can reach it, with tokens that can be
//!   forged (a plain CRC): a client answers nobody.
//!
//! A worker that has ended, for whatever reason, is replaced when the service is next used, on the
//! same port, at most once a second.
//!
//! # A network of one's own
//! With no bootstrap node there is no network to join, so the service makes one: two nodes that
//! answer whoever comes, the first on the named port, the second on any port of the same address,
//! since a node of this crate does not ask itself.

mod answers;
mod client;
#[cfg(test)]
mod interop;
mod keeper;
mod query;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use p2pchan_proto::{
    address::Address,
    error::{Error, ErrorKind},
};
use tokio::sync::mpsc;

use self::{
    answers::{Answers, MAX_PER_LOOKUP},
    keeper::{Host, Keeper, LOOKUP_DEADLINE, Plan},
};
use super::service::{BoxFuture, DiscoveryService, Found, Topic};
use crate::testnet::Testnet;

pub(crate) use self::worker::{Worker, WorkerPlan, cannot_bind};

/// Well-known hosts through which the public BitTorrent DHT is entered, run by BitTorrent Inc.
/// (the first two), Transmission and libtorrent. Nothing is asked of them unless the settings say
/// so.
pub const PUBLIC_BOOTSTRAP: [(&str, u16); 4] = [
    ("router.bittorrent.com", 6881),
    ("router.utorrent.com", 6881),
    ("dht.transmissionbt.com", 6881),
    ("dht.libtorrent.org", 25401),
];

/// Where the client of the BitTorrent DHT is bound, and whom it asks first.
#[derive(Clone, Debug)]
pub struct BitTorrentSettings {
    /// Hosts, as IP addresses or names, and UDP ports of nodes through which the network is
    /// entered. For the public one see [`PUBLIC_BOOTSTRAP`]; none for a network of one's own.
    pub bootstrap: Vec<(String, u16)>,
    /// The IPv4 address of the client's UDP socket; 0.0.0.0 for all.
    pub address: Ipv4Addr,
    /// Its port; 0 for any.
    pub port: u16,
}

/// A client of the BitTorrent DHT. Dropping it stops its thread and frees its port within some
/// 50 ms; [`close`](Self::close) waits for that.
#[derive(Debug)]
pub struct BitTorrentDht {
    keeper: Arc<Keeper>,
    /// The network, if it is made here and not closed. The client asks it like any other.
    home: Mutex<Option<Testnet>>,
    /// Where that network is entered.
    entrance: Option<SocketAddr>,
}

impl BitTorrentDht {
    /// Binds the socket. Does not wait for the network: bootstrap nodes may come up later, and
    /// names that do not resolve yet are tried again.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the port cannot be had; the message names it.
    pub async fn open(settings: BitTorrentSettings) -> Result<Self, Error> {
        let BitTorrentSettings { mut bootstrap, address, mut port } = settings;
        let mut home = None;
        if bootstrap.is_empty() {
            let network = Testnet::builder(2).address(address).port(port).never_replaced();
            let network = network.start().await?;
            bootstrap =
                network.bootstrap().iter().map(|at| (at.ip().to_string(), at.port())).collect();
            port = 0;
            home = Some(network);
        }
        let bootstrap: Vec<Host> = bootstrap;
        let keeper =
            Keeper::open(Plan { bootstrap, address, port, deadline: LOOKUP_DEADLINE }).await?;
        let entrance = home.as_ref().and_then(|home| home.bootstrap().first().copied());
        Ok(Self { keeper, home: Mutex::new(home), entrance })
    }

    /// Where others and the network reach this service: the bound address, with the real port.
    pub fn local_address(&self) -> SocketAddr {
        self.entrance.unwrap_or_else(|| self.keeper.local_address())
    }

    /// Stops. Ready when the port is free; the verbs fail from now on.
    pub async fn close(&self) {
        self.keeper.close().await;
        let home = self.home.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(home) = home {
            home.close().await;
        }
    }

    async fn look_up_key(&self, key: [u8; 20], found: &Found) -> Result<(), Error> {
        let client = self.keeper.client().await?;
        let answers = Answers::new(client.is_own_network());
        // Room for all, so that the lookup never waits for the one who listens.
        let (finds, mut heard) = mpsc::channel(MAX_PER_LOOKUP);
        let lookup = self
            .keeper
            .supervise(&client, move |dht, deadline| {
                query::look_up(dht, key, deadline, answers, finds)
            })
            .await?;
        while let Some(address) = heard.recv().await {
            found.address(Address::any(SocketAddr::V4(address)));
        }
        if lookup.outcome().await? { Ok(()) } else { Err(client.unanswered()) }
    }

    async fn announce_key(&self, key: [u8; 20], port: u16) -> Result<(), Error> {
        let client = self.keeper.client().await?;
        let announcement = self
            .keeper
            .supervise(&client, move |dht, deadline| query::announce(dht, key, deadline, port))
            .await?;
        announcement.outcome().await?.map_err(|error| client.not_announced(&error))
    }
}

impl Drop for BitTorrentDht {
    fn drop(&mut self) {
        self.keeper.stop();
    }
}

impl DiscoveryService for BitTorrentDht {
    fn name(&self) -> &str {
        "bittorrent"
    }

    /// Announces the TCP port of the first IPv4 address this node listens on; what IP address it
    /// has is for the nodes of the DHT to see. A node that does not listen has nothing to announce,
    /// which is no failure. To be found all the time, announce at least every 10 minutes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the node listens on IPv6 only, [`ErrorKind::Timeout`] if no node
    /// of the DHT took the announcement, [`ErrorKind::Protocol`] or [`ErrorKind::Internal`] if
    /// nodes answered what the client cannot digest. The next try may succeed.
    fn announce<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async {
            match announced_port(topic.listening())? {
                Some(port) => self.announce_key(topic.find_key("bittorrent"), port).await,
                None => Ok(()),
            }
        })
    }

    /// Reports up to 64 addresses, at most 16 of each node's answer; from a public network no
    /// private ones. It ends after at most 30 s.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if no node of the DHT has answered for 15 minutes, or the lookup did
    /// not come to an end; [`ErrorKind::Io`] if no bootstrap host name resolves;
    /// [`ErrorKind::Internal`] if the client had to be started again. The next try may succeed.
    fn look_up<'a>(
        &'a self,
        topic: &'a Topic,
        found: &'a Found,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.look_up_key(topic.find_key("bittorrent"), found))
    }

    // BEP 5 has no way to withdraw: it is enough to stop announcing.

    /// Ends the client until it is next asked. A network of one's own goes on: others live on it.
    fn pause(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.keeper.rest())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(Self::close(self))
    }
}

/// The port to announce: that of the first IPv4 address. `[::]` hears IPv6 only.
fn announced_port(listening: &[Address]) -> Result<Option<u16>, Error> {
    let mut sockets = listening.iter().map(|address| address.socket);
    let port = sockets.find(SocketAddr::is_ipv4).map(|socket| socket.port());
    match (port, listening.first()) {
        (None, Some(address)) => Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "this node listens at {address}, and the BitTorrent DHT knows IPv4 only; listen on an IPv4 address too"
            ),
        )),
        (port, _) => Ok(port),
    }
}
