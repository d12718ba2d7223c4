//! How a command ends, and the exit code that says so.

use std::process::ExitCode;

use p2pchan::{Error, ErrorKind};

/// The ends of a command, as `p2pchan --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Success,
    /// It could not.
    Failure,
    /// The command line or a setting is wrong; clap uses the same code.
    Usage,
    /// Nobody was found in time.
    Nobody,
    /// A signal of this number stopped it.
    Signal(u8),
}

impl Exit {
    /// The number the shell sees. 128 and the signal is what shells make of a killed program.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Nobody => 3,
            Self::Signal(number) => 128 + number,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    /// It could not do what it was asked.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, message: message.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Invalid | ErrorKind::Settings => Exit::Usage,
            _ => Exit::Failure,
        };
        Self { exit, message: error.to_string() }
    }
}
