//! A settings file, which is read at the start and whenever somebody asks for that.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use p2pchan_proto::{
    error::{Error, ErrorKind},
    settings::Changes,
};

use super::settings_from_toml;

/// Bytes of a settings file: three times the longest `allow` list, and no memory to speak of.
const MOST: u64 = 16 << 20;

/// The settings that a TOML file names, as [`Builder::settings_file`](crate::Builder::settings_file)
/// reads it. It blocks for as long as reading takes.
///
/// # Errors
/// [`ErrorKind::Io`] naming the file if it cannot be read, [`ErrorKind::Settings`] naming the file and
/// the line of what is wrong in it.
pub fn settings_from_file(path: impl Into<PathBuf>) -> Result<Changes, Error> {
    let file = SettingsFile::read(path.into())?;
    file.changes.check().map_err(|error| file.blame(&error))?;
    Ok(file.changes)
}

/// A TOML file, and what it said when it was last read.
#[derive(Clone)]
pub(crate) struct SettingsFile {
    path: PathBuf,
    pub(crate) changes: Changes,
}

impl SettingsFile {
    /// Reads the file. It blocks for as long as that takes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] naming the file if it cannot be read, [`ErrorKind::Settings`] naming the file
    /// and the line of what is wrong in it.
    pub(crate) fn read(path: PathBuf) -> Result<Self, Error> {
        let text = text(&path).map_err(|error| {
            let message = format!("settings file {} cannot be read: {error}", path.display());
            Error::new(ErrorKind::Io, message)
        })?;
        match settings_from_toml(&text) {
            Ok(changes) => Ok(Self { path, changes }),
            Err(error) => {
                let message = format!("settings file {}, {}", path.display(), error.message());
                Err(Error::new(error.kind(), message))
            }
        }
    }

    /// Reads it again.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn again(&self) -> Result<Self, Error> {
        Self::read(self.path.clone())
    }

    /// The same error, which may be due to what the file says.
    pub(crate) fn blame(&self, error: &Error) -> Error {
        let message = format!("with settings file {}: {}", self.path.display(), error.message());
        Error::new(error.kind(), message)
    }
}

impl fmt::Debug for SettingsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SettingsFile").field(&self.path).finish()
    }
}

fn text(path: &Path) -> io::Result<String> {
    let other = |why: &str| Err(io::Error::other(why.to_owned()));
    // Opening a pipe would wait for somebody to write to it.
    if !fs::metadata(path)?.is_file() {
        return other("it is not a file");
    }
    let mut text = String::new();
    fs::File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return other("it is larger than 16 MiB");
    }
    Ok(text)
}
