//! Where a peer may be reached: an IP address, a port, and the transports to try there.
//!
//! | written | means |
//! |---|---|
//! | `192.0.2.7:8099` | TCP and QUIC race at this address, and the same number is the TCP and the UDP port |
//! | `tcp://192.0.2.7:8099` | TCP and nothing else |
//! | `quic://192.0.2.7:8099` | QUIC and nothing else |

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use crate::error::{Error, ErrorKind};

/// What stands before an address: one transport, or none in particular.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// Both, at the same port number; a dial races them. Addresses of this kind have no scheme.
    #[default]
    Any,
    /// TLS 1.3 over TCP: `tcp://`.
    Tcp,
    /// QUIC over UDP: `quic://`.
    Quic,
}

impl TransportKind {
    /// Its name: `any`, `tcp` or `quic`; the last two are the schemes of its addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        }
    }

    /// The transports that it stands for.
    pub const fn transports(self) -> Transports {
        Transports { tcp: !matches!(self, Self::Quic), quic: !matches!(self, Self::Tcp) }
    }

    /// Whether both stand for some transport; `Any` overlaps with all.
    pub const fn overlaps(self, other: Self) -> bool {
        !self.transports().and(other.transports()).is_empty()
    }

    /// Its number in frames: the sum of 1 for TCP and 2 for QUIC.
    pub const fn code(self) -> u8 {
        match self {
            Self::Tcp => 1,
            Self::Quic => 2,
            Self::Any => 3,
        }
    }

    /// The kind of this number; `None` for those that this version does not know.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Tcp),
            2 => Some(Self::Quic),
            3 => Some(Self::Any),
            _ => None,
        }
    }

    /// Takes the scheme off a text: the kind and what follows, or the scheme that is not known and
    /// what follows.
    pub(crate) fn split(text: &str) -> Result<(Self, &str), (&str, &str)> {
        match text.split_once("://") {
            None => Ok((Self::Any, text)),
            Some(("tcp", rest)) => Ok((Self::Tcp, rest)),
            Some(("quic", rest)) => Ok((Self::Quic, rest)),
            Some(unknown) => Err(unknown),
        }
    }

    /// Writes what stands before `IP:PORT`.
    pub(crate) fn write_scheme(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self == Self::Any { Ok(()) } else { write!(f, "{}://", self.name()) }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transports {
    /// TLS 1.3 over TCP.
    pub tcp: bool,
    /// QUIC over UDP.
    pub quic: bool,
}

impl Transports {
    /// All that there are.
    pub const ALL: Self = Self { tcp: true, quic: true };

    /// Those that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { tcp: self.tcp && other.tcp, quic: self.quic && other.quic }
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        !self.tcp && !self.quic
    }
}

impl Default for Transports {
    fn default() -> Self {
        Self::ALL
    }
}

/// A dialable address such as `192.0.2.7:8099`, `tcp://192.0.2.7:8099` or `quic://[2001:db8::1]:8099`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// How to speak there.
    pub transport: TransportKind,
    /// IP address and port. Port 0 is never dialled.
    pub socket: SocketAddr,
}

impl Address {
    /// TCP and QUIC at the same port number.
    pub const fn any(socket: SocketAddr) -> Self {
        Self { transport: TransportKind::Any, socket }
    }

    /// TCP only.
    pub const fn tcp(socket: SocketAddr) -> Self {
        Self { transport: TransportKind::Tcp, socket }
    }

    /// QUIC only.
    pub const fn quic(socket: SocketAddr) -> Self {
        Self { transport: TransportKind::Quic, socket }
    }

    /// Whether a dial of one may end where a dial of the other does: the same IP address and port,
    /// and a transport in common.
    pub fn same_place(&self, other: &Self) -> bool {
        self.socket == other.socket && self.transport.overlaps(other.transport)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transport.write_scheme(f)?;
        write!(f, "{}", self.socket)
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads `IP:PORT`, `tcp://IP:PORT` or `quic://IP:PORT`; IPv6 addresses stand in brackets.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for another scheme, a host name, or a port that is missing, 0 or over 65535.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(ErrorKind::Invalid, format!("address {text:?} {why}"));
        let (transport, rest) = TransportKind::split(text).map_err(|(scheme, _)| {
            wrong(&format!(
                "has the unknown scheme {scheme:?}; use tcp://, quic:// or none for both"
            ))
        })?;
        let socket: SocketAddr =
            rest.parse().map_err(|_| wrong("is not IP:PORT, such as 192.0.2.7:8099"))?;
        if socket.port() == 0 {
            return Err(wrong("has port 0, which nobody can be reached at"));
        }
        Ok(Self { transport, socket })
    }
}

/// The IPv6 /64 of virtual addresses: a unique local one that is on no wire.
pub(crate) const VIRTUAL_V6: [u16; 4] = [0xfd15, 0x7032, 0x7063, 0x6861];

/// Whether the IP address is nobody's: 240.0.0.0/4 is reserved, and fd15:7032:7063:6861::/64 is set
/// aside by this crate. Within a node such addresses stand for [paths](crate::datagram::paths); from
/// outside they are never accepted.
pub const fn is_virtual(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] >= 240,
        IpAddr::V6(ip) => {
            let ([a, b, c, d, ..], [p, q, r, s]) = (ip.segments(), VIRTUAL_V6);
            a == p && b == q && c == r && d == s
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [TransportKind; 3] = [TransportKind::Any, TransportKind::Tcp, TransportKind::Quic];

    proptest! {
        #[test]
        fn an_address_survives_its_text_form(socket: SocketAddr, kind in 0..3_usize) {
            prop_assume!(socket.port() != 0);
            // A flow label or scope id is not part of an address that others can use.
            prop_assume!(!matches!(socket, SocketAddr::V6(v6) if v6.scope_id() != 0 || v6.flowinfo() != 0));
            let address = Address { transport: KINDS[kind], socket };
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }

        #[test]
        fn reading_any_text_as_an_address_never_panics(text: String) {
            let _ = text.parse::<Address>();
        }
    }

    #[test]
    fn the_scheme_says_the_transport_and_none_means_both() {
        for (text, transport) in [
            ("127.0.0.1:8099", TransportKind::Any),
            ("tcp://127.0.0.1:8099", TransportKind::Tcp),
            ("quic://[2001:db8::1]:8099", TransportKind::Quic),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.transport, &*address.to_string()), (transport, text));
        }
        assert_eq!(TransportKind::Any.transports(), Transports::ALL);
        assert_eq!(TransportKind::Tcp.transports(), Transports { tcp: true, quic: false });
        assert_eq!(TransportKind::Quic.transports(), Transports { tcp: false, quic: true });
    }

    #[test]
    fn a_place_is_the_same_if_the_socket_is_and_a_transport_is_common() {
        let here: SocketAddr = "192.0.2.7:8099".parse().unwrap();
        let [any, tcp, quic] = KINDS.map(|transport| Address { transport, socket: here });
        assert!(any.same_place(&tcp) && quic.same_place(&any) && tcp.same_place(&tcp));
        assert!(!tcp.same_place(&quic));
        assert!(!any.same_place(&Address::any("192.0.2.7:8098".parse().unwrap())));
        assert!(!any.same_place(&Address::any("192.0.2.8:8099".parse().unwrap())));
    }

    #[test]
    fn every_kind_has_a_number_and_every_other_number_is_unknown() {
        assert_eq!(KINDS.map(TransportKind::code), [3, 1, 2]);
        for code in 0..=u8::MAX {
            let kind = KINDS.into_iter().find(|kind| kind.code() == code);
            assert_eq!(TransportKind::from_code(code), kind);
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_by_name() {
        for text in [
            "",
            "tcp://",
            "http://127.0.0.1:80",
            "udp://127.0.0.1:80",
            "QUIC://127.0.0.1:80",
            "127.0.0.1",
            "127.0.0.1:0",
            "quic://127.0.0.1:0",
            "127.0.0.1:65536",
            "example.org:1",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.message().contains(&format!("{text:?}")), "{error}");
        }
    }
}
