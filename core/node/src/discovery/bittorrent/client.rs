//! A worker in use, and the queries it runs.

use std::{
    fmt,
    future::Future,
    net::SocketAddrV4,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use mainline::{async_dht::AsyncDht, errors::PutQueryError};
use p2pchan_proto::error::{Error, ErrorKind};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{
    answers::is_own_network,
    keeper::{Host, list},
    worker::{Ended, Worker},
};

/// A worker in use.
#[derive(Debug)]
pub(super) struct Client {
    worker: Worker,
    bootstrap: Vec<SocketAddrV4>,
    /// The hosts as the settings name them, for messages.
    asked: Vec<Host>,
    /// Nobody answered: before the next use the bootstrap names are resolved again.
    doubted: AtomicBool,
    /// True when its queries are to end so that another can take its port.
    retired: watch::Sender<bool>,
}

impl Client {
    /// `asked` are the hosts that `bootstrap` was resolved from.
    pub(super) fn new(worker: Worker, asked: Vec<Host>, bootstrap: Vec<SocketAddrV4>) -> Self {
        let doubted = AtomicBool::new(bootstrap.is_empty());
        Self { worker, bootstrap, asked, doubted, retired: watch::Sender::new(false) }
    }

    pub(super) fn is_own_network(&self) -> bool {
        is_own_network(&self.bootstrap)
    }

    pub(super) fn ended(&self) -> Ended {
        self.worker.ended()
    }

    /// Whether its bootstrap addresses may be out of date.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// Whether these, newly resolved, are the addresses it uses; then there is no more doubt.
    pub(super) fn is_confirmed(&self, bootstrap: &[SocketAddrV4]) -> bool {
        let confirmed = self.bootstrap == bootstrap;
        if confirmed {
            self.doubted.store(false, Ordering::Relaxed);
        }
        confirmed
    }

    /// The failure of a lookup that no node answered.
    pub(super) fn unanswered(&self) -> Error {
        self.doubted.store(true, Ordering::Relaxed);
        let hosts = list(&self.asked);
        let message = format!(
            "no node of the BitTorrent DHT answers; entered through {hosts}: check that they are up and that UDP gets through"
        );
        Error::new(ErrorKind::Timeout, message)
    }

    /// The failure of an announcement.
    pub(super) fn not_announced(&self, error: &PutQueryError) -> Error {
        match error {
            PutQueryError::NoClosestNodes => self.unanswered(),
            PutQueryError::Timeout => Error::new(
                ErrorKind::Timeout,
                "no node of the BitTorrent DHT confirmed the announcement",
            ),
            PutQueryError::ErrorResponse(answer) => Error::new(
                ErrorKind::Protocol,
                format!("nodes of the BitTorrent DHT refused the announcement: {answer:?}"),
            ),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        !*self.retired.borrow() && !self.worker.ended().is_over()
    }

    /// Ends its queries, and with the last of them the worker.
    pub(super) fn retire(&self) {
        self.retired.send_replace(true);
    }

    /// Runs a query until it ends, the service is closed, or the client retires.
    pub(super) async fn watch<T, F>(
        self: Arc<Self>,
        query: impl FnOnce(AsyncDht) -> F + Send + 'static,
        deadline: Instant,
        mut stopped: watch::Receiver<bool>,
        _permit: OwnedSemaphorePermit,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Overrun>> + Send + 'static,
        T: Send + 'static,
    {
        let mut retired = self.retired.subscribe();
        let outcome = tokio::select! {
            outcome = timeout_at(deadline, self.worker.run(query)) => outcome,
            _ = stopped.wait_for(|stopped| *stopped) => return Err(closed()),
            _ = retired.wait_for(|retired| *retired) => return Err(restarted()),
        };
        match outcome {
            Ok(Ok(Ok(result))) => Ok(result),
            // A call can panic without the thread; then only the call has failed.
            Ok(Err(crashed)) => Err(crashed),
            Ok(Ok(Err(Overrun))) | Err(_) => {
                self.retire();
                Err(overrun())
            }
        }
    }
}

/// A query in progress.
pub(super) struct Query<T>(JoinHandle<Result<T, Error>>);

impl<T: Send + 'static> Query<T> {
    pub(super) fn start(query: impl Future<Output = Result<T, Error>> + Send + 'static) -> Self {
        Self(tokio::spawn(query))
    }

    pub(super) async fn outcome(self) -> Result<T, Error> {
        self.0.await.unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, error.to_string())))
    }
}

impl<T> fmt::Debug for Query<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query(..)")
    }
}

/// A lookup did not come to an end in time.
#[derive(Debug)]
pub(super) struct Overrun;

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the BitTorrent DHT client is closed")
}

fn restarted() -> Error {
    Error::new(ErrorKind::Timeout, "the BitTorrent DHT client was started again during the query")
}

fn overrun() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "a query of the BitTorrent DHT came to no end; the client is started again when next used",
    )
}
