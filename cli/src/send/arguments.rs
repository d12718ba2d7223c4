//! What `send` is told: which of its arguments are files, and which is the phrase.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use crate::{
    command_line::Volume,
    exit::{Exit, Failure},
    network::NetworkArguments,
    phrase,
};

/// Send files, or standard input, to whoever has the same phrase and runs `p2pchan recv`.
///
/// The last argument is the phrase. With one argument alone, or with --new-phrase, all arguments are
/// files; a strong phrase is made, and the command that takes the files is printed to standard output.
/// With --phrase or P2PCHAN_PHRASE all arguments are files too.
///
/// `-` is standard input. Folders are not sent; make an archive of them.
///
/// When the connection breaks, both sides connect again, and go on where they stopped. So they do when
/// one of them was killed and is started again. Only standard input cannot be read a second time: it
/// survives a broken connection, not the end of this command.
#[derive(Args, Debug)]
#[command(
    override_usage = "p2pchan send [OPTIONS] FILE... PHRASE\n       \
                      p2pchan send [OPTIONS] FILE\n       \
                      p2pchan send [OPTIONS] --new-phrase FILE...",
    after_help = "\
Examples:
  p2pchan send big.iso --bootstrap public
  p2pchan send photos/*.jpg \"six words that we have agreed on\" --bootstrap public
  tar cz folder | p2pchan send - --bootstrap public

Exit codes: 0 the receiver has everything and has checked it, 1 failed, 2 wrong command line,
setting or phrase, 3 no receiver within --timeout, 129, 130, 143 stopped by a signal."
)]
pub(crate) struct SendArguments {
    /// The files, and behind them the phrase.
    #[arg(required = true, value_name = "FILE")]
    words: Vec<OsString>,

    /// The phrase; then all arguments are files. Other users of this machine can read it here; in the
    /// environment they cannot.
    #[arg(long, env = "P2PCHAN_PHRASE", hide_env_values = true, value_name = "TEXT")]
    phrase: Option<String>,

    /// Make a strong phrase; then all arguments are files.
    #[arg(long)]
    new_phrase: bool,

    /// Serve this many receivers, several at once if they come so.
    #[arg(long, default_value_t = 1, value_name = "NUMBER",
        value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) to: u16,

    /// Exit with code 3 if for these seconds no receiver is connected.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,

    #[command(flatten)]
    pub(super) network: NetworkArguments,

    /// Print the phrase that was made as {"phrase": …}, and status as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) volume: Volume,
}

/// What is to be sent, and to whom.
pub(super) struct Plan {
    pub(super) files: Vec<PathBuf>,
    pub(super) phrase: String,
    /// Whether nobody knows the phrase yet.
    pub(super) made: bool,
}

impl SendArguments {
    /// How long to wait for a receiver.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Tells files and phrase apart.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        let all = || self.words.iter().map(PathBuf::from).collect();
        if self.new_phrase {
            let phrase = phrase::make(phrase::STRONG)?;
            return Ok(Plan { files: all(), phrase, made: true });
        }
        if let Some(phrase) = &self.phrase {
            return Ok(Plan { files: all(), phrase: phrase.clone(), made: false });
        }
        match self.words.split_last() {
            Some((last, files)) if !files.is_empty() => Ok(Plan {
                files: files.iter().map(PathBuf::from).collect(),
                phrase: as_phrase(last)?,
                made: false,
            }),
            _ => Ok(Plan { files: all(), phrase: phrase::make(phrase::STRONG)?, made: true }),
        }
    }
}

/// A file at the place of the phrase is most likely no phrase, and would be an easy one to guess.
fn as_phrase(last: &OsStr) -> Result<String, Failure> {
    let wrong = |why: &str| Failure { exit: Exit::Usage, message: format!("{last:?} {why}") };
    if last == "-" || Path::new(last).exists() {
        return Err(wrong(
            "stands where the phrase belongs, and is a file. To send it too, add --new-phrase; if \
             it is the phrase, use --phrase",
        ));
    }
    last.to_str().map(String::from).ok_or_else(|| wrong("cannot be the phrase: it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        send: SendArguments,
    }

    fn plan(arguments: &[&str]) -> Result<(Vec<String>, String, bool), String> {
        let line = ["send"].iter().chain(arguments);
        let plan = Command::try_parse_from(line).unwrap().send.plan();
        let Plan { files, phrase, made } = plan.map_err(|failure| failure.message)?;
        let files = files.iter().map(|file| file.to_str().unwrap().to_owned()).collect();
        Ok((files, phrase, made))
    }

    fn given(files: &[&str], phrase: &str) -> Result<(Vec<String>, String, bool), String> {
        Ok((files.iter().map(ToString::to_string).collect(), phrase.to_owned(), false))
    }

    #[test]
    fn the_last_argument_is_the_phrase() {
        assert_eq!(plan(&["a", "X"]), given(&["a"], "X"));
        assert_eq!(plan(&["a", "b", "-", "my phrase"]), given(&["a", "b", "-"], "my phrase"));
    }

    #[test]
    fn one_argument_alone_is_a_file_and_a_phrase_is_made() {
        for arguments in [&["a"][..], &["-"], &["a", "b", "--new-phrase"]] {
            let (files, phrase, made) = plan(arguments).unwrap();
            assert_eq!(
                files,
                arguments.iter().filter(|it| it.len() == 1).copied().collect::<Vec<_>>()
            );
            assert!(made && phrase.split('-').count() >= 6, "{phrase}");
        }
    }

    #[test]
    fn with_a_phrase_elsewhere_all_arguments_are_files() {
        assert_eq!(plan(&["a", "b", "--phrase", "X"]), given(&["a", "b"], "X"));
        assert_eq!(plan(&["a", "--phrase", "Cargo.toml"]), given(&["a"], "Cargo.toml"));
    }

    #[test]
    fn a_file_is_not_taken_for_the_phrase() {
        // Tests run in the folder of the package.
        for last in ["Cargo.toml", "src", "-"] {
            let error = plan(&["a", last]).unwrap_err();
            assert!(error.contains(last) && error.contains("--new-phrase"), "{error}");
        }
    }
}
