//! Hearing of forks: what they mean for nodes stands in the module `fork` of the pump.

use std::sync::atomic::{AtomicBool, Ordering};

/// Counts forks from now on.
pub(crate) fn watch() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::Acquire) {
        // Two threads at once count each fork twice, which is as good; a lock would be worse.
        #[cfg(unix)]
        // SAFETY: the handler only adds to an atomic.
        unsafe {
            pthread_atfork(None, None, Some(in_child));
        }
        WATCHED.store(true, Ordering::Release);
    }
}

#[cfg(unix)]
type Handler = Option<unsafe extern "C" fn()>;

#[cfg(unix)]
unsafe extern "C" {
    fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> std::ffi::c_int;
}

#[cfg(unix)]
unsafe extern "C" fn in_child() {
    p2pchan_pump::forked();
}
