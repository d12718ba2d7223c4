//! Received messages of one channel, until the program takes them.
//!
//! Short messages lie one behind the other in one buffer, with a word of 32 bits each beside it, so
//! that a window full of empty messages takes no more memory than a window full of bytes. Longer
//! messages own their buffer. The program takes everything at once, as a [`Batch`].

use std::{mem, ops::Range};

use bytes::{Buf as _, Bytes, BytesMut};

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
    /// The place of the next message.
    next: Place,
    packed: Bytes,
    owned: Vec<Bytes>,
}

/// Where a message stands: its entry, its bytes if they are packed, its buffer if it owns one.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    entry: usize,
    packed: usize,
    owned: usize,
}

/// One message: its kind, and its length in the shared buffer or a mark that it owns a buffer.
#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: Kind,
    /// `u16::MAX` marks an owned buffer; packed messages are shorter than 4096 bytes.
    len: u16,
}

const OWNED: u16 = u16::MAX;

impl Place {
    /// Where the next message lies in the shared memory, if it lies there; moves on.
    #[inline]
    fn step(&mut self, len: u16) -> Option<Range<usize>> {
        self.entry += 1;
        if len == OWNED {
            self.owned += 1;
            return None;
        }
        let begin = self.packed;
        self.packed += usize::from(len);
        Some(begin..self.packed)
    }
}

impl Batch {
    /// Those that are left, in their order, while they stay here.
    #[inline]
    pub fn lent(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let mut place = self.next;
        self.entries[place.entry..].iter().map(move |&Entry { kind, len }| {
            let bytes = match place.step(len) {
                Some(range) => self.packed.get(range),
                None => self.owned.get(place.owned - 1).map(Bytes::as_ref),
            };
            (kind, bytes.unwrap_or_default())
        })
    }

    /// Takes so many messages, for whoever has looked at them; all that are left if they are fewer.
    #[inline]
    pub fn advance(&mut self, count: usize) {
        for _ in 0..count.min(self.len()) {
            let begin = self.next;
            self.next.step(self.entries[begin.entry].len);
            self.owned[begin.owned..self.next.owned].fill(Bytes::new());
        }
    }

    /// Takes so many messages, as a batch of their own; all that are left if they are fewer.
    #[must_use]
    pub fn split(&mut self, count: usize) -> Self {
        if count >= self.len() {
            return mem::take(self);
        }
        let begin = self.next;
        let entries = self.entries[begin.entry..begin.entry + count].to_vec();
        for entry in &entries {
            self.next.step(entry.len);
        }
        let owned = self.owned[begin.owned..self.next.owned].iter_mut().map(mem::take).collect();
        let next = Place { packed: begin.packed, ..Place::default() };
        Self { entries, next, packed: self.packed.clone(), owned }
    }
}

impl Iterator for Batch {
    type Item = Message;

    #[inline]
    fn next(&mut self) -> Option<Message> {
        let Entry { kind, len } = *self.entries.get(self.next.entry)?;
        let payload = match self.next.step(len) {
            Some(range) if range.is_empty() => Bytes::new(),
            // Nobody else needs it: one message that comes alone costs no count.
            Some(range) if range.end == self.packed.len() => {
                let mut last = mem::take(&mut self.packed);
                last.advance(range.start);
                last
            }
            Some(range) => self.packed.slice(range),
            None => mem::take(&mut self.owned[self.next.owned - 1]),
        };
        Some(Message { kind, payload })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.entries.len() - self.next.entry;
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
            next: Place::default(),
            packed: mem::take(&mut self.packed).freeze(),
            owned: mem::take(&mut self.owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short ones, and one that owns its buffer, which came in any way.
    fn messages() -> Vec<(Kind, Vec<u8>)> {
        let long = vec![7; PACKED];
        vec![
            (Kind::Bytes, b"one".to_vec()),
            (Kind::Json, long),
            (Kind::Text, vec![]),
            (Kind::Text, b"in parts".to_vec()),
            (Kind::Bytes, vec![9; PACKED - 1]),
        ]
    }

    fn batch() -> Batch {
        let mut inbox = Inbox::default();
        for (number, (kind, payload)) in messages().into_iter().enumerate() {
            match number {
                3 => inbox.push_owned(kind, payload.into(), 1),
                _ => inbox.push(kind, &payload, 1, 0),
            }
        }
        assert_eq!(inbox.unread(), 5);
        inbox.take()
    }

    fn owned(batch: impl Iterator<Item = Message>) -> Vec<(Kind, Vec<u8>)> {
        batch.map(|message| (message.kind, message.payload.to_vec())).collect()
    }

    #[test]
    fn what_is_lent_is_what_is_taken() {
        let mut batch = batch();
        for left in (0..=5).rev() {
            let lent: Vec<_> = batch.lent().map(|(kind, bytes)| (kind, bytes.to_vec())).collect();
            assert_eq!((lent, batch.len()), (messages()[5 - left..].to_vec(), left));
            batch.advance(1);
        }
        assert_eq!(owned(self::batch()), messages());
    }

    #[test]
    fn a_batch_that_is_split_keeps_the_order() {
        for count in 0..=6 {
            let mut batch = batch();
            batch.advance(1);
            let first = batch.split(count);
            let first_len = first.len();
            assert_eq!(first_len, count.min(4));
            assert_eq!(owned(first.chain(batch)), messages()[1..]);
        }
    }

    #[test]
    fn a_long_message_is_let_go_when_the_batch_has_moved_past_it() {
        let mut batch = batch();
        batch.advance(2);
        assert!(batch.owned[0].is_empty());
        batch.advance(usize::MAX);
        assert_eq!(batch.next(), None);
    }
}
