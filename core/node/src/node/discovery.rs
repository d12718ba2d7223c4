//! The handle of a subject that is being discovered.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use p2pchan_proto::{error::Error, subject::SubjectKey};
use tokio::sync::watch;

use super::{inner::Inner, node_closed, subjects::Holder};

/// A subject that is being discovered. Dropping it changes nothing; the node goes on until
/// [`stop`](Self::stop) or [`Node::stop_discover`](super::Node::stop_discover).
pub struct Discovery {
    inner: Weak<Inner>,
    key: SubjectKey,
    subject: Arc<str>,
    outstanding: Option<watch::Receiver<usize>>,
}

impl Discovery {
    pub(super) fn new(
        inner: &Arc<Inner>,
        key: SubjectKey,
        subject: Arc<str>,
        outstanding: Option<watch::Receiver<usize>>,
    ) -> Self {
        Self { inner: Arc::downgrade(inner), key, subject, outstanding }
    }

    /// The phrase, or a raw topic as hexadecimal digits.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The number under which [`Node::status`](super::Node::status) shows this subject: nobody can
    /// tell the subject from it.
    pub const fn number(&self) -> u32 {
        number(self.key)
    }

    /// Waits until the first announcement stands with every discovery service, so that others can
    /// find this node. Ready at once if there is nothing to announce: no listener, no service, or the
    /// node is paused.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the discovery or the node ends before.
    pub async fn flushed(&self) -> Result<(), Error> {
        let mut outstanding = self.outstanding.clone().ok_or_else(node_closed)?;
        let result = outstanding.wait_for(|left| *left == 0).await;
        result.map(|_| ()).map_err(|_| crate::event::closed("the discovery"))
    }

    /// Withdraws the announcement and stops looking, unless the setting `subjects` names the subject
    /// too. Open remotes live on.
    pub fn stop(self) {
        let Some(inner) = self.inner.upgrade() else { return };
        inner.core().release(self.key, Holder::Program);
    }
}

/// How a subject is shown to others than the program: by the order in which it was discovered.
pub(super) const fn number(SubjectKey(key): SubjectKey) -> u32 {
    key.saturating_add(1)
}

impl fmt::Debug for Discovery {
    /// Never the subject, which is a secret of its users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").finish_non_exhaustive()
    }
}
