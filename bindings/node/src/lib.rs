//! The native part of the npm package `p2pchan`: an addon of Node-API.
//!
//! It knows no stream and no emitter, and blocks nowhere. Once a node has something to do it writes a byte to a
//! socket that the event loop reads; that turns the node by `NativeNode.dispatch`, and gets all that has happened
//! as one table, with the short messages in one piece of memory beside it.
//!
//! ```text
//! connection ─► pump (turned by dispatch) ─► Mailbox ─► inbox of a remote, one batch ─► table, slab, extras
//!      ▲                    │ ready                                                          │
//!      └── NativeRemote ◄───┼──────────────── streams and emitters in lib/ ◄─────────────────┘
//!                           └─► wake ─► event loop
//! ```
//!
//! A remote that JavaScript does not read waits in its connection, and stops the peer. No thread but that
//! of the event loop ever runs JavaScript; when the environment goes (a worker is terminated, the process
//! exits), what is dropped with it closes the nodes, and waits for nothing.
//!
//! # Layout, in reading order
//! - `node`, `remote`, `items`: the classes, over the polled node of the pump. `records`: the table.
//!   `stream`: what is kept of each remote.
//! - `wake`: waking the event loop. `error`: errors. `log`: lines of the log.

mod error;
mod items;
mod log;
mod node;
mod records;
mod remote;
mod stream;
mod wake;

// What the addon exports.
pub use error::codes;
pub use items::NativeItems;
pub use log::set_log;
pub use node::NativeNode;
pub use remote::NativeRemote;
