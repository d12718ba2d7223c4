//! Bodies of small control frames.

use super::{
    reader::{Malformed, Reader},
    varint::push_varint,
};

/// The longest explanation in a CLOSE frame, in bytes.
pub const MAX_CLOSE_MESSAGE: usize = 255;

/// Why a connection ends: the body of CLOSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The number that programs branch on.
    pub code: u64,
    /// A sentence for people.
    pub message: String,
}

impl Close {
    /// Code (varint), then the message up to the end of the frame, cut to 255 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(8 + self.message.len());
        push_varint(&mut body, self.code);
        let cut = self.message.floor_char_boundary(MAX_CLOSE_MESSAGE);
        body.extend_from_slice(&self.message.as_bytes()[..cut]);
        body
    }

    /// Reads a body; a message that is too long is cut, one that is not UTF-8 is mended.
    ///
    /// # Errors
    /// [`Malformed`] without a code.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let code = reader.varint()?;
        let message = reader.rest();
        let message = &message[..message.len().min(MAX_CLOSE_MESSAGE)];
        Ok(Self { code, message: String::from_utf8_lossy(message).into_owned() })
    }
}
