//! The native part of the Python package `p2pchan`: module `p2pchan._native`.
//!
//! It knows no event loop and blocks nowhere. Python turns a node by calling `Node.dispatch` whenever the
//! node's descriptor is readable, on a thread of its own choice, and gets a list of what has happened;
//! messages are taken from each remote when Python asks for them.
//!
//! ```text
//! connection ─► pump (turned by Node.dispatch) ─► Mailbox ─► list of events: readable, writable, ended …
//!                                                    └─► inbox of a remote, one batch ─► Remote.recv_many
//! ```
//!
//! A remote is told to go on only when its inbox is empty and somebody asks for more, so what a slow
//! program does not take waits in the connection, and stops the peer. No thread but the one that calls
//! ever runs Python.
//!
//! # Layout, in reading order
//! - `node`, `remote`: the two classes, over the polled node of the pump.
//! - `service`: what discovery services of the program are asked, and newcomers.
//! - `stream`: events and statistics, one item when Python asks for it.
//! - `value`: messages from and to Python objects. `error`: exceptions.
//! - `log`: lines of the library's log.

mod error;
mod log;
mod node;
mod remote;
mod service;
mod stream;
mod value;

/// See the page of the crate.
#[pyo3::pymodule(name = "_native")]
mod native {
    #[pymodule_export]
    use crate::{
        error::codes,
        log::{log_level, log_lines},
        node::{NativeNode, forked},
        remote::NativeRemote,
        service::NativeNewcomer,
        stream::NativeStream,
    };
}
