//! A thread that writes and hashes what arrives, so that a slow disk or reader does not hold up the
//! network.

use std::{
    io::{self, Write},
    thread,
};

use p2pchan::Message;
use tokio::sync::{mpsc, oneshot, watch};

use crate::transfer::Hashing;

/// Messages that wait to be written: 1 MiB of contents.
const WAITING: usize = 16;

/// Writes behind what has been written before.
pub(super) struct Writer {
    waiting: mpsc::Sender<Message>,
    written: watch::Receiver<u64>,
    ended: oneshot::Receiver<io::Result<Hashing>>,
}

impl Writer {
    /// Begins behind `before`, in what `open` gives; both are done on the thread.
    pub(super) fn start<W: Write>(
        before: Hashing,
        open: impl FnOnce() -> io::Result<W> + Send + 'static,
    ) -> Self {
        let (waiting, messages) = mpsc::channel(WAITING);
        let (progress, written) = watch::channel(before.bytes());
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let result = open().and_then(|target| write_all(messages, target, before, &progress));
            // Fails only if nobody wants to know.
            let _ = end.send(result);
        });
        Self { waiting, written, ended }
    }

    /// Queues contents when there is room. False once the writing has failed; [`Self::stop`] says why.
    pub(super) async fn write(&self, contents: Message) -> bool {
        self.waiting.send(contents).await.is_ok()
    }

    /// Waits until more has been written than before, and says how much in all.
    pub(super) async fn progress(&mut self) -> u64 {
        if self.written.changed().await.is_err() {
            // The thread has ended: there is no more progress, and `stop` says why.
            std::future::pending::<()>().await;
        }
        *self.written.borrow_and_update()
    }

    /// Waits until all is written.
    pub(super) async fn stop(self) -> io::Result<Hashing> {
        drop(self.waiting);
        match self.ended.await {
            Ok(result) => result,
            Err(_) => Err(io::Error::other("the thread that writes has ended")),
        }
    }
}

fn write_all(
    mut messages: mpsc::Receiver<Message>,
    mut target: impl Write,
    mut hashing: Hashing,
    progress: &watch::Sender<u64>,
) -> io::Result<Hashing> {
    while let Some(message) = messages.blocking_recv() {
        target.write_all(message.payload())?;
        hashing.update(message.payload());
        if messages.is_empty() {
            target.flush()?;
        }
        // Nobody has to listen.
        progress.send_replace(hashing.bytes());
    }
    target.flush()?;
    Ok(hashing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_hashed_together_with_what_was_before() {
        let mut before = Hashing::default();
        before.update(b"a");
        let mut writer = Writer::start(before, || Ok(Vec::new()));
        assert!(writer.write(Message::bytes("bc")).await);
        assert_eq!(writer.progress().await, 3);
        let mut abc = Hashing::default();
        abc.update(b"abc");
        assert_eq!(writer.stop().await.unwrap().hash(), abc.hash());
    }

    #[tokio::test]
    async fn a_failure_ends_the_writing_and_is_told() {
        let open = || Err::<Vec<u8>, _>(io::ErrorKind::PermissionDenied.into());
        let writer = Writer::start(Hashing::default(), open);
        // Whether the first is accepted depends on who is faster.
        while writer.write(Message::bytes("x")).await {}
        assert_eq!(writer.stop().await.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
