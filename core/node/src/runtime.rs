//! The library's own runtime, for programs that have none.

use std::sync::{Mutex, OnceLock, PoisonError};

use p2pchan_proto::error::{Error, ErrorKind};
use tokio::runtime::{Builder, Handle, Runtime};

/// A handle to the runtime, which is made on first use with that many threads, shared by all nodes
/// of the process, and lives as long as the process.
pub(crate) fn library_runtime(threads: usize) -> Result<Handle, Error> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("p2pchan")
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, format!("no runtime could be made: {error}")))?;
    Ok(RUNTIME.get_or_init(|| runtime).handle().clone())
}
