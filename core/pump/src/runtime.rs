//! The runtime of the nodes: which threads the library has beside those of the program.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};

use p2pchan::{Error, ErrorKind};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use crate::fork::generation;

/// A runtime with that many threads, for all nodes of a process.
///
/// # Errors
/// [`ErrorKind::Io`] if the system gives no more threads or descriptors.
pub fn runtime(threads: usize) -> Result<Runtime, Error> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("p2pchan")
        // Who woke it, on the same core, mostly has more to send: it goes on first, and one turn of
        // this thread does for all of it. If nobody else wants the core this costs nothing.
        .on_thread_unpark(thread::yield_now)
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, format!("no runtime could be made: {error}")))
}

/// The runtime that all polled nodes of the process share; it ends with the last of them.
pub(crate) struct SharedRuntime(Option<Runtime>);

impl SharedRuntime {
    /// The one that there is, or a new one with that many threads. Whoever forks must not call it
    /// meanwhile in another thread (in Python both hold the GIL), as the lock below would stay locked in
    /// the child.
    pub(crate) fn with_threads(threads: usize) -> Result<Arc<Self>, Error> {
        static SHARED: Mutex<(u64, Weak<SharedRuntime>)> = Mutex::new((0, Weak::new()));
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.0 == generation()
            && let Some(runtime) = shared.1.upgrade()
        {
            return Ok(runtime);
        }
        let runtime = Arc::new(Self(Some(runtime(threads)?)));
        *shared = (generation(), Arc::downgrade(&runtime));
        Ok(runtime)
    }

    /// Nothing if the runtime ends.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn(task))
    }
}

impl Drop for SharedRuntime {
    /// It may go on a thread of its own, or on one that programs run on: neither may wait.
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}
