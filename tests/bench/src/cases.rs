//! What is measured, beside what, and how long.

use serde::Serialize;

use crate::{
    arguments::{Amount, Arguments, System, Work},
    figures::Figure,
};

/// One block of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) amount: Amount,
    /// Rounds that must count.
    pub(crate) rounds: usize,
    /// What the machine is judged by: it runs before and after all others.
    pub(crate) reference: System,
    /// The systems between two runs of the reference; the first is p2pchan.
    pub(crate) beside: Vec<System>,
    /// Whether both ends share a core, as a round trip does that waits for nothing else.
    pub(crate) one_core: bool,
    /// The figure by which the reference shows that the machine was steady.
    pub(crate) steady: Option<Figure>,
    pub(crate) goal: Option<Goal>,
}

/// What p2pchan must reach.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) figure: Figure,
    /// At least this for what should be large, at most this for what should be small.
    pub(crate) bound: f64,
    /// The one of those that it is compared to of which this is the ratio; none: the figure itself.
    pub(crate) of: Option<System>,
}

impl Case {
    /// The systems to which p2pchan is compared.
    pub(crate) fn references(&self) -> Vec<System> {
        [self.reference].into_iter().chain(self.beside.iter().skip(1).copied()).collect()
    }

    /// The one whose figures these are about.
    pub(crate) fn ours(&self) -> System {
        self.beside.first().copied().unwrap_or(System::P2pchan)
    }

    pub(crate) fn title(&self) -> String {
        let Amount { size, at_once, idle, .. } = self.amount;
        let cores =
            if self.one_core { "both ends on one core" } else { "each end on its own core" };
        match self.work {
            Work::Flood => format!("flood of {} one way, {cores}", bytes(size)),
            Work::RoundTrip => format!("round trip of {}, {cores}", bytes(size)),
            Work::QuicFlood => format!("flood of {} one way over QUIC, {cores}", bytes(size)),
            Work::QuicRoundTrip => format!("round trip of {} over QUIC, {cores}", bytes(size)),
            Work::CFlood => {
                let how = match self.ours() {
                    System::CData => "by on_data",
                    System::CDispatch => "by on_batch in the program's loop",
                    _ => "by on_batch",
                };
                format!("flood of {} one way in C, received {how}, {cores}", bytes(size))
            }
            Work::PythonFlood => {
                let how = match self.ours() {
                    System::PythonPlain => "plain calls",
                    System::PythonBatch => "many in each call",
                    _ => "await send, async for",
                };
                format!("flood of {} one way in Python, {how}, {cores}", bytes(size))
            }
            Work::PythonRoundTrip => {
                let how = match self.ours() {
                    System::PythonPlain => "plain calls",
                    _ => "awaited",
                };
                format!("round trip of {} in Python, {how}, {cores}", bytes(size))
            }
            Work::NodeFlood => format!("flood of {} one way in Node, {cores}", bytes(size)),
            Work::NodeRoundTrip => format!("round trip of {} in Node, {cores}", bytes(size)),
            Work::Connect if at_once == 1 => format!("connections one after another, {cores}"),
            Work::Connect => format!("connections {at_once} at once, {cores}"),
            Work::Memory => format!("memory of {idle} idle connections"),
            Work::Many => format!("{} to each of {at_once} remotes in turn, {cores}", bytes(size)),
            Work::Greedy => {
                format!("{at_once} remotes send {}, one of them 1 MiB, {cores}", bytes(size))
            }
            Work::Stalled => {
                format!("{} to {at_once} remotes, of which one does not read, {cores}", bytes(size))
            }
            Work::Latency => {
                format!("a small message every 5 ms beside messages of {}, {cores}", bytes(size))
            }
            Work::Discover | Work::Idle | Work::Rivals => String::new(),
        }
    }
}

fn bytes(size: usize) -> String {
    match size {
        _ if size >= 1 << 20 && size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        _ if size >= 1 << 10 && size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

/// The sizes of floods.
pub(crate) const SIZES: [usize; 4] = [64, 1 << 10, 64 << 10, 1 << 20];
/// How many are dialled at once.
pub(crate) const AT_ONCE: [usize; 2] = [1, 64];

/// The cases that the command line chose, in the order of the table; `pyzmq` says whether it is there.
pub(crate) fn chosen(arguments: &Arguments, pyzmq: bool) -> Vec<Case> {
    let sizes = arguments.size.map_or_else(|| SIZES.to_vec(), |size| vec![size as usize]);
    let floods = sizes.iter().map(|size| flood(arguments, *size));
    let quic_floods = sizes.iter().map(|size| quic_flood(arguments, *size));
    let connects = AT_ONCE.into_iter().map(|at_once| connect(arguments, at_once));
    let all = floods
        .chain([round_trip(arguments)])
        .chain(quic_floods)
        .chain([quic_round_trip(arguments)])
        .chain(c_floods(arguments))
        .chain(python(arguments, pyzmq))
        .chain(node(arguments))
        .chain(connects)
        .chain([memory(arguments), many(arguments), greedy(arguments), stalled(arguments)])
        .chain(latencies(arguments));
    all.filter(|case| arguments.choose(case.work)).collect()
}

fn flood(arguments: &Arguments, size: usize) -> Case {
    let figure = Figure::Messages;
    Case {
        steady: Some(figure),
        // Copies bound long messages, not this project's work for each message: no goal yet.
        goal: (size <= 1 << 10).then_some(Goal { figure, bound: 0.5, of: Some(System::Raw) }),
        ..basic(arguments, Work::Flood, Amount { size, ..amount(arguments) })
    }
}

fn round_trip(arguments: &Arguments) -> Case {
    Case {
        beside: vec![System::P2pchan, System::RawTokio],
        one_core: true,
        steady: Some(Figure::Median),
        goal: Some(Goal { figure: Figure::Median, bound: 2.0, of: Some(System::Raw) }),
        ..basic(arguments, Work::RoundTrip, amount(arguments))
    }
}

fn quic_flood(arguments: &Arguments, size: usize) -> Case {
    let figure = Figure::Messages;
    let amount = Amount { size, ..amount(arguments) };
    let mut case = over_quic(basic(arguments, Work::QuicFlood, amount));
    let mut of = System::Quinn;
    // Programs send short messages one by one; the reference that does so too is what we must meet,
    // and the other, which gathers them before it calls its library, tells what that would save.
    if size < 1 << 10 {
        of = System::QuinnEach;
        case.beside.push(of);
    }
    Case { steady: Some(figure), goal: Some(Goal { figure, bound: 0.9, of: Some(of) }), ..case }
}

fn quic_round_trip(arguments: &Arguments) -> Case {
    Case {
        one_core: true,
        steady: Some(Figure::Median),
        goal: Some(Goal { figure: Figure::Median, bound: 1.11, of: Some(System::Quinn) }),
        ..over_quic(basic(arguments, Work::QuicRoundTrip, amount(arguments)))
    }
}

/// Each way to receive in C, beside a flood by the Rust interface.
fn c_floods(arguments: &Arguments) -> Vec<Case> {
    if arguments.c_library.is_none() {
        return Vec::new();
    }
    let figure = Figure::Messages;
    let size = arguments.size.map_or(SIZES[0], |size| size as usize);
    let case = |system| Case {
        reference: System::P2pchan,
        beside: vec![system],
        steady: Some(figure),
        goal: Some(Goal { figure, bound: 0.8, of: Some(System::P2pchan) }),
        ..basic(arguments, Work::CFlood, Amount { size, ..amount(arguments) })
    };
    [System::CBatch, System::CData, System::CDispatch].map(case).into()
}

/// What Python is used for, beside the Rust interface and what else there is in Python.
fn python(arguments: &Arguments, pyzmq: bool) -> Vec<Case> {
    if arguments.python.is_none() {
        return Vec::new();
    }
    let sizes = arguments.size.map_or(vec![64, 64 << 10, 1 << 20], |size| vec![size as usize]);
    let floods = sizes.into_iter().flat_map(|size| python_floods(arguments, size));
    let all = floods.chain(python_round_trips(arguments));
    all.map(|case| if pyzmq { case } else { without(case, System::Pyzmq) }).collect()
}

fn without(mut case: Case, missing: System) -> Case {
    case.beside.retain(|system| *system != missing);
    case.goal = case.goal.filter(|goal| goal.of != Some(missing));
    case
}

fn python_floods(arguments: &Arguments, size: usize) -> Vec<Case> {
    use System::{P2pchan, PythonAsync, PythonAwait, PythonBatch, PythonPlain, Pyzmq, Streams};
    let figure = Figure::Messages;
    let case = |beside: &[System], bound, of| Case {
        reference: P2pchan,
        beside: beside.to_vec(),
        steady: Some(figure),
        goal: Some(Goal { figure, bound, of }),
        ..basic(arguments, Work::PythonFlood, Amount { size, ..amount(arguments) })
    };
    if size >= 64 << 10 {
        return vec![case(&[PythonAsync, Streams, Pyzmq], 0.7, Some(P2pchan))];
    }
    vec![
        case(&[PythonAsync, Streams], 0.4e6, None),
        case(&[PythonPlain, PythonAwait, Pyzmq], 1.0, Some(Pyzmq)),
        case(&[PythonBatch], 2e6, None),
    ]
}

fn python_round_trips(arguments: &Arguments) -> [Case; 2] {
    use System::{P2pchan, PythonAsync, PythonPlain, Pyzmq, Sockets, Streams};
    let figure = Figure::Median;
    let case = |beside: &[System], bound, of| Case {
        beside: beside.to_vec(),
        one_core: true,
        steady: Some(figure),
        goal: Some(Goal { figure, bound, of: Some(of) }),
        ..basic(arguments, Work::PythonRoundTrip, amount(arguments))
    };
    [
        case(&[PythonAsync, Streams, P2pchan], 1.0, Streams),
        case(&[PythonPlain, Sockets, Pyzmq, P2pchan], 2.8, Sockets),
    ]
}

/// What Node is used for, beside the Rust interface and what else there is in Node.
fn node(arguments: &Arguments) -> Vec<Case> {
    if arguments.node.is_none() {
        return Vec::new();
    }
    let sizes = arguments.size.map_or_else(|| SIZES.to_vec(), |size| vec![size as usize]);
    let floods = sizes.into_iter().map(|size| node_flood(arguments, size));
    let round_trip = Case {
        beside: vec![System::Node, System::Net, System::Ws, System::SocketIo, System::P2pchan],
        one_core: true,
        steady: Some(Figure::Median),
        goal: Some(Goal { figure: Figure::Median, bound: 1.8, of: Some(System::Net) }),
        ..basic(arguments, Work::NodeRoundTrip, amount(arguments))
    };
    floods.chain([round_trip]).collect()
}

fn node_flood(arguments: &Arguments, size: usize) -> Case {
    let figure = Figure::Messages;
    let (bound, of) = match size {
        _ if size < 1 << 10 => (1e6, None),
        _ if size < 64 << 10 => (5.0, Some(System::Ws)),
        _ if size < 1 << 20 => (3.0, Some(System::SocketIo)),
        _ => (0.7, Some(System::P2pchan)),
    };
    Case {
        reference: System::P2pchan,
        beside: vec![System::Node, System::Ws, System::SocketIo],
        steady: Some(figure),
        goal: Some(Goal { figure, bound, of }),
        ..basic(arguments, Work::NodeFlood, Amount { size, ..amount(arguments) })
    }
}

/// The same with bare QUIC to judge the machine by.
pub(crate) fn over_quic(mut case: Case) -> Case {
    (case.reference, case.beside) = (System::Quinn, vec![System::P2pchanQuic]);
    case
}

fn connect(arguments: &Arguments, at_once: usize) -> Case {
    Case {
        beside: vec![System::P2pchan, System::Tls],
        steady: Some(Figure::Connections),
        ..basic(arguments, Work::Connect, Amount { at_once, ..amount(arguments) })
    }
}

/// Memory hardly changes from run to run, so no round has to be thrown away and few are needed.
fn memory(arguments: &Arguments) -> Case {
    let (rounds, idle) = if arguments.quick { (1, 128) } else { (3, 512) };
    Case {
        beside: vec![System::P2pchan, System::Tls],
        rounds,
        ..basic(arguments, Work::Memory, Amount { idle, ..amount(arguments) })
    }
}

/// What a remote costs that is one of many; beside it there is one.
fn many(arguments: &Arguments) -> Case {
    let (figure, at_once) = (Figure::Messages, if arguments.quick { 100 } else { 1000 });
    Case {
        steady: Some(figure),
        goal: Some(Goal { figure, bound: 0.7, of: Some(System::P2pchan) }),
        ..among_many(arguments, Work::Many, System::P2pchanMany, at_once)
    }
}

/// Beside it all are alike.
fn greedy(arguments: &Arguments) -> Case {
    Case {
        goal: Some(Goal { figure: Figure::MostShare, bound: 2.0, of: None }),
        ..among_many(arguments, Work::Greedy, System::P2pchanGreedy, 100)
    }
}

/// Beside it all read.
fn stalled(arguments: &Arguments) -> Case {
    let figure = Figure::Messages;
    Case {
        steady: Some(figure),
        goal: Some(Goal { figure, bound: 0.9, of: Some(System::P2pchan) }),
        ..among_many(arguments, Work::Stalled, System::P2pchanStalled, 10)
    }
}

fn among_many(arguments: &Arguments, work: Work, ours: System, at_once: usize) -> Case {
    Case {
        reference: System::P2pchan,
        beside: vec![ours],
        ..basic(arguments, work, Amount { size: 1 << 10, at_once, ..amount(arguments) })
    }
}

/// Beside it nothing else is sent. Long enough for two slow ones in a hundred to be more than two.
fn latencies(arguments: &Arguments) -> [Case; 2] {
    let basis = amount(arguments);
    [64 << 10, 1 << 20].map(|size| Case {
        reference: System::P2pchan,
        beside: vec![System::P2pchanBeside, System::P2pchanBehind],
        goal: Some(Goal { figure: Figure::NinetyNinth, bound: 10_000.0, of: None }),
        ..basic(
            arguments,
            Work::Latency,
            Amount { size, milliseconds: 4 * basis.milliseconds, ..basis },
        )
    })
}

/// A case with nothing beside p2pchan but raw TCP, and no goal.
pub(crate) fn basic(arguments: &Arguments, work: Work, amount: Amount) -> Case {
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 3 } else { 5 });
    Case {
        work,
        amount,
        rounds: rounds as usize,
        reference: System::Raw,
        beside: vec![System::P2pchan],
        one_core: false,
        steady: None,
        goal: None,
    }
}

/// What is not said otherwise.
pub(crate) fn amount(arguments: &Arguments) -> Amount {
    let milliseconds = arguments.milliseconds.unwrap_or(if arguments.quick { 300 } else { 400 });
    Amount { size: 64, milliseconds, at_once: 1, idle: 0 }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::spelt;

    fn titles(line: &str) -> Vec<String> {
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        chosen(&arguments, true).iter().map(Case::title).collect()
    }

    #[test]
    fn without_a_choice_everything_is_measured() {
        let rust = 2 * (SIZES.len() + 1) + AT_ONCE.len() + 6;
        assert_eq!(titles("bench").len(), rust);
        assert_eq!(titles("bench --c-library libp2pchan.so").len(), rust + 3);
        assert_eq!(titles("bench --python python3").len(), rust + 7);
        assert_eq!(titles("bench --node node_modules").len(), rust + 5);
    }

    #[test]
    fn without_pyzmq_python_is_measured_beside_the_rest() {
        let arguments = Arguments::try_parse_from(["bench", "--python", "python3"]).unwrap();
        let cases = chosen(&arguments, false);
        assert!(cases.iter().any(|case| case.ours() == System::PythonPlain));
        for case in cases {
            assert!(!case.beside.contains(&System::Pyzmq));
            assert!(case.goal.is_none_or(|goal| goal.of != Some(System::Pyzmq)));
        }
    }

    #[test]
    fn one_size_of_flood_can_be_chosen() {
        let expected = ["flood of 1 KiB one way, each end on its own core"];
        assert_eq!(titles("bench --only flood --face rust --size 1024"), expected);
    }

    #[test]
    fn a_flood_is_one_through_every_face_unless_one_is_named() {
        let everything = "--c-library l --python p --node n --size 64";
        let floods = titles(&format!("bench --only flood {everything}"));
        assert_eq!(floods.len(), 2 + 3 + 3 + 1);
        assert!(floods.iter().all(|title| title.starts_with("flood of 64 B one way")));
        let python = titles(&format!("bench --only flood --face python {everything}"));
        assert!(python.len() == 3 && python.iter().all(|title| title.contains("in Python")));
        assert_eq!(titles(&format!("bench --only python-flood {everything}")), python);
        assert_eq!(titles(&format!("bench --face quic {everything}")).len(), 2);
    }

    #[test]
    fn the_faces_are_those_of_the_works_that_were_chosen() {
        let faces = |line: &str| {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            arguments.chosen_faces().map(|faces| faces.iter().map(spelt).collect::<Vec<_>>())
        };
        assert_eq!(faces("bench").unwrap(), ["rust", "quic", "c", "python", "node"]);
        assert_eq!(faces("bench --only connections").unwrap(), ["rust"]);
        assert_eq!(faces("bench --only node-flood").unwrap(), ["node"]);
        assert_eq!(faces("bench --only round-trip --face quic").unwrap(), ["quic"]);
        let error = faces("bench --only memory --face python").unwrap_err().to_string();
        assert!(error.contains("no memory of python"), "{error}");
    }

    #[test]
    fn sizes_that_are_shorter_than_a_number_and_its_pattern_are_refused() {
        assert!(Arguments::try_parse_from(["bench", "--size", "63"]).is_err());
    }
}
