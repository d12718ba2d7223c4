//! Noticing that this process is a child of the one that made a node.
//!
//! Threads do not survive a fork, so a node of the parent is dead in the child, and a lock that one of
//! its threads held stays locked. A face has [`forked`] called in every child; each node remembers in
//! which [`generation`] it was made, every call compares, and nothing else of a node is touched in a
//! later generation.

use std::sync::atomic::{AtomicU64, Ordering};

use p2pchan::{Error, ErrorKind};

/// How often this process, or one that it came from, was forked since the library is used.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The generation of this process.
#[inline]
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// To be called in a child before anything else. It only adds to an atomic.
pub fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// What every call on a node of an earlier generation answers.
pub fn forked_error() -> Error {
    let message = "the process was forked, and the node is the parent's; make a new one here";
    Error::new(ErrorKind::Forked, message)
}
