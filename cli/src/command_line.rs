//! The commands and what `--help` says of them. Each command's options stand in its own file.

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::{
    completions::Completions,
    join::Join,
    man::Man,
    phrase::Phrase,
    recv::RecvArguments,
    running::{Explain, Reload, StatusArguments},
    send::SendArguments,
    status::Level,
    testnet::TestnetArguments,
};

const EXAMPLES: &str = "\
Examples:
  p2pchan testnet                     runs a network on this machine; prints its address
  p2pchan join \"my phrase\" --bootstrap 127.0.0.1:PORT
                                      in two terminals: lines typed in one appear in the other
  p2pchan join \"my phrase\" --bootstrap public
                                      the same across the internet, through the BitTorrent DHT
  p2pchan send big.iso --bootstrap public
                                      a file; prints the command that takes it on the other side
  p2pchan status --control PATH       what a node has open that was started with --control PATH

Exit codes:
  0    it did what it was asked
  1    it could not: a port in use, a file that cannot be read, a remote lost before the end, a
       transfer that one side refuses
  2    the command line, a setting or the phrase is wrong; nothing was opened
  3    nobody was found within --timeout
  129, 130, 143  it was stopped by a hang-up, by Ctrl-C, or by a request to terminate";

/// Live, encrypted channels between all programs that share a phrase.
#[derive(Debug, Parser)]
#[command(name = "p2pchan", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    Join(Join),
    Send(SendArguments),
    Recv(RecvArguments),
    Phrase(Phrase),
    Status(StatusArguments),
    Explain(Explain),
    Reload(Reload),
    Testnet(TestnetArguments),
    Completions(Completions),
    Man(Man),
}

/// How much of the status is told.
#[derive(Args, Debug)]
pub(crate) struct Volume {
    /// Tell nothing but errors.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,

    /// Tell also what was found, dialled and refused.
    #[arg(short, long, action = ArgAction::SetTrue)]
    verbose: bool,
}

impl Volume {
    /// What is told at this volume.
    pub(crate) const fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::Errors,
            (false, false) => Level::Usual,
            (false, true) => Level::Everything,
        }
    }
}
