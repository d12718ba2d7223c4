//! Every rule of the race, with a clock that the tests turn.

use proptest::{
    collection::vec,
    prelude::{Just, prop},
    prop_assert, prop_assert_eq, prop_oneof, proptest,
    strategy::Strategy as _,
};

use super::{
    Strategy::{Quic, Tcp},
    *,
};

/// What happens to a race from outside.
#[derive(Clone, Copy, Debug)]
enum Input {
    Connected,
    Answered,
    Failed(Strategy, &'static str),
    Secured(Strategy),
    /// Nothing: the time passes.
    Pass,
}
use Input::{Answered, Connected, Failed, Pass, Secured};

const ANY: TransportKind = TransportKind::Any;
const HAND: bool = true;
const FOUND: bool = false;

fn config(address: TransportKind, by_hand: bool) -> Config {
    Config { address, allowed: Transports::ALL, by_hand, patience: Duration::from_secs(20) }
}

fn at(millis: u64) -> Time {
    // Not zero, so that a time from the beginning of the node would be noticed.
    Time::from_micros(7_000_000 + millis * 1000)
}

fn observed() -> SocketAddr {
    "192.0.2.9:5000".parse().unwrap()
}

fn name(output: &Output) -> String {
    match output {
        Output::StartTcp => "tcp".into(),
        Output::StartQuic => "quic".into(),
        Output::SendProbe => "probe".into(),
        Output::Cancel(strategy) => format!("cancel {strategy}"),
        Output::Won(strategy) => format!("won by {strategy}"),
        Output::Lost { reason } => format!("lost: {reason}"),
    }
}

/// A race that notes at which millisecond it does what.
struct Track {
    race: Race,
    done: Vec<String>,
}

impl Track {
    fn new(config: Config) -> Self {
        let mut track = Self { race: Race::new(config, at(0)), done: vec![] };
        track.drain(0);
        track
    }

    fn drain(&mut self, millis: u64) {
        while let Some(output) = self.race.poll_output() {
            self.done.push(format!("{millis} {}", name(&output)));
        }
    }

    /// Lets the timers before this moment run out, one after the other.
    fn pass(&mut self, millis: u64) {
        while let Some(due) = self.race.poll_timeout().filter(|due| *due < at(millis)) {
            self.race.handle_timeout(due);
            self.drain(u64::try_from((due - at(0)).as_millis()).unwrap());
            assert_ne!(self.race.poll_timeout(), Some(due), "a timer that does nothing");
        }
    }

    fn input(&mut self, millis: u64, input: Input) {
        let now = at(millis);
        match input {
            Connected => self.race.handle_tcp_connected(now),
            Answered => self.race.handle_probe_answered(observed(), now),
            Failed(strategy, reason) => self.race.handle_failed(strategy, reason, now),
            Secured(strategy) => self.race.handle_secured(strategy, now),
            Pass => self.race.handle_timeout(now),
        }
        self.drain(millis);
    }
}

/// Runs a race and returns what it did, such as `100 quic`.
fn run(config: Config, inputs: &[(u64, Input)]) -> Vec<String> {
    let mut track = Track::new(config);
    for (millis, input) in inputs {
        track.pass(*millis);
        track.input(*millis, *input);
    }
    track.done
}

/// Each row: the address, whether it was given by hand, what happens, and what the race does.
#[test]
fn every_rule_of_the_race_holds() {
    const TCP: TransportKind = TransportKind::Tcp;
    const QUIC: TransportKind = TransportKind::Quic;
    let refused = Failed(Tcp, "connection refused");
    let reset = Failed(Quic, "reset");
    type Row<'a> = (TransportKind, bool, &'a [(u64, Input)], &'a [&'a str]);
    let rows: &[Row<'_>] = &[
        // By hand: QUIC after 100 ms, and the first to be secured wins.
        (ANY, HAND, &[(200, Pass)], &["0 tcp", "0 probe", "100 quic"]),
        (ANY, HAND, &[(30, Connected), (60, Secured(Tcp))], &["0 tcp", "0 probe", "60 won by tcp"]),
        (
            ANY,
            HAND,
            &[(150, Connected), (250, Secured(Tcp))],
            &["0 tcp", "0 probe", "100 quic", "250 cancel quic", "250 won by tcp"],
        ),
        (
            ANY,
            HAND,
            &[(190, Secured(Quic))],
            &["0 tcp", "0 probe", "100 quic", "190 cancel tcp", "190 won by quic"],
        ),
        // By hand: TCP fails early, and QUIC does not wait.
        (ANY, HAND, &[(5, refused)], &["0 tcp", "0 probe", "5 quic"]),
        // The answer of the probe brings QUIC forward, unless TCP connects in time.
        (ANY, HAND, &[(10, Answered), (90, Pass)], &["0 tcp", "0 probe", "35 quic"]),
        (ANY, HAND, &[(10, Answered), (34, Connected), (90, Pass)], &["0 tcp", "0 probe"]),
        // Found: QUIC waits for the answer, and then 25 ms for TCP.
        (ANY, FOUND, &[(999, Pass)], &["0 tcp", "0 probe", "300 probe"]),
        (ANY, FOUND, &[(200, Answered), (299, Pass)], &["0 tcp", "0 probe", "225 quic"]),
        (
            ANY,
            FOUND,
            &[(200, Answered), (224, Connected), (300, Secured(Tcp))],
            &["0 tcp", "0 probe", "300 won by tcp"],
        ),
        (
            ANY,
            FOUND,
            &[(20, Connected), (30, Answered), (70, Secured(Tcp))],
            &["0 tcp", "0 probe", "70 won by tcp"],
        ),
        // TCP failed: the answer starts QUIC at once, whichever comes first.
        (
            ANY,
            FOUND,
            &[(5, refused), (700, Answered)],
            &["0 tcp", "0 probe", "300 probe", "700 quic"],
        ),
        (ANY, FOUND, &[(5, Answered), (12, refused)], &["0 tcp", "0 probe", "12 quic"]),
        (
            ANY,
            FOUND,
            &[(5, Answered), (6, Connected), (12, Failed(Tcp, "no TLS"))],
            &["0 tcp", "0 probe", "12 quic"],
        ),
        // Something takes the TCP connection and says nothing.
        (
            ANY,
            FOUND,
            &[(20, Connected), (30, Answered), (2000, Pass)],
            &["0 tcp", "0 probe", "1030 quic"],
        ),
        (
            ANY,
            FOUND,
            &[(20, Answered), (30, Connected), (2000, Pass)],
            &["0 tcp", "0 probe", "1030 quic"],
        ),
        // Nobody answers: six probes, one TCP connection, and no QUIC.
        (
            ANY,
            FOUND,
            &[(20_000, Pass)],
            &[
                "0 tcp",
                "0 probe",
                "300 probe",
                "1000 probe",
                "3000 probe",
                "8000 probe",
                "15000 probe",
                "20000 cancel tcp",
                "20000 lost: tcp: no connection within 20s; quic: no answer to probes",
            ],
        ),
        (
            ANY,
            FOUND,
            &[(40, refused), (20_000, Pass)],
            &[
                "0 tcp",
                "0 probe",
                "300 probe",
                "1000 probe",
                "1540 lost: tcp: connection refused; quic: no answer to probes",
            ],
        ),
        // The same by hand: QUIC has a little longer.
        (
            ANY,
            HAND,
            &[(40, refused), (20_000, Pass)],
            &[
                "0 tcp",
                "0 probe",
                "40 quic",
                "5040 cancel quic",
                "5040 lost: tcp: connection refused; quic: no connection within 5s",
            ],
        ),
        // Who has answered a probe is there: QUIC has all the time.
        (
            ANY,
            FOUND,
            &[(40, refused), (50, Answered), (20_000, Pass)],
            &[
                "0 tcp",
                "0 probe",
                "50 quic",
                "20000 cancel quic",
                "20000 lost: tcp: connection refused; quic: no connection within 20s",
            ],
        ),
        // Both fail.
        (
            ANY,
            HAND,
            &[(40, refused), (90, reset)],
            &["0 tcp", "0 probe", "40 quic", "90 lost: tcp: connection refused; quic: reset"],
        ),
        (
            ANY,
            HAND,
            &[(120, reset), (150, refused)],
            &["0 tcp", "0 probe", "100 quic", "150 lost: tcp: connection refused; quic: reset"],
        ),
        (
            ANY,
            HAND,
            &[(10, Connected), (20_000, Pass)],
            &[
                "0 tcp",
                "0 probe",
                "100 quic",
                "20000 cancel tcp",
                "20000 cancel quic",
                "20000 lost: tcp: no TLS within 20s; quic: no connection within 20s",
            ],
        ),
        // QUIC has failed: TCP goes on alone, and nothing is started twice.
        (
            ANY,
            HAND,
            &[(120, reset), (130, Answered), (180, Connected), (250, Secured(Tcp))],
            &["0 tcp", "0 probe", "100 quic", "250 won by tcp"],
        ),
        // Addresses of one transport.
        (TCP, FOUND, &[(10, Connected), (30, Secured(Tcp))], &["0 tcp", "30 won by tcp"]),
        (TCP, HAND, &[(10, refused)], &["0 tcp", "10 lost: tcp: connection refused"]),
        (TCP, HAND, &[(10, Answered), (500, Pass)], &["0 tcp"]),
        (QUIC, HAND, &[(50, Secured(Quic))], &["0 quic", "50 won by quic"]),
        (QUIC, HAND, &[(50, reset)], &["0 quic", "50 lost: quic: reset"]),
        (
            QUIC,
            FOUND,
            &[(310, Answered), (360, Secured(Quic))],
            &["0 probe", "300 probe", "310 quic", "360 won by quic"],
        ),
        // What is over stays over, and what was not started cannot end.
        (
            TCP,
            HAND,
            &[(10, Secured(Tcp)), (20, refused), (30, Secured(Tcp)), (99_999, Pass)],
            &["0 tcp", "10 won by tcp"],
        ),
        (ANY, FOUND, &[(10, Secured(Quic)), (20, reset)], &["0 tcp", "0 probe"]),
    ];
    for (address, by_hand, inputs, expected) in rows {
        let done = run(config(*address, *by_hand), inputs);
        assert_eq!(done, *expected, "{address} by hand: {by_hand}, {inputs:?}");
    }
}

#[test]
fn only_what_the_setting_allows_takes_part() {
    let only = |tcp, quic, address| {
        let config = Config { allowed: Transports { tcp, quic }, ..config(address, HAND) };
        run(config, &[(200, Pass)])
    };
    assert_eq!(only(true, false, ANY), ["0 tcp"]);
    assert_eq!(only(false, true, ANY), ["0 quic"]);
    assert_eq!(
        only(true, false, TransportKind::Quic),
        ["0 lost: the setting transports does not allow quic"]
    );
}

#[test]
fn a_short_patience_ends_the_race_and_a_long_one_ends_with_the_last_answer_that_could_come() {
    let with = |secs| Config { patience: Duration::from_secs(secs), ..config(ANY, FOUND) };
    let done = run(with(3), &[(9000, Pass)]);
    assert!(
        done.last().unwrap().starts_with("3000 lost: tcp: no connection within 3s"),
        "{done:?}"
    );
    let done = run(with(300), &[(19_000, Failed(Tcp, "refused")), (99_000, Pass)]);
    assert_eq!(done.last().unwrap(), "20000 lost: tcp: refused; quic: no answer to probes");
    // While TCP is under way, the silence of the probes is no reason to give up.
    let done = run(with(300), &[(99_000, Pass), (99_001, Secured(Tcp))]);
    assert_eq!(done.last().unwrap(), "99001 won by tcp");
}

#[test]
fn a_machine_that_has_slept_sends_one_probe_and_not_all_that_it_missed() {
    let mut track = Track::new(config(ANY, FOUND));
    track.input(9000, Pass);
    assert_eq!(track.done, ["0 tcp", "0 probe", "9000 probe"]);
    assert_eq!(track.race.poll_timeout(), Some(at(15_000)));
}

#[test]
fn the_log_says_when_each_began_and_ended_and_how() {
    let mut track = Track::new(config(ANY, FOUND));
    track.input(40, Failed(Tcp, "connection refused"));
    let tried = |strategy, began, ended: Option<u64>, verdict: &str| Tried {
        strategy,
        began: at(began),
        ended: ended.map(at),
        verdict: verdict.into(),
    };
    let refused = tried(Tcp, 0, Some(40), "connection refused");
    assert_eq!(track.race.log(), [refused.clone(), tried(Quic, 0, None, "under way")]);
    assert_eq!(track.race.observed(), None);
    track.input(50, Answered);
    track.input(90, Secured(Quic));
    assert_eq!(track.race.log(), [refused, tried(Quic, 0, Some(90), "won")]);
    assert_eq!(track.race.observed(), Some(observed()));

    let mut track = Track::new(config(ANY, HAND));
    track.pass(150);
    track.input(150, Secured(Quic));
    let lost = tried(Tcp, 0, Some(150), "cancelled: quic was first");
    assert_eq!(track.race.log(), [lost, tried(Quic, 0, Some(150), "won")]);
}

#[test]
fn a_reason_is_kept_to_a_bounded_length() {
    let mut track = Track::new(config(TransportKind::Tcp, HAND));
    track.race.handle_failed(Tcp, "ö".repeat(1000), at(1));
    assert_eq!(track.race.log()[0].verdict.len(), 128);
}

fn any_input() -> impl proptest::strategy::Strategy<Value = Input> {
    prop_oneof![
        Just(Pass),
        Just(Connected),
        Just(Answered),
        prop::sample::select(vec![Tcp, Quic]).prop_map(|it| Failed(it, "x")),
        prop::sample::select(vec![Tcp, Quic]).prop_map(Secured),
    ]
}
proptest! {
    /// Whatever happens in whatever order, a race ends once, says so last, starts each strategy at
    /// most once, cancels only what runs, and towards a found address sends six probes at most.
    #[test]
    fn every_race_ends_exactly_once(
        address in prop::sample::select(vec![ANY, TransportKind::Tcp, TransportKind::Quic]),
        by_hand: bool,
        patience in 1_u64..30,
        inputs in vec((0_u64..3000, any_input()), 0..12),
    ) {
        let config = Config { patience: Duration::from_secs(patience), ..config(address, by_hand) };
        let mut track = Track::new(config);
        let mut millis = 0;
        let mut answered = false;
        for (wait, input) in inputs {
            millis += wait;
            track.pass(millis);
            answered |= matches!(input, Answered);
            track.input(millis, input);
        }
        track.pass(100_000);
        prop_assert_eq!(track.race.poll_timeout(), None);
        let done: Vec<_> = track.done.iter().map(|it| it.split_once(' ').unwrap().1).collect();
        let count = |what: &str| done.iter().filter(|it| it.starts_with(what)).count();
        prop_assert_eq!(count("won") + count("lost"), 1, "{:?}", track.done);
        prop_assert!(done.last().unwrap().starts_with(['w', 'l']), "{:?}", track.done);
        prop_assert!(count("tcp") <= 1 && count("quic") <= 1 && count("probe") <= 6);
        prop_assert!(count("cancel tcp") <= count("tcp") && count("cancel quic") <= count("quic"));
        prop_assert!(by_hand || answered || count("quic") == 0, "{:?}", track.done);
        for tried in track.race.log() {
            prop_assert!(tried.ended.is_some_and(|ended| ended >= tried.began));
        }
    }
}
