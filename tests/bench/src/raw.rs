//! Raw TCP over blocking sockets: the limit.
//!
//! Short messages are gathered into writes of 64 KiB, long ones are written from where they lie,
//! and frames are handed out of the read buffer in place.

use std::{
    io::{IoSlice, Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::{
    Outcome,
    frames::{COALESCED, Frames, append, header},
    link::Link,
    play::announce,
};

pub(crate) struct RawLink {
    stream: TcpStream,
    gathered: Vec<u8>,
    frames: Frames,
}

impl RawLink {
    pub(crate) fn dial(address: &str) -> Outcome<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    pub(crate) fn accept() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        announce(&listener.local_addr()?)?;
        Self::over(listener.accept()?.0)
    }

    fn over(stream: TcpStream) -> Outcome<Self> {
        stream.set_nodelay(true)?;
        let gathered = Vec::with_capacity(2 * COALESCED);
        Ok(Self { stream, gathered, frames: Frames::new() })
    }

    fn write_gathered(&mut self) -> Outcome<()> {
        self.stream.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// A long message is not copied.
    fn write_long(&mut self, message: &[u8]) -> Outcome<()> {
        self.write_gathered()?;
        let header = header(message)?;
        let written =
            self.stream.write_vectored(&[IoSlice::new(&header), IoSlice::new(message)])?;
        self.stream.write_all(header.get(written..).unwrap_or(&[]))?;
        self.stream.write_all(&message[written.saturating_sub(header.len())..])?;
        Ok(())
    }
}

impl Link for RawLink {
    #[inline]
    async fn send(&mut self, message: &[u8]) -> Outcome<()> {
        if message.len() >= COALESCED {
            return self.write_long(message);
        }
        append(&mut self.gathered, message)?;
        if self.gathered.len() >= COALESCED { self.write_gathered() } else { Ok(()) }
    }

    #[inline]
    async fn flush(&mut self) -> Outcome<()> {
        self.write_gathered()
    }

    #[inline]
    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T + Send) -> Outcome<Option<T>> {
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(Some(take(self.frames.at(message))));
            }
            match self.stream.read(self.frames.room())? {
                0 => return Ok(None),
                read => self.frames.filled(read),
            }
        }
    }

    async fn close(self) -> Outcome<()> {
        Ok(())
    }
}
