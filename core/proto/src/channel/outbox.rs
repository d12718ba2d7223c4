//! The bounded send buffer of one channel.
//!
//! A message is framed as it is queued, into blocks of about 64 KiB that hold whole frames. The
//! writer takes whole blocks, so many small messages become one write, one long message lets
//! control frames and other channels in between its pieces, and nothing is copied or moved twice.

use std::collections::VecDeque;

use super::pool::BlockPool;
use crate::wire::{DataFlags, Kind, MAX_PAYLOAD, push_data_header};

/// A block is closed when the next frame would make it longer than this: one largest frame. The
/// peer's window is at least four times as much, so a block can always be sent in the end.
pub(super) const BLOCK: usize = MAX_PAYLOAD + HEADER;
/// The most that stands before the payload of a DATA frame.
const HEADER: usize = 4 + 1 + 8 + 1 + 8;

/// Frames waiting to be sent on one channel.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    blocks: VecDeque<Vec<u8>>,
    queued: usize,
    /// Bytes that the peer still takes.
    credit: u64,
}

impl Outbox {
    pub(super) fn new(credit: u64) -> Self {
        Self { credit, ..Self::default() }
    }

    /// Bytes of frames that wait here.
    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    /// Bytes that the peer still takes.
    pub(super) const fn credit(&self) -> u64 {
        self.credit
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.queued == 0
    }

    pub(super) fn add_credit(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_add(bytes);
    }

    /// Whether the next block can be sent now.
    pub(super) fn is_sendable(&self) -> bool {
        self.blocks.front().is_some_and(|block| block.len() as u64 <= self.credit)
    }

    /// Frames and queues a message.
    #[inline]
    pub(super) fn push(&mut self, channel: u64, kind: Kind, payload: &[u8], pool: &BlockPool) {
        if payload.len() <= MAX_PAYLOAD {
            let flags = DataFlags { kind, more: false };
            self.push_piece(channel, flags, None, payload, pool);
        } else {
            let mut total = Some(payload.len() as u64);
            let mut pieces = payload.chunks(MAX_PAYLOAD).peekable();
            while let Some(piece) = pieces.next() {
                let flags = DataFlags { kind, more: pieces.peek().is_some() };
                self.push_piece(channel, flags, total.take(), piece, pool);
            }
        }
    }

    #[inline]
    fn push_piece(
        &mut self,
        channel: u64,
        flags: DataFlags,
        total: Option<u64>,
        payload: &[u8],
        pool: &BlockPool,
    ) {
        let most = payload.len() + HEADER;
        if self.blocks.back().is_none_or(|block| block.len() + most > BLOCK) {
            self.add_block(most, pool);
        }
        let Some(block) = self.blocks.back_mut() else { return };
        let before = block.len();
        if block.capacity() - before < most {
            // A second message shows that the channel is busy.
            block.reserve_exact(BLOCK - before);
        }
        push_data_header(block, channel, flags, total, payload.len());
        block.extend_from_slice(payload);
        self.queued += block.len() - before;
    }

    /// Without a used block, the first one is as large as its first message must have it, since most channels are
    /// idle most of the time; further ones show that the channel is busy and are allocated whole.
    #[cold]
    fn add_block(&mut self, most: usize, pool: &BlockPool) {
        let busy = !self.blocks.is_empty();
        let block =
            pool.take().unwrap_or_else(|| Vec::with_capacity(if busy { BLOCK } else { most }));
        self.blocks.push_back(block);
    }

    /// Takes the next block, if the peer's credit allows.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        if !self.is_sendable() {
            return None;
        }
        let block = self.blocks.pop_front()?;
        self.credit -= block.len() as u64;
        self.queued -= block.len();
        Some(block)
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.credit);
    }
}
