//! A BitTorrent DHT of one's own, for tests and demonstrations: real nodes, on this machine.
//!
//! ```
//! use p2pchan::{BitTorrentDht, BitTorrentSettings, Testnet};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), p2pchan::Error> {
//! let testnet = Testnet::builder(5).start().await?;
//! let entrance = testnet.bootstrap()[0];
//! assert!(entrance.ip().is_loopback());
//!
//! let dht = BitTorrentDht::open(BitTorrentSettings {
//!     bootstrap: vec![(entrance.ip().to_string(), entrance.port())],
//!     address: "127.0.0.1".parse().unwrap(),
//!     port: 0,
//! })
//! .await?;
//! println!("a client at {} of the network at {entrance}", dht.local_address());
//!
//! dht.close().await;
//! testnet.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Why nodes are replaced
//! The nodes are those of the crate `mainline`, which has two habits that a small network does not
//! outlive. It drops every node it heard of 15 minutes ago and does not hear of it again by itself,
//! and it never learns of a node that only asks. So each node starts with the addresses of all the
//! others, and all are replaced in turn, by a fresh node at the *same* address: what the others and
//! the users know stays true. The next one is replaced only when its predecessor has found the
//! others, so at most one node is ever missing (for some 100 ms).
//!
//! A fresh node has no announcements. Whoever announces again at least once in each `lifetime` is
//! found all the time.

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    time::Duration,
};

use mainline::Id;
use p2pchan_proto::error::{Error, ErrorKind};
use tokio::{
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::discovery::{Worker, WorkerPlan};

/// Well within the 15 minutes after which a node's table loses what it knew at the start.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// Each node is a thread that wakes 20 times a second, and knows all the others.
const MAX_NODES: usize = 50;
/// A bucket of a routing table holds this many; a node that knows as many knows its network.
const ENOUGH_KNOWN: usize = 20;
/// How long a node may take to find the others, which answer within milliseconds.
const MEET_DEADLINE: Duration = Duration::from_secs(10);
/// How long a thread may take to end. It looks 20 times a second whether it should.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// A BitTorrent DHT on this machine. It ends when this is dropped, or with [`close`](Self::close).
#[derive(Debug)]
pub struct Testnet {
    addresses: Vec<SocketAddr>,
    replaced: watch::Receiver<u64>,
    stop: oneshot::Sender<()>,
    keeper: Keeper,
}

impl Testnet {
    /// Prepares a network of this many nodes, 2 to 50.
    pub const fn builder(nodes: usize) -> TestnetBuilder {
        TestnetBuilder {
            nodes,
            address: Ipv4Addr::LOCALHOST,
            port: 0,
            lifetime: Some(DEFAULT_LIFETIME),
        }
    }

    /// The addresses of all nodes; each is an entrance, and stays one as long as the network lives.
    /// The first has the port that was asked for.
    pub fn bootstrap(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many nodes have been replaced so far; changes are seen as they happen.
    pub fn replaced(&self) -> watch::Receiver<u64> {
        self.replaced.clone()
    }

    /// Ends the network. Ready when all ports are free.
    pub async fn close(mut self) {
        // It fails only if the keeper is gone, and with it the network.
        let _ = self.stop.send(());
        let _ = (&mut self.keeper.0).await;
    }
}

/// The task that owns the nodes.
#[derive(Debug)]
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a [`Testnet`] is to be.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before start"]
pub struct TestnetBuilder {
    nodes: usize,
    address: Ipv4Addr,
    port: u16,
    lifetime: Option<Duration>,
}

impl TestnetBuilder {
    /// Where the nodes listen; 127.0.0.1 by default, so that nobody else can reach them.
    pub const fn address(mut self, address: Ipv4Addr) -> Self {
        self.address = address;
        self
    }

    /// The UDP port of the first node; 0, the default, is any. The others take any.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The time in which every node is replaced once, evenly spread; 10 minutes by default, at
    /// least 1 second. Tables go stale after 15 minutes.
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Keeps the nodes for ever. They survive by asking all the others anew when their tables have
    /// gone stale, so for some seconds every 15 minutes they know little; in return no
    /// announcement is ever lost.
    pub(crate) const fn never_replaced(mut self) -> Self {
        self.lifetime = None;
        self
    }

    /// Starts the nodes. Ready when they all know each other.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a number of nodes or a lifetime out of range,
    /// [`ErrorKind::Io`] if the port cannot be had, [`ErrorKind::Timeout`] if the nodes do not find
    /// each other within 10 s.
    pub async fn start(self) -> Result<Testnet, Error> {
        self.check()?;
        let nodes = match Nodes::start(&self).await {
            // Between choosing a free port and taking it, another program was faster.
            Err(error) if error.kind() == ErrorKind::Io => Nodes::start(&self).await?,
            outcome => outcome?,
        };
        let addresses = nodes.addresses.iter().copied().map(SocketAddr::V4).collect();
        let (stop, stopped) = oneshot::channel();
        let (count, replaced) = watch::channel(0);
        let keeper = Keeper(tokio::spawn(nodes.keep(self.lifetime, count, stopped)));
        Ok(Testnet { addresses, replaced, stop, keeper })
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |message| Err(Error::new(ErrorKind::Invalid, message));
        if !(2..=MAX_NODES).contains(&self.nodes) {
            let nodes = self.nodes;
            return invalid(format!("a testnet of {nodes} nodes; give it 2 to {MAX_NODES}"));
        }
        if let Some(lifetime) = self.lifetime
            && lifetime < Duration::from_secs(1)
        {
            return invalid(format!("testnet lifetime {lifetime:?}; give it at least 1 s"));
        }
        Ok(())
    }
}

/// The nodes, in the order of their addresses.
struct Nodes {
    /// Where each is bound.
    bound: Vec<SocketAddrV4>,
    /// Where each is reached: the same, unless it is bound to all addresses.
    addresses: Vec<SocketAddrV4>,
    /// A place is empty only while its node is replaced.
    workers: Vec<Option<Worker>>,
}

impl Nodes {
    async fn start(builder: &TestnetBuilder) -> Result<Self, Error> {
        let bound = choose_ports(builder)?;
        let ip = reachable(builder.address);
        let addresses = bound.iter().map(|at| SocketAddrV4::new(ip, at.port())).collect();
        let workers = bound.iter().map(|_| None).collect();
        let mut nodes = Self { bound, addresses, workers };
        let mut starting = JoinSet::new();
        for place in 0..builder.nodes {
            let worker = Worker::start(nodes.plan(place));
            starting.spawn(async move { (place, worker.await) });
        }
        // All answer before any asks.
        let mut meeting = JoinSet::new();
        for (place, worker) in starting.join_all().await {
            let worker = worker?;
            let nodes = builder.nodes;
            meeting.spawn(async move { meet(&worker, nodes).await.map(|()| (place, worker)) });
        }
        for met in meeting.join_all().await {
            let (place, worker) = met?;
            nodes.workers[place] = Some(worker);
        }
        Ok(nodes)
    }

    /// What the node in this place is started with: the addresses of all the others.
    fn plan(&self, place: usize) -> WorkerPlan {
        let mut bootstrap = self.addresses.clone();
        bootstrap.remove(place);
        let (address, port) = (*self.bound[place].ip(), self.bound[place].port());
        WorkerPlan { address, port, bootstrap, server: true }
    }

    async fn keep(
        mut self,
        lifetime: Option<Duration>,
        count: watch::Sender<u64>,
        stopped: oneshot::Receiver<()>,
    ) {
        tokio::select! {
            _ = stopped => {}
            () = self.replace_in_turn(lifetime, &count) => {}
        }
        let workers = std::mem::take(&mut self.workers);
        let ended: Vec<_> = workers.iter().flatten().map(Worker::ended).collect();
        drop(workers);
        for thread in ended {
            let _ = timeout(END_DEADLINE, thread.wait()).await;
        }
    }

    async fn replace_in_turn(&mut self, lifetime: Option<Duration>, count: &watch::Sender<u64>) {
        let Some(lifetime) = lifetime else { return pending().await };
        let nodes = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
        for place in (0..self.workers.len()).cycle() {
            sleep(lifetime / nodes).await;
            while let Err(error) = self.replace(place).await {
                tracing::warn!(%error, "a node of the testnet could not be replaced");
                sleep(Duration::from_secs(1)).await;
            }
            count.send_modify(|count| *count += 1);
        }
    }

    async fn replace(&mut self, place: usize) -> Result<(), Error> {
        if let Some(old) = self.workers[place].take() {
            let ended = old.ended();
            drop(old);
            let _ = timeout(END_DEADLINE, ended.wait()).await;
        }
        let worker = Worker::start(self.plan(place)).await?;
        let met = meet(&worker, self.addresses.len()).await;
        self.workers[place] = Some(worker);
        met
    }
}

/// Waits until a node knows the others. While it does not, each of its queries visits all of its
/// bootstrap addresses.
async fn meet(worker: &Worker, nodes: usize) -> Result<(), Error> {
    let enough = (nodes - 1).min(ENOUGH_KNOWN);
    let met = worker.run(move |dht| async move {
        while dht.to_bootstrap().await.len() < enough {
            dht.find_node(Id::random()).await;
        }
    });
    timeout(MEET_DEADLINE, met).await.unwrap_or_else(|_| {
        let message = format!("the testnet node at {} found no others", worker.local());
        Err(Error::new(ErrorKind::Timeout, message))
    })
}

/// Free ports, the first one as asked for. They are free again when this returns: the crate
/// `mainline` binds its sockets itself.
fn choose_ports(builder: &TestnetBuilder) -> Result<Vec<SocketAddrV4>, Error> {
    let mut sockets = Vec::new();
    let mut bound = Vec::new();
    for place in 0..builder.nodes {
        let port = if place == 0 { builder.port } else { 0 };
        let wanted = SocketAddrV4::new(builder.address, port);
        let socket = UdpSocket::bind(wanted)
            .map_err(|error| crate::discovery::cannot_bind(wanted, &error))?;
        let port = socket.local_addr().map_or(port, |at| at.port());
        bound.push(SocketAddrV4::new(builder.address, port));
        sockets.push(socket);
    }
    Ok(bound)
}

/// An address that others can use for a node bound to `bound`. For 0.0.0.0 it is the one this
/// machine would talk to the Internet from; asking for it sends nothing.
fn reachable(bound: Ipv4Addr) -> Ipv4Addr {
    /// TEST-NET-1 (RFC 5737): any address that is routed by default.
    const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);
    if !bound.is_unspecified() {
        return bound;
    }
    let source = || {
        let socket = UdpSocket::bind((bound, 0))?;
        socket.connect(ELSEWHERE)?;
        socket.local_addr()
    };
    match source() {
        Ok(SocketAddr::V4(source)) if !source.ip().is_unspecified() => *source.ip(),
        _ => Ipv4Addr::LOCALHOST,
    }
}

#[cfg(test)]
mod tests;
