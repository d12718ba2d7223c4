//! One connection: the session that all its users share, and the task that drives it.
//!
//! The session (a machine of `p2pchan-proto`) lives behind a short lock. A program's `send` appends
//! to it and wakes the task only if the task had nothing left to do; the task takes what has gathered,
//! encrypts it outside the lock and writes it at once. So many small messages cost one system call,
//! and everything else of a connection stays on one task; but for answers, see `way`.
//!
//! # Layout
//! - here: the shared half.
//! - `drive`: the task's loop.
//! - `way`: the way out, for the task and for who answers.
//! - `waiting`: who waits for messages or room.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use p2pchan_proto::{
    address::Address,
    channel::{ChannelId, Common, SendError, Session},
    id::PeerId,
    node::LinkId,
    time::Time,
    wire::Kind,
};

mod drive;
mod waiting;
mod way;

pub(crate) use drive::{Driver, drive};
use waiting::Waiting;
use way::Way;

/// Bytes that a program queues on a connection before `send` lets the connection's task have its turn. A program that sends
/// to a thousand remotes on one thread would else fill all their buffers first, which is far more memory than the
/// processor's caches hold. A little less than two blocks and two writes: with one, a flood of messages of 64 KiB would leave a
/// turn after each.
const TURN: usize = 112 * 1024;
/// What a message counts towards a turn beside its bytes, as empty ones take room too: a frame's head.
const LEAST: usize = 5;

/// A connection that has a session.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) peer: PeerId,
    /// What was dialled, or where the peer dialled from.
    pub(crate) address: Address,
    shared: Mutex<Shared>,
    /// There is one while the connection is driven.
    way: Mutex<Option<Way>>,
}

pub(crate) struct Shared {
    pub(crate) session: Session,
    pub(crate) waiting: Waiting,
    /// What the acceptor will answer HELLO with, while another connection of the same peer decides
    /// whether it may: the common subjects, and how many tags were offered.
    pub(crate) held: Option<(Vec<Common>, usize)>,
    driver: Option<Waker>,
    /// The program has taken messages and sent nothing since: what it sends now is probably the answer.
    pub(crate) answering: bool,
    /// Bytes queued since the task had its turn, or was last left to have it.
    since_turn: usize,
}

impl Shared {
    /// Queues a message of a program; the flag asks for the driver.
    #[inline]
    pub(crate) fn send(
        &mut self,
        channel: ChannelId,
        kind: Kind,
        payload: &[u8],
    ) -> Result<bool, SendError> {
        let wake = self.session.send(channel, kind, payload)?;
        self.since_turn += payload.len() + LEAST;
        Ok(wake)
    }

    /// Whether so much is queued that the connection's task should have its turn before more is.
    #[inline]
    pub(crate) const fn is_turn_due(&self) -> bool {
        self.since_turn >= TURN
    }

    /// Leaves the connection's task its turn, once, if that is due: then whoever asks is to be polled again, as it is at once.
    pub(crate) fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        if !self.is_turn_due() {
            return Poll::Ready(());
        }
        // The task was woken by what is queued, so it stands before us. If it runs on another thread and is late,
        // this does not wait for it: `limits.high_water` does.
        self.since_turn = 0;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Link {
    pub(crate) fn new(id: LinkId, peer: PeerId, address: Address, session: Session) -> Arc<Self> {
        let waiting = Waiting::default();
        let (held, driver) = (None, None);
        let shared = Shared { session, waiting, held, driver, answering: false, since_turn: 0 };
        Arc::new(Self { id, peer, address, shared: Mutex::new(shared), way: Mutex::new(None) })
    }

    /// For the driver, and for reading.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the session; if the call asks for the driver (the flag), wakes it.
    #[inline]
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut Shared) -> (R, bool)) -> R {
        let mut shared = self.lock();
        let (result, wake) = call(&mut shared);
        if wake {
            Self::wake(shared);
        }
        result
    }

    /// As [`call`](Self::call), for what sends a message: an answer is sent at once.
    #[inline]
    pub(crate) fn call_to_send<R>(
        &self,
        now: impl FnOnce() -> Time,
        call: impl FnOnce(&mut Shared) -> (R, bool),
    ) -> R {
        let mut shared = self.lock();
        let (result, wake) = call(&mut shared);
        if wake {
            if !mem::take(&mut shared.answering) {
                Self::wake(shared);
            } else {
                drop(shared);
                if !self.send_at_once(now()) {
                    Self::wake(self.lock());
                }
            }
        }
        result
    }

    fn wake(mut shared: MutexGuard<'_, Shared>) {
        let driver = shared.driver.take();
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Calls the session and wakes the driver in any case.
    pub(crate) fn command<R>(&self, call: impl FnOnce(&mut Shared) -> R) -> R {
        self.call(|shared| (call(shared), true))
    }

    /// Bytes that wait to be sent on a channel.
    pub(crate) fn queued(&self, channel: ChannelId) -> usize {
        self.lock().session.queued(channel)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("id", &self.id)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
