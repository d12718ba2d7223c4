//! `p2pchan reload`: a running node reads its settings file again.

use clap::Args;
use serde_json::json;

use super::ControlArguments;
use crate::exit::{Exit, Failure};

/// Let a running node read its settings file again.
///
/// Everything is checked first. An error names the key and the value, and leaves the node as it was.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan join \"my phrase\" --settings node.toml --control ~/p2pchan.control
  p2pchan reload --control ~/p2pchan.control

Exit codes: 0 the settings of the file count now, 1 no node answers, or something new cannot be opened,
2 a setting is wrong, or the node has no settings file.")]
pub(crate) struct Reload {
    #[command(flatten)]
    control: ControlArguments,
}

/// Asks.
pub(crate) fn run(reload: &Reload) -> Result<Exit, Failure> {
    reload.control.ask(&json!({ "request": "reload" })).map(|_| Exit::Success)
}
