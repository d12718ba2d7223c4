//! `p2pchan man`: the manual page of the program or of one command.

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use crate::{
    command_line::CommandLine,
    completions::print,
    exit::{Exit, Failure},
};

/// Print a manual page.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan man join > p2pchan-join.1; man ./p2pchan-join.1")]
pub(crate) struct Man {
    /// The command that it is about [default: the program].
    command: Option<String>,
}

/// Prints it.
pub(crate) fn run(man: &Man) -> Result<Exit, Failure> {
    let mut program = CommandLine::command();
    // Makes the names of the commands' pages whole: p2pchan-join.
    program.build();
    let command = match &man.command {
        None => program,
        Some(name) => {
            program.find_subcommand(name).cloned().ok_or_else(|| unknown(name, &program))?
        }
    };
    let mut page = Vec::new();
    Page::new(command)
        .render(&mut page)
        .map_err(|error| Failure::new(format!("cannot make the manual page: {error}")))?;
    print(&page)
}

fn unknown(name: &str, program: &clap::Command) -> Failure {
    let known: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
    Failure {
        exit: Exit::Usage,
        message: format!("there is no command {name:?}; choose one of {}", known.join(", ")),
    }
}
