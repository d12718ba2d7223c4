//! Requests to stop: the first ends the command cleanly, the second at once.

use std::process;

use tokio::sync::watch;

use crate::exit::{Exit, Failure};

/// Whether somebody asked this process to stop.
#[derive(Clone, Debug)]
pub(crate) struct Signals(watch::Receiver<Option<Exit>>);

impl Signals {
    /// From now on signals do not kill the process, as long as this runtime runs.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (first, asked) = watch::channel(None);
        let mut signals = Arriving::new()
            .map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
        tokio::spawn(async move {
            let exit = signals.next().await;
            // Fails only when nobody waits any more, and then the end is near anyway.
            let _ = first.send(Some(exit));
            process::exit(signals.next().await.code().into());
        });
        Ok(Self(asked))
    }

    /// Waits for the first request, and says how to exit.
    pub(crate) async fn asked(&mut self) -> Exit {
        match self.0.wait_for(Option::is_some).await {
            Ok(asked) => asked.unwrap_or(Exit::Failure),
            Err(_) => Exit::Failure,
        }
    }
}

#[cfg(unix)]
struct Arriving {
    hangup: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Arriving {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.hangup.recv() => Exit::Signal(1),
            _ = self.interrupt.recv() => Exit::Signal(2),
            _ = self.terminate.recv() => Exit::Signal(15),
        }
    }
}

#[cfg(not(unix))]
struct Arriving;

#[cfg(not(unix))]
impl Arriving {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Exit {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Exit::Signal(2),
            Err(_) => Exit::Failure,
        }
    }
}
