//! Blocks for frames that wait to be sent, shared by all connections of a node.
//!
//! A busy channel needs many blocks for a moment and an idle one none. Keeping a few for all saves
//! the busy ones from asking the operating system for fresh memory again and again.

use std::sync::{Arc, Mutex, PoisonError};

/// Blocks kept for reuse: with 64 KiB each, 2 MiB for a node that was ever busy.
const KEPT: usize = 32;

/// A stock of used blocks. Cloning it shares it.
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
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() < KEPT && block.capacity() >= least {
            block.clear();
            blocks.push(block);
        }
    }
}
