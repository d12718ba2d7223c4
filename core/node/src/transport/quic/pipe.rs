//! A QUIC connection as a pipe: its one stream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use quinn::{Connection, ReadError, RecvStream, SendStream, StoppedError, VarInt};

use crate::transport::{BATCH, Pipe, Secured, buffer, raw_key::peer_id};
use p2pchan_proto::channel::EXPORTER_LABEL;

/// The code that QUIC closes with when all that was to be said was said in frames.
const DONE: VarInt = VarInt::from_u32(0);

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send>>;

/// A connection and its stream.
pub(super) struct QuicPipe {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    /// Sealed bytes that the engine has not taken; a batch at most, see [`Pipe::seal`].
    outgoing: Vec<u8>,
    taken: usize,
    /// Waits for the peer to have all that was sent.
    delivered: Option<Stopped>,
}

impl QuicPipe {
    pub(super) fn new(connection: Connection, (send, receive): (SendStream, RecvStream)) -> Self {
        let outgoing = Vec::new();
        Self { connection, send, receive, outgoing, taken: 0, delivered: None }
    }
}

impl QuicPipe {
    /// How much the engine takes now. What it does not take is for [`Pipe::poll_flush`], which also
    /// waits for room.
    fn offer(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        let mut nobody = Context::from_waker(Waker::noop());
        while taken < bytes.len() {
            match Pin::new(&mut self.send).poll_write(&mut nobody, &bytes[taken..]) {
                Poll::Ready(written) => taken += written?,
                Poll::Pending => break,
            }
        }
        Ok(taken)
    }
}

/// Who is at the other end of a connection whose handshake is done.
pub(super) fn secured(connection: &Connection) -> io::Result<Secured> {
    let identity = connection.peer_identity().and_then(|identity| {
        identity.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().ok()
    });
    let peer = identity.and_then(|keys| peer_id(Some(&keys)));
    let mut exporter = [0; 32];
    let exported = connection.export_keying_material(&mut exporter, EXPORTER_LABEL.as_bytes(), b"");
    match (peer, exported) {
        (Some(peer), Ok(())) => Ok(Secured { peer, exporter }),
        _ => Err(io::Error::other("QUIC finished without an identity or an exporter")),
    }
}

impl Pipe for QuicPipe {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<bool>> {
        let mut incoming = buffer::borrow();
        let read = self.receive.poll_read(context, &mut incoming[..BATCH]);
        let result = read.map(|read| match read {
            Ok(read) => {
                sink(&incoming[..read]);
                Ok(read > 0)
            }
            // The peer has closed, having said why in frames before.
            Err(ReadError::ConnectionLost(quinn::ConnectionError::ApplicationClosed(_))) => {
                Ok(false)
            }
            Err(error) => Err(io::Error::other(error)),
        });
        buffer::give_back(incoming);
        result
    }

    fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Mostly the engine takes all of it at once, and nothing is copied twice.
        let taken = if self.outgoing.is_empty() { self.offer(bytes)? } else { 0 };
        self.outgoing.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.taken < self.outgoing.len() {
            let waiting = &self.outgoing[self.taken..];
            self.taken += ready!(Pin::new(&mut self.send).poll_write(context, waiting))?;
        }
        self.taken = 0;
        if !self.outgoing.is_empty() {
            // An idle connection holds no buffer.
            self.outgoing = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(context))?;
        let Self { send, delivered, .. } = self;
        let delivered = delivered.get_or_insert_with(|| {
            let _ = send.finish();
            Box::pin(send.stopped())
        });
        let stopped = ready!(delivered.as_mut().poll(context));
        Poll::Ready(stopped.map(|_| ()).map_err(io::Error::other))
    }
}

impl Drop for QuicPipe {
    fn drop(&mut self) {
        self.connection.close(DONE, b"");
    }
}
