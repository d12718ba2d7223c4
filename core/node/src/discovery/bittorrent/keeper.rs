//! Keeps one client running: starts it, and replaces it when it has ended.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, PoisonError},
    time::Duration,
};

use mainline::async_dht::AsyncDht;
use p2pchan_proto::error::{Error, ErrorKind};
use tokio::{
    sync::{Mutex, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    client::{Client, Overrun, Query, closed},
    worker::{Worker, WorkerPlan},
};
use crate::discovery::host;

/// A host name or IP address, and a UDP port.
pub(super) type Host = (String, u16);

/// The longest lookup. On the public network most take 3 to 10 s; a query waits 2 s for each
/// silent node.
pub(super) const LOOKUP_DEADLINE: Duration = Duration::from_secs(30);
/// What a query may take beyond a lookup: an announcement is one more round of requests.
const GRACE: Duration = Duration::from_secs(10);
/// Queries in progress, for all topics together: each holds some tens of kilobytes in the worker.
const MAX_QUERIES: usize = 32;
/// The time from one start of a worker to the next, if the network kills it again and again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// How long opening may wait for the resolver. What is not known by then is asked again later.
const FIRST_RESOLVE: Duration = Duration::from_secs(3);
/// How long a worker's thread may take to end. It looks 20 times a second whether it should.
const END_DEADLINE: Duration = Duration::from_secs(5);
/// Addresses of bootstrap nodes in use: each query may visit them all.
const MAX_BOOTSTRAP: usize = 64;

/// What the client is started with.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) bootstrap: Vec<Host>,
    pub(super) address: Ipv4Addr,
    pub(super) port: u16,
    /// The longest lookup.
    pub(super) deadline: Duration,
}

/// Keeps one client running.
#[derive(Debug)]
pub(super) struct Keeper {
    plan: Plan,
    /// Held while a client is started, so that there is never more than one.
    slot: Mutex<Slot>,
    queries: Arc<Semaphore>,
    /// True from the moment the service is closed or dropped.
    stopped: watch::Sender<bool>,
    local: std::sync::Mutex<SocketAddrV4>,
}

#[derive(Debug, Default)]
struct Slot {
    client: Option<Arc<Client>>,
    /// When the last one was started.
    started: Option<Instant>,
}

impl Keeper {
    pub(super) async fn open(plan: Plan) -> Result<Arc<Self>, Error> {
        let local = SocketAddrV4::new(plan.address, plan.port);
        let keeper = Arc::new(Self {
            plan,
            slot: Mutex::default(),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            stopped: watch::Sender::new(false),
            local: std::sync::Mutex::new(local),
        });
        // A network that cannot be resolved yet is no reason not to open.
        let resolved = timeout(FIRST_RESOLVE, keeper.resolve()).await;
        let bootstrap = resolved.ok().and_then(Result::ok).unwrap_or_default();
        keeper.start(&mut *keeper.slot.lock().await, bootstrap).await?;
        Ok(keeper)
    }

    pub(super) fn local_address(&self) -> SocketAddr {
        SocketAddr::V4(*self.local.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends all queries and the client.
    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
        if let Ok(mut slot) = self.slot.try_lock() {
            slot.client = None;
        }
    }

    /// Ends the client. The next query starts another one. Ready when its port is free.
    pub(super) async fn rest(&self) {
        self.slot.lock().await.end().await;
    }

    pub(super) async fn close(&self) {
        self.stopped.send_replace(true);
        self.slot.lock().await.end().await;
    }

    /// The running client, or a new one if it has ended.
    pub(super) async fn client(self: &Arc<Self>) -> Result<Arc<Client>, Error> {
        // In a task of its own: a verb that is dropped while a client starts must not lose it.
        let keeper = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut slot = keeper.slot.lock().await;
            keeper.usable(&mut slot).await
        });
        task.await.unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, error.to_string())))
    }

    async fn usable(&self, slot: &mut Slot) -> Result<Arc<Client>, Error> {
        if *self.stopped.borrow() {
            return Err(closed());
        }
        let current = slot.client.clone().filter(|client| client.is_running());
        if let Some(client) = &current
            && !client.is_doubted()
        {
            return Ok(Arc::clone(client));
        }
        let bootstrap = self.resolve().await?;
        if let Some(client) = current
            && client.is_confirmed(&bootstrap)
        {
            return Ok(client);
        }
        self.start(slot, bootstrap).await
    }

    async fn start(
        &self,
        slot: &mut Slot,
        bootstrap: Vec<SocketAddrV4>,
    ) -> Result<Arc<Client>, Error> {
        slot.end().await;
        if let Some(started) = slot.started.replace(Instant::now()) {
            sleep_until(started + RESTART_PAUSE).await;
        }
        let local = *self.local.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = |port| WorkerPlan {
            address: self.plan.address,
            port,
            bootstrap: bootstrap.clone(),
            server: false,
        };
        let worker = match Worker::start(plan(local.port())).await {
            // Any port was good; the one of the last client is only the best.
            Err(_) if self.plan.port == 0 => Worker::start(plan(0)).await?,
            outcome => outcome?,
        };
        *self.local.lock().unwrap_or_else(PoisonError::into_inner) = worker.local();
        let client = Arc::new(Client::new(worker, self.plan.bootstrap.clone(), bootstrap));
        slot.client = Some(Arc::clone(&client));
        Ok(client)
    }

    /// The IPv4 addresses of all bootstrap hosts; those that do not resolve are left out, unless
    /// all do not.
    async fn resolve(&self) -> Result<Vec<SocketAddrV4>, Error> {
        let mut resolving = JoinSet::new();
        for (name, port) in self.plan.bootstrap.iter().take(MAX_BOOTSTRAP).cloned() {
            resolving.spawn(async move { host::resolve(&name, port).await });
        }
        let (mut bootstrap, mut failures) = (Vec::new(), Vec::new());
        for outcome in resolving.join_all().await {
            match outcome {
                Ok(addresses) => bootstrap.extend(addresses.into_iter().filter_map(v4)),
                Err(error) => failures.push(error.message().to_owned()),
            }
        }
        bootstrap.sort_unstable();
        bootstrap.dedup();
        bootstrap.truncate(MAX_BOOTSTRAP);
        if !bootstrap.is_empty() {
            return Ok(bootstrap);
        }
        if failures.is_empty() {
            failures.push("they have no IPv4 address".to_owned());
        }
        let why = failures.join("; ");
        let hosts = list(&self.plan.bootstrap);
        let message = format!("cannot enter the BitTorrent DHT through {hosts}: {why}");
        Err(Error::new(ErrorKind::Io, message))
    }

    /// Runs a query to its end, also if nobody waits for it any more: the worker would go on with
    /// it anyway, and only a query that is watched can be ended when it overruns.
    pub(super) async fn supervise<T, F>(
        &self,
        client: &Arc<Client>,
        query: impl FnOnce(AsyncDht, Instant) -> F + Send + 'static,
    ) -> Result<Query<T>, Error>
    where
        F: Future<Output = Result<T, Overrun>> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.queries).acquire_owned().await.map_err(|_| closed())?;
        let client = Arc::clone(client);
        let stopped = self.stopped.subscribe();
        let deadline = Instant::now() + self.plan.deadline;
        let query = move |dht| query(dht, deadline);
        Ok(Query::start(client.watch(query, deadline + GRACE, stopped, permit)))
    }
}

impl Slot {
    /// Ends the client, and waits for its port to be free.
    async fn end(&mut self) {
        let Some(client) = self.client.take() else { return };
        client.retire();
        let ended = client.ended();
        drop(client);
        let _ = timeout(END_DEADLINE, ended.wait()).await;
    }
}

fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

/// Hosts as messages name them.
pub(super) fn list(hosts: &[Host]) -> String {
    hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(", ")
}
