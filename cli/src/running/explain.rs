//! `p2pchan explain`: why a peer is connected to a running node, or is not.

use clap::Args;
use p2pchan::{Explanation, Target};
use serde_json::json;

use super::{ControlArguments, print};
use crate::exit::{Exit, Failure};

/// Tell why a peer is connected to a running node, or is not.
///
/// Who found its addresses, how each of the last dials went and by which ways, what is going on now, and
/// when it is tried next. Of a peer that the node does not know, it says so and lists those that it knows.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan explain 192.0.2.7:8099 --control ~/p2pchan.control
  p2pchan explain 5f392c8c

Exit codes: 0 done, also if nothing is known, 1 no node answers, 2 wrong command line.")]
pub(crate) struct Explain {
    /// A peer id, the first 8 or more of its digits, or an address such as 192.0.2.7:8099.
    #[arg(value_name = "PEER|ADDRESS")]
    target: String,

    #[command(flatten)]
    control: ControlArguments,

    /// Print the whole document of docs/status.md as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub(crate) fn run(explain: &Explain) -> Result<Exit, Failure> {
    // A slip is told also where no node runs.
    let target: Target = explain.target.parse()?;
    let request = json!({ "request": "explain", "target": target.to_string() });
    let document = explain.control.ask(&request)?;
    print(explain.json.then_some(&document), || {
        let explanation: Explanation = explain.control.read(document.clone())?;
        Ok(explanation.to_string())
    })
}
