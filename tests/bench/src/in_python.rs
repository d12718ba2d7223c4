//! p2pchan through its Python interface, and what it is put beside there: programs in Python play both
//! ends.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    Outcome,
    arguments::{Role, System, Work, spelt},
    endpoint::become_program,
};

/// Refuses an interpreter that lacks the package p2pchan; whether it has pyzmq too.
pub(crate) fn check(interpreter: &Path) -> Outcome<bool> {
    if !can_import(interpreter, "p2pchan")? {
        let name = interpreter.display();
        let fix = "tests/bench/python/environment makes one that has it";
        return Err(format!("{name} lacks the package p2pchan; {fix}").into());
    }
    can_import(interpreter, "zmq")
}

/// Whether an interpreter has a package.
pub(crate) fn can_import(interpreter: &Path, package: &str) -> Outcome<bool> {
    let mut command = quiet(interpreter);
    command.args(["-c", &format!("import {package}")]).stderr(Stdio::null());
    let status = command.status();
    Ok(status.map_err(|error| format!("the Python {}: {error}", interpreter.display()))?.success())
}

/// Neither the environment's packages nor its search path for libraries, which cargo sets, and no files
/// are written beside the programs.
pub(crate) fn quiet(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.args(["-B", "-E", "-s"]).env_remove("LD_LIBRARY_PATH");
    command
}

/// What the program in Python calls a system; none for those that are not in Python.
pub(crate) fn name(system: System) -> Option<&'static str> {
    match system {
        System::PythonAsync => Some("async"),
        System::PythonAwait => Some("await"),
        System::PythonBatch => Some("batch"),
        System::PythonPlain => Some("plain"),
        System::Streams => Some("streams"),
        System::Pyzmq => Some("pyzmq"),
        System::Sockets => Some("sockets"),
        _ => None,
    }
}

/// Becomes the program in Python, which stays on the core of this process.
pub(crate) fn play(role: &Role, name: &str) -> Outcome<()> {
    let mut command = quiet(role.python.as_ref().ok_or("there is no Python")?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/endpoint.py"));
    let work = if role.work == Work::PythonRoundTrip { "round-trip" } else { "flood" };
    command.args([name, work, &spelt(&role.end)]);
    become_program(command, role)
}
