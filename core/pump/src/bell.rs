//! A descriptor that is readable while there is something to do.
//!
//! It is a pipe that holds one byte or none, so writing never waits, reading waits at most for a thread
//! that is about to write, and it is the same on every system.

use std::{
    io::{self, PipeReader, PipeWriter, Read, Write},
    mem,
    sync::Arc,
};

pub(crate) struct Bell {
    reader: PipeReader,
    writer: Arc<PipeWriter>,
    rung: bool,
}

/// What makes the bell readable: whoever has it must ring it.
#[must_use]
pub(crate) struct Clapper(Arc<PipeWriter>);

impl Clapper {
    pub(crate) fn ring(self) {
        // Never full, and the bell keeps the other end; and if it fails nobody can be told.
        let _ = (&*self.0).write_all(&[1]);
    }
}

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer: Arc::new(writer), rung: false })
    }

    pub(crate) const fn reader(&self) -> &PipeReader {
        &self.reader
    }

    #[cfg(test)]
    pub(crate) const fn is_rung(&self) -> bool {
        self.rung
    }

    /// From now on it counts as rung, which whoever calls does next: unless it was before.
    pub(crate) fn lift(&mut self) -> Option<Clapper> {
        let lifted = !mem::replace(&mut self.rung, true);
        lifted.then(|| Clapper(self.writer.clone()))
    }

    pub(crate) fn silence(&mut self) {
        if self.rung {
            self.rung = self.reader.read_exact(&mut [0]).is_err();
        }
    }
}
