//! `p2pchan testnet`: a BitTorrent DHT on this machine, to try things on without any network.

use std::io::{self, Write};

use clap::Args;
use p2pchan::Testnet;
use serde_json::json;

use crate::{
    command_line::Volume,
    exit::{Exit, Failure},
    signals::Signals,
    status::{Level, Status},
};

/// Run a BitTorrent DHT on this machine until stopped.
///
/// Real nodes on 127.0.0.1, which nobody else can reach. The address with which others begin is
/// printed to standard output. Every ten minutes each node has been replaced once, at the same
/// address, because nodes that are never asked forget each other.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  p2pchan testnet --port 6881
  p2pchan testnet --json | head -1")]
pub(crate) struct TestnetArguments {
    /// How many nodes, 2 to 50.
    #[arg(long, default_value_t = 10, value_name = "NUMBER")]
    nodes: usize,

    /// The UDP port of the first node; 0 is any free one. The others take any.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Print {"bootstrap": [addresses of all nodes]} to standard output, and status as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) volume: Volume,
}

/// Runs it until somebody stops it.
pub(crate) async fn run(arguments: TestnetArguments, status: Status) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let starting = Testnet::builder(arguments.nodes).port(arguments.port).start();
    let testnet = tokio::select! {
        exit = signals.asked() => return Ok(exit),
        testnet = starting => testnet?,
    };
    let addresses: Vec<String> = testnet.bootstrap().iter().map(ToString::to_string).collect();
    let entrance = addresses.first().map_or("", String::as_str);
    let line = if arguments.json {
        json!({ "bootstrap": addresses }).to_string()
    } else {
        entrance.to_owned()
    };
    print_line(&line)?;
    let count = addresses.len();
    let text = format!("{count} nodes of a BitTorrent DHT run on this machine until Ctrl-C");
    status.tell(Level::Usual, "running", json!({ "nodes": count }), &text);
    if !arguments.json {
        let text = format!("in two terminals: p2pchan join \"my phrase\" --bootstrap {entrance}");
        status.tell(Level::Usual, "hint", json!({}), &text);
    }

    let mut replaced = testnet.replaced();
    let exit = loop {
        tokio::select! {
            exit = signals.asked() => break exit,
            Ok(()) = replaced.changed() => {
                let count = *replaced.borrow_and_update();
                let text = format!("replaced {count} nodes so far");
                status.tell(Level::Everything, "replaced", json!({ "count": count }), &text);
            }
        }
    };
    testnet.close().await;
    Ok(exit)
}

/// Not through a thread: whoever reads one line may be gone, and then this goes on.
fn print_line(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(format!("cannot write to standard output: {error}")))
}
