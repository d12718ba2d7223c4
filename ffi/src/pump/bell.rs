//! A descriptor that is readable while there is something to do.
//!
//! It is a pipe that holds one byte or none, so writing and reading never wait, and it is the same on
//! every system.

use std::io::{self, PipeReader, PipeWriter, Read, Write};

pub(super) struct Bell {
    reader: PipeReader,
    writer: PipeWriter,
    rung: bool,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer, rung: false })
    }

    pub(super) const fn reader(&self) -> &PipeReader {
        &self.reader
    }

    #[cfg(test)]
    pub(super) const fn is_rung(&self) -> bool {
        self.rung
    }

    pub(super) fn ring(&mut self) {
        if !self.rung {
            self.rung = self.writer.write_all(&[1]).is_ok();
        }
    }

    pub(super) fn silence(&mut self) {
        if self.rung {
            self.rung = self.reader.read_exact(&mut [0]).is_err();
        }
    }
}
