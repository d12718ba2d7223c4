//! What floods and round trips need of a connection, so that every system does the same work.

use crate::Outcome;

/// One connection that carries whole messages.
pub(crate) trait Link {
    /// Sends one message; it may be gathered with others until [`flush`](Self::flush).
    async fn send(&mut self, message: &[u8]) -> Outcome<()>;

    /// Sends what was gathered, where that is not done by itself.
    async fn flush(&mut self) -> Outcome<()>;

    /// Waits for the next message and hands it to `take`; none when the other side has ended.
    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Outcome<Option<T>>;

    /// Says goodbye, where a system does.
    async fn close(self) -> Outcome<()>;
}

/// What an end says when the other went away in the middle.
pub(crate) const GONE: &str = "the other end closed the connection before the run was over";
