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
        let mut message = String::from_utf8_lossy(message).into_owned();
        // Mending makes up to three bytes of one.
        message.truncate(message.floor_char_boundary(MAX_CLOSE_MESSAGE));
        Ok(Self { code, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_never_longer_than_255_bytes_however_much_of_it_is_mended() {
        for message in [[0xff; 255], [b'x'; 255]] {
            let read = Close::decode(&[&[0][..], &message, b"more"].concat()).unwrap();
            assert_eq!(read.message.len(), MAX_CLOSE_MESSAGE);
            assert_eq!(Close::decode(&read.encode()), Ok(read));
        }
    }
}
