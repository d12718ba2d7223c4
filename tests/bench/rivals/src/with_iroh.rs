//! iroh: QUIC with connections that find a way through relays and holes, of which nothing is on here.
//!
//! Tuned: no preset, no relay, no address lookup, no port mapper, no metrics; bound to loopback and dialled by
//! address; *ring* with the suite of p2pchan; the windows of its own example of transfers
//! (`examples/transfer.rs`), a send window of twice the stream's, raised to 8 MiB as its documents advise where
//! more is to be in flight; a current-thread runtime. One bidirectional stream carries all messages, framed as
//! raw TCP is. They are gathered into 64 KiB before they are written, or written one by one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use iroh::{
    Endpoint, EndpointAddr, RelayMode,
    endpoint::{Connection, QuicTransportConfig, RecvStream, SendStream, presets},
};

use crate::{
    Outcome,
    arguments::{End, Role, System, Work},
    connect::{Connector, OPEN},
    framed::{Framed, Pipe},
    frames::{COALESCED, Frames},
    play::{announce, over, through},
    suite,
};

const ALPN: &[u8] = b"p2pchan-rivals";
/// Of one stream.
const WINDOW: u32 = 8 << 20;
/// Connections that an endpoint makes to another at once. The first packets of all of them go through one queue, which
/// drops what is beyond some dozens; then they are sent again a second later.
const DIALLED: usize = 16;

pub(crate) async fn play(role: Role) -> Outcome<()> {
    let coalesced = if role.system == System::IrohEach { 0 } else { COALESCED };
    match (role.work, role.end) {
        (Work::Connect | Work::Memory, End::Accept) => hold().await,
        (Work::Connect | Work::Memory, End::Dial) => {
            through(&role, Connections::to(&role.address, role.amount.at_once).await?).await
        }
        (_, End::Accept) => over(&role, Framed::over(IrohPipe::accept().await?, coalesced)).await,
        (_, End::Dial) => {
            over(&role, Framed::over(IrohPipe::dial(&role.address).await?, coalesced)).await
        }
    }
}

async fn endpoint() -> Outcome<Endpoint> {
    let transport = QuicTransportConfig::builder()
        .stream_receive_window(WINDOW.into())
        .send_window(2 * u64::from(WINDOW))
        .build();
    let builder = Endpoint::builder(presets::Empty)
        .crypto_provider(Arc::new(suite::provider()))
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .clear_ip_transports()
        .bind_addr(SocketAddr::from(([127, 0, 0, 1], 0)))?
        .transport_config(transport)
        .alpns(vec![ALPN.to_vec()]);
    Ok(builder.bind().await?)
}

async fn accepting() -> Outcome<Endpoint> {
    let endpoint = endpoint().await?;
    let address = *endpoint.bound_sockets().first().ok_or("the endpoint is bound to nothing")?;
    announce(&format!("{}@{address}", endpoint.id()))?;
    Ok(endpoint)
}

fn parse(address: &str) -> Outcome<EndpointAddr> {
    let (id, socket) = address.split_once('@').ok_or("the address lacks an id")?;
    Ok(EndpointAddr::new(id.parse()?).with_ip_addr(socket.parse()?))
}

struct IrohPipe {
    endpoint: Endpoint,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl IrohPipe {
    async fn dial(address: &str) -> Outcome<Self> {
        let endpoint = endpoint().await?;
        let connection = endpoint.connect(parse(address)?, ALPN).await?;
        let (mut send, receive) = connection.open_bi().await?;
        // The other end learns of a stream with its first byte: an empty frame.
        send.write_all(&0u32.to_le_bytes()).await?;
        Ok(Self { endpoint, connection, send, receive })
    }

    async fn accept() -> Outcome<Self> {
        let endpoint = accepting().await?;
        let connection = endpoint.accept().await.ok_or("the endpoint closed")?.await?;
        let (send, mut receive) = connection.accept_bi().await?;
        receive.read_exact(&mut [0; 4]).await?;
        Ok(Self { endpoint, connection, send, receive })
    }
}

impl Pipe for IrohPipe {
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
        self.endpoint.close().await;
        Ok(())
    }
}

/// The accepting end of many connections: says that each is open, and holds it until the other end leaves.
async fn hold() -> Outcome<()> {
    let endpoint = accepting().await?;
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            // The dialling end reports what fails.
            let _ = hold_one(incoming.await?).await;
            Outcome::Ok(())
        });
    }
    Ok(())
}

async fn hold_one(connection: Connection) -> Outcome<()> {
    let mut send = connection.open_uni().await?;
    send.write_all(&[OPEN]).await?;
    send.finish()?;
    connection.closed().await;
    Ok(())
}

/// Connections of few endpoints, which may have many to another: that spares them a socket and the tasks of an
/// endpoint for each. The next connection goes through the next endpoint.
struct Connections {
    endpoints: Vec<Endpoint>,
    next: AtomicUsize,
    address: EndpointAddr,
}

impl Connections {
    async fn to(address: &str, at_once: usize) -> Outcome<Self> {
        let mut endpoints = Vec::new();
        for _ in 0..at_once.div_ceil(DIALLED) {
            endpoints.push(endpoint().await?);
        }
        Ok(Self { endpoints, next: AtomicUsize::new(0), address: parse(address)? })
    }
}

impl Connector for Connections {
    type Ready = Endpoint;
    type Open = Connection;

    async fn ready(&self) -> Outcome<Endpoint> {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.endpoints.len();
        Ok(self.endpoints[place].clone())
    }

    async fn connect(&self, endpoint: Endpoint) -> Outcome<Connection> {
        let connection = endpoint.connect(self.address.clone(), ALPN).await?;
        let mut sign = [0];
        connection.accept_uni().await?.read_exact(&mut sign).await?;
        match sign {
            [OPEN] => Ok(connection),
            [other] => {
                Err(format!("byte {other} instead of the sign of an open connection").into())
            }
        }
    }

    async fn close(&self, connection: Connection) -> Outcome<()> {
        connection.close(0u32.into(), b"");
        Ok(())
    }
}
