//! What a node tells of its work, besides remotes and messages.

use std::{fmt, sync::Arc};

use p2pchan_proto::{
    address::Address,
    channel::Reason,
    error::{Error, ErrorKind},
    id::PeerId,
};
use tokio::sync::broadcast;

/// Events that wait for a slow listener; older ones are dropped, and [`Event::Missed`] says so.
/// Nothing depends on them: messages and remotes never travel here.
pub(crate) const WAITING: usize = 1024;

/// Something that a person may want to know. As text it is a sentence without the subject, which is
/// a secret of its users; logs hold that sentence.
#[derive(Clone)]
#[non_exhaustive]
pub enum Event {
    /// The node accepts connections here.
    Listening {
        /// Where.
        address: Address,
    },
    /// The node accepts no more connections here; those that it accepted live on.
    NotListening {
        /// Where.
        address: Address,
    },
    /// A discovery service opened a socket of its own.
    Opened {
        /// The service.
        source: Arc<str>,
        /// The socket, such as `udp://0.0.0.0:6881`.
        socket: String,
    },
    /// A discovery service closed its socket.
    Closed {
        /// The service.
        source: Arc<str>,
        /// The socket.
        socket: String,
    },
    /// Others can find this node for the subject through this service.
    Announced {
        /// The service.
        source: Arc<str>,
        /// The subject.
        subject: Arc<str>,
    },
    /// A discovery service found an address.
    Found {
        /// The service.
        source: Arc<str>,
        /// The subject.
        subject: Arc<str>,
        /// The address.
        address: Address,
    },
    /// A discovery service failed; it will be asked again.
    DiscoveryFailed {
        /// The service.
        source: Arc<str>,
        /// The subject.
        subject: Arc<str>,
        /// Why.
        error: Error,
    },
    /// An address is being dialled.
    Dialling {
        /// The address.
        address: Address,
    },
    /// It did not work; it will be tried again, later each time.
    DialFailed {
        /// The address.
        address: Address,
        /// Why.
        error: Error,
    },
    /// An address that was found could not be reached; [`Node::explain`](crate::Node::explain) tells
    /// more.
    /// Told when its first dial has failed, and again only if it has worked in between or fails for
    /// another reason; at most 16 addresses at once and then one every 5 s. It is tried again all the
    /// same, and each try is a [`DialFailed`](Self::DialFailed).
    Unreachable {
        /// A subject by which it was found; `None` if it is not discovered any more.
        subject: Option<Arc<str>>,
        /// The address.
        address: Address,
        /// Why, as far as it is known here; at most 128 bytes.
        reason: String,
        /// Dials that have failed since it last worked.
        attempts: u32,
    },
    /// A remote is open.
    RemoteOpened {
        /// Who.
        peer: PeerId,
        /// For which subject.
        subject: Arc<str>,
        /// Where: the address that was dialled, or the one that the peer dialled from.
        address: Address,
    },
    /// A remote has ended.
    RemoteEnded {
        /// Who.
        peer: PeerId,
        /// For which subject.
        subject: Arc<str>,
        /// Why.
        reason: Reason,
    },
    /// A newcomer was refused.
    Refused {
        /// Who.
        peer: PeerId,
        /// Where.
        address: Address,
        /// Why.
        reason: String,
    },
    /// The node has paused: no network activity from now on.
    Paused,
    /// The node goes on after a pause.
    Resumed,
    /// Something works differently from what was probably meant.
    Warning {
        /// What, and what to do.
        message: String,
    },
    /// This listener was too slow and missed this many events.
    Missed {
        /// How many.
        count: u64,
    },
}

impl Event {
    pub(crate) fn log(&self) {
        match self {
            Self::Warning { .. } => tracing::warn!(target: "p2pchan", "{self}"),
            _ => tracing::debug!(target: "p2pchan", "{self}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { address } => write!(f, "listening on {address}"),
            Self::NotListening { address } => write!(f, "listening on {address} no more"),
            Self::Closed { source, socket } => write!(f, "{source} closed {socket}"),
            Self::Opened { source, socket } => write!(f, "{source} opened {socket}"),
            Self::Announced { source, .. } => write!(f, "announced through {source}"),
            Self::Found { source, address, .. } => write!(f, "{source} found {address}"),
            Self::DiscoveryFailed { source, error, .. } => write!(f, "{source} failed: {error}"),
            Self::Dialling { address } => write!(f, "dialling {address}"),
            Self::DialFailed { error, .. } => write!(f, "dial failed: {error}"),
            Self::Unreachable { address, reason, attempts, .. } => {
                write!(f, "found {address}, but could not reach it: {reason} (try {attempts})")
            }
            Self::RemoteOpened { peer, address, .. } => write!(f, "remote {peer} at {address}"),
            Self::RemoteEnded { peer, reason, .. } => write!(f, "remote {peer}: {reason}"),
            Self::Refused { peer, address, reason } => {
                write!(f, "refused {peer} at {address}: {reason}")
            }
            Self::Paused => f.write_str("paused"),
            Self::Resumed => f.write_str("resumed"),
            Self::Warning { message } => f.write_str(message),
            Self::Missed { count } => write!(f, "{count} events were missed"),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({self})")
    }
}

/// The stream of [`Event`]s: first what is open, then what happens from when it was asked for.
#[derive(Debug)]
pub struct Events {
    opened: std::vec::IntoIter<Event>,
    receiver: Option<broadcast::Receiver<Event>>,
}

impl Events {
    pub(crate) fn new(opened: Vec<Event>, receiver: Option<broadcast::Receiver<Event>>) -> Self {
        Self { opened: opened.into_iter(), receiver }
    }

    /// The next event; `None` once the node has closed.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.opened.next() {
            return Some(event);
        }
        match self.receiver.as_mut()?.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Event::Missed { count }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// An error of a task that was cut short.
pub(crate) fn closed(what: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{what} has been closed"))
}
