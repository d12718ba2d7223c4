//! The bytes that a node sets aside for long messages that are still arriving.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A budget shared by all connections of a node. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    total: AtomicU64,
    used: AtomicU64,
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Account { total: AtomicU64::new(bytes), used: AtomicU64::new(0) }))
    }

    /// Has this many bytes from now on. What is set aside already stays so.
    pub fn resize(&self, bytes: u64) {
        self.0.total.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that are set aside now.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// What one connection may set aside, unless it is for one message: a quarter, so that a peer that
    /// begins messages and never ends them holds up nobody else's.
    pub(super) fn share(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed) / 4
    }

    /// Sets `bytes` aside, all or nothing.
    pub(super) fn reserve(&self, bytes: u64) -> Option<Reservation> {
        let total = self.0.total.load(Ordering::Relaxed);
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= total);
        self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
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
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_shrinks_gives_nothing_until_enough_has_come_back() {
        let budget = Budget::new(100);
        let (first, second) = (budget.reserve(60).unwrap(), budget.reserve(40).unwrap());
        budget.clone().resize(50);
        assert!(budget.reserve(1).is_none());
        drop(first);
        assert!(budget.reserve(11).is_none());
        drop((second, budget.reserve(10).unwrap()));
        budget.resize(100);
        assert!(budget.reserve(100).is_some());
    }
}
