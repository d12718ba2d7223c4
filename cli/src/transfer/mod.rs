//! What `send` and `recv` share. The protocol that they speak over a remote is in `docs/send.md`.
//!
//! # Layout, in reading order
//! - `wire`: the messages. `name`: which names of files may travel, and how a name is taken here.
//! - `hash`: what proves that bytes arrived as they left.
//! - `meet`: of all remotes with the phrase, those that do the other half.
//! - `progress`: the bar, and what a transfer comes to in the end.

mod hash;
mod meet;
mod name;
mod progress;
mod wire;

pub(crate) use hash::{Hash, Hashing};
pub(crate) use meet::{Counterpart, Meeting, fail, meet};
pub(crate) use name::{local_name, numbered, part_name};
pub(crate) use progress::{Bar, Summary, size};
pub(crate) use wire::{
    CHUNK, Control, File, Have, Received, Role, check_offer, describe, receive, total,
};
