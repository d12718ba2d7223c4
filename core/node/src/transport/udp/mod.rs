//! One UDP port for everything: QUIC, hole punching and the packets of a DHT share a socket.
//!
//! A NAT maps a socket, not a program. What a DHT node hears of this socket is therefore exactly
//! where QUIC answers, and a probe that gets through opens the way for the connection behind it.
//!
//! The QUIC engine is the only reader. Each datagram that it would read is looked at first
//! ([`classify`](p2pchan_proto::datagram::classify), which is exact): what is QUIC stays, what is not
//! goes to a bounded queue of its kind. The kernel may merge datagrams of one sender into one buffer
//! (GRO), whatever protocol they speak, so they are looked at one by one; and it may cut one large
//! buffer into datagrams when sending (GSO), which passes through untouched.
//!
//! The engine may know a peer by a name that looks like an address, and the port has the table of what
//! such names mean ([`PathTable`](p2pchan_proto::datagram::paths::PathTable)): a live connection can be
//! led elsewhere (`Path::reroute`) by whoever has the authority to say so, without the engine noticing.
//!
//! The system's socket can be exchanged for another one under live connections ([`Port::swap`]):
//! all that uses the port moves together.
//!
//! # Layout
//! - `port`: the port, as the QUIC engine sees it.
//! - `live`: the system's socket: opening, sending, receiving.
//! - `sort`: taking apart what came.

mod live;
mod port;
mod sort;
#[cfg(test)]
mod tests;

pub(crate) use live::bind;
pub(crate) use port::{Counters, Port};
pub(crate) use sort::{Packet, Queue, Queues, queue};
