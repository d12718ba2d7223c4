//! One dial: TCP and QUIC towards the same address, and whichever is encrypted first.
//!
//! [`Race`] (of `p2pchan-proto`) decides what starts when; here it is done, all in the task of the
//! dial, so that whatever is dropped leaves nothing behind: the loser is closed before HELLO, and
//! neither side counts it as a connection.

use std::{
    future::{Future, pending},
    io,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use p2pchan_proto::{
    address::Address,
    book::{self, DialId, Failure},
    error::ErrorKind,
    race::{self, Config, Output, Race, Strategy},
    subject::SubjectKey,
    time::Time,
};
use tokio::net::TcpStream;

use super::{dial::Failed, inner::Inner, ports::OpenPort, probes::Probing};
use crate::clock::sleep_until;
use crate::transport::{Pipe, Secured, TlsConfigs, tcp, tls::TlsPipe};

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Encrypted = io::Result<(Box<dyn Pipe>, Secured)>;

/// What came of a race.
pub(super) struct Won {
    /// What was reached, with the transport that won.
    pub(super) address: Address,
    pub(super) pipe: Box<dyn Pipe>,
    pub(super) secured: Secured,
}

/// What is to be dialled, and for what.
pub(super) struct Wanted<'a> {
    pub(super) dial: DialId,
    pub(super) address: Address,
    pub(super) subjects: &'a [SubjectKey],
    pub(super) by_hand: bool,
    pub(super) patience: Duration,
}

/// The runners.
struct Track {
    inner: Arc<Inner>,
    address: Address,
    race: Race,
    began: Time,
    until: Time,
    connecting: Option<Pending<io::Result<TcpStream>>>,
    tls: Option<Pending<Encrypted>>,
    quic: Option<Pending<Encrypted>>,
    /// Where QUIC leaves from, and its probes.
    port: Option<OpenPort>,
    probing: Option<Probing>,
    /// What is shown once the race is over.
    finished: Option<(Box<dyn Pipe>, Secured)>,
    /// What the first packet and its answer took, as far as it was measured.
    round_trip: Option<Duration>,
    /// Something answered that is not p2pchan.
    stranger: bool,
}

/// What a race waits for.
enum Input {
    Connected(io::Result<TcpStream>),
    Encrypted(Strategy, Encrypted),
    Answered(std::net::SocketAddr),
    Time,
}

impl Inner {
    /// Dials one address by all transports that it and the settings allow.
    pub(super) async fn race(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Won, Failed> {
        let Wanted { dial, address, subjects, by_hand, patience } = wanted;
        let config = Config {
            address: address.transport,
            allowed: self.settings().transports,
            by_hand,
            patience,
        };
        let now = self.clock.now();
        let mut track = Track {
            inner: self.clone(),
            address,
            race: Race::new(config, now),
            began: now,
            until: now + patience,
            connecting: None,
            tls: None,
            quic: None,
            port: None,
            probing: None,
            finished: None,
            round_trip: None,
            stranger: false,
        };
        loop {
            if let Some(ended) = track.act(subjects) {
                self.note_race(dial, &track, &ended);
                return ended;
            }
            let input = track.next_input().await;
            track.handle(input);
        }
    }
}

impl Inner {
    /// Puts into the log of the address how each strategy went.
    fn note_race(&self, dial: DialId, track: &Track, ended: &Result<Won, Failed>) {
        let book = &mut self.core().book;
        for race::Tried { strategy, began, ended, verdict } in track.race.log() {
            let strategy = strategy.name();
            book.handle_tried(dial, book::Tried { strategy, began, ended, verdict });
        }
        if let Ok(won) = ended {
            book.handle_answered(dial, won.secured.peer, track.round_trip);
        }
    }
}

impl Track {
    /// Does what the race says. How it ended, if it has.
    fn act(&mut self, subjects: &[SubjectKey]) -> Option<Result<Won, Failed>> {
        while let Some(output) = self.race.poll_output() {
            match output {
                Output::StartTcp => {
                    self.connecting = Some(Box::pin(tcp::dial(self.address.socket)));
                }
                Output::SendProbe => self.probe(subjects),
                Output::StartQuic => self.start_quic(),
                Output::Cancel(strategy) => self.cancel(strategy),
                Output::Won(strategy) => return self.won(strategy).map(Ok),
                Output::Lost { reason } => return Some(Err(self.lost(&reason))),
            }
        }
        None
    }

    fn probe(&mut self, subjects: &[SubjectKey]) {
        if self.probing.is_none() {
            let Some(port) = self.port() else { return };
            let port = port.engine.port().clone();
            self.probing = self.inner.probing(subjects, port, self.address.socket).ok();
        }
        if let Some(probing) = &self.probing {
            probing.send();
        }
    }

    fn start_quic(&mut self) {
        let Some(port) = self.port() else { return };
        let address = self.address.socket;
        self.quic = Some(Box::pin(async move { port.engine.dial(address).await }));
    }

    /// The port that leads to the address; without one QUIC has failed.
    fn port(&mut self) -> Option<OpenPort> {
        if self.port.is_none() {
            match self.inner.port_towards(self.address.socket) {
                Ok(port) => self.port = Some(port),
                Err(error) => {
                    let now = self.inner.clock.now();
                    self.race.handle_failed(Strategy::Quic, in_words(&error), now);
                }
            }
        }
        self.port.clone()
    }

    fn cancel(&mut self, strategy: Strategy) {
        match strategy {
            Strategy::Tcp => (self.connecting, self.tls) = (None, None),
            Strategy::Quic => self.quic = None,
        }
    }

    async fn next_input(&mut self) -> Input {
        let due = self.race.poll_timeout().map(|due| self.inner.clock.instant(due));
        tokio::select! {
            connected = run(&mut self.connecting) => Input::Connected(connected),
            encrypted = run(&mut self.tls) => Input::Encrypted(Strategy::Tcp, encrypted),
            encrypted = run(&mut self.quic) => Input::Encrypted(Strategy::Quic, encrypted),
            observed = answered(&mut self.probing) => Input::Answered(observed),
            () = sleep_until(due) => Input::Time,
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.inner.clock.now();
        match input {
            Input::Connected(Ok(stream)) => {
                self.tls = Some(Box::pin(encrypt(stream, self.inner.tls.clone())));
                self.round_trip = Some(now - self.began);
                self.race.handle_tcp_connected(now);
            }
            Input::Connected(Err(error)) => {
                self.race.handle_failed(Strategy::Tcp, in_words(&error), now);
            }
            Input::Encrypted(strategy, Ok(finished)) => {
                self.finished = Some(finished);
                self.race.handle_secured(strategy, now);
            }
            Input::Encrypted(strategy, Err(error)) => {
                // A connection that breaks off says nothing of who is there.
                self.stranger |= !matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionReset
                        | io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::ConnectionRefused
                );
                self.race.handle_failed(strategy, in_words(&error), now);
            }
            Input::Answered(observed) => {
                self.probing = None;
                self.race.handle_probe_answered(observed, now);
            }
            Input::Time => self.race.handle_timeout(now),
        }
    }

    fn won(&mut self, strategy: Strategy) -> Option<Won> {
        let (pipe, secured) = self.finished.take()?;
        let address = match strategy {
            Strategy::Tcp => Address::tcp(self.address.socket),
            Strategy::Quic => Address::quic(self.address.socket),
        };
        Some(Won { address, pipe, secured })
    }

    fn lost(&self, reason: &str) -> Failed {
        if self.stranger {
            let reason = format!("it does not speak p2pchan: {reason}");
            return Failed::new(Failure::NotOurs, ErrorKind::Protocol, reason);
        }
        let late = self.until <= self.inner.clock.now();
        let kind = if late { ErrorKind::Timeout } else { ErrorKind::Io };
        Failed::new(Failure::Unreachable, kind, reason)
    }
}

async fn encrypt(stream: TcpStream, tls: TlsConfigs) -> Encrypted {
    let mut pipe = Box::new(TlsPipe::client(stream, &tls)?);
    let secured = pipe.handshake().await?;
    Ok((pipe, secured))
}

/// What a runner comes to, who then is off the track; never without one.
async fn run<T>(runner: &mut Option<Pending<T>>) -> T {
    match runner {
        Some(future) => {
            let result = future.await;
            *runner = None;
            result
        }
        None => pending().await,
    }
}

async fn answered(probing: &mut Option<Probing>) -> std::net::SocketAddr {
    match probing {
        Some(probing) => probing.answered().await,
        None => pending().await,
    }
}

/// What the operating system or TLS says, without the number that stands behind the words.
fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().into()
}
