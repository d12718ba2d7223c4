//! The tasks of a node: known, counted, and ended with it.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

/// Spawns tasks and waits for them. Their number is bounded by what spawns them: listeners,
/// admitted connections, dials, and subjects times discovery services.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    running: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    handles: Mutex<BTreeMap<u64, AbortHandle>>,
    count: watch::Sender<usize>,
}

/// Counts a task until it is dropped, however it ends.
struct Counted {
    number: u64,
    running: Arc<Running>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        lock(&self.running.handles).remove(&self.number);
        self.running.count.send_modify(|count| *count -= 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tasks {
    pub(crate) fn new(runtime: Handle) -> Self {
        let count = watch::channel(0).0;
        Self { runtime, running: Arc::new(Running { handles: Mutex::default(), count }) }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.running.count.send_modify(|count| *count += 1);
        let counted = Counted { number, running: self.running.clone() };
        // Boxed: a future that an async block captures and awaits has its memory there twice.
        let task = Box::pin(task);
        let mut handles = lock(&self.running.handles);
        let handle = self.runtime.spawn(async move {
            let _counted = counted;
            task.await;
        });
        handles.insert(number, handle.abort_handle());
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(&self) {
        let _ = self.running.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Ends all tasks where they are.
    pub(crate) fn abort(&self) {
        for handle in lock(&self.running.handles).values() {
            handle.abort();
        }
    }
}
