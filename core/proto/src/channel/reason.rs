//! Why a channel or a connection ended.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// The codes of CLOSE and RESET frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// The peer is going away; everything it had to say was said.
    Normal,
    /// None of the offered subjects is common.
    NoSubject,
    /// The two are already connected.
    Duplicate,
    /// A newer connection of the same peer took this one's place.
    Replaced,
    /// A cap of the peer is reached.
    Busy,
    /// The other side broke the protocol.
    Protocol,
    /// The other side was silent for too long.
    Timeout,
    /// A message is longer than its receiver takes.
    TooBig,
    /// The peer's program does not want this one.
    Refused,
    /// The connection leads back to the node that opened it.
    Own,
    /// The peer's program dropped the channel before it had read everything.
    Unread,
    /// A code that this version does not know.
    Other(u64),
}

impl CloseCode {
    const TABLE: [(Self, u64, ErrorKind, &'static str); 11] = [
        (Self::Normal, 0x00, ErrorKind::Closed, "the connection was closed"),
        (Self::NoSubject, 0x10, ErrorKind::Auth, "the two sides have no subject in common"),
        (Self::Duplicate, 0x11, ErrorKind::Closed, "the two are already connected"),
        (Self::Replaced, 0x12, ErrorKind::Closed, "a newer connection of the peer replaced it"),
        (Self::Busy, 0x13, ErrorKind::Refused, "a limit on connections or remotes is reached"),
        (Self::Protocol, 0x14, ErrorKind::Protocol, "the protocol was broken"),
        (Self::Timeout, 0x15, ErrorKind::Timeout, "no answer in time"),
        (Self::TooBig, 0x16, ErrorKind::TooBig, "a message is longer than its receiver takes"),
        (Self::Refused, 0x17, ErrorKind::Refused, "the program does not want this peer"),
        (Self::Own, 0x18, ErrorKind::Refused, "the address leads back to this node"),
        (Self::Unread, 0x19, ErrorKind::Closed, "the program ended it before reading everything"),
    ];

    fn row(self) -> Option<&'static (Self, u64, ErrorKind, &'static str)> {
        Self::TABLE.iter().find(|row| row.0 == self)
    }

    /// The number on the wire.
    pub fn to_wire(self) -> u64 {
        match (self, self.row()) {
            (Self::Other(code), _) => code,
            (_, row) => row.map_or(0, |row| row.1),
        }
    }

    /// The code with this number.
    pub fn from_wire(code: u64) -> Self {
        Self::TABLE.iter().find(|row| row.1 == code).map_or(Self::Other(code), |row| row.0)
    }

    /// The kind of error that it means to a program.
    pub fn kind(self) -> ErrorKind {
        self.row().map_or(ErrorKind::Closed, |row| row.2)
    }

    fn sentence(self) -> &'static str {
        self.row().map_or("for a reason this version does not know", |row| row.3)
    }
}

/// Why a channel or connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Both sides ended it, and each has said that it took everything that the other sent.
    Clean,
    /// This side closed or reset it.
    Here {
        /// Why.
        code: CloseCode,
        /// The particulars.
        message: String,
    },
    /// The peer closed or reset it.
    Peer {
        /// Why.
        code: CloseCode,
        /// The particulars, in the peer's words.
        message: String,
    },
    /// The transport broke: reset, end of stream without a word, unreachable.
    Lost {
        /// What the operating system or TLS said.
        message: String,
    },
}

impl Reason {
    /// This side closes it.
    pub fn here(code: CloseCode, message: impl Into<String>) -> Self {
        Self::Here { code, message: message.into() }
    }

    /// The transport broke.
    pub fn lost(message: impl Into<String>) -> Self {
        Self::Lost { message: message.into() }
    }

    /// Whether it is a clean end.
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Clean)
    }

    /// The code, unless the end was clean or the transport broke.
    pub const fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Here { code, .. } | Self::Peer { code, .. } => Some(*code),
            Self::Clean | Self::Lost { .. } => None,
        }
    }

    /// The error that a reader or sender gets; `None` for a clean end.
    pub fn to_error(&self) -> Option<Error> {
        let kind = match self {
            Self::Clean => return None,
            Self::Here { code, .. } | Self::Peer { code, .. } => code.kind(),
            Self::Lost { .. } => ErrorKind::Closed,
        };
        Some(Error::new(kind, self.to_string()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, code, message) = match self {
            Self::Clean => return f.write_str("everything was read"),
            Self::Lost { message } => return write!(f, "connection lost: {message}"),
            Self::Here { code, message } => ("ended here", code, message),
            Self::Peer { code, message } => ("ended by the peer", code, message),
        };
        write!(f, "{who}: {}", code.sentence())?;
        if message.is_empty() { Ok(()) } else { write!(f, " ({message})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_wire() {
        for code in (0..0x40).map(CloseCode::from_wire) {
            assert_eq!(CloseCode::from_wire(code.to_wire()), code);
        }
    }

    #[test]
    fn a_reason_tells_who_ended_it_and_why() {
        let reason = Reason::Peer { code: CloseCode::Busy, message: "256 remotes".into() };
        assert_eq!(
            reason.to_string(),
            "ended by the peer: a limit on connections or remotes is reached (256 remotes)"
        );
        assert_eq!(reason.to_error().unwrap().kind(), ErrorKind::Refused);
    }
}
