//! How fast p2pchan is, as ratios to raw TCP and to bare QUIC measured in the same run.
//!
//! Absolute figures move by a factor of two from machine to machine and from hour to hour, so none
//! counts alone: every run of ours stands between two runs of raw TCP, and a pair between which raw
//! TCP itself moved is thrown away and repeated. `docs/benchmarks.md` tells how to read the table.
//!
//! # Layout, in reading order
//! - [`arguments`]: what the command line says; [`cases`]: what is measured, and how long.
//! - [`rounds`]: runs in turn, which of them count, and their medians; [`report`]: table and JSON.
//! - [`record`]: what stays, with a [`page`] and a picture ([`plot`]); [`check`]: what has moved since.
//! - [`pair`]: starts the two processes of a run; [`endpoint`]: what each of them does; [`play`]: how.
//! - [`flood`], [`round_trip`], [`connect`], [`memory`]: the work, the same for every system.
//! - [`ours`], [`in_c`], [`in_python`], [`in_node`], and the systems beside which they are put: [`raw`], [`raw_tokio`],
//!   [`bare_tls`], [`bare_rustls`], [`bare_quinn`], and those of [`in_rivals`], in the cases of [`rival_cases`].
//! - [`script_rivals`]: others in JavaScript and Python, where they are named.
//! - [`many`], [`latency`]: p2pchan beside itself: many remotes, greedy ones, ones that do not read, and what
//!   waits beside long messages.
//! - [`alone`], [`idle`]: what there is nothing to put beside.
//! - [`figures`], [`link`], [`framed`], [`frames`], [`message`], [`machine`], [`suite`]: what they need.

mod alone;
mod arguments;
mod bare_quinn;
mod bare_rustls;
mod bare_tls;
mod cases;
mod check;
mod connect;
mod endpoint;
mod figures;
mod flood;
mod framed;
mod frames;
mod idle;
mod in_c;
mod in_node;
mod in_python;
mod in_rivals;
mod latency;
mod link;
mod machine;
mod many;
mod memory;
mod message;
mod ours;
mod page;
mod pair;
mod play;
mod plot;
mod raw;
mod raw_tokio;
mod record;
mod report;
mod rival_cases;
mod round_trip;
mod rounds;
mod script_rivals;
mod suite;

use std::{error::Error, process::ExitCode, time::Instant};

use clap::Parser;

use crate::{
    arguments::{Arguments, Command, spelt},
    in_c::Program,
    pair::Programs,
};

/// What can go wrong, in words: the binary only ever prints it.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Some(Command::Endpoint(role)) => endpoint::run(role),
        None => run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("p2pchan-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    let (began, faces) = (Instant::now(), arguments.chosen_faces()?);
    if arguments.faces {
        faces.iter().for_each(|face| println!("{}", spelt(face)));
        return Ok(());
    }
    let cores = machine::cores()?;
    let machine = machine::describe(&cores);
    report::heading(&machine);
    let c_program = arguments.c_library.as_deref().map(Program::compile).transpose()?;
    let programs = Programs {
        c: c_program.as_ref().map(Program::path),
        python: arguments.python.clone(),
        node: arguments.node.clone(),
        rivals: arguments.rivals.clone(),
        rivals_node: arguments.rivals_node.clone(),
        rivals_python: arguments.rivals_python.clone(),
    };
    arguments.node.as_deref().map(in_node::check).transpose()?;
    let pyzmq = arguments.python.as_deref().map(in_python::check).transpose()?;
    script_rivals::check(arguments)?;
    report::missing(arguments, pyzmq);
    let rivals = arguments.rivals.as_deref().map(in_rivals::check).transpose()?;
    rivals.iter().for_each(in_rivals::report);
    script_rivals::missing(arguments);
    let mut results = Vec::new();
    let beside_rivals = rivals.map(|versions| rival_cases::chosen(arguments, &versions));
    let all = cases::chosen(arguments, pyzmq.unwrap_or(false));
    let beside =
        beside_rivals.unwrap_or_default().into_iter().chain(script_rivals::chosen(arguments));
    for case in all.into_iter().chain(beside) {
        let run = |system| pair::run(&case, system, &cores, &programs);
        let result = rounds::measure(&case, run)?;
        report::table(&result);
        results.push(result);
    }
    let alone = alone::measure(arguments)?;
    report::write(&arguments.output, &machine, &results, &alone)?;
    if let Some(folder) = &arguments.record {
        record::write(folder, &machine, &machine::versions(arguments), &results, &alone)?;
    }
    report::length(began.elapsed());
    arguments.check.as_deref().map_or(Ok(()), |folder| check::check(folder, &results))
}
