//! libzmq, the library in C, plain and with CURVE: messages are what it carries, so nothing is framed here.
//!
//! Tuned: DEALER sockets over TCP with the default single I/O thread, which shares the core of its end as every
//! thread of every system does; high water marks that let 16 MiB be on the way at each end, as its guide advises
//! to raise them for many short messages (the default is 1,000 whatever their size). CURVE has its own
//! cryptography, Curve25519 and XSalsa20-Poly1305 by libsodium, as Debian builds it; who connects is not looked up
//! anywhere (no ZAP), but owns its key. Messages are received without a copy, and copied once to be sent.
//!
//! The crate is the last release that takes libzmq from the system: the later one brings a build of its own,
//! which has neither CURVE nor the system calls that libzmq uses on Linux.

use std::sync::Arc;

use zmq::{Context, CurveKeyPair, Message, Socket, SocketType, z85_decode, z85_encode};

use crate::{
    Outcome,
    arguments::{End, Role, System, Work},
    connect::{Connector, OPEN},
    link::Link,
    play::{announce, over, through},
};

/// What may be on the way at each end.
const AHEAD: usize = 16 << 20;
/// So many messages at least, however long they are.
const FEWEST: usize = 16;
/// And at most, as each has some bytes more.
const MOST: usize = 100_000;
/// How the dialling end says that it leaves; no message is empty, and libzmq does not tell.
const LEAVING: &[u8] = b"";

pub(crate) fn version() -> String {
    let (major, minor, patch) = zmq::version();
    format!("libzmq {major}.{minor}.{patch}")
}

pub(crate) fn has_curve() -> bool {
    zmq::has("curve").unwrap_or(false)
}

pub(crate) async fn play(role: Role) -> Outcome<()> {
    let curve = role.system == System::ZmqCurve;
    match (role.work, role.end) {
        (Work::Connect | Work::Memory, End::Accept) => hold(curve),
        (Work::Connect | Work::Memory, End::Dial) => {
            through(&role, Connections::to(&role.address)?).await
        }
        (_, End::Accept) => over(&role, ZmqLink::accept(curve, role.amount.size)?).await,
        (_, End::Dial) => over(&role, ZmqLink::dial(&role.address, role.amount.size)?).await,
    }
}

/// A socket bound to loopback, of which the other end has been told the address and the key.
fn accepting(context: &Context, kind: SocketType, curve: bool, size: usize) -> Outcome<Socket> {
    let socket = context.socket(kind)?;
    let mut key = String::new();
    if curve {
        let pair = CurveKeyPair::new()?;
        socket.set_curve_server(true)?;
        socket.set_curve_secretkey(&pair.secret_key)?;
        key = z85_encode(&pair.public_key).map_err(|_| "the key cannot be told")?;
    }
    allow_ahead(&socket, size)?;
    socket.bind("tcp://127.0.0.1:*")?;
    let bound = socket.get_last_endpoint()?.map_err(|_| "the address is no text")?;
    announce(&format!("{bound}@{key}"))?;
    Ok(socket)
}

fn dialling(context: &Context, address: &Address, size: usize) -> Outcome<Socket> {
    let socket = context.socket(SocketType::DEALER)?;
    if let Some(server) = &address.key {
        let pair = CurveKeyPair::new()?;
        socket.set_curve_serverkey(server)?;
        socket.set_curve_publickey(&pair.public_key)?;
        socket.set_curve_secretkey(&pair.secret_key)?;
    }
    allow_ahead(&socket, size)?;
    socket.connect(&address.endpoint)?;
    Ok(socket)
}

fn allow_ahead(socket: &Socket, size: usize) -> Outcome<()> {
    let messages = i32::try_from((AHEAD / size.max(1)).clamp(FEWEST, MOST))?;
    socket.set_sndhwm(messages)?;
    Ok(socket.set_rcvhwm(messages)?)
}

/// Where the accepting end is, and its key if it has one.
struct Address {
    endpoint: String,
    key: Option<Vec<u8>>,
}

impl Address {
    fn parse(text: &str) -> Outcome<Self> {
        let (endpoint, key) = text.split_once('@').ok_or("the address lacks the place of a key")?;
        let decode = |key| z85_decode(key).map_err(|_| "the key is not one");
        let key = (!key.is_empty()).then(|| decode(key)).transpose()?;
        Ok(Self { endpoint: endpoint.trim_end_matches('\0').to_owned(), key })
    }
}

struct ZmqLink {
    socket: Socket,
    received: Message,
}

impl ZmqLink {
    fn accept(curve: bool, size: usize) -> Outcome<Self> {
        Ok(Self::over(accepting(&Context::new(), SocketType::DEALER, curve, size)?))
    }

    fn dial(address: &str, size: usize) -> Outcome<Self> {
        Ok(Self::over(dialling(&Context::new(), &Address::parse(address)?, size)?))
    }

    fn over(socket: Socket) -> Self {
        Self { socket, received: Message::new() }
    }
}

/// Every call blocks: nothing else runs on this thread.
impl Link for ZmqLink {
    async fn send(&mut self, message: &[u8]) -> Outcome<()> {
        Ok(self.socket.send(message, 0)?)
    }

    async fn flush(&mut self) -> Outcome<()> {
        Ok(())
    }

    async fn receive<T>(&mut self, take: impl FnOnce(&[u8]) -> T + Send) -> Outcome<Option<T>> {
        self.socket.recv(&mut self.received, 0)?;
        Ok((*self.received != *LEAVING).then(|| take(&self.received)))
    }

    /// The context waits until this is sent.
    async fn close(self) -> Outcome<()> {
        Ok(self.socket.send(LEAVING, 0)?)
    }
}

/// The accepting end of many connections: answers each. It ends when its parent ends it.
fn hold(curve: bool) -> Outcome<()> {
    let socket = accepting(&Context::new(), SocketType::ROUTER, curve, 1)?;
    let mut peer = Message::new();
    loop {
        socket.recv(&mut peer, 0)?;
        socket.recv(&mut Message::new(), 0)?;
        socket.send(&*peer, zmq::SNDMORE)?;
        socket.send(&[OPEN][..], 0)?;
    }
}

/// Connections of one context, a socket each. A thread waits for each: libzmq has no other way.
struct Connections {
    context: Context,
    address: Arc<Address>,
}

impl Connections {
    fn to(address: &str) -> Outcome<Self> {
        Ok(Self { context: Context::new(), address: Arc::new(Address::parse(address)?) })
    }
}

impl Connector for Connections {
    type Ready = ();
    type Open = Socket;

    async fn ready(&self) -> Outcome<()> {
        Ok(())
    }

    async fn connect(&self, (): ()) -> Outcome<Socket> {
        let (context, address) = (self.context.clone(), self.address.clone());
        tokio::task::spawn_blocking(move || open(&context, &address)).await?
    }

    async fn close(&self, socket: Socket) -> Outcome<()> {
        Ok(socket.set_linger(0)?)
    }
}

fn open(context: &Context, address: &Address) -> Outcome<Socket> {
    let socket = dialling(context, address, 1)?;
    socket.send(&[OPEN][..], 0)?;
    match &*socket.recv_bytes(0)? {
        [OPEN] => Ok(socket),
        other => Err(format!("{other:?} instead of the sign of an open connection").into()),
    }
}
