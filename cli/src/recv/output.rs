//! What -o says: into files, or into a stream.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
};

use crate::transfer::{File, local_name};

/// What -o says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// It says nothing: the current folder, or for a pipe standard output.
    Anywhere,
    Folder(PathBuf),
    File(PathBuf),
    /// Standard output, or a device or a named pipe. Nothing is renamed, and nothing can be taken back.
    Stream(Option<PathBuf>),
}

impl Output {
    /// Where a file goes, or `None` for a stream.
    pub(super) fn path(&self, file: &File) -> Option<PathBuf> {
        match self {
            Self::Anywhere if file.is_pipe() => None,
            Self::Anywhere => Some(local_name(&file.name).into()),
            Self::Folder(folder) => Some(folder.join(local_name(&file.name))),
            Self::File(path) => Some(path.clone()),
            Self::Stream(_) => None,
        }
    }

    /// The stream that what has no path goes to, such as "standard output".
    pub(super) fn stream_name(&self) -> String {
        match self {
            Self::Stream(Some(path)) => path.display().to_string(),
            _ => "standard output".into(),
        }
    }

    /// Opens that stream.
    pub(super) fn open_stream(&self) -> io::Result<Box<dyn Write>> {
        match self {
            Self::Stream(Some(path)) => Ok(Box::new(OpenOptions::new().write(true).open(path)?)),
            _ => Ok(Box::new(io::stdout())),
        }
    }
}
