//! What `recv` is told.

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::output::Output;
use crate::{
    command_line::Volume,
    exit::{Exit, Failure},
    network::NetworkArguments,
};

/// Take files from whoever has the same phrase and runs `p2pchan send`.
///
/// Says what is offered, and on a terminal asks whether to take it. Files come into the current
/// folder, or where -o says. While a file arrives it is called NAME.part; it gets its name when all of
/// it is there and its hash is right. An existing file is never overwritten without --overwrite: the
/// new one is called "NAME (1)" instead. A pipe of the sender goes to standard output.
///
/// When the connection breaks, both sides connect again, and go on where they stopped. So they do when
/// one of them was killed and is started again in the same folder: NAME.part is gone on with if it is
/// the beginning of the file, and else begun anew.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan recv \"six words that we have agreed on\" --bootstrap public
  p2pchan recv X --bootstrap public --yes -o downloads
  p2pchan recv X --bootstrap public -o - | tar xz

Exit codes: 0 everything is here and checked, 1 failed or not wanted, 2 wrong command line, setting
or phrase, 3 no sender within --timeout, 129, 130, 143 stopped by a signal.")]
pub(crate) struct RecvArguments {
    /// What the sender has too. Other users of this machine can read it here; in the environment they
    /// cannot.
    #[arg(env = "P2PCHAN_PHRASE", hide_env_values = true)]
    pub(super) phrase: String,

    /// An existing folder, or the name for the only file, or `-` for standard output
    /// [default: the current folder; for a pipe standard output].
    #[arg(short, long, value_name = "WHERE")]
    output: Option<PathBuf>,

    /// Take what is offered without asking. Needed where there is no terminal, save for `-o -`.
    #[arg(short, long)]
    pub(super) yes: bool,

    /// Replace existing files of the same name.
    #[arg(long)]
    pub(super) overwrite: bool,

    /// Refuse more than this, such as 500MiB or 20GiB, in all.
    #[arg(long, default_value = "1TiB", value_name = "SIZE", value_parser = parse_size)]
    pub(super) max_size: u64,

    /// Exit with code 3 if for these seconds no sender is connected.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,

    #[command(flatten)]
    pub(super) network: NetworkArguments,

    /// Print status as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) volume: Volume,
}

impl RecvArguments {
    /// How long to wait for a sender.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Where things go.
    pub(super) fn output(&self) -> Result<Output, Failure> {
        let Some(path) = &self.output else { return Ok(Output::Anywhere) };
        if path == Path::new("-") {
            return Ok(Output::Stream(None));
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(Output::Folder(path.clone())),
            // A device, or a pipe with a name: nothing to be renamed.
            Ok(metadata) if !metadata.is_file() => Ok(Output::Stream(Some(path.clone()))),
            Ok(_) => Ok(Output::File(path.clone())),
            Err(_) if folder_exists(path) => Ok(Output::File(path.clone())),
            Err(error) => Err(Failure::new(format!("cannot write to {}: {error}", path.display()))),
        }
    }

    /// Whether somebody is there to be asked.
    ///
    /// # Errors
    /// Nobody is, and nothing says that it may go on without.
    pub(super) fn asks(&self, output: &Output) -> Result<bool, Failure> {
        if self.yes || matches!(output, Output::Stream(_)) {
            return Ok(false);
        }
        if io::stdin().is_terminal() && io::stderr().is_terminal() {
            return Ok(true);
        }
        Err(Failure {
            exit: Exit::Usage,
            message: "recv asks before it takes files, and here is no terminal; add --yes to take \
                      what is offered, or -o - for standard output"
                .into(),
        })
    }
}

fn folder_exists(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    path.file_name().is_some() && folder.unwrap_or(Path::new(".")).is_dir()
}

/// A size as settings write it, and TiB.
fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("write a whole number and a unit, such as 500MiB, instead of {text:?}");
    let digits = text.len() - text.trim_start_matches(|one: char| one.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        recv: RecvArguments,
    }

    fn output(path: &Path) -> Result<Output, String> {
        let line = ["recv", "X", "-o", path.to_str().unwrap()];
        let output = Command::try_parse_from(line).unwrap().recv.output();
        output.map_err(|failure| failure.message)
    }

    #[test]
    fn sizes_are_numbers_with_units() {
        for (text, size) in [("0", 0), ("7B", 7), ("2 KiB", 2048), ("1TiB", 1 << 40)] {
            assert_eq!(parse_size(text), Ok(size));
        }
        for wrong in ["", "MiB", "-1", "1.5GiB", "1MB", "99999999999TiB", "é"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_output_is_what_the_path_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert_eq!(output(Path::new("-")), Ok(Output::Stream(None)));
        assert_eq!(output(folder.path()), Ok(Output::Folder(folder.path().into())));
        assert_eq!(output(&file), Ok(Output::File(file.clone())));
        fs::write(&file, "").unwrap();
        assert_eq!(output(&file), Ok(Output::File(file)));
        let missing = output(&folder.path().join("missing/file")).unwrap_err();
        assert!(missing.contains("missing/file"), "{missing}");
        if cfg!(unix) {
            let device = Path::new("/dev/null");
            assert_eq!(output(device), Ok(Output::Stream(Some(device.into()))));
        }
    }
}
