//! The behaviours of remotes again, over QUIC: nothing that a program sees depends on the transport.

#![allow(clippy::duplicate_mod, reason = "each file brings what it shares with the others")]

#[path = "backpressure.rs"]
mod backpressure;
#[path = "cancellation.rs"]
mod cancellation;
#[path = "channels.rs"]
mod channels;
#[path = "memory.rs"]
mod memory;
#[path = "mesh.rs"]
mod mesh;
#[path = "simultaneous.rs"]
mod simultaneous;
