//! The system's UDP socket.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll, ready},
};

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

/// What the kernel may hold for us, each way, bytes: a window of a fast connection. It gives less
/// where the system's limit is lower.
const KERNEL_BUFFER: usize = 2 << 20;
/// Errors of receiving in a row after which the socket rests until it has something again. They are
/// those of datagrams sent before (an address that cannot be reached, an interface that is gone), so
/// one may follow the other, but nothing bounds a broken socket.
const MOST_ERRORS: u32 = 64;

/// Opens a socket of one address family.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // Each socket means one family: addresses of the other would show up in disguise.
        socket.set_only_v6(true)?;
    }
    // The system's own size will do where ours is not allowed.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A socket in use.
#[derive(Debug)]
pub(super) struct Live {
    socket: UdpSocket,
    state: UdpSocketState,
    errors: AtomicU32,
}

impl Live {
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket: UdpSocket::from_std(socket)?, state, errors: AtomicU32::new(0) })
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    pub(super) fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_io(Interest::WRITABLE, || self.state.send((&self.socket).into(), transmit))
    }

    /// Receives, whatever went wrong with datagrams before: an error here would end the engine.
    pub(super) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<usize> {
        loop {
            if ready!(self.socket.poll_recv_ready(context)).is_err() {
                // The runtime is shutting down; nothing will ever be received.
                return Poll::Pending;
            }
            let received = self.socket.try_io(Interest::READABLE, || {
                let received = self.state.recv((&self.socket).into(), buffers, metas);
                match received {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        self.note_error()?;
                        Err(error)
                    }
                    other => other,
                }
            });
            if let Ok(received) = received {
                self.errors.store(0, Ordering::Relaxed);
                return Poll::Ready(received);
            }
        }
    }

    /// Too many in a row look like "nothing is there", which waits for the socket's next news.
    fn note_error(&self) -> io::Result<()> {
        let errors = self.errors.fetch_add(1, Ordering::Relaxed);
        if errors < MOST_ERRORS {
            return Ok(());
        }
        self.errors.store(0, Ordering::Relaxed);
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(super) fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    pub(super) fn most_segments_sent(&self) -> usize {
        self.state.max_gso_segments()
    }

    pub(super) fn most_segments_received(&self) -> usize {
        self.state.gro_segments()
    }
}
