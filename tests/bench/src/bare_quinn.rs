//! QUIC as the engine alone does it, with its own settings and its own socket, the same keys and the
//! same framing as the raw reference: one stream, written in the same 64 KiB as raw TCP, or message by
//! message.

use std::{net::SocketAddr, sync::Arc};

use quinn::{
    ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};

use crate::{
    Outcome, bare_tls,
    frames::{COALESCED, Frames, append},
    link::Link,
    play::announce,
};

pub(crate) struct QuinnLink {
    endpoint: Endpoint,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    gathered: Vec<u8>,
    /// What gathers before it is written.
    coalesced: usize,
    frames: Frames,
}

impl QuinnLink {
    /// Writes once as many bytes have gathered as the caller says.
    pub(crate) async fn dial(address: &str, coalesced: usize) -> Outcome<Self> {
        let config = QuicClientConfig::try_from(bare_tls::client()?)?;
        let mut endpoint = Endpoint::client(any())?;
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(config)));
        let connection = endpoint.connect(address.parse()?, "localhost")?.await?;
        let (mut send, receive) = connection.open_bi().await?;
        // The other end learns of a stream with its first byte: an empty frame.
        send.write_all(&0u32.to_le_bytes()).await?;
        Ok(Self { coalesced, ..Self::over(endpoint, connection, send, receive) })
    }

    pub(crate) async fn accept() -> Outcome<Self> {
        let config = QuicServerConfig::try_from(bare_tls::server()?)?;
        let endpoint = Endpoint::server(ServerConfig::with_crypto(Arc::new(config)), any())?;
        announce(&endpoint.local_addr()?)?;
        let connection = endpoint.accept().await.ok_or("the endpoint closed")?.await?;
        let (send, mut receive) = connection.accept_bi().await?;
        receive.read_exact(&mut [0; 4]).await?;
        Ok(Self::over(endpoint, connection, send, receive))
    }

    fn over(
        endpoint: Endpoint,
        connection: Connection,
        send: SendStream,
        receive: RecvStream,
    ) -> Self {
        let (gathered, frames) = (Vec::with_capacity(2 * COALESCED), Frames::new());
        Self { endpoint, connection, send, receive, gathered, coalesced: COALESCED, frames }
    }
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Link for QuinnLink {
    async fn send(&mut self, message: &[u8]) -> Outcome<()> {
        append(&mut self.gathered, message)?;
        if self.gathered.len() >= self.coalesced { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Outcome<()> {
        self.send.write_all(&self.gathered).await?;
        self.gathered.clear();
        Ok(())
    }

    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T + Send) -> Outcome<Option<T>> {
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(Some(take(self.frames.at(message))));
            }
            match self.receive.read(self.frames.room()).await {
                Ok(Some(read)) => self.frames.filled(read),
                Ok(None) => return Ok(None),
                // The other end says what it measured and goes.
                Err(_) if self.connection.close_reason().is_some() => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn close(mut self) -> Outcome<()> {
        let _ = self.send.finish();
        self.connection.close(0u32.into(), b"");
        self.endpoint.wait_idle().await;
        Ok(())
    }
}
