//! The system's UDP socket.
//!
//! Every wake-up and every system call counts for a message that travels alone. So the runtime watches
//! for packets only, not for room to send, which comes back after each packet; and a read that found
//! fewer packets than it had buffers for is not repeated only to hear that there are no more.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
};

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{Interest, unix::AsyncFd};

/// What the kernel may hold for us, each way, bytes: a window of a fast connection. It gives less
/// where the system's limit is lower.
const KERNEL_BUFFER: usize = 2 << 20;
/// Errors of receiving in a row after which the socket rests until it has something again. They are
/// those of datagrams sent before (an address that cannot be reached, an interface that is gone), so
/// one may follow the other, but nothing bounds a broken socket.
const MOST_ERRORS: u32 = 64;

/// Opens a socket of one address family.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
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

#[expect(
    deprecated,
    reason = "its successor is unsafe, as a type might exchange its descriptor; a socket does not"
)]
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

/// A socket in use.
#[derive(Debug)]
pub(super) struct Live {
    /// Watched for packets.
    socket: AsyncFd<UdpSocket>,
    state: UdpSocketState,
    errors: AtomicU32,
    /// The kernel takes no more, or did not when it was asked last.
    blocked: AtomicBool,
    /// The same socket watched for room, as long as anybody waits for that.
    sending: Mutex<Weak<AsyncFd<UdpSocket>>>,
}

impl Live {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let socket = watch(socket, Interest::READABLE)?;
        let (errors, blocked) = (AtomicU32::new(0), AtomicBool::new(false));
        Ok(Self { socket, state, errors, blocked, sending: Mutex::default() })
    }

    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }

    /// Whether it is worth trying to send; else [`Self::writable`] tells when.
    pub(super) fn is_writable(&self) -> bool {
        !self.blocked.load(Ordering::Relaxed)
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        let sending = self.sending()?;
        let _ = sending.writable().await?;
        self.blocked.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn sending(&self) -> io::Result<Arc<AsyncFd<UdpSocket>>> {
        let mut known = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sending) = known.upgrade() {
            return Ok(sending);
        }
        let socket = self.socket.get_ref().try_clone()?;
        let sending = Arc::new(watch(socket, Interest::WRITABLE)?);
        *known = Arc::downgrade(&sending);
        Ok(sending)
    }

    pub(super) fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.state.send(self.socket.get_ref().into(), transmit);
        if matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.blocked.store(true, Ordering::Relaxed);
            // What was seen of room before counts no more.
            *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
        }
        sent
    }

    /// Receives, whatever went wrong with datagrams before: an error here would end the engine.
    pub(super) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<usize> {
        loop {
            let Ok(mut readable) = ready!(self.socket.poll_read_ready(context)) else {
                // The runtime is shutting down; nothing will ever be received.
                return Poll::Pending;
            };
            let Ok(received) = readable.try_io(|socket| {
                let received = self.state.recv(socket.get_ref().into(), buffers, metas);
                match received {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        self.note_error()?;
                        Err(error)
                    }
                    other => other,
                }
            }) else {
                continue;
            };
            if let Ok(received) = received {
                self.errors.store(0, Ordering::Relaxed);
                if received < buffers.len() {
                    // Whatever comes from now on is news.
                    readable.clear_ready();
                }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_socket_that_was_blocked_is_writable_once_there_is_room() {
        let live = Live::new(bind(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
        assert!(live.is_writable());
        live.blocked.store(true, Ordering::Relaxed);
        let both = async { tokio::join!(live.writable(), live.writable()) };
        let (one, other) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        assert!(one.is_ok() && other.is_ok() && live.is_writable());
        // Nobody waits, so nobody is woken for room.
        assert!(live.sending.lock().unwrap().upgrade().is_none());
    }
}
