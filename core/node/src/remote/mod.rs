//! One live channel to one peer for one subject.
//!
//! # Layout
//! - here: the remote.
//! - `sender`: a handle for sending.
//! - `state`: what they share; `sending`: the future of a `send`.

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use futures_sink::Sink;
use p2pchan_proto::{
    address::{Address, TransportKind},
    channel::{ChannelId, Reason, Taken},
    error::Error,
    id::PeerId,
};

use crate::{
    batch::Batch,
    link::Shared,
    message::{AsMessage, Message},
};

mod sender;
mod sending;
mod state;

pub use sender::Sender;
use sending::Sending;
pub(crate) use state::State;
use state::{confirm, finish, poll_flushed, poll_writable};

/// A live, encrypted, ordered channel of messages to one peer for one subject.
///
/// Receive with [`recv`](Self::recv) or as a [`Stream`]; send with [`send`](Self::send), as a
/// [`Sink`], or from elsewhere through a [`sender`](Self::sender). Messages arrive in order, whole and
/// once, or the remote ends with a reason.
///
/// Dropping it ends it: what was sent still goes out, but what the peer sends is not read any more,
/// and the peer is told so if there was anything. Use [`end`](Self::end) to wait for that.
pub struct Remote {
    state: Arc<State>,
    batch: Batch,
    paused: bool,
    /// The program says itself what it has read.
    confirms: bool,
}

impl Remote {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state, batch: Batch::default(), paused: false, confirms: false }
    }

    /// The peer's identity, proved.
    pub fn peer(&self) -> PeerId {
        self.state.link.peer
    }

    /// The subject that both sides proved: the phrase, or a raw topic as hexadecimal digits.
    pub fn subject(&self) -> &str {
        &self.state.subject
    }

    /// The address that was dialled, or the one that the peer dialled from.
    pub fn address(&self) -> Address {
        self.state.link.address
    }

    /// How the peer is connected.
    pub fn transport(&self) -> TransportKind {
        self.address().transport
    }

    /// Whether a third peer relays the connection. Relays do not exist yet.
    pub const fn relayed(&self) -> bool {
        false
    }

    /// The smoothed round trip time; `None` until it was measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.state.link.lock().session.rtt()
    }

    /// Why the remote has ended; `None` while it has not.
    pub fn reason(&self) -> Option<&Reason> {
        self.state.ended.get()
    }

    /// A handle for sending from other tasks. Any number of them may exist.
    pub fn sender(&self) -> Sender {
        Sender { state: self.state.clone() }
    }

    /// The next message; `None` when the channel has ended and each side has read everything.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// Why the channel ended, if it was not a clean end.
    #[inline]
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// All messages that are here, and at least one; `None` when the channel has ended and each side has read
    /// everything. For many short messages this is cheaper than [`recv`](Self::recv) for each. They
    /// count as read when this gives them out. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_batch(&mut self) -> Result<Option<Batch>, Error> {
        poll_fn(|context| self.poll_recv_batch(context)).await
    }

    /// The next message if it is here already.
    pub fn try_recv(&mut self) -> Option<Message> {
        if self.paused {
            return None;
        }
        self.next_in_batch().or_else(|| {
            let State { link, channel, .. } = &*self.state;
            if let Taken::Messages(batch) = link.call(|shared| take(shared, *channel)) {
                self.batch = batch.into();
            }
            self.next_in_batch()
        })
    }

    #[inline]
    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        if self.is_paused(context) {
            return Poll::Pending;
        }
        if let Some(message) = self.next_in_batch() {
            return Poll::Ready(Ok(Some(message)));
        }
        self.poll_more(context).map_ok(|()| self.next_in_batch())
    }

    fn poll_recv_batch(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Batch>, Error>> {
        if self.is_paused(context) {
            return Poll::Pending;
        }
        if self.batch.len() == 0 {
            ready!(self.poll_more(context))?;
        }
        let batch = mem::take(&mut self.batch);
        if batch.len() == 0 {
            return Poll::Ready(Ok(None));
        }
        if !self.confirms {
            confirm(&self.state);
        }
        Poll::Ready(Ok(Some(batch)))
    }

    /// Whoever resumes it wakes the task.
    #[inline]
    fn is_paused(&self, context: &Context<'_>) -> bool {
        if self.paused {
            self.state.link.lock().waiting.for_messages(self.state.channel, context.waker());
        }
        self.paused
    }

    /// Takes what is here; nothing at the end.
    fn poll_more(&mut self, context: &Context<'_>) -> Poll<Result<(), Error>> {
        let State { link, channel, .. } = &*self.state;
        let taken = link.call(|shared| {
            let (taken, wake) = take(shared, *channel);
            if matches!(taken, Taken::Nothing | Taken::Forgotten) {
                shared.waiting.for_messages(*channel, context.waker());
            }
            (taken, wake)
        });
        Poll::Ready(match taken {
            Taken::Nothing => return Poll::Pending,
            // The node closes. The reason comes at once, and then the wake-up.
            Taken::Forgotten => match self.state.ended.get() {
                Some(reason) => reason.to_error().map_or(Ok(()), Err),
                None => return Poll::Pending,
            },
            Taken::Ended(reason) => {
                // The task of the connection may not have come to it yet; whoever learns of the end
                // here finds its reason all the same.
                let error = reason.to_error();
                let _ = self.state.ended.set(reason);
                error.map_or(Ok(()), Err)
            }
            Taken::Messages(batch) => {
                self.batch = batch.into();
                Ok(())
            }
        })
    }

    /// The peer is told that everything was read when it was, not when it was taken.
    #[inline]
    fn next_in_batch(&mut self) -> Option<Message> {
        let message = self.batch.next()?;
        if self.batch.len() == 0 && !self.confirms {
            confirm(&self.state);
        }
        Some(message)
    }

    /// From now on a message counts as read not when it is given out, but when the program calls
    /// [`Sender::confirm_read`]: for programs that keep messages for others.
    pub fn read_on_confirmation(&mut self) {
        self.confirms = true;
    }

    /// Stops taking messages: the peer may send until its window is full, then it waits.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Takes messages again.
    pub fn resume(&mut self) {
        self.paused = false;
        if let Some(reader) = self.state.link.lock().waiting.take_reader(self.state.channel) {
            reader.wake();
        }
    }

    /// Sends a message: bytes, text or JSON, see [`AsMessage`]. Waits while the send buffer is full.
    /// If the future is dropped before it is ready, nothing was sent.
    ///
    /// # Errors
    /// [`ErrorKind::TooBig`](crate::ErrorKind::TooBig) for a message longer than this node sends or the peer takes,
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a value that cannot travel, or why the channel has ended.
    #[inline]
    pub fn send(&self, message: impl AsMessage) -> impl Future<Output = Result<(), Error>> {
        Sending::new(&self.state, message)
    }

    /// Sends a message if there is room.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`ErrorKind::WouldBlock`](crate::ErrorKind::WouldBlock) if there is none; then nothing was
    /// queued.
    pub fn try_send(&self, message: impl AsMessage) -> Result<(), Error> {
        self.state.try_send(&message)
    }

    /// As [`Sender::try_send_many`].
    ///
    /// # Errors
    /// As [`Sender::try_send_many`].
    pub fn try_send_many(&self, messages: &[impl AsMessage]) -> Result<usize, Error> {
        self.state.try_send_many(messages)
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.state.link.queued(self.state.channel)
    }

    /// Ends the channel: what was sent goes out, then the peer gets its end. Ready when the peer has
    /// ended too and has said that it read everything. What the peer still sends is not read; to read
    /// on, use [`Sender::end`] and [`recv`](Self::recv) to the end.
    ///
    /// # Errors
    /// Why not everything may have been read, such as [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when for one to two times
    /// `timeouts.close` nothing was sent, received or taken on this channel.
    pub async fn end(self) -> Result<(), Error> {
        let state = self.state.clone();
        drop(self);
        poll_fn(|context| state.poll_ended(context)).await
    }

    /// Ends the channel at once and tells the peer that this program does not want it.
    pub fn refuse(self) {
        self.state.refuse();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let State { link, channel, clock, .. } = &*self.state;
        let now = clock.now();
        link.call(|shared| {
            let unread = self.batch.len() > 0 && shared.session.leave_unread(*channel, now);
            ((), shared.session.abandon(*channel, now) || unread)
        });
    }
}

impl fmt::Debug for Remote {
    /// Never the subject, which is a secret of its users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peer, address) = (self.peer(), self.address());
        f.debug_struct("Remote").field("peer", &peer).field("address", &address).finish()
    }
}

impl Stream for Remote {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(ready!(self.poll_recv(context)).transpose())
    }
}

impl Sink<Message> for Remote {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.state.link.lock().poll_turn(context));
        poll_writable(&self.state, context)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.try_send(message)
    }

    /// Ready when everything is on its way.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_flushed(&self.state, context)
    }

    /// As [`Sender::end`].
    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        finish(&self.state);
        self.state.poll_ended(context)
    }
}

fn take(shared: &mut Shared, channel: ChannelId) -> (Taken, bool) {
    let (taken, wake) = shared.session.take(channel);
    shared.answering |= matches!(taken, Taken::Messages(_));
    (taken, wake)
}
