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
    framed::{Framed, Pipe},
    frames::{COALESCED, Frames},
    play::announce,
};

pub(crate) fn dial(address: &str) -> Outcome<Framed<TcpStream>> {
    Ok(Framed::over(dialled(address)?, COALESCED))
}

pub(crate) fn accept() -> Outcome<Framed<TcpStream>> {
    Ok(Framed::over(accepted()?, COALESCED))
}

pub(crate) fn dialled(address: &str) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) fn accepted() -> Outcome<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(&listener.local_addr()?)?;
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Pipe for TcpStream {
    #[inline]
    async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.write_all(bytes)?)
    }

    /// Both by one system call.
    #[inline]
    async fn write_long(&mut self, header: [u8; 4], message: &[u8]) -> Outcome<()> {
        let written = self.write_vectored(&[IoSlice::new(&header), IoSlice::new(message)])?;
        self.write_all(header.get(written..).unwrap_or(&[]))?;
        Ok(self.write_all(&message[written.saturating_sub(header.len())..])?)
    }

    #[inline]
    async fn fill(&mut self, frames: &mut Frames) -> Outcome<bool> {
        let read = self.read(frames.room())?;
        Ok(frames.filled(read))
    }
}
