//! One node of the crate `mainline`, kept at arm's length.
//!
//! The crate runs each node on a thread of its own, which polls its UDP socket. Network input can
//! panic that thread (a lookup that more than 255 nodes answered, followed by an announcement), and
//! then each call into the crate panics too. So every call is made in a task of its own, where a
//! panic is only an error, and the end of the thread is heard at once: a request filter that the
//! thread owns holds the sending half of a channel, which closes when the thread has unwound and
//! its port is free.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::Arc,
};

use mainline::{Config, Dht, RequestFilter, RequestSpecific, ServerSettings, async_dht::AsyncDht};
use p2pchan_proto::error::{Error, ErrorKind};
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
};

/// What a node of the BitTorrent DHT is started with.
#[derive(Clone, Debug)]
pub(crate) struct WorkerPlan {
    pub(crate) address: Ipv4Addr,
    /// 0 for any.
    pub(crate) port: u16,
    pub(crate) bootstrap: Vec<SocketAddrV4>,
    /// Whether it answers others. A client never does, and says so in each query (BEP 43).
    pub(crate) server: bool,
}

/// A running node. Dropping it stops its thread within some 50 ms; [`Ended`] tells when.
#[derive(Debug)]
pub(crate) struct Worker {
    dht: AsyncDht,
    local: SocketAddrV4,
    ended: Ended,
}

impl Worker {
    /// Binds the socket and starts the thread.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the port cannot be had, [`ErrorKind::Internal`] if the crate fails.
    pub(crate) async fn start(plan: WorkerPlan) -> Result<Self, Error> {
        let wanted = SocketAddrV4::new(plan.address, plan.port);
        let (alive, ended) = watch::channel(());
        // The crate's constructor waits for its thread.
        let dht = spawn_blocking(move || build(plan, alive))
            .await
            .map_err(|_| crashed())?
            .map_err(|error| cannot_bind(wanted, &error))?
            .as_async();
        let mut worker = Self { dht, local: wanted, ended: Ended(ended) };
        let info = worker.run(|dht| async move { dht.info().await }).await?;
        worker.local = info.local_addr();
        Ok(worker)
    }

    /// The bound address.
    pub(crate) const fn local(&self) -> SocketAddrV4 {
        self.local
    }

    /// Runs calls into the crate; a panic in them, or the end of the thread, is an error.
    pub(crate) async fn run<T, F>(
        &self,
        work: impl FnOnce(AsyncDht) -> F + Send + 'static,
    ) -> Result<T, Error>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        if self.ended.is_over() {
            return Err(crashed());
        }
        let dht = self.dht.clone();
        let mut task = JoinSet::new();
        // `work` is called inside the task: the crate can panic before its first await.
        task.spawn(async move { work(dht).await });
        tokio::select! {
            outcome = task.join_next() => outcome.and_then(Result::ok).ok_or_else(crashed),
            // A call that was queued when the thread ended is never answered.
            () = self.ended.wait() => Err(crashed()),
        }
    }

    /// Tells when the thread is gone.
    pub(crate) fn ended(&self) -> Ended {
        self.ended.clone()
    }
}

/// Tells when the thread of a [`Worker`] is gone and its port free.
#[derive(Clone, Debug)]
pub(crate) struct Ended(watch::Receiver<()>);

impl Ended {
    pub(crate) async fn wait(&self) {
        let mut alive = self.0.clone();
        while alive.changed().await.is_ok() {}
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

/// Builds the node. The socket is tried first: when the crate cannot bind, it is a matter of luck
/// whether it says so or panics.
fn build(plan: WorkerPlan, alive: watch::Sender<()>) -> io::Result<Dht> {
    drop(UdpSocket::bind((plan.address, plan.port))?);
    Dht::new(config(plan, alive))
}

fn config(plan: WorkerPlan, alive: watch::Sender<()>) -> Config {
    Config {
        // Always explicit: the crate's defaults are public hosts, and port 6881 before any other.
        bootstrap: Some(plan.bootstrap),
        port: Some(plan.port),
        bind_address: Some(plan.address),
        server_mode: plan.server,
        server_settings: ServerSettings {
            filter: Box::new(Alive { server: plan.server, _alive: Arc::new(alive) }),
            ..ServerSettings::default()
        },
        ..Config::default()
    }
}

/// Lives as long as the thread, and closes the channel when it is dropped.
#[derive(Clone, Debug)]
struct Alive {
    server: bool,
    _alive: Arc<watch::Sender<()>>,
}

impl RequestFilter for Alive {
    fn allow_request(&self, _request: &RequestSpecific, _from: SocketAddrV4) -> bool {
        self.server
    }
}

/// The failure of binding a UDP socket there.
pub(crate) fn cannot_bind(wanted: SocketAddrV4, error: &io::Error) -> Error {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port, or 0 for any",
        _ => "",
    };
    let message = format!("cannot open UDP {wanted} for the BitTorrent DHT: {error}{fix}");
    Error::new(ErrorKind::Io, message)
}

fn crashed() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the BitTorrent DHT client failed on what the network sent; the next try may succeed",
    )
}
