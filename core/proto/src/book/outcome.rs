//! What goes into the book and what comes out of it.

use std::{fmt, time::Duration};

use super::log::{Tried, bound};
use crate::{address::Address, id::PeerId, subject::SubjectKey, time::Time};

/// The number of one dial. Never used twice by a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Dial this address. Exactly one [`handle_dial_ended`](super::Book::handle_dial_ended) must
    /// follow, after `patience` at the latest, else its slot stays taken.
    Dial {
        /// Names the dial in the answer.
        dial: DialId,
        /// Where to.
        address: Address,
        /// What to offer there, sorted: all subjects by which the address was found, or was asked for.
        subjects: Vec<SubjectKey>,
        /// How long it may take until the connection is open.
        patience: Duration,
    },
    /// An address of this connected peer was found through a further subject: offer it over the link
    /// that is open. Nothing is to be done if the subject is open there already, or the peer has gone.
    Offer {
        /// The peer.
        peer: PeerId,
        /// The subject.
        subject: SubjectKey,
    },
    /// A found address could not be reached: worth an event. It is tried again all the same.
    Unreachable {
        /// The address.
        address: Address,
        /// The subjects by which it was found, sorted; at least one.
        subjects: Vec<SubjectKey>,
        /// What a person reads, at most 128 bytes.
        reason: String,
        /// Dials that have failed since it last worked.
        attempts: u32,
    },
}

/// How a dial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The connection is open.
    Opened(PeerId),
    /// The peer is connected already, by another link.
    Duplicate(PeerId),
    /// It reached this node itself. The address is never dialled again.
    Own,
    /// The node gave it up for reasons of its own. The address is not blamed.
    Cancelled,
    /// It failed.
    Failed {
        /// What the wait depends on.
        kind: Failure,
        /// What a person reads; the first 128 bytes are kept.
        reason: String,
    },
}

impl Outcome {
    pub(super) const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Opened(peer) | Self::Duplicate(peer) => Some(*peer),
            _ => None,
        }
    }

    /// The same with a reason of bounded length.
    pub(super) fn bounded(mut self) -> Self {
        if let Self::Failed { reason, .. } = &mut self {
            bound(reason);
        }
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(peer) => write!(f, "opened to {}", peer.short()),
            Self::Duplicate(peer) => write!(f, "{} is connected already", peer.short()),
            Self::Own => f.write_str("reached this node itself"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed { reason, .. } => f.write_str(reason),
        }
    }
}

/// The kinds of failure of a dial, by how soon it makes sense to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// Refused, timed out or reset by the network: tried again by [`Config::backoff`](super::Config).
    Unreachable,
    /// Somebody answered who speaks something else, has no common subject or cannot prove who he is:
    /// tried again after 1 minute, doubling to 30.
    NotOurs,
    /// The peer is full or does not want this node: tried again after 30 seconds, doubling to 5 minutes.
    Refused,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The address was not known: it is found.
    New,
    /// The address was known, but not through this subject: it is found for this subject.
    Further,
    /// Known through this subject; it was seen again.
    Again,
    /// It is not kept.
    Ignored(Ignored),
}

/// Why a candidate is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ignored {
    /// Such addresses are never dialled; the text completes the sentence "the address …".
    Never(&'static str),
    /// This node's own address.
    Own,
    /// Three addresses of the same public IPv4 address or IPv6 /64 wait for their first dial.
    Crowded,
    /// More candidates came from this source than wait for a dial, and chance chose others. It may be
    /// lucky the next time.
    Full,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never(why) => write!(f, "the address {why}"),
            Self::Own => f.write_str("the address is this node's own"),
            Self::Crowded => f.write_str("too many untried addresses share its IP address"),
            Self::Full => f.write_str("too many untried addresses came from its source"),
        }
    }
}

/// One dial in the log of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub began: Time,
    /// When it ended.
    pub ended: Time,
    /// The ways that were tried; at most 4.
    pub tried: Vec<Tried>,
    /// Who answered, if anybody proved an identity.
    pub peer: Option<PeerId>,
    /// How long the network took for a packet there and one back; `None` if it was not measured.
    pub round_trip: Option<Duration>,
    /// How.
    pub outcome: Outcome,
}

/// What an address is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a free slot.
    Waiting,
    /// Is left alone until then.
    BackingOff {
        /// When it may be dialled again.
        until: Time,
    },
    /// Is being dialled.
    Dialling,
    /// Leads to this peer, who is connected.
    Connected(PeerId),
    /// Leads to this node itself.
    Own,
    /// Worked once, and no subject asks for it now.
    Idle,
}

/// All that is known of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// The address.
    pub address: Address,
    /// The names of the discovery services that found it.
    pub sources: Vec<&'a str>,
    /// The subjects by which it was found, sorted, and who found it for each.
    pub found: Vec<(SubjectKey, Vec<&'a str>)>,
    /// When it was first reported, or asked for.
    pub first_seen: Time,
    /// When it was last reported, or asked for.
    pub seen: Time,
    /// Dials that ended.
    pub tries: u64,
    /// Whether it ever led to a peer.
    pub worked: bool,
    /// Who last answered there, if anybody proved an identity.
    pub peer: Option<PeerId>,
    /// What it is doing.
    pub state: State,
    /// The last dials, oldest first, at most 8.
    pub attempts: Vec<&'a Attempt>,
}

impl<'a> Known<'a> {
    /// The last dial that ended.
    pub fn last(&self) -> Option<&'a Attempt> {
        self.attempts.last().copied()
    }
}
