//! The trait that every discovery service implements, also those of users.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use p2pchan_proto::{address::Address, error::Error, subject::Subject};

/// A boxed future, as the verbs of [`DiscoveryService`] return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to find others that share a subject.
///
/// The node calls the verbs of one topic one at a time, from its runtime; verbs of different topics
/// run at once. A verb must not block the thread. A future that is dropped must stop its work.
pub trait DiscoveryService: Send + Sync + 'static {
    /// A short name, such as `bittorrent`: the source of what it finds, in events and status.
    fn name(&self) -> &str;

    /// Tells others that this node can be reached at [`Topic::listening`], and no longer at what was
    /// announced before. Ready when the announcement stands. A service that cannot announce keeps the default.
    ///
    /// # Errors
    /// Why it does not stand. The node reports it and tries again.
    fn announce<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, Result<(), Error>> {
        let _ = topic;
        Box::pin(async { Ok(()) })
    }

    /// Looks once, and reports each address to `found` as soon as it is known. Ready when the
    /// lookup is over; a service that is told of newcomers may go on as long as it likes.
    ///
    /// # Errors
    /// Why it could not look. The node reports it and tries again.
    fn look_up<'a>(
        &'a self,
        topic: &'a Topic,
        found: &'a Found,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// The node pauses: what was announced is withdrawn, and none of the verbs is called until it goes
    /// on. A service that keeps sockets or tasks between its verbs ends them here, and makes them anew
    /// when it is next asked. Given 5 s. One that keeps nothing keeps the default.
    fn pause(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Closes what the service has open. The node calls it after the last of the other verbs, perhaps
    /// more than once, and gives all its services 3 s together. A service that opens nothing keeps the
    /// default.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Takes the announcement back as far as the network lets it; the topic is as it was last
    /// announced. Called when the subject is stopped, when the node listens no more, and when it
    /// pauses or closes. Given at most `timeouts.close`.
    fn withdraw<'a>(&'a self, topic: &'a Topic) -> BoxFuture<'a, ()> {
        let _ = topic;
        Box::pin(async {})
    }
}

/// What a service may know of a subject.
#[derive(Clone)]
pub struct Topic {
    subject: Arc<Subject>,
    listening: Arc<[Address]>,
}

impl Topic {
    pub(crate) const fn new(subject: Arc<Subject>, listening: Arc<[Address]>) -> Self {
        Self { subject, listening }
    }

    /// The phrase; `None` for a raw topic. Never send it anywhere: use [`find_key`](Self::find_key).
    pub fn subject(&self) -> Option<&str> {
        self.subject.name().as_phrase()
    }

    /// The key to announce and look up in the network of that name: the same for all who share the
    /// subject, different for each network, and useless for guessing the proof.
    pub fn find_key<const N: usize>(&self, network: &str) -> [u8; N] {
        self.subject.find_key(network)
    }

    /// Where this node accepts connections; empty if it does not listen. An unspecified IP address
    /// stands for all addresses of this machine of its family: `0.0.0.0` for IPv4, `[::]` for IPv6.
    pub fn listening(&self) -> &[Address] {
        &self.listening
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("listening", &self.listening).finish_non_exhaustive()
    }
}

/// Where a lookup reports addresses. Cheap to clone; may be kept as long as the topic is looked for.
#[derive(Clone)]
pub struct Found {
    report: Arc<dyn Fn(Address) + Send + Sync>,
}

impl Found {
    pub(crate) fn new(report: impl Fn(Address) + Send + Sync + 'static) -> Self {
        Self { report: Arc::new(report) }
    }

    /// Somebody may be reached at this address. Reporting one twice, or this node's own, does no
    /// harm; the dialler bounds what is tried.
    pub fn address(&self, address: Address) {
        (self.report)(address);
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Found(..)")
    }
}
