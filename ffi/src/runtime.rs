//! The runtime that all nodes of the process share; it ends with the last of them.

use std::{
    ptr,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicPtr, Ordering},
    },
    time::Duration,
};

use p2pchan::Error;
use p2pchan_pump::generation;
use tokio::{
    runtime::{self, Handle},
    task::JoinHandle,
};

/// What threads of the last node may take to end: all that can still run is the system's resolver.
const ENDING: Duration = Duration::from_secs(1);

pub(crate) struct Runtime {
    /// Until this is dropped.
    runtime: Option<runtime::Runtime>,
    handle: Handle,
}

impl Runtime {
    /// The one that there is, or a new one with that many threads.
    pub(crate) fn shared(threads: usize) -> Result<Arc<Self>, Error> {
        let mut shared = current().runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = shared.upgrade() {
            return Ok(runtime);
        }
        let runtime = p2pchan_pump::runtime(threads)?;
        let handle = runtime.handle().clone();
        let runtime = Arc::new(Self { runtime: Some(runtime), handle });
        *shared = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(task)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if Handle::try_current().is_ok() {
            // A thread of the runtime itself, which cannot wait for itself.
            runtime.shutdown_background();
        } else {
            runtime.shutdown_timeout(ENDING);
        }
    }
}

/// The runtime of one generation of the process: a lock that another thread held when the process was
/// forked is never touched in the child.
struct Cell {
    generation: u64,
    runtime: Mutex<Weak<Runtime>>,
}

fn current() -> &'static Cell {
    static CURRENT: AtomicPtr<Cell> = AtomicPtr::new(ptr::null_mut());
    loop {
        let found = CURRENT.load(Ordering::Acquire);
        // SAFETY: what stands there came from a box that is never given back.
        if let Some(cell) = unsafe { found.as_ref() }
            && cell.generation == generation()
        {
            return cell;
        }
        let cell = Cell { generation: generation(), runtime: Mutex::default() };
        let new = Box::into_raw(Box::new(cell));
        let swapped = CURRENT.compare_exchange(found, new, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            // SAFETY: it came from a box, and nobody else has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}
