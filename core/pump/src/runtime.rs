//! The runtime of the nodes: which threads the library has beside those of the program.

use std::thread;

use p2pchan::{Error, ErrorKind};
use tokio::runtime::{Builder, Runtime};

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
