//! Raw TCP on a current-thread tokio runtime: what an asynchronous program pays before any of ours.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    Outcome,
    connect::{Connector, OPEN},
    frames::{Frames, append},
    link::Link,
    play::announce,
};

pub(crate) struct TokioLink {
    stream: TcpStream,
    gathered: Vec<u8>,
    frames: Frames,
}

impl TokioLink {
    pub(crate) async fn dial(address: &str) -> Outcome<Self> {
        Self::over(TcpStream::connect(address).await?)
    }

    pub(crate) async fn accept() -> Outcome<Self> {
        Self::over(listen().await?.accept().await?.0)
    }

    fn over(stream: TcpStream) -> Outcome<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, gathered: Vec::new(), frames: Frames::new() })
    }
}

impl Link for TokioLink {
    async fn send(&mut self, message: &[u8]) -> Outcome<()> {
        Ok(append(&mut self.gathered, message)?)
    }

    async fn flush(&mut self) -> Outcome<()> {
        self.stream.write_all(&self.gathered).await?;
        self.gathered.clear();
        Ok(())
    }

    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T + Send) -> Outcome<Option<T>> {
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(Some(take(self.frames.at(message))));
            }
            match self.stream.read(self.frames.room()).await? {
                0 => return Ok(None),
                read => self.frames.filled(read),
            }
        }
    }

    async fn close(self) -> Outcome<()> {
        Ok(())
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
