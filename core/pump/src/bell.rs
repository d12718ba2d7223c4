//! A descriptor that is readable while there is something to do.
//!
//! It is a pipe that holds one byte or none, so writing and reading never wait, and it is the same on
//! every system.

use std::io::{self, PipeReader, PipeWriter, Read, Write};

pub(crate) struct Bell {
    reader: PipeReader,
    writer: PipeWriter,
    rung: bool,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer, rung: false })
    }

    pub(crate) const fn reader(&self) -> &PipeReader {
        &self.reader
    }

    #[cfg(test)]
    pub(crate) const fn is_rung(&self) -> bool {
        self.rung
    }

    pub(crate) fn ring(&mut self) {
        if !self.rung {
            self.rung = self.writer.write_all(&[1]).is_ok();
        }
    }

    pub(crate) fn silence(&mut self) {
        if self.rung {
            self.rung = self.reader.read_exact(&mut [0]).is_err();
        }
    }
}
