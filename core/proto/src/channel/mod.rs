//! Connections and their channels: the handshake that proves common subjects, and the ordered,
//! bounded message channels that follow it.
//!
//! A [`Session`] is one connection after its transport is encrypted and both identities are known.
//! It begins with HELLO and WELCOME (`proof`), then carries one channel per common subject
//! (`state`), each with a bounded send buffer (`outbox`), a window of received messages (`inbox`),
//! credit, and an orderly end (`flow`).
//!
//! # Layout, in reading order
//! `session` the machine and its handshake; `proof` tags and bindings; `parse` bytes into frames;
//! `flow` messages, credit and end; `drive` what to send and when; `state`, `outbox`, `inbox` one
//! channel; `liveness`, `rate`, `budget`, `pool` bounds; `traffic` counts; `reason` why things end.

mod budget;
mod drive;
mod flow;
mod inbox;
mod liveness;
mod outbox;
mod parse;
mod pool;
mod proof;
mod rate;
mod reason;
mod session;
mod state;
#[cfg(test)]
mod tests;
mod traffic;

pub use budget::Budget;
pub use drive::Transmit;
pub use flow::{SendError, Taken};
pub use inbox::{Batch, Message};
pub use pool::BlockPool;
pub use proof::{Binding, Common, EXPORTER_LABEL, Offer, Side, common};
pub use reason::{CloseCode, Reason};
pub use session::{Config, Event, MIN_WINDOW, Opened, Session};
pub use state::ChannelId;
pub use traffic::{ChannelStatus, SessionStatus, Traffic};
