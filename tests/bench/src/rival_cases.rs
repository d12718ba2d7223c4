//! What is measured beside others in Rust and C, and what must be reached there.
//!
//! Each block has one goal, so some systems have blocks of their own. Goals on iroh hold for a write for each
//! message, which is what a program does that has messages; what it would gain by gathering them first, as our
//! library does for it, is told beside. Messages of 64 KiB and more are written one by one either way.

use crate::{
    arguments::{Amount, Arguments, System, Work, spelt},
    cases::{AT_ONCE, Case, Goal, SIZES, amount, basic, over_quic},
    figures::Figure,
    frames::COALESCED,
    in_rivals::{self, Versions},
};

/// The cases that the command line chose, with those systems that there are.
pub(crate) fn chosen(arguments: &Arguments, versions: &Versions) -> Vec<Case> {
    let sizes = arguments.size.map_or_else(|| SIZES.to_vec(), |size| vec![size as usize]);
    let floods = sizes.iter().flat_map(|size| floods(arguments, *size));
    let quic_floods = sizes.iter().map(|size| quic_flood(arguments, *size));
    let connects = AT_ONCE.into_iter().map(|at_once| connect(arguments, at_once));
    let all = floods
        .chain(round_trips(arguments))
        .chain(quic_floods)
        .chain([quic_round_trip(arguments)])
        .chain(connects)
        .chain([memory(arguments)]);
    let wanted =
        |case: &Case| arguments.only.is_none_or(|only| only == Work::Rivals || only == case.work);
    all.filter(wanted).filter_map(|case| with_those(case, versions)).collect()
}

/// The case without the systems that there are not; none if nothing is left beside p2pchan.
fn with_those(mut case: Case, versions: &Versions) -> Option<Case> {
    case.beside
        .retain(|system| !in_rivals::plays(*system) || versions.contains_key(&spelt(system)));
    case.goal = case.goal.filter(|goal| goal.of.is_none_or(|of| case.beside.contains(&of)));
    (case.beside.len() > 1).then_some(case)
}

fn floods(arguments: &Arguments, size: usize) -> Vec<Case> {
    use System::{Iroh, IrohEach, Libp2p, Libp2pEach, P2pchan, Rustls, Zmq, ZmqCurve};
    let case = |beside: &[System], goal| Case {
        beside: [&[P2pchan], beside].concat(),
        steady: Some(Figure::Messages),
        goal,
        ..basic(arguments, Work::Flood, Amount { size, ..amount(arguments) })
    };
    let at_least = |bound, of| Some(Goal { figure: Figure::Messages, bound, of: Some(of) });
    let (iroh, zmq) = match size {
        _ if size <= 64 => (2.5, 2.5),
        _ if size <= 1 << 10 => (2.5, 1.5),
        _ if size <= 64 << 10 => (2.0, 1.0),
        _ => (2.3, 1.0),
    };
    let mut all = if size < COALESCED {
        vec![case(&[IrohEach, Iroh], at_least(iroh, IrohEach)), case(&[Libp2pEach, Libp2p], None)]
    } else {
        vec![case(&[Iroh], at_least(iroh, Iroh)), case(&[Libp2p], None)]
    };
    all.push(case(&[Zmq], at_least(zmq, Zmq)));
    all.push(case(&[ZmqCurve], (size <= 64).then_some(at_least(9.0, ZmqCurve)).flatten()));
    all.push(case(&[Rustls], None));
    if size == 64 << 10 {
        let goal = Goal { figure: Figure::Processor, bound: 0.4, of: Some(Iroh) };
        all.push(case(&[Iroh], Some(goal)));
    }
    all
}

fn round_trips(arguments: &Arguments) -> [Case; 2] {
    use System::{Iroh, Libp2p, P2pchan, Rustls, Zmq, ZmqCurve};
    let case = |beside: &[System]| Case {
        beside: beside.to_vec(),
        one_core: true,
        steady: Some(Figure::Median),
        ..basic(arguments, Work::RoundTrip, amount(arguments))
    };
    let goal = Goal { figure: Figure::Median, bound: 0.45, of: Some(Iroh) };
    [
        Case { goal: Some(goal), ..case(&[P2pchan, Iroh, Libp2p]) },
        case(&[P2pchan, Zmq, ZmqCurve, Rustls]),
    ]
}

fn quic_flood(arguments: &Arguments, size: usize) -> Case {
    use System::{Iroh, IrohEach, P2pchanQuic};
    let figure = Figure::Messages;
    let amount = Amount { size, ..amount(arguments) };
    let short = size < COALESCED;
    let of = if short { IrohEach } else { Iroh };
    let beside = if short { vec![P2pchanQuic, IrohEach, Iroh] } else { vec![P2pchanQuic, Iroh] };
    Case {
        beside,
        steady: Some(figure),
        goal: Some(Goal { figure, bound: 1.2, of: Some(of) }),
        ..over_quic(basic(arguments, Work::QuicFlood, amount))
    }
}

fn quic_round_trip(arguments: &Arguments) -> Case {
    let figure = Figure::Median;
    Case {
        beside: vec![System::P2pchanQuic, System::Iroh],
        one_core: true,
        steady: Some(figure),
        goal: Some(Goal { figure, bound: 1.0 / 1.2, of: Some(System::Iroh) }),
        ..over_quic(basic(arguments, Work::QuicRoundTrip, amount(arguments)))
    }
}

/// Those that prove to each other who they are.
const PROVEN: [System; 4] = [System::P2pchan, System::Iroh, System::Libp2p, System::ZmqCurve];

fn connect(arguments: &Arguments, at_once: usize) -> Case {
    Case {
        beside: PROVEN.to_vec(),
        steady: Some(Figure::Connections),
        ..basic(arguments, Work::Connect, Amount { at_once, ..amount(arguments) })
    }
}

/// Memory hardly changes from run to run, so no round has to be thrown away and one is enough.
fn memory(arguments: &Arguments) -> Case {
    let idle = if arguments.quick { 64 } else { 256 };
    Case {
        beside: PROVEN.to_vec(),
        rounds: 1,
        ..basic(arguments, Work::Memory, Amount { idle, ..amount(arguments) })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn versions(names: &[&str]) -> Versions {
        names.iter().map(|name| ((*name).to_owned(), String::new())).collect()
    }

    fn cases(line: &str, versions: &Versions) -> Vec<Case> {
        chosen(&Arguments::try_parse_from(line.split(' ')).unwrap(), versions)
    }

    #[test]
    fn systems_that_the_program_lacks_are_left_out_with_their_goals() {
        let some = versions(&["iroh", "zmq"]);
        for case in cases("bench --only rivals", &some) {
            let known =
                |system: &System| !in_rivals::plays(*system) || some.contains_key(&spelt(system));
            assert!(case.beside.len() > 1 && case.beside.iter().all(known), "{case:?}");
            assert!(case.goal.and_then(|goal| goal.of).is_none_or(|of| known(&of)), "{case:?}");
        }
    }

    #[test]
    fn without_the_program_only_rustls_is_beside() {
        let others = |case: Case| case.beside.into_iter().skip(1);
        let beside = cases("bench", &versions(&[])).into_iter().flat_map(others);
        assert!(beside.into_iter().all(|system| system == System::Rustls));
    }

    #[test]
    fn work_and_size_can_be_chosen() {
        let all = versions(&["iroh", "iroh-each", "libp2p", "libp2p-each", "zmq", "zmq-curve"]);
        let of = |line| cases(line, &all).len();
        assert_eq!(of("bench --only flood --size 64"), 5);
        assert_eq!(of("bench --only round-trip"), 2);
        assert_eq!(of("bench --only connect"), 2);
        assert_eq!(of("bench --only idle"), 0);
        assert_eq!(of("bench --only rivals"), of("bench"));
    }
}
