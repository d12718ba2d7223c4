//! Where the engine's tasks run.

use std::{
    fmt,
    future::Future,
    io,
    net::UdpSocket,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use quinn::{AsyncTimer, AsyncUdpSocket, TokioRuntime};
use tokio::{runtime::Handle, time};

use crate::tasks::Tasks;

/// How long connections that were closed may linger, to tell peers that did not hear it the first
/// time.
const LINGERING: Duration = Duration::from_millis(500);

/// A part of the node's runtime: what the engine starts can be waited for, and ended.
pub(super) struct Runtime {
    tasks: Tasks,
}

impl Runtime {
    pub(super) fn new(runtime: Handle) -> Arc<Self> {
        Arc::new(Self { tasks: Tasks::new(runtime) })
    }

    /// Waits until the engine's tasks have ended, but not for long.
    pub(super) async fn end(&self) {
        if time::timeout(LINGERING, self.tasks.ended()).await.is_err() {
            self.tasks.abort();
            self.tasks.ended().await;
        }
    }
}

impl quinn::Runtime for Runtime {
    fn new_timer(&self, instant: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(instant)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.tasks.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}
