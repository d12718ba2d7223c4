//! The command line as users have it: real processes, told only what users tell them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is how a test fails, also in what the tests share"
)]

mod commands;
mod ends;
mod hostile;
mod join;
mod phrase;
#[cfg(unix)]
mod running;
mod support;
mod transfer;
