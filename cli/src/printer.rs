//! Standard output, written by a thread of its own.
//!
//! What is to be written waits in a queue of bounded size; who prints waits for room. So a reader
//! that stands still costs a fixed amount of memory, and the remotes then wait too.

use std::{
    io::{self, BufWriter, Write},
    sync::Arc,
    thread,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Bytes that wait to be written: enough that the network goes on while the reader is busy. One
/// longer message has room when nothing else waits.
const ROOM: u32 = 1 << 20;
/// What each waiting piece costs beside its bytes.
const OVERHEAD: usize = 64;
/// Bytes written at once.
const BLOCK: usize = 64 * 1024;

struct Piece {
    bytes: Vec<u8>,
    room: OwnedSemaphorePermit,
}

/// A queue of bytes to be written in order. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    queue: mpsc::UnboundedSender<Piece>,
    room: Arc<Semaphore>,
}

/// How the writing goes. Ends when all [`Printer`]s are gone and everything is written, or when
/// it fails.
#[derive(Clone, Debug)]
pub(crate) struct Writing(watch::Receiver<Option<Result<(), Arc<io::Error>>>>);

impl Printer {
    /// Writes to `target`, which is made on the thread that writes.
    pub(crate) fn start<W: Write>(target: impl FnOnce() -> W + Send + 'static) -> (Self, Writing) {
        // Bounded by the room that each piece holds.
        let (queue, pieces) = mpsc::unbounded_channel();
        let (done, writing) = watch::channel(None);
        thread::spawn(move || {
            let result = write_all(pieces, BufWriter::with_capacity(BLOCK, target()));
            // Fails only if nobody wants to know.
            let _ = done.send(Some(result.map_err(Arc::new)));
        });
        (Self { queue, room: Arc::new(Semaphore::new(ROOM as usize)) }, Writing(writing))
    }

    /// Queues `bytes` when there is room. False once the writing has failed.
    pub(crate) async fn print(&self, bytes: Vec<u8>) -> bool {
        match Arc::clone(&self.room).acquire_many_owned(cost(&bytes)).await {
            Ok(room) => self.queue.send(Piece { bytes, room }).is_ok(),
            Err(_) => false,
        }
    }
}

impl Writing {
    /// Waits for the end of the writing.
    pub(crate) async fn ended(&mut self) -> Result<(), Arc<io::Error>> {
        match self.0.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Ok(())),
            Err(_) => Err(Arc::new(io::Error::other("the thread that writes has ended"))),
        }
    }
}

fn cost(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len().saturating_add(OVERHEAD)).map_or(ROOM, |cost| cost.min(ROOM))
}

/// Writes what has gathered, then flushes, so that nothing lies about while the queue is empty.
fn write_all(mut pieces: mpsc::UnboundedReceiver<Piece>, mut target: impl Write) -> io::Result<()> {
    while let Some(first) = pieces.blocking_recv() {
        let mut next = Some(first);
        while let Some(Piece { bytes, room }) = next {
            target.write_all(&bytes)?;
            drop(room);
            next = pieces.try_recv().ok();
        }
        target.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn everything_is_written_in_order_before_the_end_is_told() {
        let target = Shared::default();
        let written = target.clone();
        let (printer, mut writing) = Printer::start(move || target);
        for number in 0..10_000 {
            assert!(printer.print(format!("{number}\n").into_bytes()).await);
        }
        // Larger than all the room there is.
        assert!(printer.print(vec![b'x'; 2 << 20]).await);
        drop(printer);
        writing.ended().await.unwrap();
        let written = written.0.lock().unwrap();
        let expected: String = (0..10_000).map(|number| format!("{number}\n")).collect();
        assert!(written.starts_with(expected.as_bytes()));
        assert_eq!(written.len(), expected.len() + (2 << 20));
    }

    #[tokio::test]
    async fn a_closed_output_is_told_and_printing_ends() {
        let (printer, mut writing) = Printer::start(|| Broken);
        // Whether the first is accepted depends on who is faster.
        let _ = printer.print(b"lost".to_vec()).await;
        assert_eq!(writing.ended().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!printer.print(b"refused".to_vec()).await);
    }
}
