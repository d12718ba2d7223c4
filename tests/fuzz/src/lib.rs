//! Fuzzing of the protocol: what is done with arbitrary bytes, and what must hold whatever they are.
//!
//! | target | takes the bytes as |
//! |---|---|
//! | [`demultiplexer()`] | packets of the UDP port, probes with faults, and what happens to the path table |
//! | [`frames()`] | bodies of frames, and a stream of frames in whatever parts |
//! | [`handshake()`] | what two programs, the network between them and the clock do |
//! | [`settings()`] | values of settings, addresses and ids |
//!
//! Each is a function that panics when something is wrong. On stable Rust `tests/corpus.rs` calls them
//! with every file of `corpus/` (inputs to begin with, written by `examples/seeds.rs`) and
//! `regressions/` (inputs that once found a defect). `tests/fuzz/run`, or `make fuzz`, hands them to
//! libFuzzer, which needs nightly Rust: the package in `targets/`, which is none of this workspace.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is how a defect is found here, as in every test"
)]

mod demultiplexer;
mod frames;
mod handshake;
mod input;
mod pair;
mod settings;

pub use demultiplexer::demultiplexer;
pub use frames::frames;
pub use handshake::handshake;
pub use settings::settings;

/// What takes arbitrary bytes.
pub type Body = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Body); 4] = [
    ("demultiplexer", demultiplexer),
    ("frames", frames),
    ("handshake", handshake),
    ("settings", settings),
];
