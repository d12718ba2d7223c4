//! What the settings of a node are made of: defaults, on top of them a file if there is one, and on top
//! of that what the program has set.

use std::path::PathBuf;

use p2pchan_proto::{
    error::{Error, ErrorKind},
    settings::{Changes, Settings},
};

use crate::settings::SettingsFile;

/// A change of the settings.
#[derive(Debug)]
pub(super) enum Change {
    /// The program sets these on top of what it has set; null takes one back.
    Merge(Changes),
    /// What the file says now, instead of what it said.
    Reload,
}

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers {
    file: Option<SettingsFile>,
    program: Changes,
}

impl Layers {
    /// Reads the file, for as long as that takes.
    pub(super) fn new(file: Option<PathBuf>, changes: Changes) -> Result<Self, Error> {
        let file = file.map(SettingsFile::read).transpose()?;
        Self { file, program: Changes::new() }.merge(changes)
    }

    /// The layers after a change.
    pub(super) async fn after(&self, change: Change) -> Result<Self, Error> {
        match change {
            Change::Merge(changes) => self.clone().merge(changes),
            Change::Reload => {
                let layers = self.clone();
                let reading = tokio::task::spawn_blocking(move || layers.reload());
                reading.await.unwrap_or_else(|error| {
                    Err(Error::new(ErrorKind::Internal, format!("reading settings: {error}")))
                })
            }
        }
    }

    fn merge(mut self, changes: Changes) -> Result<Self, Error> {
        changes.check()?;
        self.program.merge(changes);
        Ok(self)
    }

    fn reload(mut self) -> Result<Self, Error> {
        let Some(file) = self.file else {
            let message = "there is no settings file; name one when the node is made";
            return Err(Error::new(ErrorKind::Settings, message));
        };
        self.file = Some(file.again()?);
        Ok(self)
    }

    /// What all layers amount to.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let mut changes = self.file.as_ref().map(|file| file.changes.clone()).unwrap_or_default();
        changes.extend(self.program.clone());
        Settings::default().with(&changes)
    }

    /// The same error, which may be due to what the file says.
    pub(super) fn blame_file(&self, error: Error) -> Error {
        match &self.file {
            Some(file) => file.blame(&error),
            None => error,
        }
    }
}
