//! The future of a `send`.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use p2pchan_proto::error::{Error, ErrorKind};

use super::state::{State, poll_writable};
use crate::message::AsMessage;

/// A message on its way into the send buffer.
///
/// These are the hottest lines of the crate. Written by hand, because what an `async fn` is given moves into its state and
/// from there to where it is used, which costs more than all the rest of sending a short message.
pub(super) struct Sending<'a, M> {
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
    pub(super) const fn new(state: &'a State, message: M) -> Self {
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
