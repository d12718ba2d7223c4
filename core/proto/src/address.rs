//! Where a peer may be reached: a transport and a socket address, written as a URL.

use std::{fmt, net::SocketAddr, str::FromStr};

use crate::error::{Error, ErrorKind};

/// The transports an address can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// TLS 1.3 over TCP: `tcp://`.
    Tcp,
}

impl TransportKind {
    /// The scheme of its addresses.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme())
    }
}

/// A dialable address such as `tcp://192.0.2.7:8099` or `tcp://[2001:db8::1]:8099`.
///
/// `192.0.2.7:8099` without a scheme reads as TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// How to speak there.
    pub transport: TransportKind,
    /// IP address and port. Port 0 is never dialled.
    pub socket: SocketAddr,
}

impl Address {
    /// A TCP address.
    pub const fn tcp(socket: SocketAddr) -> Self {
        Self { transport: TransportKind::Tcp, socket }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport, self.socket)
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads `tcp://IP:PORT` or `IP:PORT`; IPv6 addresses stand in brackets.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for another scheme, a host name, or a port that is missing, 0 or over 65535.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(ErrorKind::Invalid, format!("address {text:?} {why}"));
        let rest = match text.split_once("://") {
            None => text,
            Some(("tcp", rest)) => rest,
            Some((scheme, _)) => {
                return Err(wrong(&format!("has the unknown scheme {scheme:?}; use tcp://")));
            }
        };
        let socket: SocketAddr =
            rest.parse().map_err(|_| wrong("is not IP:PORT, such as tcp://192.0.2.7:8099"))?;
        if socket.port() == 0 {
            return Err(wrong("has port 0, which nobody can be reached at"));
        }
        Ok(Self::tcp(socket))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_survives_its_text_form(socket: SocketAddr) {
            prop_assume!(socket.port() != 0);
            // A flow label or scope id is not part of an address that others can use.
            prop_assume!(!matches!(socket, SocketAddr::V6(v6) if v6.scope_id() != 0 || v6.flowinfo() != 0));
            let address = Address::tcp(socket);
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }

        #[test]
        fn reading_any_text_as_an_address_never_panics(text: String) {
            let _ = text.parse::<Address>();
        }
    }

    #[test]
    fn an_address_without_a_scheme_is_tcp() {
        let address: Address = "127.0.0.1:8099".parse().unwrap();
        assert_eq!(address.to_string(), "tcp://127.0.0.1:8099");
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_by_name() {
        for text in [
            "",
            "tcp://",
            "http://127.0.0.1:80",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "example.org:1",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.message().contains(&format!("{text:?}")), "{error}");
        }
    }
}
