//! The bytes that a node sets aside for long messages that are still arriving.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A budget shared by all connections of a node. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Budget {
    total: u64,
    left: Arc<AtomicU64>,
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(bytes: u64) -> Self {
        Self { total: bytes, left: Arc::new(AtomicU64::new(bytes)) }
    }

    /// What one connection may set aside, unless it is for one message: a quarter, so that a peer that
    /// begins messages and never ends them holds up nobody else's.
    pub(super) const fn share(&self) -> u64 {
        self.total / 4
    }

    /// Sets `bytes` aside, all or nothing.
    pub(super) fn reserve(&self, bytes: u64) -> Option<Reservation> {
        let less = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Reservation { budget: self.clone(), bytes })
    }
}

/// Bytes set aside; given back when this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Budget,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
