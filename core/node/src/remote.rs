//! One live channel to one peer for one subject.

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use futures_sink::Sink;
use p2pchan_proto::{
    address::{Address, TransportKind},
    channel::{ChannelId, CloseCode, Reason, SendError, Taken},
    error::{Error, ErrorKind},
    id::PeerId,
    subject::SubjectKey,
    time::Time,
};

use crate::{
    batch::Batch,
    clock::Clock,
    link::{Link, Shared},
    message::{AsMessage, Message},
};

/// Messages sent under one lock at most: then the lock costs next to nothing, and the connection's task waits for it no
/// longer than for one long message.
const GROUP: usize = 64;

/// What a remote and its senders share.
pub(crate) struct State {
    pub(crate) link: Arc<Link>,
    pub(crate) channel: ChannelId,
    pub(crate) key: SubjectKey,
    pub(crate) subject: Arc<str>,
    pub(crate) ended: OnceLock<Reason>,
    pub(crate) began: Time,
    clock: Clock,
}

impl State {
    pub(crate) fn new(
        link: Arc<Link>,
        channel: ChannelId,
        key: SubjectKey,
        subject: Arc<str>,
        clock: Clock,
    ) -> Arc<Self> {
        let (ended, began) = (OnceLock::new(), clock.now());
        Arc::new(Self { link, channel, key, subject, ended, began, clock })
    }

    /// Sends at once; `WouldBlock` is an error like the others.
    #[inline]
    fn try_send(&self, message: &impl AsMessage) -> Result<(), Error> {
        match self.send_now(message, false)? {
            true => Ok(()),
            false => Err(self.error(SendError::WouldBlock)),
        }
    }

    /// Sends if there is room; false if there is none, or if whoever waits should leave the connection's task its
    /// turn first.
    #[inline]
    fn send_now(&self, message: &impl AsMessage, waits: bool) -> Result<bool, Error> {
        let (kind, payload) = message.as_message()?;
        let send = |shared: &mut Shared| {
            if waits && shared.is_turn_due() {
                return (Err(SendError::WouldBlock), false);
            }
            let sent = shared.send(self.channel, kind, &payload);
            (sent.map(drop), sent.unwrap_or(false))
        };
        match self.link.call_to_send(|| self.clock.now(), send) {
            Ok(()) => Ok(true),
            Err(SendError::WouldBlock) => Ok(false),
            Err(error) => Err(self.error(error)),
        }
    }

    /// Sends as many as there is room for; an error is that of the first.
    fn try_send_many(&self, messages: &[impl AsMessage]) -> Result<usize, Error> {
        let mut sent = 0;
        for group in messages.chunks(GROUP) {
            match self.try_send_group(group) {
                Ok(taken) => {
                    sent += taken;
                    if taken < group.len() {
                        break;
                    }
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn try_send_group(&self, messages: &[impl AsMessage]) -> Result<usize, Error> {
        // How a message becomes bytes is the program's own, and nothing of it runs under the lock.
        let mut group = Vec::with_capacity(messages.len());
        for message in messages {
            match message.as_message() {
                Ok(message) => group.push(message),
                Err(error) if group.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        let send = |shared: &mut Shared| {
            let (mut sent, mut wakes) = (0, false);
            for (kind, payload) in &group {
                match shared.send(self.channel, *kind, payload) {
                    Ok(wake) => wakes |= wake,
                    Err(error) if sent == 0 => return (Err(error), false),
                    Err(_) => break,
                }
                sent += 1;
            }
            (Ok(sent), wakes)
        };
        let sent = self.link.call_to_send(|| self.clock.now(), send);
        sent.map_err(|error| self.error(error))
    }

    /// Waits until everything is on its way, or the channel has ended.
    pub(crate) async fn flushed(&self) {
        let _ = poll_fn(|context| poll_flushed(self, context)).await;
    }

    /// Waits for the end.
    fn poll_ended(&self, context: &Context<'_>) -> Poll<Result<(), Error>> {
        // Under the lock, so that no end comes between looking and waiting.
        let mut shared = self.link.lock();
        if let Some(reason) = self.ended.get() {
            return Poll::Ready(reason.to_error().map_or(Ok(()), Err));
        }
        shared.waiting.for_room(self.channel, context.waker());
        Poll::Pending
    }

    fn refuse(&self) {
        let channel = self.channel;
        self.link.command(|shared| shared.session.reset(channel, CloseCode::Refused));
    }

    fn error(&self, error: SendError) -> Error {
        match error {
            SendError::WouldBlock => Error::new(
                ErrorKind::WouldBlock,
                "the send buffer is full; wait for `writable`, or use `send`",
            ),
            SendError::TooBig(limit) => Error::new(
                ErrorKind::TooBig,
                format!(
                    "messages to this peer have at most {limit} bytes, the smaller limits.message \
                     of the two sides; send smaller ones"
                ),
            ),
            SendError::Ended => {
                let ended = self.ended.get().cloned();
                ended
                    .or_else(|| self.link.lock().session.reason(self.channel).cloned())
                    .and_then(|reason| reason.to_error())
                    .unwrap_or_else(|| crate::event::closed("the remote"))
            }
        }
    }
}

/// A message on its way into the send buffer.
///
/// These are the hottest lines of the crate. Written by hand, because what an `async fn` is given moves into its state and
/// from there to where it is used, which costs more than all the rest of sending a short message.
struct Sending<'a, M> {
    state: &'a State,
    message: M,
    /// A message may not have to be `Unpin`, so nothing here is changed but through a shared reference.
    progress: AtomicU8,
}

/// It has not been tried, or may be tried again.
const FRESH: u8 = 0;
/// There was no room, and when there is this is woken.
const WAITING: u8 = 1;
/// It has said so.
const DONE: u8 = 2;

impl<'a, M: AsMessage> Sending<'a, M> {
    #[inline]
    const fn new(state: &'a State, message: M) -> Self {
        Self { state, message, progress: AtomicU8::new(FRESH) }
    }

    /// What is to be done where there was no room at once.
    #[cold]
    fn poll_later(&self, context: &Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match self.progress.load(Relaxed) {
                FRESH => ready!(self.state.link.lock().poll_turn(context)),
                // Before the message is looked at: a value of JSON is written out anew each time.
                WAITING => ready!(poll_writable(self.state, context))?,
                _ => return Poll::Ready(Err(awaited_again())),
            }
            if self.state.send_now(&self.message, true)? {
                return Poll::Ready(Ok(()));
            }
            let full = !self.state.link.lock().is_turn_due();
            self.progress.store(if full { WAITING } else { FRESH }, Relaxed);
        }
    }
}

fn awaited_again() -> Error {
    Error::new(ErrorKind::Invalid, "a `send` that was ready was polled again; make a new one")
}

impl<M: AsMessage> Future for Sending<'_, M> {
    type Output = Result<(), Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.into_ref().get_ref();
        let sent = match this.progress.load(Relaxed) {
            FRESH => this.state.send_now(&this.message, true),
            _ => Ok(false),
        };
        let sent = match sent {
            Ok(true) => Ok(()),
            Ok(false) => ready!(this.poll_later(context)),
            Err(error) => Err(error),
        };
        this.progress.store(DONE, Relaxed);
        Poll::Ready(sent)
    }
}

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
    /// [`ErrorKind::TooBig`] for a message longer than this node sends or the peer takes, [`ErrorKind::Invalid`] for a
    /// value that cannot travel, or why the channel has ended.
    #[inline]
    pub fn send(&self, message: impl AsMessage) -> impl Future<Output = Result<(), Error>> {
        Sending::new(&self.state, message)
    }

    /// Sends a message if there is room.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`ErrorKind::WouldBlock`] if there is none; then nothing was
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
    /// Why not everything may have been read, such as [`ErrorKind::Timeout`] when for one to two times
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

/// Sends to a [`Remote`] from anywhere. Clone it as you like; it does not keep the remote open.
#[derive(Clone)]
pub struct Sender {
    state: Arc<State>,
}

impl Sender {
    /// As [`Remote::send`].
    ///
    /// # Errors
    /// As [`Remote::send`].
    #[inline]
    pub fn send(&self, message: impl AsMessage) -> impl Future<Output = Result<(), Error>> {
        Sending::new(&self.state, message)
    }

    /// As [`Remote::try_send`].
    ///
    /// # Errors
    /// As [`Remote::try_send`].
    pub fn try_send(&self, message: impl AsMessage) -> Result<(), Error> {
        self.state.try_send(&message)
    }

    /// Sends messages in their order while there is room, which costs less than one call for each; how many were sent.
    /// For the rest, wait until it is [`writable`](Self::writable).
    ///
    /// # Errors
    /// As [`Remote::try_send`], why the first was not sent, and so none. Where a later one cannot be sent, those before
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
    /// As [`Remote::end`].
    pub async fn end(&self) -> Result<(), Error> {
        finish(&self.state);
        poll_fn(|context| self.state.poll_ended(context)).await
    }

    /// As [`end`](Self::end), without waiting for anything.
    pub fn finish(&self) {
        finish(&self.state);
    }

    /// Says that all messages that the remote has given out were read; see
    /// [`Remote::read_on_confirmation`].
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

    /// As [`Remote::refuse`]; whoever reads the remote learns it as its end.
    pub fn refuse(&self) {
        self.state.refuse();
    }

    /// The peer's identity.
    pub fn peer(&self) -> PeerId {
        self.state.link.peer
    }

    /// As [`Remote::subject`].
    pub fn subject(&self) -> &str {
        &self.state.subject
    }

    /// As [`Remote::address`].
    pub fn address(&self) -> Address {
        self.state.link.address
    }

    /// As [`Remote::relayed`].
    pub const fn relayed(&self) -> bool {
        false
    }

    /// As [`Remote::rtt`].
    pub fn rtt(&self) -> Option<Duration> {
        self.state.link.lock().session.rtt()
    }

    /// The length of the longest message that can be sent, in bytes: the smaller `limits.message` of the
    /// two sides, as it was when they connected.
    pub fn longest_message(&self) -> u64 {
        self.state.link.lock().session.longest_message()
    }

    /// As [`Remote::reason`].
    pub fn reason(&self) -> Option<&Reason> {
        self.state.ended.get()
    }

    /// As [`Remote::queued`].
    pub fn queued(&self) -> usize {
        self.state.link.queued(self.state.channel)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

fn finish(state: &State) {
    let now = state.clock.now();
    state.link.call(|shared| ((), shared.session.finish(state.channel, now)));
}

fn confirm(state: &State) {
    let State { link, channel, clock, .. } = state;
    link.call(|shared| ((), shared.session.consumed(*channel, || clock.now())));
}

fn take(shared: &mut Shared, channel: ChannelId) -> (Taken, bool) {
    let (taken, wake) = shared.session.take(channel);
    shared.answering |= matches!(taken, Taken::Messages(_));
    (taken, wake)
}

fn poll_writable(state: &State, context: &Context<'_>) -> Poll<Result<(), Error>> {
    let mut shared = state.link.lock();
    match shared.session.poll_writable(state.channel) {
        Ok(true) => Poll::Ready(Ok(())),
        Ok(false) => {
            shared.waiting.for_room(state.channel, context.waker());
            Poll::Pending
        }
        Err(error) => {
            drop(shared);
            Poll::Ready(Err(state.error(error)))
        }
    }
}

fn poll_flushed(state: &State, context: &Context<'_>) -> Poll<Result<(), Error>> {
    let mut shared = state.link.lock();
    if let Some(reason) = state.ended.get() {
        return Poll::Ready(reason.to_error().map_or(Ok(()), Err));
    }
    if shared.session.poll_flushed(state.channel) {
        return Poll::Ready(Ok(()));
    }
    shared.waiting.for_room(state.channel, context.waker());
    Poll::Pending
}
