//! What others do in Rust and C, played as `p2pchan-bench` plays its own ends: the same work, the same
//! messages, the same tally at the receiver, and figures in the same words. `p2pchan-bench --rivals` starts it.
//!
//! It is a package of its own because of what it stands on: iroh and libp2p alone are four hundred crates, which
//! nobody should have to build, or to trust, who works on p2pchan.
//!
//! # Layout
//! - `with_iroh`, `with_libp2p`, `with_zmq`: one system each, and how it is tuned.
//! - All other modules are those of `p2pchan-bench`.

#[allow(dead_code, reason = "what drives the benchmark is not needed by what it drives")]
#[path = "../../src/arguments.rs"]
mod arguments;
#[path = "../../src/connect.rs"]
mod connect;
#[allow(dead_code, reason = "what drives the benchmark is not needed by what it drives")]
#[path = "../../src/figures.rs"]
mod figures;
#[path = "../../src/flood.rs"]
mod flood;
#[allow(dead_code, reason = "not every system frames messages itself, nor with all of this")]
#[path = "../../src/framed.rs"]
mod framed;
#[allow(dead_code, reason = "not every system frames messages itself, nor with all of this")]
#[path = "../../src/frames.rs"]
mod frames;
#[path = "../../src/link.rs"]
mod link;
#[allow(dead_code, reason = "what drives the benchmark is not needed by what it drives")]
#[path = "../../src/machine.rs"]
mod machine;
#[path = "../../src/memory.rs"]
mod memory;
#[path = "../../src/message.rs"]
mod message;
#[path = "../../src/play.rs"]
mod play;
#[path = "../../src/round_trip.rs"]
mod round_trip;
#[cfg(feature = "iroh")]
#[path = "../../src/suite.rs"]
mod suite;
#[cfg(feature = "iroh")]
mod with_iroh;
#[cfg(feature = "libp2p")]
mod with_libp2p;
#[cfg(feature = "zmq")]
mod with_zmq;

use std::{collections::BTreeMap, error::Error, process::ExitCode};

use clap::{Parser, ValueEnum};

use crate::{
    arguments::{Role, System, spelt},
    play::say,
};

/// What can go wrong, in words: the binary only ever prints it.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Plays one end of a run of p2pchan-bench by a library that is not p2pchan.
#[derive(Debug, Parser)]
#[command(name = "p2pchan-rivals")]
enum Command {
    /// Tells which systems there are, with their versions
    Systems,
    /// One end of a run; p2pchan-bench starts these
    Endpoint(Box<Role>),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Systems => say(&systems()),
        Command::Endpoint(role) => endpoint(*role),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("p2pchan-rivals: {error}");
            ExitCode::FAILURE
        }
    }
}

fn systems() -> BTreeMap<String, String> {
    let known = |system: &System| Some((spelt(system), version(*system)?));
    System::value_variants().iter().filter_map(known).collect()
}

/// None for what this was built without.
fn version(system: System) -> Option<String> {
    match system {
        #[cfg(feature = "iroh")]
        System::Iroh | System::IrohEach => locked("iroh"),
        #[cfg(feature = "libp2p")]
        System::Libp2p | System::Libp2pEach => locked("libp2p"),
        #[cfg(feature = "zmq")]
        System::Zmq => Some(with_zmq::version()),
        #[cfg(feature = "zmq")]
        System::ZmqCurve => with_zmq::has_curve().then(with_zmq::version),
        _ => None,
    }
}

/// The version of a crate in `Cargo.lock`, which is the one that was built.
#[cfg(any(feature = "iroh", feature = "libp2p"))]
fn locked(name: &str) -> Option<String> {
    let (_, found) =
        include_str!("../Cargo.lock").split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(format!("{name} {}", found.split_once('"')?.0))
}

fn endpoint(role: Role) -> Outcome<()> {
    if let Some(core) = role.core {
        machine::stay_on(core)?;
    }
    match role.system {
        #[cfg(feature = "iroh")]
        System::Iroh | System::IrohEach => play::run(with_iroh::play(role)),
        #[cfg(feature = "libp2p")]
        System::Libp2p | System::Libp2pEach => play::run(with_libp2p::play(role)),
        #[cfg(feature = "zmq")]
        System::Zmq | System::ZmqCurve => play::run(with_zmq::play(role)),
        other => Err(format!("{} is not played by this program", spelt(&other)).into()),
    }
}
