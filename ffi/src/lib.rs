//! The C interface of p2pchan: `include/p2pchan.h`, which is generated from these sources.
//!
//! The rules that every function obeys stand at the top of the header (`cbindgen.toml`). The comments
//! of the functions here are those of the header, so they speak to C programmers.
//!
//! ```text
//! C program ── functions ──► node, settings, remotes ──► crate p2pchan (tasks of a shared runtime)
//!     ▲                                                        │ wakes
//!     └── callbacks ◄── pump (the library's thread, or p2pchan_node_dispatch) ◄┘
//! ```
//!
//! # Layout, in reading order
//! - `result`: codes, `p2pchan_last_error`, and the wall that no panic crosses. `text`: strings in and out.
//! - `general`: version and log. `settings`: the table of settings.
//! - `node`: from its beginning to its end. `callbacks`: what it calls.
//! - `subject`, `remote`: what it does. `status`: what it is and was told to be.
//! - `discovery`: services of the program's own.
//! - `runtime`, `fork`: threads and processes.
//!
//! Who runs callbacks, when, in which order: the crate `p2pchan-pump`.

#![allow(
    unsafe_code,
    reason = "programs in C hand over pointers; the rules of the header bind both"
)]
#![allow(non_camel_case_types, reason = "these are the names of the C interface")]
#![allow(
    clippy::missing_safety_doc,
    reason = "what callers owe stands once, in the rules at the top of the header"
)]
pub mod callbacks;
pub mod discovery;
pub mod general;
pub mod node;
pub mod remote;
pub mod result;
pub mod settings;
pub mod status;
pub mod subject;

mod fork;
mod log;
mod runtime;
mod text;
