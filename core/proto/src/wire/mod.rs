//! The bytes on the wire: variable-length integers, frames, and the bodies of control frames.
//!
//! Everything after the TLS handshake is one sequence of frames per direction:
//!
//! ```text
//! length   varint    how many bytes follow, 1 to 65,552
//! type     u8        see [`FrameType`]
//! body     length - 1 bytes
//! ```
//!
//! A frame of an unknown type of 0x40 or more is skipped, so that later versions can add hints; an
//! unknown type below that ends the connection. Bytes after the last field of a known body are
//! ignored for the same reason, and serve as padding.

mod control;
mod frame;
mod hello;
mod reader;
mod varint;

pub use control::{Close, MAX_CLOSE_MESSAGE};
pub use frame::{DataFlags, FrameType, Kind, MAX_FRAME, MAX_PAYLOAD, push_data_header, push_frame};
pub use hello::{
    About, Hello, MAX_HELLO, MAX_LISTEN, MAX_TAGS, Match, Subjects, SubjectsAck, TAG, Tag, VERSION,
    Welcome,
};
pub use reader::{Malformed, Reader};
pub use varint::{push_varint, read_varint, varint_len};
