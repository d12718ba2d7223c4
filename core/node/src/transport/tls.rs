//! TLS 1.3 over any stream, through rustls's unbuffered interface.
//!
//! The unbuffered interface decrypts records where they were read and encrypts straight from the
//! frames into the buffer that is written, which saves two copies of everything (and is as fast as
//! plain TCP with small messages). Its price is that the caller drives the state machine: [`step`]
//! is the only place that does.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustls::{
    CommonState,
    client::UnbufferedClientConnection,
    pki_types::ServerName,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    BATCH, Pipe, Secured, TlsConfigs, buffer,
    exporter::ExporterLog,
    raw_key::{ALPN, peer_id},
};

/// More than this much of an unfinished record or of early frames is not kept for a peer that has
/// not finished the handshake: a HELLO and its record's overhead.
const MAX_UNPROVEN: usize = 9 * 1024;
/// The most that encryption adds: 22 bytes for each record of 16 KiB, and a key update.
const fn sealed_len(plaintext: usize) -> usize {
    plaintext + (plaintext / 16_384 + 1) * 32 + 128
}

/// A byte stream that TLS can run over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A TLS connection.
pub(crate) struct TlsPipe<S> {
    stream: S,
    tls: Tls,
    exporter: Arc<ExporterLog>,
    handshaking: bool,
    /// The beginning of a record whose end has not arrived; shorter than one record.
    parked: Vec<u8>,
    /// What the peer sent right behind its last handshake message; at most [`MAX_UNPROVEN`].
    early: Vec<u8>,
    outgoing: Outgoing,
    closing: bool,
}

enum Tls {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// Records that wait to be written.
#[derive(Default)]
struct Outgoing {
    /// Borrowed while something waits; larger than the common size only for a burst.
    buffer: Box<[u8]>,
    filled: usize,
    sent: usize,
}

/// What one call of the state machine led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It should be called again.
    Again,
    /// It needs more bytes from the peer for the handshake.
    Blocked,
    /// The handshake is done and all records were handled.
    Ready,
    /// What was to be encrypted is.
    Sealed,
    /// The peer has said goodbye.
    PeerClosed,
}

/// What to do when the connection may send.
#[derive(Clone, Copy)]
enum Want<'a> {
    Nothing,
    Seal(&'a [u8]),
    Goodbye,
}

impl<S: Stream> TlsPipe<S> {
    /// The dialling side.
    pub(crate) fn client(stream: S, configs: &TlsConfigs) -> io::Result<Self> {
        let exporter = ExporterLog::new();
        let mut config = (*configs.client).clone();
        config.key_log = exporter.clone();
        // Raw keys have no names; the name is never sent (SNI is off).
        let name = ServerName::try_from("p2pchan").map_err(io::Error::other)?;
        let tls = UnbufferedClientConnection::new(Arc::new(config), name)
            .map_err(|error| tls_error(&error))?;
        Ok(Self::new(stream, Tls::Client(tls), exporter))
    }

    /// The accepting side.
    pub(crate) fn server(stream: S, configs: &TlsConfigs) -> io::Result<Self> {
        let exporter = ExporterLog::new();
        let mut config = (*configs.server).clone();
        config.key_log = exporter.clone();
        let tls =
            UnbufferedServerConnection::new(Arc::new(config)).map_err(|error| tls_error(&error))?;
        Ok(Self::new(stream, Tls::Server(tls), exporter))
    }

    fn new(stream: S, tls: Tls, exporter: Arc<ExporterLog>) -> Self {
        Self {
            stream,
            tls,
            exporter,
            handshaking: true,
            parked: Vec::new(),
            early: Vec::new(),
            outgoing: Outgoing::default(),
            closing: false,
        }
    }

    /// Runs the handshake. The caller bounds the time. A peer that speaks something else is told so
    /// with a TLS alert, as far as it listens.
    pub(crate) async fn handshake(&mut self) -> io::Result<Secured> {
        let result = std::future::poll_fn(|context| self.poll_handshake(context)).await;
        if result.is_err() {
            // The alert, if there is one; the connection is lost anyway.
            let _ = self.advance(&mut [], Want::Nothing, &mut |_| {});
            let _ = std::future::poll_fn(|context| Poll::Ready(self.poll_flush(context))).await;
        }
        result
    }

    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Secured>> {
        let mut early = std::mem::take(&mut self.early);
        let (_, step) = self.advance(&mut [], Want::Nothing, &mut |_| {})?;
        self.handshaking = step != Step::Ready;
        while self.handshaking {
            let _ = self.poll_flush(context)?;
            let mut sink = |bytes: &[u8]| early.extend_from_slice(bytes);
            let read = self.poll_read(context, &mut sink)?;
            if early.len() > MAX_UNPROVEN {
                return Poll::Ready(Err(io::Error::other("too much before the handshake is done")));
            }
            let Poll::Ready(open) = read else {
                self.early = early;
                return Poll::Pending;
            };
            if !open {
                let message = "the peer closed the connection during the TLS handshake";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, message)));
            }
        }
        self.early = early;
        let _ = self.poll_flush(context)?;
        Poll::Ready(self.secured())
    }

    fn secured(&self) -> io::Result<Secured> {
        let state: &CommonState = match &self.tls {
            Tls::Client(tls) => tls,
            Tls::Server(tls) => tls,
        };
        if state.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::other("the peer speaks TLS, but not p2pchan"));
        }
        let peer = peer_id(state.peer_certificates());
        let suite = state.negotiated_cipher_suite().map(|suite| suite.suite());
        let exporter = suite.and_then(|suite| self.exporter.exporter(suite));
        match (peer, exporter) {
            (Some(peer), Some(exporter)) => Ok(Secured { peer, exporter }),
            _ => Err(io::Error::other("TLS finished without an identity or an exporter")),
        }
    }

    /// Reads once and handles every record that is complete.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<bool>> {
        let mut incoming = buffer::borrow();
        let parked = self.parked.len();
        incoming[..parked].copy_from_slice(&self.parked);
        let mut unread = ReadBuf::new(&mut incoming[parked..]);
        let read = match Pin::new(&mut self.stream).poll_read(context, &mut unread) {
            Poll::Ready(Ok(())) => unread.filled().len(),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                buffer::give_back(incoming);
                return Poll::Pending;
            }
        };
        let filled = parked + read;
        let handled = self.advance(&mut incoming[..filled], Want::Nothing, sink);
        let result = handled.and_then(|(used, step)| {
            self.park(&incoming[used..filled])?;
            self.handshaking &= step == Step::Blocked;
            Ok(read > 0 && step != Step::PeerClosed)
        });
        buffer::give_back(incoming);
        Poll::Ready(result)
    }

    fn park(&mut self, rest: &[u8]) -> io::Result<()> {
        if self.handshaking && rest.len() > MAX_UNPROVEN {
            return Err(io::Error::other("a TLS record that is too long for the handshake"));
        }
        self.parked.clear();
        self.parked.extend_from_slice(rest);
        if rest.is_empty() {
            self.parked = Vec::new();
        }
        Ok(())
    }

    /// Drives the state machine over `incoming` as far as it goes. Returns how many bytes are done
    /// with.
    fn advance(
        &mut self,
        incoming: &mut [u8],
        want: Want<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> io::Result<(usize, Step)> {
        let mut used = 0;
        loop {
            let records = &mut incoming[used..];
            let (discard, result) = match &mut self.tls {
                Tls::Client(tls) => {
                    step(tls.process_tls_records(records), &mut self.outgoing, want, sink)
                }
                Tls::Server(tls) => {
                    step(tls.process_tls_records(records), &mut self.outgoing, want, sink)
                }
            };
            used += discard;
            match result? {
                Step::Again => {}
                done => return Ok((used, done)),
            }
        }
    }
}

/// Handles one state of either side's machine.
fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Outgoing,
    want: Want<'_>,
    sink: &mut dyn FnMut(&[u8]),
) -> (usize, io::Result<Step>) {
    let UnbufferedStatus { mut discard, state } = status;
    let state = match state {
        Ok(state) => state,
        Err(error) => return (discard, Err(tls_error(&error))),
    };
    let result = match state {
        ConnectionState::ReadTraffic(mut traffic) => loop {
            match traffic.next_record() {
                Some(Ok(record)) => {
                    discard += record.discard;
                    sink(record.payload);
                }
                Some(Err(error)) => break Err(tls_error(&error)),
                None => break Ok(Step::Again),
            }
        },
        ConnectionState::EncodeTlsData(mut data) => loop {
            match data.encode(outgoing.room(1)) {
                Ok(written) => {
                    outgoing.filled += written;
                    break Ok(Step::Again);
                }
                Err(EncodeError::InsufficientSize(needed)) => {
                    outgoing.room(needed.required_size);
                }
                Err(error) => break Err(io::Error::other(error)),
            }
        },
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Step::Again)
        }
        ConnectionState::WriteTraffic(mut traffic) => match want {
            Want::Nothing => Ok(Step::Ready),
            Want::Seal(plaintext) => {
                let room = outgoing.room(sealed_len(plaintext.len()));
                traffic.encrypt(plaintext, room).map_err(|error| encrypt_error(&error)).map(
                    |written| {
                        outgoing.filled += written;
                        Step::Sealed
                    },
                )
            }
            Want::Goodbye => {
                let room = outgoing.room(sealed_len(2));
                traffic.queue_close_notify(room).map_err(|error| encrypt_error(&error)).map(
                    |written| {
                        outgoing.filled += written;
                        Step::Sealed
                    },
                )
            }
        },
        ConnectionState::BlockedHandshake => Ok(Step::Blocked),
        ConnectionState::PeerClosed | ConnectionState::Closed => Ok(Step::PeerClosed),
        _ => Err(io::Error::other("TLS early data, which is switched off")),
    };
    (discard, result)
}

fn tls_error(error: &rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}"))
}

fn encrypt_error(error: &EncryptError) -> io::Error {
    io::Error::other(format!("TLS: {error}"))
}

impl Outgoing {
    /// At least `needed` bytes of room after what waits.
    fn room(&mut self, needed: usize) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer = buffer::borrow();
        }
        if self.buffer.len() - self.filled < needed {
            let mut larger = vec![0; self.filled + needed.max(BATCH)].into_boxed_slice();
            larger[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
            buffer::give_back(std::mem::replace(&mut self.buffer, larger));
        }
        &mut self.buffer[self.filled..]
    }

    fn is_empty(&self) -> bool {
        self.sent == self.filled
    }

    fn release(&mut self) {
        (self.filled, self.sent) = (0, 0);
        buffer::give_back(std::mem::take(&mut self.buffer));
    }
}

impl<S: Stream> Pipe for TlsPipe<S> {
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<bool>> {
        if !self.early.is_empty() {
            sink(&std::mem::take(&mut self.early));
            return Poll::Ready(Ok(true));
        }
        self.poll_read(context, sink)
    }

    fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            self.advance(&mut [], Want::Seal(bytes), &mut |_| {})?;
        }
        Ok(())
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let Outgoing { buffer, filled, sent } = &self.outgoing;
            let written =
                ready!(Pin::new(&mut self.stream).poll_write(context, &buffer[*sent..*filled]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.sent += written;
        }
        if !self.outgoing.buffer.is_empty() {
            self.outgoing.release();
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.closing, true) {
            self.advance(&mut [], Want::Goodbye, &mut |_| {})?;
        }
        ready!(self.poll_flush(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
