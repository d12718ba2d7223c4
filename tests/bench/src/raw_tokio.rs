//! Raw TCP on a current-thread tokio runtime: what an asynchronous program pays before any of ours.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    Outcome,
    connect::{Connector, OPEN},
    framed::{Framed, Pipe},
    frames::{COALESCED, Frames},
    play::announce,
};

pub(crate) async fn dial(address: &str) -> Outcome<Framed<TcpStream>> {
    over(TcpStream::connect(address).await?)
}

pub(crate) async fn accept() -> Outcome<Framed<TcpStream>> {
    over(listen().await?.accept().await?.0)
}

fn over(stream: TcpStream) -> Outcome<Framed<TcpStream>> {
    stream.set_nodelay(true)?;
    Ok(Framed::over(stream, COALESCED))
}

impl Pipe for TcpStream {
    async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.write_all(bytes).await?)
    }

    async fn fill(&mut self, frames: &mut Frames) -> Outcome<bool> {
        let read = self.read(frames.room()).await?;
        Ok(frames.filled(read))
    }
}

/// A listener whose address the other end has been told.
pub(crate) async fn listen() -> Outcome<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(&listener.local_addr()?)?;
    Ok(listener)
}

/// The accepting end of many plain connections: says that each is open, and holds it until the
/// other end leaves.
pub(crate) async fn hold() -> Outcome<()> {
    let listener = listen().await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            if stream.write_all(&[OPEN]).await.is_ok() {
                // A reset is as good an end as any.
                let _ = stream.readable().await;
            }
        });
    }
}

/// Plain TCP connections.
pub(crate) struct Plain {
    address: Arc<str>,
}

impl Plain {
    pub(crate) fn to(address: &str) -> Self {
        Self { address: address.into() }
    }
}

impl Connector for Plain {
    type Ready = ();
    type Open = TcpStream;

    async fn ready(&self) -> Outcome<()> {
        Ok(())
    }

    async fn connect(&self, (): ()) -> Outcome<TcpStream> {
        let mut stream = TcpStream::connect(&*self.address).await?;
        stream.set_nodelay(true)?;
        // No port is left waiting: the next runs need them.
        stream.set_zero_linger()?;
        match stream.read_u8().await? {
            OPEN => Ok(stream),
            other => Err(format!("byte {other} instead of the sign of an open connection").into()),
        }
    }

    async fn close(&self, _: TcpStream) -> Outcome<()> {
        Ok(())
    }
}
