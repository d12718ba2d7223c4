//! How each type of value is read, written and described.

pub(super) mod boolean;
pub(super) mod duration;
pub(super) mod hosts;
pub(super) mod identity;
mod list;
pub(super) mod listen;
pub(super) mod number;
pub(super) mod path;
pub(super) mod port;
pub(super) mod subjects;
pub(super) mod transports;

/// What a value of the wrong type is told.
fn wrong_type(value: &super::value::Value, wanted: &str) -> String {
    format!("is {}; give {wanted}", value.kind())
}
