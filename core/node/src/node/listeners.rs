//! Where the node accepts connections: a table of what is open, by the address that the settings
//! write.
//!
//! A listener is bound first and lets people in later, so that a change of the settings that fails
//! half-way has let in nobody.

use std::{io, sync::Arc};

use p2pchan_proto::{
    address::Address,
    error::{Error, ErrorKind},
    settings::ListenAddress,
};
use tokio::{net::TcpListener, sync::watch};

use super::{
    inner::Inner,
    ports::{OpenPort, Unserved},
};
use crate::{
    event::Event,
    transport::{listen::Sockets, tcp},
};

/// What one listen address opened; nobody is let in yet. Dropping it closes it.
pub(super) struct Bound {
    wanted: ListenAddress,
    addresses: Vec<Address>,
    tcp: Option<TcpListener>,
    quic: Option<Quic>,
}

/// A UDP port to listen on.
enum Quic {
    New(Unserved),
    /// One that was listened on before, and whose connections live on.
    Again(OpenPort),
}

impl Bound {
    /// Closes it. Ready when its ports are free.
    pub(super) async fn close(self) {
        if let Some(Quic::New(port)) = self.quic {
            port.close().await;
        }
    }
}

/// An open listener. Dropping it closes it soon; [`stop`](Self::stop) waits for that.
pub(super) struct Listener {
    /// As the settings write it.
    pub(super) wanted: ListenAddress,
    /// Where it really is, one for each of its sockets.
    pub(super) addresses: Vec<Address>,
    /// Whether its tasks are to end. They hold the receivers for as long as a socket is open.
    stop: watch::Sender<bool>,
}

impl Listener {
    /// Ready when nobody is let in any more. Connections that it accepted live on; those of QUIC keep
    /// their socket until the last one has ended.
    pub(super) async fn stop(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}

impl Inner {
    /// Opens a socket for each transport that a listen address names.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] naming the key and the address, if it cannot be had. Nothing is open then.
    pub(super) fn bind(&self, wanted: &ListenAddress) -> Result<Bound, Error> {
        if let Some(bound) = self.bind_again(wanted) {
            return Ok(bound);
        }
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Io, format!("setting listen = {wanted}: {error}"))
        };
        let sockets = Sockets::open(wanted).map_err(|error| {
            Error::new(error.kind(), format!("setting listen: {}", error.message()))
        })?;
        let addresses = sockets.addresses().map_err(failed)?;
        let quic = sockets.udp.map(|udp| self.ports.start(udp)).transpose().map_err(failed)?;
        let quic = quic.map(Quic::New);
        Ok(Bound { wanted: wanted.clone(), addresses, tcp: sockets.tcp, quic })
    }

    /// Goes on with a UDP port that was given up lately and still has connections.
    fn bind_again(&self, wanted: &ListenAddress) -> Option<Bound> {
        let transports = wanted.transport.transports();
        if !transports.quic {
            return None;
        }
        let port = self.ports.draining(wanted)?;
        // Without TCP at the same number it is of no use.
        let tcp = if transports.tcp { Some(tcp::bind(port.address).ok()?) } else { None };
        let mut addresses = Vec::from([Address::quic(port.address)]);
        if tcp.is_some() {
            addresses.insert(0, Address::tcp(port.address));
        }
        Some(Bound { wanted: wanted.clone(), addresses, tcp, quic: Some(Quic::Again(port)) })
    }

    /// Opens again what was closed: at the same port, or, if somebody else has that by now, at
    /// another one that the address names.
    pub(super) fn bind_closed(&self, closed: &Listener) -> Result<Bound, Error> {
        let Listener { wanted, addresses, .. } = closed;
        let Some(address) = addresses.first() else { return self.bind(wanted) };
        let same = self.bind(&wanted.with_port(address.socket.port()));
        Ok(Bound { wanted: wanted.clone(), ..same.or_else(|_| self.bind(wanted))? })
    }

    /// Lets people in.
    pub(super) fn begin_to_listen(self: &Arc<Self>, bound: Bound) -> Listener {
        let Bound { wanted, addresses, tcp, quic } = bound;
        let stop = watch::channel(false).0;
        if let Some(tcp) = tcp {
            let inner = self.clone();
            self.until_stopped(stop.subscribe(), async move { inner.accept_tcp(tcp).await });
        }
        if let Some(quic) = quic {
            let port = match quic {
                Quic::New(port) => self.serve_port(port).address,
                Quic::Again(port) => self.ports.listen_again(&port).address,
            };
            self.drain_when_stopped(stop.subscribe(), port);
        }
        Listener { wanted, addresses, stop }
    }

    /// Runs a task of a listener until that, or the node, is to end.
    fn until_stopped(
        self: &Arc<Self>,
        mut stop: watch::Receiver<bool>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let inner = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                // What the task holds goes first: whoever stops a listener wants its port.
                _ = inner.until_closing(task) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            drop(stop);
        });
    }

    fn drain_when_stopped(
        self: &Arc<Self>,
        mut stop: watch::Receiver<bool>,
        port: std::net::SocketAddr,
    ) {
        let inner = self.clone();
        self.spawn_until_closing(async move {
            let _ = stop.wait_for(|stop| *stop).await;
            inner.drain_port(port).await;
            drop(stop);
        });
    }

    /// Tells everybody where the node accepts connections now.
    pub(super) fn publish_listening(&self, listeners: &[Listener]) {
        let addresses: Arc<[Address]> =
            listeners.iter().flat_map(|listener| &listener.addresses).copied().collect();
        let mut core = self.core();
        let before = self.listening.borrow().clone();
        if before == addresses {
            return;
        }
        core.book.handle_own_addresses(addresses.iter().copied());
        for address in before.iter().filter(|address| !addresses.contains(address)) {
            self.emit(Event::NotListening { address: *address });
        }
        for address in addresses.iter().filter(|address| !before.contains(address)) {
            self.emit(Event::Listening { address: *address });
        }
        self.listening.send_replace(addresses);
    }
}
