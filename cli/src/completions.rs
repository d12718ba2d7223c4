//! `p2pchan completions`: a script with which a shell completes the command line.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{
    command_line::CommandLine,
    exit::{Exit, Failure},
};

/// Print the script with which a shell completes this command.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan completions bash > ~/.local/share/bash-completion/completions/p2pchan
  p2pchan completions zsh > ~/.zfunc/_p2pchan
  p2pchan completions fish > ~/.config/fish/completions/p2pchan.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Prints it.
pub(crate) fn run(completions: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(completions.shell, &mut CommandLine::command(), "p2pchan", &mut script);
    print(&script)
}

/// Writes a whole file to standard output.
pub(crate) fn print(file: &[u8]) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    out.write_all(file)
        .and_then(|()| out.flush())
        .map(|()| Exit::Success)
        .map_err(|error| Failure::new(format!("cannot write to standard output: {error}")))
}
