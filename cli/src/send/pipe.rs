//! Standard input, read by a thread of its own from when a receiver is there.

use std::{
    io::{self, Read},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::{Notify, mpsc};

use super::replay::Replay;
use crate::transfer::{CHUNK, Hash, Have};

/// Blocks that were read and wait: enough to read on while one is sent.
const AHEAD: usize = 2;

type Block = io::Result<Vec<u8>>;

/// Standard input as something that one receiver after another can go on with.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    replay: Mutex<Replay>,
    /// The thread's blocks. Held only by the one receiver that is being served.
    blocks: tokio::sync::Mutex<Option<mpsc::Receiver<Block>>>,
    confirmed: Notify,
}

/// What there is to send from some byte on.
pub(super) enum Next {
    Contents(Vec<u8>),
    /// All of it: so many bytes with this hash.
    End(u64, Hash),
}

impl Pipe {
    fn replay(&self) -> MutexGuard<'_, Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Replay::confirm`].
    pub(super) fn confirm(&self, bytes: u64) -> Result<(), String> {
        self.replay().confirm(bytes)?;
        self.confirmed.notify_one();
        Ok(())
    }

    /// As [`Replay::goes_on`].
    pub(super) fn goes_on(&self, have: Have) -> bool {
        self.replay().goes_on(have)
    }

    /// What follows from this byte on. Waits for the pipe, and while too much is not confirmed.
    ///
    /// # Errors
    /// Why standard input cannot be read.
    pub(super) async fn next(&self, from: u64) -> Result<Next, String> {
        loop {
            {
                let replay = self.replay();
                if from < replay.bytes() {
                    return Ok(Next::Contents(replay.chunk(from)));
                }
                if replay.ended {
                    return Ok(Next::End(replay.bytes(), replay.hash()));
                }
            }
            self.read().await.map_err(|error| format!("cannot read standard input: {error}"))?;
        }
    }

    async fn read(&self) -> io::Result<()> {
        while !self.replay().has_room() {
            self.confirmed.notified().await;
        }
        let mut blocks = self.blocks.lock().await;
        match blocks.get_or_insert_with(start).recv().await.transpose()? {
            Some(block) => self.replay().push(&block),
            None => self.replay().ended = true,
        }
        Ok(())
    }
}

/// Begins to read. The channel closes at the end.
fn start() -> mpsc::Receiver<Block> {
    let (blocks, read) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(block) = read_block(&mut input).transpose() {
            let failed = block.is_err();
            if blocks.blocking_send(block).is_err() || failed {
                return;
            }
        }
    });
    read
}

/// What is there, at least a byte; `None` at the end.
fn read_block(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut block = vec![0; CHUNK];
    loop {
        match input.read(&mut block) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                block.truncate(count);
                return Ok(Some(block));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
