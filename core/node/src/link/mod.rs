//! One connection: the session that all its users share, and the task that drives it.
//!
//! The session (a machine of `p2pchan-proto`) lives behind a short lock. A program's `send` appends
//! to it and wakes the task only if the task had nothing left to do; the task takes what has gathered,
//! encrypts it outside the lock and writes it at once. So many small messages cost one system call,
//! and everything else of a connection stays on one task.
//!
//! # Layout
//! - here: the shared half.
//! - `drive`: the task's loop.
//! - `waiting`: who waits for messages or room.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use p2pchan_proto::{
    address::Address,
    channel::{ChannelId, Common, Session},
    id::PeerId,
    node::LinkId,
};

mod drive;
mod waiting;

pub(crate) use drive::{Driver, drive};
use waiting::Waiting;

/// A connection that has a session.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) peer: PeerId,
    /// What was dialled, or where the peer dialled from.
    pub(crate) address: Address,
    shared: Mutex<Shared>,
}

pub(crate) struct Shared {
    pub(crate) session: Session,
    pub(crate) waiting: Waiting,
    /// What the acceptor will answer HELLO with, while another connection of the same peer decides
    /// whether it may: the common subjects, and how many tags were offered.
    pub(crate) held: Option<(Vec<Common>, usize)>,
    driver: Option<Waker>,
}

impl Link {
    pub(crate) fn new(id: LinkId, peer: PeerId, address: Address, session: Session) -> Arc<Self> {
        let shared = Shared { session, waiting: Waiting::default(), held: None, driver: None };
        Arc::new(Self { id, peer, address, shared: Mutex::new(shared) })
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
        let driver = if wake { shared.driver.take() } else { None };
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
        result
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
