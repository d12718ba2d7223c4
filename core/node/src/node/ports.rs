//! The node's UDP ports: those that the settings name, and one per address family to dial from.
//!
//! A port that is no longer named takes no more connections, and stays until the last one that runs
//! over it has ended: QUIC connections live on their port's socket, and `update` ends no remote. A
//! port to dial from is opened when the first dial needs it, and does not accept.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use p2pchan_proto::settings::ListenAddress;
use tokio::{runtime::Handle, sync::watch};

use super::inner::Inner;
use crate::transport::{
    quic::{Engine, QuicConfigs},
    udp::{self, Port, Queue, Queues},
};

/// The ports of a node.
pub(super) struct Ports {
    configs: QuicConfigs,
    runtime: Handle,
    /// As many as the settings name, now or while connections of earlier ones live, and two.
    open: Mutex<Vec<OpenPort>>,
    /// Held while a port to dial from is opened.
    opening: Mutex<()>,
    /// Each task that is closing a port holds a receiver.
    closing: watch::Sender<()>,
}

/// A port, and what it is for.
#[derive(Clone)]
pub(super) struct OpenPort {
    pub(super) engine: Arc<Engine>,
    pub(super) address: SocketAddr,
    pub(super) purpose: Purpose,
}

/// A port that nobody attends to yet. Dropping it closes it.
pub(super) struct Unserved {
    engine: Arc<Engine>,
    address: SocketAddr,
    /// Packets of our own.
    queue: Queue,
}

impl Unserved {
    pub(super) async fn close(self) {
        self.engine.close().await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The settings name it: it accepts.
    Listening,
    /// Dials leave from it.
    Dialling,
    /// It is no longer named, and closes with its last connection.
    Draining,
}

impl Ports {
    pub(super) fn new(configs: QuicConfigs, runtime: Handle) -> Self {
        Self {
            configs,
            runtime,
            open: Mutex::default(),
            opening: Mutex::default(),
            closing: watch::channel(()).0,
        }
    }

    /// All that are open, for status.
    pub(super) fn all(&self) -> Vec<OpenPort> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OpenPort>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts QUIC on a socket; it accepts nobody yet.
    pub(super) fn start(&self, socket: std::net::UdpSocket) -> io::Result<Unserved> {
        let address = socket.local_addr()?;
        let (own, queue) = udp::queue();
        let port = Port::new(socket, Queues { own: Some(own), krpc: None })?;
        let engine = Engine::start(port, self.configs.clone(), self.runtime.clone())?;
        Ok(Unserved { engine: Arc::new(engine), address, queue })
    }

    /// One of those that a listen address could mean and whose connections live on.
    pub(super) fn draining(&self, wanted: &ListenAddress) -> Option<OpenPort> {
        let is_meant = |port: &&OpenPort| {
            port.purpose == Purpose::Draining
                && port.address.ip() == wanted.ip
                && wanted.ports.contains(port.address.port())
        };
        self.lock().iter().find(is_meant).cloned()
    }

    /// Lets people in again.
    pub(super) fn listen_again(&self, port: &OpenPort) -> OpenPort {
        self.set_purpose(port.address, Purpose::Listening).unwrap_or_else(|| port.clone())
    }

    fn set_purpose(&self, address: SocketAddr, purpose: Purpose) -> Option<OpenPort> {
        let mut open = self.lock();
        let port = open.iter_mut().find(|port| port.address == address)?;
        port.purpose = purpose;
        port.engine.accept_connections(purpose == Purpose::Listening);
        Some(port.clone())
    }

    /// Takes a port out if it still drains and has no connections.
    fn take_drained(&self, address: SocketAddr) -> Drained {
        let mut open = self.lock();
        let Some(position) = open.iter().position(|port| port.address == address) else {
            return Drained::Gone;
        };
        let port = &open[position];
        if port.purpose != Purpose::Draining {
            Drained::Gone
        } else if port.engine.connections() > 0 {
            Drained::NotYet
        } else {
            Drained::Now(open.swap_remove(position).engine)
        }
    }

    /// The port that leads to this address.
    fn towards(&self, destination: SocketAddr) -> Option<OpenPort> {
        let open = self.lock();
        let leading = || open.iter().filter(|port| leads(port.address.ip(), destination.ip()));
        // What others see of a listening port is where they find us.
        let find = |purpose| leading().find(|port| port.purpose == purpose);
        find(Purpose::Listening).or_else(|| find(Purpose::Dialling)).cloned()
    }
}

enum Drained {
    Now(Arc<Engine>),
    NotYet,
    Gone,
}

/// Whether datagrams to `destination` may leave from a socket that is bound to `local`.
fn leads(local: IpAddr, destination: IpAddr) -> bool {
    local.is_ipv4() == destination.is_ipv4()
        && (local.is_unspecified() || local.is_loopback() == destination.is_loopback())
}

impl Inner {
    /// Listens on a port.
    pub(super) fn serve_port(self: &Arc<Self>, port: Unserved) -> OpenPort {
        let port = self.attend(port, Purpose::Listening);
        port.engine.accept_connections(true);
        port
    }

    fn attend(self: &Arc<Self>, port: Unserved, purpose: Purpose) -> OpenPort {
        let Unserved { engine, address, queue } = port;
        self.answer_probes(engine.port(), queue);
        self.accept_quic(engine.clone());
        let port = OpenPort { engine, address, purpose };
        self.ports.lock().push(port.clone());
        port
    }

    /// Takes no more connections there; the port closes with the last one.
    pub(super) async fn drain_port(self: &Arc<Self>, address: SocketAddr) {
        let Some(port) = self.ports.set_purpose(address, Purpose::Draining) else { return };
        match self.ports.take_drained(address) {
            Drained::Now(engine) => {
                // The engine ends when nobody holds it any more.
                drop(port);
                engine.close().await;
            }
            Drained::Gone => {}
            Drained::NotYet => {
                let (inner, closing) = (self.clone(), self.ports.closing.subscribe());
                self.spawn_until_closing(async move {
                    inner.drained(port).await;
                    drop(closing);
                });
            }
        }
    }

    async fn drained(&self, port: OpenPort) {
        loop {
            port.engine.idle().await;
            match self.ports.take_drained(port.address) {
                Drained::Now(engine) => {
                    drop(port);
                    return engine.close().await;
                }
                Drained::Gone => return,
                Drained::NotYet => {}
            }
        }
    }

    /// The port to dial an address from.
    pub(super) fn port_towards(self: &Arc<Self>, destination: SocketAddr) -> io::Result<OpenPort> {
        if let Some(port) = self.ports.towards(destination) {
            return Ok(port);
        }
        // Two dials that need the same port at once share it.
        let _turn = self.ports.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = self.ports.towards(destination) {
            return Ok(port);
        }
        let any = match destination {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let port = self.ports.start(udp::bind(SocketAddr::new(any, 0))?)?;
        Ok(self.attend(port, Purpose::Dialling))
    }

    /// Closes all ports: nothing is sent or received any more.
    pub(super) async fn close_ports(&self) {
        let ports = std::mem::take(&mut *self.ports.lock());
        for port in ports {
            port.engine.close().await;
        }
        self.ports.closing.closed().await;
    }
}
