//! A handle for sending.

use std::{fmt, future::poll_fn, sync::Arc, time::Duration};

use p2pchan_proto::{address::Address, channel::Reason, error::Error, id::PeerId};

use super::{
    sending::Sending,
    state::{State, confirm, finish, poll_writable},
};
use crate::message::AsMessage;

/// Sends to a [`Remote`](super::Remote) from anywhere. Clone it as you like; it does not keep the remote open.
#[derive(Clone)]
pub struct Sender {
    pub(super) state: Arc<State>,
}

impl Sender {
    /// As [`Remote::send`](super::Remote::send).
    ///
    /// # Errors
    /// As [`Remote::send`](super::Remote::send).
    #[inline]
    pub fn send(&self, message: impl AsMessage) -> impl Future<Output = Result<(), Error>> {
        Sending::new(&self.state, message)
    }

    /// As [`Remote::try_send`](super::Remote::try_send).
    ///
    /// # Errors
    /// As [`Remote::try_send`](super::Remote::try_send).
    pub fn try_send(&self, message: impl AsMessage) -> Result<(), Error> {
        self.state.try_send(&message)
    }

    /// Sends messages in their order while there is room, which costs less than one call for each; how many were sent.
    /// For the rest, wait until it is [`writable`](Self::writable).
    ///
    /// # Errors
    /// As [`Remote::try_send`](super::Remote::try_send), why the first was not sent, and so none. Where a later one cannot be sent, those before
    /// it are, and the next call says why.
    pub fn try_send_many(&self, messages: &[impl AsMessage]) -> Result<usize, Error> {
        self.state.try_send_many(messages)
    }

    /// Ready when a message that does not exceed `limits.high_water` can be sent without waiting.
    ///
    /// # Errors
    /// Why the channel has ended.
    pub async fn writable(&self) -> Result<(), Error> {
        poll_fn(|context| poll_writable(&self.state, context)).await
    }

    /// Says that no more messages follow, while the remote is read on. Ready when both sides have
    /// ended, have taken everything, and have told each other so.
    ///
    /// # Errors
    /// As [`Remote::end`](super::Remote::end).
    pub async fn end(&self) -> Result<(), Error> {
        finish(&self.state);
        poll_fn(|context| self.state.poll_ended(context)).await
    }

    /// As [`end`](Self::end), without waiting for anything.
    pub fn finish(&self) {
        finish(&self.state);
    }

    /// Says that all messages that the remote has given out were read; see
    /// [`Remote::read_on_confirmation`](super::Remote::read_on_confirmation).
    #[inline]
    pub fn confirm_read(&self) {
        confirm(&self.state);
    }

    /// Says that some of what the remote has given out will not be read, for programs that keep messages
    /// by themselves: what was sent goes out, then the channel ends, and the peer learns why.
    pub fn leave_unread(&self) {
        let State { link, channel, clock, .. } = &*self.state;
        let now = clock.now();
        link.call(|shared| ((), shared.session.leave_unread(*channel, now)));
    }

    /// As [`Remote::refuse`](super::Remote::refuse); whoever reads the remote learns it as its end.
    pub fn refuse(&self) {
        self.state.refuse();
    }

    /// The peer's identity.
    pub fn peer(&self) -> PeerId {
        self.state.link.peer
    }

    /// As [`Remote::subject`](super::Remote::subject).
    pub fn subject(&self) -> &str {
        &self.state.subject
    }

    /// As [`Remote::address`](super::Remote::address).
    pub fn address(&self) -> Address {
        self.state.link.address
    }

    /// As [`Remote::relayed`](super::Remote::relayed).
    pub const fn relayed(&self) -> bool {
        false
    }

    /// As [`Remote::rtt`](super::Remote::rtt).
    pub fn rtt(&self) -> Option<Duration> {
        self.state.link.lock().session.rtt()
    }

    /// The length of the longest message that can be sent, in bytes: the smaller `limits.message` of the
    /// two sides, as it was when they connected.
    pub fn longest_message(&self) -> u64 {
        self.state.link.lock().session.longest_message()
    }

    /// As [`Remote::reason`](super::Remote::reason).
    pub fn reason(&self) -> Option<&Reason> {
        self.state.ended.get()
    }

    /// As [`Remote::queued`](super::Remote::queued).
    pub fn queued(&self) -> usize {
        self.state.link.queued(self.state.channel)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("peer", &self.peer()).finish_non_exhaustive()
    }
}
