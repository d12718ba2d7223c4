//! Received messages of one channel, until the program takes them.
//!
//! Short messages lie one behind the other in one buffer, with a word of 32 bits each beside it, so
//! that a window full of empty messages takes no more memory than a window full of bytes. Longer
//! messages own their buffer. The program takes everything at once, as a [`Batch`].

use std::mem;

use bytes::{Bytes, BytesMut};

use crate::wire::Kind;

/// Messages shorter than this are packed into the shared buffer; longer ones own theirs, so that
/// keeping one does not keep its neighbours.
const PACKED: usize = 4096;
/// The most that is allocated ahead of what has arrived.
const AHEAD: usize = 256 * 1024;

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How the sender marked it.
    pub kind: Kind,
    /// Its bytes.
    pub payload: Bytes,
}

/// Messages in the order in which they were sent. Iterate to get them; cheap to hold.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    next: usize,
    packed: Bytes,
    owned: Vec<Bytes>,
    next_owned: usize,
}

/// One message: its kind, and its length in the shared buffer or a mark that it owns a buffer.
#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: Kind,
    /// `u16::MAX` marks an owned buffer; packed messages are shorter than 4096 bytes.
    len: u16,
}

const OWNED: u16 = u16::MAX;

impl Iterator for Batch {
    type Item = Message;

    #[inline]
    fn next(&mut self) -> Option<Message> {
        let Entry { kind, len } = *self.entries.get(self.next)?;
        self.next += 1;
        let payload = if len == OWNED {
            self.next_owned += 1;
            self.owned.get_mut(self.next_owned - 1).map(mem::take).unwrap_or_default()
        } else {
            self.packed.split_to(usize::from(len))
        };
        Some(Message { kind, payload })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.entries.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batch {}

/// Where messages gather.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    entries: Vec<Entry>,
    packed: BytesMut,
    owned: Vec<Bytes>,
    /// Bytes of frames behind the messages that wait here; what the window counts.
    unread: u64,
}

impl Inbox {
    pub(super) const fn unread(&self) -> u64 {
        self.unread
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A message that arrived in one piece; `cost` is the length of its frame. `coming` bytes are
    /// known to follow it, which sizes the buffer.
    #[inline]
    pub(super) fn push(&mut self, kind: Kind, payload: &[u8], cost: u64, coming: usize) {
        match u16::try_from(payload.len()) {
            Ok(len) if payload.len() < PACKED => {
                if self.packed.capacity() - self.packed.len() < payload.len() {
                    self.grow(payload.len() + coming);
                }
                self.packed.extend_from_slice(payload);
                self.entries.push(Entry { kind, len });
                self.unread += cost;
            }
            _ => self.push_owned(kind, Bytes::copy_from_slice(payload), cost),
        }
    }

    /// More room, and twice as much each time: whoever sends much will send more.
    #[cold]
    fn grow(&mut self, needed: usize) {
        self.packed.reserve(needed.max(self.packed.len() * 3).min(AHEAD.max(needed)));
    }

    /// A message with a buffer of its own.
    pub(super) fn push_owned(&mut self, kind: Kind, payload: Bytes, cost: u64) {
        self.owned.push(payload);
        self.entries.push(Entry { kind, len: OWNED });
        self.unread += cost;
    }

    /// Everything that waits.
    pub(super) fn take(&mut self) -> Batch {
        self.unread = 0;
        Batch {
            entries: mem::take(&mut self.entries),
            next: 0,
            packed: mem::take(&mut self.packed).freeze(),
            owned: mem::take(&mut self.owned),
            next_owned: 0,
        }
    }
}
