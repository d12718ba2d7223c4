//! Buffers that are lent for the length of one poll.
//!
//! A connection needs a large buffer only while bytes move, and most connections are idle most of
//! the time. So each thread keeps a few buffers and lends them; an idle connection holds none.

use std::cell::RefCell;

use super::BATCH;

/// Room for a batch and one more block, encrypted; to read, several TLS records of at most 16,645
/// bytes each.
pub(super) const SIZE: usize = 2 * BATCH + 8 * 1024;
/// Buffers that a thread keeps: one to read into, one to write from, and one to spare.
const KEPT: usize = 3;

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of [`SIZE`] bytes with arbitrary content.
pub(super) fn borrow() -> Box<[u8]> {
    FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; SIZE].into_boxed_slice())
}

/// Takes a buffer back.
pub(super) fn give_back(buffer: Box<[u8]>) {
    FREE.with_borrow_mut(|free| {
        if free.len() < KEPT && buffer.len() == SIZE {
            free.push(buffer);
        }
    });
}
