//! The raw reference's framing: four bytes of length, then the message.

use std::{io, ops::Range};

/// What is gathered before it is written, and at least what one read may take.
pub(crate) const COALESCED: usize = 64 << 10;
/// One read takes several writes of the peer.
const READ: usize = 4 * COALESCED;
/// No benchmark sends more: a longer length is a fault.
const LONGEST: usize = 16 << 20;

/// Appends one frame.
#[inline]
pub(crate) fn append(buffer: &mut Vec<u8>, message: &[u8]) -> io::Result<()> {
    buffer.extend_from_slice(&header(message)?);
    buffer.extend_from_slice(message);
    Ok(())
}

#[inline]
pub(crate) fn header(message: &[u8]) -> io::Result<[u8; 4]> {
    u32::try_from(message.len()).map(u32::to_le_bytes).map_err(io::Error::other)
}

/// Bytes as they were read, and the frames in them.
pub(crate) struct Frames {
    buffer: Vec<u8>,
    unread: Range<usize>,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; READ], unread: 0..0 }
    }

    /// The place of the next whole message, which counts as taken.
    #[inline]
    pub(crate) fn next(&mut self) -> io::Result<Option<Range<usize>>> {
        let Some(header) = self.buffer[self.unread.clone()].first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*header) as usize;
        if length > LONGEST {
            return Err(io::Error::other(format!("a frame of {length} bytes")));
        }
        let message = self.unread.start + 4..self.unread.start + 4 + length;
        if message.end > self.unread.end {
            self.make_room(4 + length);
            return Ok(None);
        }
        self.unread.start = message.end;
        Ok(Some(message))
    }

    #[inline]
    pub(crate) fn at(&self, message: Range<usize>) -> &[u8] {
        &self.buffer[message]
    }

    /// Where the next read puts what it finds; never empty after [`next`](Self::next) found none.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.end == self.buffer.len() {
            self.compact();
        }
        &mut self.buffer[self.unread.end..]
    }

    /// What that read found; whether it was anything.
    pub(crate) fn filled(&mut self, bytes: usize) -> bool {
        self.unread.end += bytes;
        bytes > 0
    }

    /// Takes bytes that were read elsewhere.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if self.unread.end + bytes.len() > self.buffer.len() {
            self.compact();
        }
        let end = self.unread.end + bytes.len();
        if end > self.buffer.len() {
            self.buffer.resize(2 * end, 0);
        }
        self.buffer[self.unread.end..end].copy_from_slice(bytes);
        self.unread.end = end;
    }

    fn make_room(&mut self, frame: usize) {
        if self.unread.start + frame > self.buffer.len() {
            self.compact();
        }
        if frame > self.buffer.len() {
            self.buffer.resize(frame, 0);
        }
    }

    fn compact(&mut self) {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_the_reads_fall() {
        let messages: Vec<Vec<u8>> =
            [0, 1, 64, 70_000, 300_000, 5, 1 << 20, 9].map(|size| vec![7; size]).into();
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| append(&mut bytes, message).unwrap());
        for step in [1000, 4097, 65_536, 1 << 20] {
            assert_eq!(through_reads_of(step, &bytes), messages, "reads of {step}");
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_were_put_there() {
        let messages: Vec<Vec<u8>> = [64, 0, 300_000, 1 << 20, 9].map(|size| vec![7; size]).into();
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| append(&mut bytes, message).unwrap());
        for step in [1000, 16_384, 1 << 20] {
            let (mut frames, mut found) = (Frames::new(), Vec::new());
            for part in bytes.chunks(step) {
                frames.put(part);
                while let Some(message) = frames.next().unwrap() {
                    found.push(frames.at(message).to_vec());
                }
            }
            assert_eq!(found, messages, "puts of {step}");
        }
    }

    fn through_reads_of(step: usize, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut frames, mut found) = (Frames::new(), Vec::new());
        loop {
            while let Some(message) = frames.next().unwrap() {
                found.push(frames.at(message).to_vec());
            }
            if bytes.is_empty() {
                return found;
            }
            let room = frames.room();
            let taken = room.len().min(step).min(bytes.len());
            room[..taken].copy_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            frames.filled(taken);
        }
    }

    #[test]
    fn an_absurd_length_is_refused_before_memory_is_taken() {
        let mut frames = Frames::new();
        frames.room()[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        frames.filled(4);
        assert!(frames.next().is_err());
    }
}
