//! One dial of one address: TCP and QUIC race, and the first to finish TLS wins.
//!
//! TCP moves bulk data faster where it connects; QUIC gets through where it does not. So TCP starts at
//! once, together with a [probe](crate::datagram::probe), and QUIC a little later:
//!
//! | QUIC starts | address given by hand | address found by discovery |
//! |---|---|---|
//! | at once | it is a `quic://` address, or TCP has failed | |
//! | after 100 ms | always | |
//! | when the probe was answered, if TCP has failed | yes | yes |
//! | 25 ms after the answer, if TCP has not connected by then | yes | yes |
//! | 1 s after both, if TCP has connected but not finished TLS | yes | yes |
//!
//! Anybody may announce anybody's address, so towards one that was only found, QUIC waits for an
//! answer: an address that a stranger named costs six probes of 64 bytes and one TCP connection, and
//! never a QUIC handshake of 1,200-byte packets. Probes go out after 0, 0.3, 1, 3, 8 and 15 s, until
//! one is answered or QUIC starts; two that find each other meanwhile open their NATs for each other.
//!
//! Who answers neither is given up sooner when TCP has failed: 1.5 s after that if the address was found,
//! and 5 s if it was given by hand.
//!
//! A race ends with [`Output::Won`] or [`Output::Lost`]; nothing follows it. It is lost when all that
//! is allowed has failed, and at the end of [`Config::patience`].
//!
//! # Order of calls
//! After [`Race::new`] and each `handle_*`, drain [`Race::poll_output`], then ask
//! [`Race::poll_timeout`] and call [`Race::handle_timeout`] at that time.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use crate::{
    address::{TransportKind, Transports},
    time::Time,
};

/// When probes are sent, from the start of the race, in milliseconds.
const PROBES: [u64; 6] = [0, 300, 1000, 3000, 8000, 15_000];
/// How long after the last probe its answer may come: longer than a packet takes.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// What TCP has ahead of QUIC if the address was given by hand.
const HEAD_START: Duration = Duration::from_millis(100);
/// How much later than the answer to a probe TCP may connect; both take one round trip.
const GRACE: Duration = Duration::from_millis(25);
/// How long TLS over TCP may take before QUIC tries too: something that takes all TCP connections
/// and says nothing may stand in between.
const STALLED: Duration = Duration::from_secs(1);
/// How long an answer to probes is still waited for when TCP has failed: most such addresses are those of
/// programs that have gone, and somebody else waits to be dialled. Three probes have gone out by then.
const AFTER_TCP: Duration = Duration::from_millis(1500);
/// The same for QUIC itself, towards an address given by hand.
const QUIC_AFTER_TCP: Duration = Duration::from_secs(5);
/// Bytes of a reason that are kept: it may quote what a stranger sent.
const MAX_REASON: usize = 128;
const SILENCE: &str = "no answer to probes";

/// What takes part in a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// TLS over TCP.
    Tcp,
    /// QUIC, and the probes before it.
    Quic,
}

impl Strategy {
    const fn other(self) -> Self {
        match self {
            Self::Tcp => Self::Quic,
            Self::Quic => Self::Tcp,
        }
    }
}

impl Strategy {
    /// Its name: `tcp` or `quic`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a race depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The transports that the address is for.
    pub address: TransportKind,
    /// The transports by which this node dials (`transports`).
    pub allowed: Transports,
    /// Whether the program or the settings named the address, not somebody's announcement.
    pub by_hand: bool,
    /// How long it may take until one of the two is secured.
    pub patience: Duration,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect by TCP, then TLS.
    StartTcp,
    /// Send a probe, with a nonce of its own.
    SendProbe,
    /// Begin a QUIC handshake.
    StartQuic,
    /// Give this one up.
    Cancel(Strategy),
    /// This one has won. The race is over.
    Won(Strategy),
    /// There is no connection. The race is over.
    Lost {
        /// How each of the two failed, for people: `tcp: connection refused; quic: no answer to
        /// probes`.
        reason: String,
    },
}

/// How one strategy went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub strategy: Strategy,
    /// When it began: TCP with its first packet, QUIC with its own or with the first probe.
    pub began: Time,
    /// When it ended, if it has.
    pub ended: Option<Time>,
    /// How, for people.
    pub verdict: String,
}

/// One dial. See the [module's page](self).
#[derive(Debug)]
pub struct Race {
    config: Config,
    began: Time,
    /// The latest time heard of.
    now: Time,
    tcp: Leg,
    quic: Leg,
    tcp_connected: Option<Time>,
    /// When QUIC itself started, which may be later than its first probe.
    quic_started: Option<Time>,
    /// When a probe was answered, and from where the other side saw it come.
    answered: Option<(Time, SocketAddr)>,
    /// How many of [`PROBES`] are sent or were missed.
    probes: usize,
    over: bool,
    /// At most one for each probe, and one of each other kind.
    outputs: VecDeque<Output>,
}

#[derive(Debug, Default)]
struct Leg {
    allowed: bool,
    /// Whether its connection was begun; a probe is none.
    started: bool,
    began: Option<Time>,
    ended: Option<(Time, String)>,
}

impl Leg {
    const fn is_running(&self) -> bool {
        self.started && self.ended.is_none()
    }

    /// Whether nothing can come of it any more.
    const fn is_over(&self) -> bool {
        !self.allowed || self.ended.is_some()
    }

    fn start(&mut self, now: Time) {
        self.started = true;
        self.began.get_or_insert(now);
    }

    fn end(&mut self, now: Time, verdict: String) {
        self.began.get_or_insert(now);
        self.ended.get_or_insert((now, verdict));
    }
}

impl Race {
    /// Starts a race.
    pub fn new(config: Config, now: Time) -> Self {
        let Transports { tcp, quic } = config.address.transports().and(config.allowed);
        let leg = |allowed| Leg { allowed, ..Leg::default() };
        let mut race = Self {
            config,
            began: now,
            now,
            tcp: leg(tcp),
            quic: leg(quic),
            tcp_connected: None,
            quic_started: None,
            answered: None,
            probes: 0,
            over: false,
            outputs: VecDeque::new(),
        };
        if tcp {
            race.start(Strategy::Tcp);
        }
        race.proceed();
        race
    }

    /// The TCP connection stands; TLS begins on it.
    pub fn handle_tcp_connected(&mut self, now: Time) {
        self.advance(now);
        if self.tcp.is_running() {
            self.tcp_connected.get_or_insert(self.now);
        }
        self.proceed();
    }

    /// A strategy has failed; `reason` says how, in at most 128 bytes. One that is not running is
    /// ignored, here and below.
    pub fn handle_failed(&mut self, strategy: Strategy, reason: impl Into<String>, now: Time) {
        self.advance(now);
        if self.leg(strategy).is_running() {
            self.end(strategy, reason.into());
        }
        self.proceed();
    }

    /// A strategy has finished TLS: it wins.
    pub fn handle_secured(&mut self, strategy: Strategy, now: Time) {
        self.advance(now);
        if self.over || !self.leg(strategy).is_running() {
            return;
        }
        self.end(strategy, "won".into());
        let loser = strategy.other();
        if !self.leg(loser).is_over() {
            self.stop(loser, format!("cancelled: {strategy} was first"));
        }
        self.over = true;
        self.outputs.push_back(Output::Won(strategy));
    }

    /// An answer to a probe was [verified](crate::datagram::probe::verify_answer). `observed` is where
    /// the other side saw the probe come from.
    pub fn handle_probe_answered(&mut self, observed: SocketAddr, now: Time) {
        self.advance(now);
        self.answered.get_or_insert((self.now, observed));
        self.proceed();
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        self.proceed();
    }

    /// What to do next, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); nothing once the race is over.
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.over {
            return None;
        }
        let due = [Some(self.until()), self.probe_due(), self.quic_due(), self.silence_due()];
        due.into_iter().flatten().min()
    }

    /// Where the other side sees this node's UDP socket, if a probe was answered.
    pub fn observed(&self) -> Option<SocketAddr> {
        self.answered.map(|(_, observed)| observed)
    }

    /// How each strategy that began has gone so far.
    pub fn log(&self) -> Vec<Tried> {
        [(Strategy::Tcp, &self.tcp), (Strategy::Quic, &self.quic)]
            .into_iter()
            .filter_map(|(strategy, leg)| {
                let (ended, verdict) = leg.ended.clone().unzip();
                let verdict = verdict.unwrap_or_else(|| "under way".into());
                Some(Tried { strategy, began: leg.began?, ended, verdict })
            })
            .collect()
    }

    /// Does what is due.
    fn proceed(&mut self) {
        if self.over {
            return;
        }
        let now = self.now;
        let is_due = |due: Option<Time>| due.is_some_and(|due| due <= now);
        if is_due(Some(self.until())) {
            return self.run_out();
        }
        if is_due(self.quic_due()) {
            self.start(Strategy::Quic);
        }
        if is_due(self.probe_due()) {
            self.send_probe();
        }
        if is_due(self.silence_due()) {
            self.give_up_quic();
        }
        if self.tcp.is_over() && self.quic.is_over() {
            self.lose();
        }
    }

    /// When QUIC starts, as far as is known by now.
    fn quic_due(&self) -> Option<Time> {
        if self.quic.is_over() || self.quic.started {
            return None;
        }
        let answered = self.answered.map(|(at, _)| at);
        if self.tcp.is_over() {
            return if self.config.by_hand { Some(self.began) } else { answered };
        }
        let by_hand = self.config.by_hand.then(|| self.began + HEAD_START);
        let by_answer = answered.map(|answered| match self.tcp_connected {
            None => answered + GRACE,
            Some(connected) => answered.max(connected) + STALLED,
        });
        by_hand.into_iter().chain(by_answer).min()
    }

    /// When the next probe goes out, while QUIC could start because of its answer.
    fn probe_due(&self) -> Option<Time> {
        let is_wanted = !self.quic.is_over() && !self.quic.started && self.answered.is_none();
        let after = PROBES.get(self.probes).filter(|_| is_wanted)?;
        Some(self.began + Duration::from_millis(*after))
    }

    /// When no answer, to probes or to QUIC, is expected any more.
    fn silence_due(&self) -> Option<Time> {
        if self.quic.is_over() || self.answered.is_some() {
            return None;
        }
        let tcp_failed = self.tcp.ended.as_ref().map(|(at, _)| *at);
        if self.quic.started {
            let started = self.quic_started.max(tcp_failed);
            return tcp_failed.and(started).map(|since| since + QUIC_AFTER_TCP);
        }
        let last = self.began + Duration::from_millis(PROBES[PROBES.len() - 1]) + LAST_ANSWER;
        Some(tcp_failed.map_or(last, |failed| last.min(failed + AFTER_TCP)))
    }

    /// Nobody has answered in time.
    fn give_up_quic(&mut self) {
        if self.quic.started {
            self.stop(Strategy::Quic, format!("no connection within {QUIC_AFTER_TCP:?}"));
        } else {
            self.end(Strategy::Quic, SILENCE.into());
        }
    }

    fn until(&self) -> Time {
        self.began + self.config.patience
    }

    fn start(&mut self, strategy: Strategy) {
        let now = self.now;
        self.leg_mut(strategy).start(now);
        if strategy == Strategy::Quic {
            self.quic_started = Some(now);
        }
        self.outputs.push_back(match strategy {
            Strategy::Tcp => Output::StartTcp,
            Strategy::Quic => Output::StartQuic,
        });
    }

    /// Sends one probe, also if several are due because this machine has slept.
    fn send_probe(&mut self) {
        let elapsed = (self.now - self.began).as_millis();
        self.probes = PROBES.iter().filter(|after| u128::from(**after) <= elapsed).count();
        self.quic.began.get_or_insert(self.now);
        self.outputs.push_back(Output::SendProbe);
    }

    fn end(&mut self, strategy: Strategy, mut verdict: String) {
        verdict.truncate(verdict.floor_char_boundary(MAX_REASON));
        let now = self.now;
        self.leg_mut(strategy).end(now, verdict);
    }

    /// Ends a strategy that has not ended by itself.
    fn stop(&mut self, strategy: Strategy, verdict: String) {
        if self.leg(strategy).is_running() {
            self.outputs.push_back(Output::Cancel(strategy));
        }
        self.end(strategy, verdict);
    }

    /// The patience has come to its end.
    fn run_out(&mut self) {
        let patience = self.config.patience;
        if !self.tcp.is_over() {
            let what = if self.tcp_connected.is_some() { "no TLS" } else { "no connection" };
            self.stop(Strategy::Tcp, format!("{what} within {patience:?}"));
        }
        if !self.quic.is_over() {
            let verdict = match (self.quic.started, self.answered) {
                (true, _) => format!("no connection within {patience:?}"),
                (false, None) => SILENCE.into(),
                (false, Some(_)) => format!("not begun within {patience:?}"),
            };
            self.stop(Strategy::Quic, verdict);
        }
        self.lose();
    }

    fn lose(&mut self) {
        self.over = true;
        let reasons: Vec<_> =
            self.log().iter().map(|it| format!("{}: {}", it.strategy, it.verdict)).collect();
        let reason = if reasons.is_empty() {
            format!("the setting transports does not allow {}", self.config.address)
        } else {
            reasons.join("; ")
        };
        self.outputs.push_back(Output::Lost { reason });
    }

    const fn leg(&self, strategy: Strategy) -> &Leg {
        match strategy {
            Strategy::Tcp => &self.tcp,
            Strategy::Quic => &self.quic,
        }
    }

    const fn leg_mut(&mut self, strategy: Strategy) -> &mut Leg {
        match strategy {
            Strategy::Tcp => &mut self.tcp,
            Strategy::Quic => &mut self.quic,
        }
    }

    /// Time never goes back here, whatever the caller says.
    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }
}
