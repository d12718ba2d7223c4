//! What a remote and its senders share.

use std::{
    future::poll_fn,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use p2pchan_proto::{
    channel::{ChannelId, CloseCode, Reason, SendError},
    error::{Error, ErrorKind},
    subject::SubjectKey,
    time::Time,
};

use crate::{
    clock::Clock,
    link::{Link, Shared},
    message::AsMessage,
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
    pub(super) clock: Clock,
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
    pub(super) fn try_send(&self, message: &impl AsMessage) -> Result<(), Error> {
        match self.send_now(message, false)? {
            true => Ok(()),
            false => Err(self.error(SendError::WouldBlock)),
        }
    }

    /// Sends if there is room; false if there is none, or if whoever waits should leave the connection's task its
    /// turn first.
    #[inline]
    pub(super) fn send_now(&self, message: &impl AsMessage, waits: bool) -> Result<bool, Error> {
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
    pub(super) fn try_send_many(&self, messages: &[impl AsMessage]) -> Result<usize, Error> {
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
    pub(super) fn poll_ended(&self, context: &Context<'_>) -> Poll<Result<(), Error>> {
        // Under the lock, so that no end comes between looking and waiting.
        let mut shared = self.link.lock();
        if let Some(reason) = self.ended.get() {
            return Poll::Ready(reason.to_error().map_or(Ok(()), Err));
        }
        shared.waiting.for_room(self.channel, context.waker());
        Poll::Pending
    }

    pub(super) fn refuse(&self) {
        let channel = self.channel;
        self.link.command(|shared| shared.session.reset(channel, CloseCode::Refused));
    }

    pub(super) fn error(&self, error: SendError) -> Error {
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

pub(super) fn finish(state: &State) {
    let now = state.clock.now();
    state.link.call(|shared| ((), shared.session.finish(state.channel, now)));
}

pub(super) fn confirm(state: &State) {
    let State { link, channel, clock, .. } = state;
    link.call(|shared| ((), shared.session.consumed(*channel, || clock.now())));
}

pub(super) fn poll_writable(state: &State, context: &Context<'_>) -> Poll<Result<(), Error>> {
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

pub(super) fn poll_flushed(state: &State, context: &Context<'_>) -> Poll<Result<(), Error>> {
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
