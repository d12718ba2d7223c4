//! Endpoints: dialling and accepting on a port.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use quinn::{Connecting, Endpoint, VarInt};
use tokio::runtime::Handle;

use super::{
    config::{self, QuicConfigs},
    pipe::{QuicPipe, secured},
    runtime::Runtime,
};
use crate::transport::{Pipe, Secured, udp::Port};

/// QUIC on one port.
pub(crate) struct Engine {
    port: Arc<Port>,
    endpoint: Endpoint,
    configs: QuicConfigs,
    runtime: Arc<Runtime>,
}

/// A connection that somebody began; nothing has been set aside for it yet.
pub(crate) struct Incoming {
    connection: quinn::Incoming,
    port: Arc<Port>,
}

impl Engine {
    /// Starts QUIC on a port. It dials; for more see [`accept_connections`](Self::accept_connections).
    pub(crate) fn start(
        port: Arc<Port>,
        configs: QuicConfigs,
        runtime: Handle,
    ) -> io::Result<Self> {
        let runtime = Runtime::new(runtime);
        let endpoint = Endpoint::new_with_abstract_socket(
            config::endpoint(),
            None,
            port.clone(),
            runtime.clone(),
        )?;
        Ok(Self { port, endpoint, configs, runtime })
    }

    pub(crate) const fn port(&self) -> &Arc<Port> {
        &self.port
    }

    /// Takes connections from now on, or no more; those that are open go on.
    pub(crate) fn accept_connections(&self, accepting: bool) {
        let server = accepting.then(|| self.configs.server.clone());
        self.endpoint.set_server_config(server);
    }

    /// Connections that are open, or that are being opened or closed.
    pub(crate) fn connections(&self) -> usize {
        self.endpoint.open_connections()
    }

    /// Waits until no connection is open.
    pub(crate) async fn idle(&self) {
        self.endpoint.wait_idle().await;
    }

    /// Connects to an address, or to what a path of the port names; the caller bounds
    /// the time. A future that is dropped leaves nothing behind: what was
    /// begun is closed.
    pub(crate) async fn dial(&self, address: SocketAddr) -> io::Result<(Box<dyn Pipe>, Secured)> {
        // Raw keys have no names; the name is never sent (SNI is off).
        let connecting = self
            .endpoint
            .connect_with(self.configs.client.clone(), address, "p2pchan")
            .map_err(io::Error::other)?;
        let connection = finish(connecting).await?;
        let secured = secured(&connection)?;
        let streams = connection.open_bi().await?;
        Ok((Box::new(QuicPipe::new(connection, streams)), secured))
    }

    /// The next connection that somebody begins; `None` once the engine is closed.
    pub(crate) async fn accept(&self) -> Option<Incoming> {
        let connection = self.endpoint.accept().await?;
        Some(Incoming { connection, port: self.port.clone() })
    }

    /// Closes every connection and gives the port back.
    pub(crate) async fn close(self: Arc<Self>) {
        self.endpoint.close(VarInt::from_u32(0), b"");
        let (runtime, port) = (self.runtime.clone(), self.port.clone());
        drop(self);
        runtime.end().await;
        // Others may hold it still, a dial that leaves from it say.
        port.close();
    }
}

async fn finish(connecting: Connecting) -> io::Result<quinn::Connection> {
    connecting.await.map_err(|error| match error {
        quinn::ConnectionError::TransportError(_) => {
            io::Error::new(io::ErrorKind::InvalidData, format!("QUIC: {error}"))
        }
        error => error.into(),
    })
}

impl Incoming {
    pub(crate) fn from(&self) -> SocketAddr {
        let name = self.connection.remote_address();
        self.port.real_address(name).unwrap_or(name)
    }

    /// Whether the sender has shown that it receives what is sent to its address.
    pub(crate) fn is_proven(&self) -> bool {
        self.connection.remote_address_validated()
    }

    /// Asks the sender to come back with a token (Retry), and forgets it: some 100 bytes for its
    /// 1,200.
    pub(crate) fn ask_to_retry(self) {
        if let Err(error) = self.connection.retry() {
            error.into_incoming().ignore();
        }
    }

    /// Runs the handshake up to the stream that the dialler opens with its first frame. The caller
    /// bounds the time.
    pub(crate) async fn handshake(self) -> io::Result<(Box<dyn Pipe>, Secured)> {
        let connection = finish(self.connection.accept()?).await?;
        let secured = secured(&connection)?;
        let streams = connection.accept_bi().await?;
        Ok((Box::new(QuicPipe::new(connection, streams)), secured))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("port", &self.port).finish_non_exhaustive()
    }
}
