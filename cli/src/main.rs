//! The command line of p2pchan.
//!
//! Standard output is for data, standard error for status. Data is read and written by threads of
//! their own, so a terminal that stands still holds up neither the network nor the other direction.
//!
//! # Layout, in reading order
//! - `command_line`: the commands, their help, and the exit codes.
//! - `join`: connects standard input and output to everybody with the same phrase.
//! - `send`, `recv`: files and pipes from one to the other; `transfer`: what the two share.
//! - `running`: questions to a node that runs already.
//! - `testnet`: a BitTorrent DHT on this machine to try it on.
//! - `phrase`: makes one that nobody guesses; `words`: of these; `strength`: warns of one that can be.
//! - `completions`, `man`: files for shells and for `man`.
//! - `network`: the options with which they find others, and the start of the node.
//! - `exit`, `signals`, `printer`, `status`: how it ends, and how it speaks.

mod command_line;
mod completions;
mod exit;
mod join;
mod man;
mod network;
mod phrase;
mod printer;
mod recv;
mod running;
mod send;
mod signals;
mod status;
mod strength;
mod testnet;
mod transfer;
mod words;

use std::{future::Future, process::ExitCode};

use clap::Parser;
use command_line::{CommandLine, Task};
use exit::{Exit, Failure};
use status::Status;

fn main() -> ExitCode {
    let CommandLine { task } = CommandLine::parse();
    match task {
        Task::Join(join) => {
            let status = Status::new(join.json, join.volume.level());
            finish(&status, |status| on_runtime(join::run(join, status)))
        }
        Task::Send(send) => {
            let status = Status::new(send.json, send.volume.level());
            finish(&status, |status| on_runtime(send::run(send, status)))
        }
        Task::Recv(recv) => {
            let status = Status::new(recv.json, recv.volume.level());
            finish(&status, |status| on_runtime(recv::run(recv, status)))
        }
        Task::Testnet(testnet) => {
            let status = Status::new(testnet.json, testnet.volume.level());
            finish(&status, |status| on_runtime(testnet::run(testnet, status)))
        }
        Task::Completions(completions) => {
            finish(&Status::plain(), |_| completions::run(&completions))
        }
        Task::Status(status) => finish(&Status::plain(), |_| running::status(&status)),
        Task::Explain(explain) => finish(&Status::plain(), |_| running::explain(&explain)),
        Task::Reload(reload) => finish(&Status::plain(), |_| running::reload(&reload)),
        Task::Phrase(phrase) => finish(&Status::plain(), |_| phrase::run(&phrase)),
        Task::Man(man) => finish(&Status::plain(), |_| man::run(&man)),
    }
}

/// Says why a command failed, and turns its end into the exit code.
fn finish(status: &Status, command: impl FnOnce(Status) -> Result<Exit, Failure>) -> ExitCode {
    let exit = command(status.clone()).unwrap_or_else(|failure| {
        status.failure(&failure.message);
        failure.exit
    });
    status.finish();
    exit.into()
}

/// One thread for all that is network: what belongs to one connection stays in one cache.
fn on_runtime(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let exit = runtime.block_on(command);
    // A thread that waits for standard input cannot be woken; the process takes it along.
    runtime.shutdown_background();
    exit
}
