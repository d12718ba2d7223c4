//! The way out of a connection, which one holds at a time: the connection's task, or a thread of the
//! program that answers.
//!
//! Mostly a `send` only queues, and the task gathers what was queued and writes it. But whoever answers
//! a message waits for the next one, and each answer would cost a turn of the task, on its own
//! thread even a switch of threads. So the first message after the program has taken some is written
//! by the thread that sends it, if the task is idle and nobody else is at it. That is one batch at most, it
//! never waits, and where anything is left or fails the task is woken as ever.

use std::{
    io,
    sync::{MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use p2pchan_proto::{channel::Transmit, time::Time};

use super::Link;
use crate::transport::{BATCH, Pipe};

/// Locked before the link, never after it.
pub(super) struct Way {
    pub(super) pipe: Box<dyn Pipe>,
    /// What went wrong when a thread of the program sent; for the task.
    failed: Option<io::Error>,
}

impl Way {
    pub(super) fn new(pipe: Box<dyn Pipe>) -> Self {
        Self { pipe, failed: None }
    }

    /// Writes what is possible.
    pub(super) fn poll_send(
        &mut self,
        link: &Link,
        context: &mut Context<'_>,
        now: Time,
    ) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while self.pipe.poll_flush(context)?.is_ready() && self.seal_batch(link, now)? {}
        Ok(())
    }

    /// Encrypts what has gathered, up to one batch, outside the link's lock.
    pub(super) fn seal_batch(&mut self, link: &Link, now: Time) -> io::Result<bool> {
        let mut sealed = 0;
        while sealed < BATCH {
            let Some(transmit) = link.lock().session.poll_transmit(now) else { break };
            self.pipe.seal(&transmit.bytes)?;
            sealed += transmit.bytes.len();
            Self::recycle(link, transmit);
        }
        Ok(sealed > 0)
    }

    fn recycle(link: &Link, transmit: Transmit) {
        link.lock().session.recycle(transmit);
    }

    /// Writes one batch as far as it goes without waiting. Whether all of it went.
    fn send_batch(&mut self, link: &Link, now: Time) -> io::Result<bool> {
        // Who waits for the transport is the task; where this would have to wait, it is woken.
        let mut context = Context::from_waker(Waker::noop());
        if self.pipe.poll_flush(&mut context)?.is_pending() {
            return Ok(false);
        }
        self.seal_batch(link, now)?;
        Ok(self.pipe.poll_flush(&mut context)? == Poll::Ready(()))
    }
}

impl Link {
    pub(super) fn lock_way(&self) -> MutexGuard<'_, Option<Way>> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits, in the task's place. Whether nothing is left for it to do.
    pub(super) fn send_at_once(&self, now: Time) -> bool {
        let Ok(mut way) = self.way.try_lock() else { return false };
        let Some(way) = &mut *way else { return false };
        match way.send_batch(self, now) {
            Ok(sent) => sent && self.lock().session.is_settled(),
            Err(error) => {
                way.failed = Some(error);
                false
            }
        }
    }
}
