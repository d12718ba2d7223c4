//! What a node decides across its connections.
//!
//! # Layout
//! - `links`: which connection to a peer survives when there are several.
//! - `admission`: who may wait for proof when strangers crowd the door.

mod admission;
mod links;

pub use admission::Admission;
pub use links::{LinkId, Links, Output};
