//! What others do in Rust and C: the program p2pchan-rivals plays both ends, with the work and the messages
//! of this one. It is a package of its own, with its own `Cargo.lock`, as it stands on hundreds of crates.

use std::{
    collections::BTreeMap,
    env,
    io::Error,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    Outcome,
    arguments::{Role, System, spelt},
};

/// What the program can play, and in which version.
pub(crate) type Versions = BTreeMap<String, String>;

/// The systems that the program may play.
const ALL: [System; 6] = [
    System::Iroh,
    System::IrohEach,
    System::Libp2p,
    System::Libp2pEach,
    System::Zmq,
    System::ZmqCurve,
];

/// Asks the program what it plays.
pub(crate) fn check(program: &Path) -> Outcome<Versions> {
    let failed = |error: &dyn ToString| {
        let (name, error) = (program.display(), error.to_string());
        format!("{name} is no p2pchan-rivals: {error}; `make bench-rivals` builds one")
    };
    let output = Command::new(program).arg("systems").stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(&error))?;
    Ok(serde_json::from_slice(&output.stdout).map_err(|error| failed(&error))?)
}

/// Says which versions there are, and what will not be measured as the program lacks it.
pub(crate) fn report(versions: &Versions) {
    for system in ALL.map(|system| spelt(&system)) {
        match versions.get(&system) {
            Some(version) => println!("{system}: {version}"),
            None => println!("NOT MEASURED: {system}, as the program of --rivals lacks it"),
        }
    }
}

/// Whether the program plays this system, rather than this one.
pub(crate) fn plays(system: System) -> bool {
    ALL.contains(&system)
}

/// Becomes the program, which stays on the core of this process and takes the same arguments.
pub(crate) fn play(role: &Role) -> Outcome<()> {
    let program = role.rivals.as_ref().ok_or("there is no p2pchan-rivals")?;
    let error: Error = Command::new(program).args(env::args_os().skip(1)).exec();
    Err(error.into())
}
