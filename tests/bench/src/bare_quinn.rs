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
    framed::{Framed, Pipe},
    frames::{COALESCED, Frames},
    play::announce,
};

pub(crate) struct QuinnPipe {
    endpoint: Endpoint,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

/// Writes once `coalesced` bytes have gathered.
pub(crate) async fn dial(address: &str, coalesced: usize) -> Outcome<Framed<QuinnPipe>> {
    let config = QuicClientConfig::try_from(bare_tls::client()?)?;
    let mut endpoint = Endpoint::client(any())?;
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(config)));
    let connection = endpoint.connect(address.parse()?, "localhost")?.await?;
    let (mut send, receive) = connection.open_bi().await?;
    // The other end learns of a stream with its first byte: an empty frame.
    send.write_all(&0u32.to_le_bytes()).await?;
    Ok(Framed::over(QuinnPipe { endpoint, connection, send, receive }, coalesced))
}

pub(crate) async fn accept() -> Outcome<Framed<QuinnPipe>> {
    let config = QuicServerConfig::try_from(bare_tls::server()?)?;
    let endpoint = Endpoint::server(ServerConfig::with_crypto(Arc::new(config)), any())?;
    announce(&endpoint.local_addr()?)?;
    let connection = endpoint.accept().await.ok_or("the endpoint closed")?.await?;
    let (send, mut receive) = connection.accept_bi().await?;
    receive.read_exact(&mut [0; 4]).await?;
    Ok(Framed::over(QuinnPipe { endpoint, connection, send, receive }, COALESCED))
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Pipe for QuinnPipe {
    async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.send.write_all(bytes).await?)
    }

    async fn fill(&mut self, frames: &mut Frames) -> Outcome<bool> {
        match self.receive.read(frames.room()).await {
            // The other end says what it measured and goes.
            Err(_) if self.connection.close_reason().is_some() => Ok(false),
            read => Ok(frames.filled(read?.unwrap_or(0))),
        }
    }

    async fn close(mut self) -> Outcome<()> {
        let _ = self.send.finish();
        self.connection.close(0u32.into(), b"");
        self.endpoint.wait_idle().await;
        Ok(())
    }
}
