//! What can go wrong, in a dozen coarse kinds that are the same in every language.
//!
//! A program branches on the [`ErrorKind`]; a person reads the message, which names the thing, the
//! value and the fix.

use std::{error, fmt};

/// The coarse kinds of failure. Each says who is to blame and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller passed a value that can never be right. Nothing changed; correct the call.
    Invalid,
    /// A setting is unknown, of the wrong type or out of range. Nothing changed; correct the setting.
    Settings,
    /// The node, remote or channel has ended. Open a new one.
    Closed,
    /// The other side or the network did not answer in time. Try again later.
    Timeout,
    /// The send buffer is full; nothing was queued. Wait for the writable event.
    WouldBlock,
    /// The other side, or this node's own `allow` list, hook or cap, does not want the peer.
    Refused,
    /// The peer could not prove its identity or a common subject.
    Auth,
    /// The peer broke the protocol. Its fault, or a different version.
    Protocol,
    /// A message is larger than this node or the peer takes. Nothing was queued.
    TooBig,
    /// The operating system refused: a port in use, an unreadable file, no route.
    Io,
    /// The call would wait for the callback that makes it. Call it from elsewhere.
    InCallback,
    /// A defect of p2pchan. Please report it.
    Internal,
    /// The process was forked; the node belongs to the parent. Make a new one.
    Forked,
}

impl ErrorKind {
    /// All kinds, in the order of their numbers in the C interface.
    pub const ALL: [Self; 13] = [
        Self::Invalid,
        Self::Settings,
        Self::Closed,
        Self::Timeout,
        Self::WouldBlock,
        Self::Refused,
        Self::Auth,
        Self::TooBig,
        Self::Io,
        Self::InCallback,
        Self::Internal,
        Self::Forked,
        Self::Protocol,
    ];

    /// The name that all languages share, such as `WOULD_BLOCK`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::Settings => "SETTINGS",
            Self::Closed => "CLOSED",
            Self::Timeout => "TIMEOUT",
            Self::WouldBlock => "WOULD_BLOCK",
            Self::Refused => "REFUSED",
            Self::Auth => "AUTH",
            Self::Protocol => "PROTOCOL",
            Self::TooBig => "TOO_BIG",
            Self::Io => "IO",
            Self::InCallback => "IN_CALLBACK",
            Self::Internal => "INTERNAL",
            Self::Forked => "FORKED",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A failure: its kind, and a sentence for people. As large as a pointer, so that whoever succeeds carries little.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Failure>);

#[derive(Clone, PartialEq, Eq)]
struct Failure {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// A failure of this kind; `message` names the thing, the value and the fix.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Failure { kind, message: message.into() }))
    }

    /// What a program branches on.
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What a person reads.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { kind, message } = &*self.0;
        f.debug_struct("Error").field("kind", kind).field("message", message).finish()
    }
}

impl error::Error for Error {}
