//! The runtime that all nodes of the process share, which ends with the last of them; and hearing of
//! forks: what they mean for nodes stands in the module `fork` of the pump.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use p2pchan::Error;
use p2pchan_pump::generation;
use pyo3::prelude::*;
use tokio::{runtime, task::JoinHandle};

/// Called in every child of a fork.
#[pyfunction]
pub(crate) fn forked() {
    p2pchan_pump::forked();
}

pub(crate) struct Runtime(Option<runtime::Runtime>);

impl Runtime {
    /// The one that there is, or a new one with that many threads. The thread that calls holds the GIL,
    /// as does the one that forks: so the lock below is free in a child.
    pub(crate) fn shared(_: Python<'_>, threads: usize) -> Result<Arc<Self>, Error> {
        static SHARED: Mutex<(u64, Weak<Runtime>)> = Mutex::new((0, Weak::new()));
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.0 == generation()
            && let Some(runtime) = shared.1.upgrade()
        {
            return Ok(runtime);
        }
        let runtime = Arc::new(Self(Some(p2pchan_pump::runtime(threads)?)));
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

impl Drop for Runtime {
    /// It may go on a thread of its own, or one that holds the GIL: neither may wait.
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(runtime::Runtime::shutdown_background);
    }
}
