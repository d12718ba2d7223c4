//! Commands that speak to a node which runs already, through the socket of its setting `control`.
//!
//! Each asks one question and prints the answer; `docs/control.md` has both. Here is what they share.

mod explain;
mod reload;
mod status;

use std::path::{Path, PathBuf};

use clap::Args;
pub(crate) use explain::{Explain, run as explain};
pub(crate) use reload::{Reload, run as reload};
use serde::Deserialize;
use serde_json::Value;
pub(crate) use status::{StatusArguments, run as status};

use crate::exit::{Exit, Failure};

/// Which node is asked.
#[derive(Args, Debug)]
pub(super) struct ControlArguments {
    /// The socket of the node: what it was started with as --control PATH.
    #[arg(long, env = "P2PCHAN_CONTROL", value_name = "PATH")]
    control: Option<PathBuf>,
}

/// What a node answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Value),
    Error { code: String, message: String },
}

impl ControlArguments {
    /// Asks the node; its document.
    pub(super) fn ask(&self, request: &Value) -> Result<Value, Failure> {
        let Some(path) = &self.control else {
            let message = "which node? Give --control PATH, or set P2PCHAN_CONTROL; a node has a \
                           socket if it was started with --control PATH";
            return Err(Failure { exit: Exit::Usage, message: message.into() });
        };
        let answer = socket::ask(path, request)?;
        match serde_json::from_slice(&answer).map_err(|error| unreadable(path, &error))? {
            Answer::Ok(document) => Ok(document),
            Answer::Error { code, message } => {
                let exit = match &*code {
                    "INVALID" | "SETTINGS" => Exit::Usage,
                    _ => Exit::Failure,
                };
                Err(Failure { exit, message })
            }
        }
    }

    /// A document that was asked for, as this version knows it.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self, document: Value) -> Result<T, Failure> {
        let path = self.control.clone().unwrap_or_default();
        serde_json::from_value(document).map_err(|error| unreadable(&path, &error))
    }
}

fn unreadable(path: &Path, error: &serde_json::Error) -> Failure {
    let path = path.display();
    Failure::new(format!("what answers at {path} is not a node that this version knows: {error}"))
}

/// A line for machines, or text for people.
fn print(
    json: Option<&Value>,
    text: impl FnOnce() -> Result<String, Failure>,
) -> Result<Exit, Failure> {
    let text = match json {
        Some(document) => format!("{document}\n"),
        None => text()?,
    };
    crate::completions::print(text.as_bytes())
}

#[cfg(unix)]
mod socket {
    use std::{
        io::{self, BufRead, BufReader, Read, Write},
        os::unix::net::UnixStream,
        path::Path,
        time::Duration,
    };

    use serde_json::Value;

    use super::Failure;

    /// How long a node may be silent: it may be busy with others, and a reload takes its time.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// The longest answer: many times what a node says.
    const LONGEST: u64 = 64 << 20;

    /// One request and its answer.
    pub(super) fn ask(path: &Path, request: &Value) -> Result<Vec<u8>, Failure> {
        let mut stream = UnixStream::connect(path).map_err(|error| nobody(path, &error))?;
        let mut answer = Vec::new();
        let asked = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .and_then(|()| stream.write_all(format!("{request}\n").as_bytes()))
            .and_then(|()| BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut answer));
        match asked {
            Ok(1..) => Ok(answer),
            Ok(0) => Err(broken(path, "it hung up")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(broken(path, &format!("it has said nothing for {PATIENCE:?}")))
            }
            Err(error) => Err(broken(path, &error.to_string())),
        }
    }

    fn broken(path: &Path, why: &str) -> Failure {
        Failure::new(format!("the node at {} did not answer: {why}", path.display()))
    }

    /// What to do when there is nobody.
    fn nobody(path: &Path, error: &io::Error) -> Failure {
        let why = match error.kind() {
            io::ErrorKind::NotFound => {
                "there is no socket; is the node running, and with this --control PATH?"
            }
            io::ErrorKind::ConnectionRefused => {
                "nobody answers; the node has gone, and the next one that is started with this \
                 --control PATH takes its place"
            }
            io::ErrorKind::PermissionDenied => {
                "the node belongs to somebody else; ask as the user who started it"
            }
            _ => "no node can be asked there",
        };
        Failure::new(format!("{}: {why} ({error})", path.display()))
    }
}

#[cfg(not(unix))]
mod socket {
    use std::path::Path;

    use serde_json::Value;

    use super::Failure;

    pub(super) fn ask(_: &Path, _: &Value) -> Result<Vec<u8>, Failure> {
        Err(Failure::new("this system has no Unix sockets, through which a node is asked"))
    }
}
