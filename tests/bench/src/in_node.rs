//! p2pchan through its interface for Node, and what it is put beside there: programs in JavaScript play
//! both ends.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    Outcome,
    arguments::{Role, System, Work, spelt},
    endpoint::become_program,
};

/// Refuses a folder that lacks one of the packages.
pub(crate) fn check(packages: &Path) -> Outcome<()> {
    let need =
        "for (const name of ['p2pchan', 'ws', 'socket.io', 'socket.io-client']) require(name)";
    let mut command = node(packages);
    command.args(["-e", need]).stderr(Stdio::null());
    if command.status().map_err(|error| format!("node: {error}"))?.success() {
        return Ok(());
    }
    let name = packages.display();
    let fix = "tests/bench/node/environment makes one that has them";
    Err(format!("{name} lacks the packages p2pchan, ws, socket.io or socket.io-client; {fix}")
        .into())
}

/// Node with these packages, and without the search path for libraries that cargo sets.
pub(crate) fn node(packages: &Path) -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", packages).env_remove("LD_LIBRARY_PATH");
    command
}

/// What the program in JavaScript calls a system; none for those that are not in JavaScript.
pub(crate) fn name(system: System) -> Option<&'static str> {
    match system {
        System::Node => Some("ours"),
        System::Ws => Some("ws"),
        System::SocketIo => Some("socket_io"),
        System::Net => Some("net"),
        _ => None,
    }
}

/// Becomes the program in JavaScript, which stays on the core of this process.
pub(crate) fn play(role: &Role, name: &str) -> Outcome<()> {
    let mut command = node(role.node.as_ref().ok_or("there are no packages for Node")?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("node/endpoint.js"));
    let work = if role.work == Work::NodeRoundTrip { "round-trip" } else { "flood" };
    command.args([name, work, &spelt(&role.end)]);
    become_program(command, role)
}
