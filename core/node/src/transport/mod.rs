//! Encrypted byte pipes to a peer whose identity is known.
//!
//! A transport dials and listens; what comes of it is a [`Pipe`]: bytes in order, encrypted and
//! authenticated, with the peer's identity and an exporter that both sides share. Everything above
//! (`driver`) is the same for all of them. TLS runs over any stream, so TCP, a WebSocket or memory
//! each need only the stream; QUIC brings its own encryption and becomes a `Pipe` directly.
//!
//! # Layout
//! - `listen`: opening what the settings name; `tcp`: its sockets.
//! - `udp`: the one UDP port; `quic`: connections over it.
//! - `tls`: TLS 1.3 over a stream, through rustls's unbuffered interface.
//! - `raw_key`: raw public keys (RFC 7250) instead of certificates.
//! - `exporter`: the keying material that proofs are bound to.

use std::{
    io,
    task::{Context, Poll},
};

use p2pchan_proto::id::PeerId;

mod buffer;
mod exporter;
pub(crate) mod listen;
pub(crate) mod quic;
mod raw_key;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod udp;

pub(crate) use raw_key::TlsConfigs;

/// Who is at the other end, and what ties proofs to this connection.
pub(crate) struct Secured {
    pub(crate) peer: PeerId,
    /// 32 bytes that only the two ends know, see `channel::EXPORTER_LABEL`.
    pub(crate) exporter: [u8; 32],
}

/// An encrypted connection. Nothing here waits by itself: the link's task polls it.
pub(crate) trait Pipe: Send {
    /// Hands decrypted bytes to `sink`, in order, as they lie in the receive buffer. Reads once from
    /// the transport. `Ready(Ok(false))` is the end of the stream; its last bytes may have been
    /// handed over by the same call.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<bool>>;

    /// Encrypts bytes for the next [`Pipe::poll_flush`]. The caller flushes before it has sealed
    /// more than [`BATCH`] bytes, so what waits here is bounded.
    fn seal(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes what was sealed. Ready when all of it is with the operating system.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says goodbye and closes the sending direction. Ready when that is done.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// How many bytes are gathered for one write: enough to make system calls cheap, little enough to
/// stay in the processor's cache.
pub(crate) const BATCH: usize = 64 * 1024;
