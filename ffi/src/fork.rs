//! Noticing that this process is a child of the one that made a node.
//!
//! Threads do not survive a fork, so a node of the parent is dead in the child, and a lock that one of
//! its threads held stays locked. Each node remembers in which generation it was made, and every call
//! compares; nothing else of a node is touched in a later generation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use p2pchan::{Error, ErrorKind};

/// How often this process, or one that it came from, was forked since the library is used.
static GENERATION: AtomicU64 = AtomicU64::new(0);

#[inline]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Counts forks from now on.
pub(crate) fn watch() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::Acquire) {
        // Two threads at once count each fork twice, which is as good; a lock would be worse.
        #[cfg(unix)]
        // SAFETY: the handler only adds to an atomic.
        unsafe {
            pthread_atfork(None, None, Some(forked));
        }
        WATCHED.store(true, Ordering::Release);
    }
}

pub(crate) fn forked_error() -> Error {
    let message = "the process was forked, and the node is the parent's; make a new one here";
    Error::new(ErrorKind::Forked, message)
}

#[cfg(unix)]
type Handler = Option<unsafe extern "C" fn()>;

#[cfg(unix)]
unsafe extern "C" {
    fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> std::ffi::c_int;
}

#[cfg(unix)]
unsafe extern "C" fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
