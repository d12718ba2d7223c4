//! What `join` is told, and the settings that this means.

use std::time::Duration;

use clap::Args;

use crate::{command_line::Volume, network::NetworkArguments};

/// With `--until` a peer may stop reading for this long, say while somebody looks at the first
/// page, before what it has not taken counts as lost.
const PATIENCE: &str = "1m";

/// Connect standard input and output to everybody with the same phrase.
///
/// Each line of standard input goes to all remotes that are open then, as text, or as bytes if it is
/// not UTF-8; the slowest sets the pace. A last line without a newline counts too. Nothing is read
/// before a remote is open, and while none is. A line may have 16 MiB, or less if a remote takes
/// less; a longer one is an error.
///
/// What the remotes say is printed to standard output, each message followed by a newline. Status
/// goes to standard error.
///
/// Opened are only the TCP ports of --listen and, with --bootstrap, a UDP port; both are printed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan join \"my phrase\" --bootstrap 127.0.0.1:6881
  seq 1 100000 | p2pchan join X --bootstrap 127.0.0.1:6881 --until 1
  p2pchan join X --bootstrap 127.0.0.1:6881 < /dev/null > out
  p2pchan join X --seed 192.0.2.7:8099 --json | jq -r .text

At the end of standard input the command goes on printing what comes. With --until it flushes, ends
and exits instead: with 0 if every remote took all that was sent to it, else with 1.

Exit codes: 0 done, 1 failed, 2 wrong command line, setting or phrase, 3 nobody found within
--timeout, 129, 130, 143 stopped by a signal. A second signal stops at once, without flushing.")]
pub(crate) struct Join {
    /// What is shared: 1 to 256 bytes of UTF-8, compared byte for byte. Other users of this machine
    /// can read it here; in the environment they cannot.
    #[arg(env = "P2PCHAN_PHRASE", hide_env_values = true)]
    phrase: String,

    #[command(flatten)]
    pub(super) network: NetworkArguments,

    /// Wait for this many remotes before reading standard input, and exit at its end.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    until: Option<u16>,

    /// Exit with code 3 if that many remotes (1 without --until) are not open after these seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,

    /// Print each message, and each line of status, as a JSON object on a line of its own.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) volume: Volume,
}

impl Join {
    pub(super) fn phrase(&self) -> &str {
        &self.phrase
    }

    /// Whether the end of the input is the end of the command.
    pub(super) const fn ends_with_input(&self) -> bool {
        self.until.is_some()
    }

    /// How many remotes must be open before the input is read.
    pub(super) fn remotes_wanted(&self) -> usize {
        self.until.map_or(1, usize::from)
    }

    /// How long to wait for them.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// What the command asks of its node beside what the network options say.
    pub(super) const fn settings(&self) -> &'static [(&'static str, &'static str)] {
        if self.ends_with_input() { &[("timeouts.close", PATIENCE)] } else { &[] }
    }
}
