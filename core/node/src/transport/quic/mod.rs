//! QUIC (RFC 9000) on a [`Port`](super::udp::Port): the same identity, handshake and channels as TLS
//! over TCP.
//!
//! A connection carries one bidirectional stream, which the dialler opens, and on it the same frames
//! as TCP carries: so one session machine, one order of events and one set of limits serve both, and
//! CREDIT frames bound what each channel takes. QUIC's own windows only have to be wide enough for
//! the frames of all channels. The price is that a lost packet delays all channels of a connection,
//! not only its own; most peers have one.
//!
//! This folder is the only place that names the engine (quinn); everything else sees an [`Engine`],
//! which dials and accepts, and a [`Pipe`](super::Pipe).
//!
//! # What is switched off
//! Greasing of the QUIC bit, as the port tells packets apart by it; 0-RTT and tickets, as with TLS;
//! datagrams and further streams, which nobody uses.
//!
//! # Layout
//! - `engine`: endpoints on ports; dialling, accepting, closing.
//! - `config`: what both sides of a connection are set to.
//! - `pipe`: a connection as a pipe.
//! - `runtime`: where the engine's tasks run, so that they end with it.

mod config;
mod engine;
mod pipe;
mod runtime;
#[cfg(test)]
mod tests;

pub(crate) use config::QuicConfigs;
pub(crate) use engine::{Engine, Incoming};
