//! The node: one identity, its listeners, discovery services, connections and remotes.
//!
//! # Layout
//! - here: what programs call.
//! - `builder`: settings in, a running node out.
//! - `inner`: what all tasks of a node share, and how decisions of the machines become actions.
//! - `listeners`, `services`: tables of what the settings have opened.
//! - `update`: other settings for a node that runs, from `layers`; `pause`: what `paused` ends and begins.
//! - `accept`, `dial`: connections in and out, up to the handshake; `race`: TCP against QUIC.
//! - `ports`: UDP ports; `probes`: asking whether a member is at an address.
//! - `link_events`: what happens on open connections; `welcome`: asking the program about newcomers; `sleep`: noticing that the computer was suspended.
//! - `subjects`: deriving keys, one at a time; `search`: asking the discovery services.
//! - `status`: what is open and under way; `searches`, `totals`: what is kept for that alone;
//!   `stats`: what changes; `explain`: one peer or address; `control`: all that through a socket.

mod accept;
mod builder;
mod control;
mod dial;
mod discovery;
mod explain;
mod inner;
mod layers;
mod link_events;
mod listeners;
mod pause;
mod ports;
mod probes;
mod race;
mod search;
mod searches;
mod services;
mod sleep;
mod stats;
mod status;
mod subjects;
mod totals;
mod update;
mod welcome;

use std::{fmt, sync::Arc};

pub use builder::{Builder, Newcomer};
pub use discovery::Discovery;
use inner::Inner;
use layers::Change;
use p2pchan_proto::{
    address::Address,
    error::{Error, ErrorKind},
    id::PeerId,
    settings::Changes,
    subject::SubjectName,
};
pub use stats::Stats;
use subjects::Holder;
use tokio::sync::Mutex;

use crate::{
    event::{Events, closed},
    remote::Remote,
    status::{Explanation, Status, Target},
};

/// A running node. Cloning it gives another handle to the same node; when the last one is dropped,
/// the node closes in the background.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), p2pchan::Error> {
/// use p2pchan::Node;
///
/// // Two programs; in real life they find each other through a discovery service.
/// let near = Node::builder().set("listen", "127.0.0.1:0").start().await?;
/// let far = Node::builder().start().await?;
/// near.discover("My Cool Service 1.0")?;
/// far.discover("My Cool Service 1.0")?;
///
/// let to_near = far.connect(near.addresses()[0]).await?;
/// let mut to_far = near.next_remote().await.expect("the node runs");
/// to_near.send("Hello, dude!").await?;
/// let message = to_far.recv().await?.expect("the channel is open");
/// assert_eq!(message.as_text(), Some("Hello, dude!"));
/// # near.close().await;
/// # far.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Node {
    handle: Arc<Handle>,
}

/// Closes the node when the last handle goes.
struct Handle {
    inner: Arc<Inner>,
    incoming: Mutex<tokio::sync::mpsc::Receiver<Remote>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let inner = self.inner.clone();
        self.inner.runtime.spawn(async move { inner.close().await });
    }
}

impl Node {
    /// Begins with the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// This node's identity.
    pub fn id(&self) -> PeerId {
        self.handle.inner.id
    }

    /// Where this node accepts connections. An unspecified IP address stands for all of the machine's
    /// addresses of its family: `0.0.0.0` for IPv4, `[::]` for IPv6.
    pub fn addresses(&self) -> Vec<Address> {
        self.handle.inner.listening.borrow().to_vec()
    }

    /// The settings of this moment: every key with its value, null where nothing is set. They hold the
    /// seed if `identity` is one; debug output does not show it.
    pub fn settings(&self) -> Changes {
        self.handle.inner.settings().to_changes()
    }

    /// Changes the settings while the node runs. Null takes back what the program has set, so that the
    /// settings file counts if there is one, and else the default. Everything is checked first. Then what the settings name no more is closed, and
    /// what is new is opened; whatever stays is not touched: listeners that stay accept on, remotes
    /// live on, also those that came through a listener that is closed (a UDP port that is not named any
    /// more is given back with the last QUIC connection over it), and those of peers that `allow` does
    /// not name any more. Limits and timeouts apply at once, but `limits.message`,
    /// `limits.window` and `limits.channels` only to connections that begin from now on.
    ///
    /// One update is made after the other. If the future is dropped, the update goes on all the same.
    /// It may be called from anywhere, also from hooks and discovery services.
    ///
    /// # Errors
    /// Each leaves everything as it was. [`ErrorKind::Settings`] naming the key, the value and what is
    /// allowed, for an unknown key the nearest one, and for a key that cannot change while the node
    /// runs what to do; [`ErrorKind::Io`] naming the key and the value if something new cannot be
    /// opened (should something that was closed for it not open again, the message says so too);
    /// [`ErrorKind::Refused`] if 64 updates wait already; [`ErrorKind::Closed`] once the node closes.
    pub async fn update(&self, changes: Changes) -> Result<(), Error> {
        self.handle.inner.update(Change::Merge(changes)).await
    }

    /// Reads the settings file again ([`Builder::settings_file`]). What it says now replaces what it
    /// said before: a key that has gone from it returns to what it is without it. What the program has
    /// set by [`Builder::set`] and [`update`](Self::update) stays above it. All else is as in `update`.
    ///
    /// # Errors
    /// As [`update`](Self::update), naming the file too, and the line where it can;
    /// [`ErrorKind::Settings`] if there is no settings file, [`ErrorKind::Io`] if it cannot be read.
    pub async fn reload(&self) -> Result<(), Error> {
        self.handle.inner.update(Change::Reload).await
    }

    /// Announces a subject (1 to 256 bytes of UTF-8 without NUL), and looks for others who have it.
    /// Their remotes come from [`next_remote`](Self::next_remote). Returns at once; deriving the keys
    /// takes some 20 ms in the background. Discovering a subject again is the same discovery.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a malformed subject, or one that is discovered with another secret;
    /// [`ErrorKind::Refused`] beyond `limits.subjects`; [`ErrorKind::Closed`] once the node has closed.
    pub fn discover(&self, subject: &str) -> Result<Discovery, Error> {
        self.handle.inner.discover(SubjectName::phrase(subject)?, None, Holder::Program)
    }

    /// As [`discover`](Self::discover), but only those who have the same `secret` (of the same form as
    /// a subject) get a remote: whoever guessed the subject can find, not connect.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    pub fn discover_with_secret(&self, subject: &str, secret: &str) -> Result<Discovery, Error> {
        p2pchan_proto::subject::check_secret(secret)?;
        self.handle.inner.discover(SubjectName::phrase(subject)?, Some(secret), Holder::Program)
    }

    /// As [`discover`](Self::discover) for 32 bytes that are as strong as a key; they are not
    /// stretched.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    pub fn discover_topic(&self, topic: [u8; 32]) -> Result<Discovery, Error> {
        self.handle.inner.discover(SubjectName::Topic(topic), None, Holder::Program)
    }

    /// Withdraws a subject's announcement and stops looking, unless the setting `subjects` names it
    /// too. Open remotes live on. A subject that is not discovered is left so.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a malformed subject.
    pub fn stop_discover(&self, subject: &str) -> Result<(), Error> {
        self.handle.inner.stop_discover(&SubjectName::phrase(subject)?, Holder::Program);
        Ok(())
    }

    /// As [`stop_discover`](Self::stop_discover), for [`discover_topic`](Self::discover_topic).
    pub fn stop_discover_topic(&self, topic: [u8; 32]) {
        self.handle.inner.stop_discover(&SubjectName::Topic(topic), Holder::Program);
    }

    /// Dials an address now and offers all subjects of this node. The remote that it returns is not
    /// given by [`next_remote`](Self::next_remote); those for further common subjects are. If the peer
    /// is connected already, subjects without a remote are offered to it on that connection, and what
    /// comes of it is given by [`next_remote`](Self::next_remote).
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if no subject is discovered or the node is paused, [`ErrorKind::Closed`] if the peer is
    /// connected already, [`ErrorKind::Auth`] if no subject is common, [`ErrorKind::Timeout`],
    /// [`ErrorKind::Io`] and so on if it cannot be reached.
    pub async fn connect(&self, address: Address) -> Result<Remote, Error> {
        self.handle.inner.connect(address).await
    }

    /// The next remote that opened; `None` once the node has closed. Remotes that nobody takes wait,
    /// up to `limits.waiting`; then newcomers are refused.
    pub async fn next_remote(&self) -> Option<Remote> {
        self.handle.incoming.lock().await.recv().await
    }

    /// What the node has open and what it does from now on, for people and logs.
    pub fn events(&self) -> Events {
        self.handle.inner.events()
    }

    /// All that the node has open and under way, at this moment. It takes one short pass under the
    /// node's lock, some milliseconds with a full address book; its size is bounded by the settings.
    /// Subjects are shown by their number ([`Discovery::number`]). `docs/status.md` lists its names as
    /// JSON.
    pub fn status(&self) -> Status {
        self.handle.inner.status()
    }

    /// All that is known of a peer ([`PeerId`]) or an address ([`Address`]): who found it, how each of
    /// the last dials went and by which ways, what is going on now, and when it is tried next. Of one
    /// that is not known it says so, and lists what is.
    pub fn explain(&self, target: impl Into<Target>) -> Explanation {
        self.handle.inner.explain(&target.into())
    }

    /// A stream of the counters that change, at most one item in `stats.interval`. It costs nothing
    /// unless somebody awaits the next item.
    pub fn stats(&self) -> Stats {
        Stats::new(&self.handle.inner)
    }

    /// Ends everything: announcements are withdrawn, what was sent goes out, remotes end, discovery
    /// services close. Sockets and tasks are gone when this is ready, which takes at most
    /// `timeouts.close` and 6 s. Await it on any executor; if the future is dropped, the node goes on
    /// closing. Dropping the last handle does the same in the background.
    pub async fn close(&self) {
        let inner = self.handle.inner.clone();
        // On the node's runtime, whoever polls this.
        let closing = inner.runtime.clone().spawn(async move { inner.close().await });
        // It can only fail with its runtime, and then there is nothing left to close.
        let _ = closing.await;
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id()).finish_non_exhaustive()
    }
}

fn node_closed() -> Error {
    closed("the node")
}

fn node_paused() -> Error {
    let message = "setting paused = true: nobody is dialled; set it to false first";
    Error::new(ErrorKind::Settings, message)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Refused, message)
}
