//! Messages over what only carries bytes: framed as [`frames`](crate::frames) says. Short ones are gathered before
//! they are written, long ones are written from where they lie.
//!
//! What a system does by itself is its [`Pipe`]; all else is the same for every system that has no messages of its own.

use std::future::Future;

use crate::{
    Outcome,
    frames::{COALESCED, Frames, append, header},
    link::Link,
};

/// What carries bytes both ways.
pub(crate) trait Pipe: Send {
    /// Writes all of it.
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Outcome<()>> + Send;

    /// Writes a long message, and before it what stands before each.
    fn write_long(
        &mut self,
        header: [u8; 4],
        message: &[u8],
    ) -> impl Future<Output = Outcome<()>> + Send {
        async move {
            self.write(&header).await?;
            self.write(message).await
        }
    }

    /// Sends what was written, where writing does not.
    fn flush(&mut self) -> impl Future<Output = Outcome<()>> + Send {
        async { Ok(()) }
    }

    /// Waits for bytes and puts them to the others; false when there will be none.
    fn fill(&mut self, frames: &mut Frames) -> impl Future<Output = Outcome<bool>> + Send;

    /// Says goodbye, where a system does.
    fn close(self) -> impl Future<Output = Outcome<()>> + Send
    where
        Self: Sized,
    {
        async { Ok(()) }
    }
}

/// A pipe that carries whole messages.
pub(crate) struct Framed<P> {
    pipe: P,
    gathered: Vec<u8>,
    /// What gathers before it is written.
    coalesced: usize,
    frames: Frames,
}

impl<P: Pipe> Framed<P> {
    /// Writes once `coalesced` bytes have gathered; with zero each message is written by itself.
    pub(crate) fn over(pipe: P, coalesced: usize) -> Self {
        Self::with(pipe, coalesced, Frames::new())
    }

    /// The same, where some bytes have come already.
    pub(crate) fn with(pipe: P, coalesced: usize, frames: Frames) -> Self {
        Self { pipe, gathered: Vec::with_capacity(2 * COALESCED), coalesced, frames }
    }

    #[inline]
    async fn write_gathered(&mut self) -> Outcome<()> {
        if !self.gathered.is_empty() {
            self.pipe.write(&self.gathered).await?;
            self.gathered.clear();
        }
        Ok(())
    }
}

impl<P: Pipe> Link for Framed<P> {
    #[inline]
    async fn send(&mut self, message: &[u8]) -> Outcome<()> {
        if message.len() >= COALESCED {
            self.write_gathered().await?;
            return self.pipe.write_long(header(message)?, message).await;
        }
        append(&mut self.gathered, message)?;
        if self.gathered.len() >= self.coalesced { self.write_gathered().await } else { Ok(()) }
    }

    #[inline]
    async fn flush(&mut self) -> Outcome<()> {
        self.write_gathered().await?;
        self.pipe.flush().await
    }

    #[inline]
    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T + Send) -> Outcome<Option<T>> {
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(Some(take(self.frames.at(message))));
            }
            if !self.pipe.fill(&mut self.frames).await? {
                return Ok(None);
            }
        }
    }

    async fn close(self) -> Outcome<()> {
        self.pipe.close().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Gives back what was written, some bytes at a time.
    #[derive(Default)]
    struct Echo {
        bytes: Vec<u8>,
        writes: usize,
    }

    impl Pipe for Echo {
        async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
            self.bytes.extend_from_slice(bytes);
            self.writes += 1;
            Ok(())
        }

        async fn fill(&mut self, frames: &mut Frames) -> Outcome<bool> {
            let room = frames.room();
            let taken = room.len().min(self.bytes.len()).min(1000);
            room[..taken].copy_from_slice(&self.bytes[..taken]);
            self.bytes.drain(..taken);
            Ok(frames.filled(taken))
        }
    }

    /// What comes back of messages of these sizes, and how many writes it took.
    fn through(coalesced: usize, sizes: &[usize]) -> (Vec<usize>, usize) {
        let mut link = Framed::over(Echo::default(), coalesced);
        let all = async {
            for size in sizes {
                link.send(&vec![7; *size]).await.unwrap();
            }
            link.flush().await.unwrap();
            let mut found = Vec::new();
            while let Some(size) = link.receive(<[u8]>::len).await.unwrap() {
                found.push(size);
            }
            (found, link.pipe.writes)
        };
        all.now_or_never().unwrap()
    }

    #[test]
    fn short_and_long_messages_come_in_the_order_in_which_they_were_sent() {
        let sizes = [8, 0, COALESCED, 9, COALESCED - 1, 300_000, 10];
        for coalesced in [0, COALESCED] {
            assert_eq!(through(coalesced, &sizes).0, sizes, "{coalesced} gathered");
        }
    }

    #[test]
    fn short_messages_are_written_together_or_one_by_one() {
        assert_eq!(through(COALESCED, &[64; 100]).1, 1);
        assert_eq!(through(0, &[64; 100]).1, 100);
    }
}
