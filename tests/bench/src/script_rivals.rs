//! Others in JavaScript and Python, beside which p2pchan is put only when their packages are named: what is measured,
//! and who plays it.
//!
//! Some of them look for ports at the router, or for peers in the world, and their packages cannot be told not to. So
//! they are measured only where there is no network but loopback, which `tests/bench/rivals/isolated` makes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Outcome,
    arguments::{Amount, Arguments, Role, System, Work, spelt},
    cases::{Case, Goal, SIZES, amount, basic},
    endpoint::become_program,
    figures::Figure,
    in_node::node,
    in_python::{can_import, quiet},
};

/// From here on gathering short messages gains nothing.
const LONG: usize = 64 << 10;

/// Refuses packages that lack something, and a network in which somebody could be asked.
pub(crate) fn check(arguments: &Arguments) -> Outcome<()> {
    let Arguments { rivals_node, rivals_python, .. } = arguments;
    if rivals_node.is_none() && rivals_python.is_none() {
        return Ok(());
    }
    let routes = |name| fs::read_to_string(Path::new("/proc/self/net").join(name));
    if !only_loopback(
        &routes("route").unwrap_or_default(),
        &routes("ipv6_route").unwrap_or_default(),
    ) {
        let fix = "run this through tests/bench/rivals/isolated";
        return Err(format!(
            "--rivals-node and --rivals-python name programs that would ask the network for ports and there is one; {fix}"
        )
        .into());
    }
    rivals_node.as_deref().map(check_node).transpose()?;
    rivals_python.as_deref().map(check_python).transpose()?;
    Ok(())
}

/// Says what cannot be measured, if rivals were chosen.
pub(crate) fn missing(arguments: &Arguments) {
    if arguments.only != Some(Work::Rivals) {
        return;
    }
    if arguments.rivals_node.is_none() {
        println!(
            "NOT MEASURED: rivals in JavaScript, as --rivals-node names no folder of packages"
        );
    }
    if arguments.rivals_python.is_none() {
        println!("NOT MEASURED: rivals in Python, as --rivals-python names no interpreter");
    }
}

/// Whether these tables, as Linux prints them, lead nowhere else; without any table nobody knows.
fn only_loopback(route: &str, ipv6_route: &str) -> bool {
    let mut first = route.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let mut last = ipv6_route.lines().filter_map(|line| line.split_whitespace().last());
    route.starts_with("Iface") && first.all(|name| name == "lo") && last.all(|name| name == "lo")
}

fn check_node(packages: &Path) -> Outcome<()> {
    let need =
        "for (const name of ['hyperdht', 'protomux', '@number0/iroh/index.js']) require(name)";
    let mut command = node(packages);
    command.args(["-e", need]).stderr(Stdio::null());
    if command.status().map_err(|error| format!("node: {error}"))?.success() {
        return Ok(());
    }
    let fix = "tests/bench/rivals/node/environment makes one that has them";
    let name = packages.display();
    Err(format!("{name} lacks the packages hyperdht, protomux or @number0/iroh; {fix}").into())
}

fn check_python(interpreter: &Path) -> Outcome<()> {
    if can_import(interpreter, "iroh")? {
        return Ok(());
    }
    let fix = "tests/bench/rivals/python/environment makes one that has it";
    Err(format!("{} lacks the package iroh; {fix}", interpreter.display()).into())
}

/// Becomes the program that plays this system, on the core of this process; returns only if it is none of these, or
/// with what went wrong.
pub(crate) fn play(role: &Role) -> Option<Outcome<()>> {
    let module = match role.system {
        System::Hyperdht => "hyperdht",
        System::Protomux => "protomux",
        System::IrohNode | System::IrohPython => "iroh",
        _ => return None,
    };
    Some(match role.system {
        System::IrohPython => play_python(role, module),
        _ => play_node(role, module),
    })
}

fn play_node(role: &Role, module: &str) -> Outcome<()> {
    let mut command = node(role.rivals_node.as_ref().ok_or("there are no packages of rivals")?);
    command.arg(program("node/endpoint.js")).arg(format!("../rivals/node/{module}"));
    become_end(command, role)
}

fn play_python(role: &Role, module: &str) -> Outcome<()> {
    let mut command = quiet(role.rivals_python.as_ref().ok_or("there is no Python of rivals")?);
    command.arg(program("python/endpoint.py")).arg(module);
    become_end(command, role)
}

fn program(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn become_end(mut command: Command, role: &Role) -> Outcome<()> {
    command.arg(if role.work.is_round_trip() { "round-trip" } else { "flood" });
    command.arg(spelt(&role.end));
    become_program(command, role)
}

/// The cases that the command line chose.
pub(crate) fn chosen(arguments: &Arguments) -> Vec<Case> {
    let sizes = arguments.size.map_or_else(|| SIZES.to_vec(), |size| vec![size as usize]);
    let mut all = Vec::new();
    if arguments.rivals_node.is_some() {
        all.extend(sizes.iter().flat_map(|size| node_floods(arguments, *size)));
        all.push(round_trip(
            arguments,
            Work::NodeRoundTrip,
            &[System::Node, System::Hyperdht, System::IrohNode],
        ));
    }
    if arguments.rivals_python.is_some() {
        all.extend(sizes.iter().map(|size| python_flood(arguments, *size)));
        all.push(round_trip(
            arguments,
            Work::PythonRoundTrip,
            &[System::PythonAsync, System::IrohPython],
        ));
    }
    let wanted =
        |case: &Case| arguments.only.is_none_or(|only| only == Work::Rivals || only == case.work);
    all.into_iter().filter(wanted).collect()
}

/// Each has one goal, so socket.io has one of its own; that of long messages is among the ordinary cases.
fn node_floods(arguments: &Arguments, size: usize) -> Vec<Case> {
    use System::{Hyperdht, IrohNode, Node, Protomux, SocketIo};
    let case = |beside: &[System], goal: Option<(f64, System)>| Case {
        goal: goal.map(|(bound, of)| Goal { figure: Figure::Messages, bound, of: Some(of) }),
        ..flood(arguments, Work::NodeFlood, beside, size)
    };
    match size {
        64 => vec![
            case(&[Node, Hyperdht, Protomux, IrohNode], Some((2.8, Hyperdht))),
            case(&[Node, SocketIo], Some((7.0, SocketIo))),
        ],
        _ if size < LONG => vec![case(&[Node, Hyperdht, Protomux, IrohNode], None)],
        LONG => vec![case(&[Node, Hyperdht, IrohNode], Some((4.5, Hyperdht)))],
        _ => vec![case(&[Node, Hyperdht, IrohNode], None)],
    }
}

fn python_flood(arguments: &Arguments, size: usize) -> Case {
    flood(arguments, Work::PythonFlood, &[System::PythonAsync, System::IrohPython], size)
}

fn flood(arguments: &Arguments, work: Work, beside: &[System], size: usize) -> Case {
    Case {
        reference: System::P2pchan,
        beside: beside.to_vec(),
        steady: Some(Figure::Messages),
        ..basic(arguments, work, Amount { size, ..amount(arguments) })
    }
}

fn round_trip(arguments: &Arguments, work: Work, beside: &[System]) -> Case {
    Case {
        beside: beside.to_vec(),
        one_core: true,
        steady: Some(Figure::Median),
        ..basic(arguments, work, amount(arguments))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const HEAD: &str = "Iface\tDestination\tGateway\n";
    const IPV6: &str = "0001 80 0000 00 0000 ffffffff 00000001 00000000 00200200       lo\n";

    fn cases(line: &str) -> Vec<Case> {
        chosen(&Arguments::try_parse_from(line.split(' ')).unwrap())
    }

    #[test]
    fn loopback_alone_is_told_from_a_network() {
        assert!(only_loopback(HEAD, IPV6));
        assert!(only_loopback(HEAD, ""));
        assert!(!only_loopback(&format!("{HEAD}eth0\t00000000\t0102A8C0\n"), IPV6));
        assert!(!only_loopback(HEAD, &IPV6.replace("lo", "eth0")));
        assert!(!only_loopback("", IPV6));
    }

    #[test]
    fn rivals_are_measured_only_where_their_packages_are_named() {
        assert!(cases("bench --node n --python p").is_empty());
        assert_eq!(cases("bench --node n --rivals-node r").len(), SIZES.len() + 2);
        assert_eq!(cases("bench --python p --rivals-python r").len(), SIZES.len() + 1);
    }

    #[test]
    fn rivals_alone_can_be_chosen_and_one_work_of_theirs() {
        let all = "bench --node n --rivals-node r --python p --rivals-python r";
        assert_eq!(cases(&format!("{all} --only rivals")).len(), cases(all).len());
        assert_eq!(cases(&format!("{all} --only node-round-trip")).len(), 1);
        assert!(cases(&format!("{all} --only flood")).is_empty());
    }

    #[test]
    fn each_goal_is_on_a_system_of_its_case() {
        let all = cases("bench --node n --rivals-node r");
        let goals: Vec<_> = all.iter().filter_map(|case| Some((case, case.goal?.of?))).collect();
        assert_eq!(goals.len(), 3);
        assert!(goals.iter().all(|(case, of)| case.beside.contains(of)));
    }

    #[test]
    fn rivals_without_ours_to_put_beside_are_refused() {
        for line in ["bench --rivals-node r", "bench --rivals-python r"] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err());
        }
    }
}
