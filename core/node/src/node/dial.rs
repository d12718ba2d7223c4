//! Connections that this node opens.

use std::{sync::Arc, time::Duration};

use p2pchan_proto::{
    address::Address,
    book::{DialId, Failure, Outcome},
    channel::{Binding, CloseCode, Offer, Reason, Session, Side},
    error::{Error, ErrorKind},
    node::{LinkId, Output},
    subject::SubjectKey,
    time::Time,
    wire::MAX_LISTEN,
};
use tokio::sync::oneshot;

use super::{
    inner::{Core, Inner, random},
    node_closed,
    race::{Wanted, Won},
};
use crate::{
    discovery::Seeds,
    event::Event,
    link::{Link, drive},
    remote::Remote,
    transport::{Pipe, Secured},
};

/// How a dial ended that did not lead to an open connection.
pub(super) struct Failed {
    outcome: Outcome,
    error: Error,
}

impl Failed {
    /// The reason does not name the address: the log has it, and [`Inner::dial`] adds it to the error.
    pub(super) fn new(failure: Failure, kind: ErrorKind, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let outcome = Outcome::Failed { kind: failure, reason: reason.clone() };
        Self { outcome, error: Error::new(kind, reason) }
    }
}

impl Core {
    /// Whether the program or its settings named an address; anybody may announce anybody's.
    fn is_by_hand(&self, dial: DialId, address: Address) -> bool {
        let known = self.book.known(address);
        self.connecting.contains_key(&dial)
            || known.is_some_and(|known| known.sources.contains(&Seeds::NAME))
    }
}

impl Inner {
    /// Begins a dial that the book asks for.
    pub(super) fn dial(
        self: &Arc<Self>,
        core: &mut Core,
        dial: DialId,
        address: Address,
        subjects: Vec<SubjectKey>,
        patience: Duration,
    ) {
        self.emit(Event::Dialling { address });
        let by_hand = core.is_by_hand(dial, address);
        let (inner, link) = (self.clone(), core.name_link());
        let alive = self.connections.subscribe();
        self.tasks.spawn(async move {
            let _alive = alive;
            let attempted = inner.attempt(link, dial, address, subjects, by_hand, patience).await;
            let Err(Failed { outcome, mut error }) = attempted else { return };
            if let Outcome::Failed { reason, .. } = &outcome {
                error = Error::new(error.kind(), format!("{address}: {reason}"));
            }
            let connecting = {
                let mut core = inner.core();
                core.book.handle_dial_ended(dial, outcome.clone(), inner.clock.now());
                core.connecting.remove(&dial)
            };
            inner.plans_changed.notify_one();
            if let Outcome::Failed { .. } = outcome {
                inner.emit(Event::DialFailed { address, error: error.clone() });
            }
            if let Some(connecting) = connecting {
                let _ = connecting.send(Err(error));
            }
        });
    }

    /// Dials, and drives the connection to its end if it opens.
    async fn attempt(
        self: &Arc<Self>,
        id: LinkId,
        dial: DialId,
        address: Address,
        subjects: Vec<SubjectKey>,
        by_hand: bool,
        patience: Duration,
    ) -> Result<(), Failed> {
        let stopped = || Failed { outcome: Outcome::Cancelled, error: self.not_running() };
        let until = self.clock.now() + patience;
        let wanted = Wanted { dial, address, subjects: &subjects, by_hand, patience };
        // Boxed, so that the task of an open connection does not carry it along.
        let won = self.while_running(Box::pin(self.race(wanted))).await.ok_or_else(stopped)??;
        // What is connected, and shown of the remote, is one transport.
        let Won { address, pipe, secured } = won;
        let greeting = Box::pin(self.greet(id, address, subjects, pipe, &secured, until));
        let (link, pipe) = greeting.await?;
        let (opened, reason) = self.run_link(link, pipe, Some(dial)).await;
        if opened { Ok(()) } else { Err(not_opened(address, &secured, &reason)) }
    }

    /// Asks whether this connection is wanted, and says HELLO if so.
    async fn greet(
        self: &Arc<Self>,
        id: LinkId,
        address: Address,
        subjects: Vec<SubjectKey>,
        pipe: Box<dyn Pipe>,
        Secured { peer, exporter }: &Secured,
        until: Time,
    ) -> Result<(Arc<Link>, Box<dyn Pipe>), Failed> {
        let binding = Binding::new(exporter, &self.id, peer);
        let now = self.clock.now();
        let (code, failed) = if self.allows(peer) {
            let mut core = self.core();
            core.links.handle_secured(id, *peer, Side::Dialler, subjects.clone());
            match self.apply(&mut core).pop_front() {
                Some(Output::Close(_, CloseCode::Own)) => (CloseCode::Own, own(address)),
                Some(Output::Close(_, code)) => (code, duplicate(address, peer)),
                _ => {
                    let keys = subjects
                        .iter()
                        .take(self.settings().limits.channels)
                        .filter_map(|key| Some((*key, &**core.subjects.keys(*key)?)));
                    let seed = random().map_err(|error| {
                        Failed::new(Failure::Unreachable, ErrorKind::Io, error.message())
                    })?;
                    let offer = Offer::new(keys, &binding, &seed);
                    drop(core);
                    let listening = self.listening.borrow().clone();
                    let listen = listening.iter().take(MAX_LISTEN).copied().collect();
                    let observed = Some(address.socket);
                    let mut config = self.session_config();
                    // The proof is part of what `timeouts.dial` bounds.
                    config.handshake_timeout = config.handshake_timeout.min(until - now);
                    let session = Session::dialler(config, binding, offer, observed, listen, now);
                    return Ok((Link::new(id, *peer, address, session), pipe));
                }
            }
        } else {
            let reason = format!("{peer} is not on the list of the setting allow");
            (CloseCode::Refused, Failed::new(Failure::Refused, ErrorKind::Refused, reason))
        };
        self.decline(id, address, binding, pipe, *peer, code).await;
        Err(failed)
    }

    /// Tells the peer why there will be no HELLO.
    async fn decline(
        &self,
        id: LinkId,
        address: Address,
        binding: Binding,
        pipe: Box<dyn Pipe>,
        peer: p2pchan_proto::id::PeerId,
        code: CloseCode,
    ) {
        struct Nobody;
        impl crate::link::Driver for Nobody {
            fn handle_event(&mut self, _: &Arc<Link>, _: p2pchan_proto::channel::Event) {}
        }
        let mut session = Session::acceptor(self.session_config(), binding, self.clock.now());
        session.close(code, "");
        drive(Link::new(id, peer, address, session), pipe, self.clock.clone(), Nobody).await;
    }

    /// See [`super::Node::connect`].
    pub(super) async fn connect(self: &Arc<Self>, address: Address) -> Result<Remote, Error> {
        self.derivation.settled().await;
        let (sender, receiver) = oneshot::channel();
        {
            let mut core = self.core();
            if self.is_closing() || self.is_paused() {
                return Err(self.not_running());
            }
            let subjects = core.subjects.active();
            if subjects.is_empty() {
                let message = "connect offers the subjects of this node, and it has none; \
                               call discover first";
                return Err(Error::new(ErrorKind::Settings, message));
            }
            let dial = core.book.handle_manual(address, subjects, self.clock.now())?;
            core.connecting.insert(dial, sender);
        }
        self.plans_changed.notify_one();
        receiver.await.unwrap_or_else(|_| Err(node_closed()))
    }
}

fn own(address: Address) -> Failed {
    let error = Error::new(ErrorKind::Refused, format!("{address} leads back to this node"));
    Failed { outcome: Outcome::Own, error }
}

fn duplicate(address: Address, peer: &p2pchan_proto::id::PeerId) -> Failed {
    let message = format!("{peer} at {address} is connected already");
    let error = Error::new(ErrorKind::Closed, message);
    Failed { outcome: Outcome::Duplicate(*peer), error }
}

/// What it means for the address that the handshake ended without opening.
fn not_opened(address: Address, secured: &Secured, reason: &Reason) -> Failed {
    let failure = match reason.code() {
        Some(CloseCode::Own) => return own(address),
        Some(CloseCode::Duplicate | CloseCode::Replaced) => {
            return duplicate(address, &secured.peer);
        }
        Some(CloseCode::NoSubject | CloseCode::Protocol) => Failure::NotOurs,
        Some(CloseCode::Busy | CloseCode::Refused) => Failure::Refused,
        _ => Failure::Unreachable,
    };
    let kind = reason.to_error().map_or(ErrorKind::Closed, |error| error.kind());
    Failed::new(failure, kind, reason.to_string())
}
