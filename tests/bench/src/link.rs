//! What floods and round trips need of a connection, so that every system does the same work.

use std::future::Future;

use crate::Outcome;

/// One connection that carries whole messages.
pub(crate) trait Link: Send {
    /// Sends one message; it may be gathered with others until [`flush`](Self::flush).
    fn send(&mut self, message: &[u8]) -> impl Future<Output = Outcome<()>> + Send;

    /// Sends what was gathered, where that is not done by itself.
    fn flush(&mut self) -> impl Future<Output = Outcome<()>> + Send;

    /// Waits for the next message and hands it to `take`; none when the other side has ended.
    fn receive<T>(
        &mut self,
        take: impl FnOnce(&[u8]) -> T + Send,
    ) -> impl Future<Output = Outcome<Option<T>>> + Send;

    /// Hands messages that are here to `take`, and at least one; false when the other side has ended.
    fn receive_some(
        &mut self,
        mut take: impl FnMut(&[u8]) + Send,
    ) -> impl Future<Output = Outcome<bool>> + Send {
        async move { Ok(self.receive(|message| take(message)).await?.is_some()) }
    }

    /// Says goodbye, where a system does.
    fn close(self) -> impl Future<Output = Outcome<()>> + Send;
}

/// What an end says when the other went away in the middle.
pub(crate) const GONE: &str = "the other end closed the connection before the run was over";
