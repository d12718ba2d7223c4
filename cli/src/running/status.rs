//! `p2pchan status`: what a running node has open and under way.

use clap::Args;
use p2pchan::Status;
use serde_json::json;

use super::{ControlArguments, print};
use crate::exit::{Exit, Failure};

/// Show what a running node has open and under way.
///
/// Its sockets, connections and remotes, what its discovery services do, and the addresses that it has
/// found. Subjects are shown by number, in the order in which the node began to discover them, so that
/// what is printed can be shown to others.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan join \"my phrase\" --bootstrap public --control ~/p2pchan.control
  p2pchan status --control ~/p2pchan.control        in another terminal
  P2PCHAN_CONTROL=~/p2pchan.control p2pchan status --json | jq .links

Exit codes: 0 done, 1 no node answers, 2 wrong command line.")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    control: ControlArguments,

    /// Print the whole document of docs/status.md as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub(crate) fn run(arguments: &StatusArguments) -> Result<Exit, Failure> {
    let document = arguments.control.ask(&json!({ "request": "status" }))?;
    print(arguments.json.then_some(&document), || {
        let status: Status = arguments.control.read(document.clone())?;
        Ok(status.to_string())
    })
}
