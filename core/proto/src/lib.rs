//! The protocol of p2pchan, without input or output.
//!
//! Every state machine here takes time, randomness and bytes as arguments and returns what to do.
//! None has a clock, a socket, a thread or a random order: crate `p2pchan` drives them over real
//! sockets, tests drive them in memory.
//!
//! # Layout, in reading order
//! - [`time`], [`id`], [`address`], [`error`]: the nouns.
//! - [`subject`]: the keys derived from a phrase.
//! - [`settings`]: what users can choose, by text keys, and its documentation.
//! - [`wire`]: the bytes of frames and what stands in them.
//! - [`datagram`]: the packets of the one UDP port.
//! - [`channel`]: one connection: its handshake, its channels, how it ends.
//! - [`node`]: what a node decides across its connections.
//! - [`race`]: how TCP and QUIC take part in the dial of one address.
//! - [`book`]: which addresses are dialled and when, and when discovery services are asked.

pub mod address;
pub mod book;
pub mod channel;
pub mod datagram;
pub mod error;
pub mod id;
pub mod node;
pub mod race;
pub mod settings;
pub mod subject;
pub mod time;
pub mod wire;
