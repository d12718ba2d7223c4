//! libp2p, its implementation in Rust: TCP, Noise and yamux under a swarm, and a stream of its `libp2p-stream`,
//! which is how its documents have programs speak that only need a channel.
//!
//! Tuned: TCP without delay, which is its default, as are the windows of yamux, which grow by themselves; no other
//! behaviour than that of streams, no identify, no ping; a current-thread runtime. Noise fixes the cryptography to
//! X25519 and ChaCha20-Poly1305: AES cannot be chosen. One stream carries all messages, framed as raw TCP is. They
//! are gathered into 64 KiB before they are written, or written one by one.

use std::{
    io::{self, ErrorKind},
    time::Duration,
};

use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, multiaddr::Protocol, noise,
    swarm::SwarmEvent, tcp, yamux,
};
use libp2p_stream::{Behaviour, Control, IncomingStreams};
use tokio::task::JoinHandle;

use crate::{
    Outcome,
    arguments::{End, Role, System, Work},
    connect::{Connector, OPEN},
    framed::{Framed, Pipe},
    frames::{COALESCED, Frames},
    play::{announce, over, through},
};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/p2pchan-rivals");
/// Longer than any run: a connection whose stream has not begun yet is idle.
const IDLE: Duration = Duration::from_secs(120);

pub(crate) async fn play(role: Role) -> Outcome<()> {
    let coalesced = if role.system == System::Libp2pEach { 0 } else { COALESCED };
    match (role.work, role.end) {
        (Work::Connect | Work::Memory, End::Accept) => hold().await,
        (Work::Connect | Work::Memory, End::Dial) => {
            through(&role, Swarms { address: role.address.parse()? }).await
        }
        (_, End::Accept) => over(&role, Framed::over(Libp2pPipe::accept().await?, coalesced)).await,
        (_, End::Dial) => {
            over(&role, Framed::over(Libp2pPipe::dial(&role.address).await?, coalesced)).await
        }
    }
}

fn swarm() -> Outcome<Swarm<Behaviour>> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| Behaviour::new())?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build();
    Ok(swarm)
}

/// A swarm does nothing unless it is polled.
fn drive(mut swarm: Swarm<Behaviour>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    })
}

/// A swarm that listens on loopback, of which the other end has been told.
async fn accepting() -> Outcome<(JoinHandle<()>, IncomingStreams)> {
    let mut swarm = swarm()?;
    let streams = swarm.behaviour().new_control().accept(PROTOCOL)?;
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    announce(&address.with(Protocol::P2p(*swarm.local_peer_id())))?;
    Ok((drive(swarm), streams))
}

/// Dials until the connection is there.
async fn dialled(
    mut swarm: Swarm<Behaviour>,
    address: Multiaddr,
) -> Outcome<(JoinHandle<()>, Control, PeerId)> {
    let control = swarm.behaviour().new_control();
    swarm.dial(address)?;
    let peer: PeerId = loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => break peer_id,
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
            _ => (),
        }
    };
    Ok((drive(swarm), control, peer))
}

async fn open(control: &mut Control, peer: PeerId) -> Outcome<Stream> {
    Ok(control.open_stream(peer, PROTOCOL).await.map_err(|error| error.to_string())?)
}

struct Libp2pPipe {
    driver: JoinHandle<()>,
    stream: Stream,
}

impl Libp2pPipe {
    async fn dial(address: &str) -> Outcome<Self> {
        let (driver, mut control, peer) = dialled(swarm()?, address.parse()?).await?;
        Ok(Self { driver, stream: open(&mut control, peer).await? })
    }

    async fn accept() -> Outcome<Self> {
        let (driver, mut streams) = accepting().await?;
        let (_, stream) = streams.next().await.ok_or("the swarm ended")?;
        Ok(Self { driver, stream })
    }
}

impl Pipe for Libp2pPipe {
    async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    async fn flush(&mut self) -> Outcome<()> {
        Ok(self.stream.flush().await?)
    }

    async fn fill(&mut self, frames: &mut Frames) -> Outcome<bool> {
        match self.stream.read(frames.room()).await {
            // The other end says what it measured and goes.
            Err(error) if is_end(&error) => Ok(false),
            read => Ok(frames.filled(read?)),
        }
    }

    async fn close(mut self) -> Outcome<()> {
        // The other end may be gone.
        let _ = self.stream.close().await;
        self.driver.abort();
        Ok(())
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::WriteZero
    )
}

/// The accepting end of many connections: says that each is open, and holds it until the other end leaves.
async fn hold() -> Outcome<()> {
    let (_driver, mut streams) = accepting().await?;
    while let Some((_, mut stream)) = streams.next().await {
        tokio::spawn(async move {
            stream.write_all(&[OPEN]).await?;
            stream.flush().await?;
            stream.read(&mut [0]).await
        });
    }
    Ok(())
}

/// Connections of as many swarms, as streams go to peers and not to connections.
struct Swarms {
    address: Multiaddr,
}

impl Connector for Swarms {
    type Ready = Swarm<Behaviour>;
    type Open = (JoinHandle<()>, Stream);

    async fn ready(&self) -> Outcome<Self::Ready> {
        swarm()
    }

    async fn connect(&self, swarm: Self::Ready) -> Outcome<Self::Open> {
        let (driver, mut control, peer) = dialled(swarm, self.address.clone()).await?;
        loop {
            let (mut stream, mut sign) = (open(&mut control, peer).await?, [0]);
            match stream.read_exact(&mut sign).await {
                Ok(()) if sign == [OPEN] => return Ok((driver, stream)),
                Ok(()) => {
                    return Err(
                        format!("byte {sign:?} instead of the sign of an open connection").into()
                    );
                }
                // libp2p-stream drops a stream that comes while the one before it waits to be taken.
                Err(error) if is_end(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn close(&self, (driver, stream): Self::Open) -> Outcome<()> {
        drop(stream);
        driver.abort();
        Ok(())
    }
}
