//! Blocks for frames that wait to be sent, shared by all connections of a node.
//!
//! A busy channel needs many blocks for a moment and an idle one none. Keeping some for all saves
//! the busy ones from asking the operating system for fresh memory again and again: a few for one busy connection, and
//! one more for each connection, as a program that sends to all of them in turn fills that many at once. What
//! connections gave back that have fallen silent is freed.

use std::sync::{Arc, Mutex, PoisonError};

/// Blocks kept for reuse beside those of the connections: with 64 KiB each, 2 MiB for a node that was ever busy.
const KEPT: usize = 32;

/// A stock of used blocks. Cloning it shares it; each session has a clone.
#[derive(Clone, Debug, Default)]
pub struct BlockPool {
    blocks: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl BlockPool {
    /// A used block, emptied; `None` if there is none.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps a block of at least `least` bytes of room.
    pub(super) fn give(&self, mut block: Vec<u8>, least: usize) {
        let most = KEPT + Arc::strong_count(&self.blocks);
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() < most && block.capacity() >= least {
            block.clear();
            blocks.push(block);
        }
        // Connections that have ended need none any more.
        blocks.truncate(most);
    }

    /// A connection has nothing to send for a while: frees what it may have needed.
    pub(super) fn shrink(&self) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() > KEPT {
            blocks.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: usize = 10;

    fn kept(pool: &BlockPool) -> usize {
        pool.blocks.lock().unwrap().len()
    }

    fn give(pool: &BlockPool, count: usize) {
        (0..count).for_each(|_| pool.give(Vec::with_capacity(LEAST), LEAST));
    }

    #[test]
    fn as_many_blocks_are_kept_as_there_are_connections_and_a_few_more() {
        let pool = BlockPool::default();
        give(&pool, 1000);
        assert_eq!(kept(&pool), KEPT + 1);
        let connections = vec![pool.clone(); 100];
        give(&pool, 1000);
        assert_eq!(kept(&pool), KEPT + 1 + connections.len());
    }

    #[test]
    fn blocks_of_connections_that_have_ended_are_freed_with_the_next_one_that_is_given() {
        let pool = BlockPool::default();
        let connections = vec![pool.clone(); 100];
        give(&pool, 1000);
        drop(connections);
        give(&pool, 1);
        assert_eq!(kept(&pool), KEPT + 1);
    }

    #[test]
    fn silent_connections_free_the_blocks_that_are_more_than_a_few() {
        let pool = BlockPool::default();
        let connections = vec![pool.clone(); 100];
        give(&pool, 1000);
        connections.iter().chain([&pool; 10]).for_each(BlockPool::shrink);
        assert_eq!(kept(&pool), KEPT);
    }

    #[test]
    fn a_block_that_is_too_small_is_not_kept_and_one_that_is_taken_is_empty() {
        let pool = BlockPool::default();
        pool.give(Vec::with_capacity(LEAST - 1), LEAST);
        assert_eq!(pool.take(), None);
        pool.give(vec![7; LEAST], LEAST);
        assert_eq!(pool.take(), Some(Vec::new()));
    }
}
