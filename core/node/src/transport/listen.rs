//! Opening what the setting `listen` names.

use std::{io, net::SocketAddr};

use p2pchan_proto::{
    address::Address,
    error::{Error, ErrorKind},
    settings::ListenAddress,
};
use tokio::net::TcpListener;

use super::{tcp, udp};

/// How often a free TCP port is looked for whose number is free for UDP too.
const TRIES: u32 = 64;

/// The sockets of one address: TCP, UDP, or both with the same port number.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) tcp: Option<TcpListener>,
    pub(crate) udp: Option<std::net::UdpSocket>,
}

impl Sockets {
    /// Binds the first port of the set that is free for all transports that are wanted, in ascending
    /// order.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] naming what is wanted, if no port is free or the address is not this machine's.
    pub(crate) fn open(wanted: &ListenAddress) -> Result<Self, Error> {
        let mut last = None;
        for port in wanted.ports.iter() {
            match Self::bind(wanted, port) {
                Ok(sockets) => return Ok(sockets),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
                Err(error) => {
                    last = Some(error);
                    break;
                }
            }
        }
        let why = last.map_or_else(|| "no port is named".into(), |error| error.to_string());
        let message = format!("cannot listen on {wanted}: {why}; name another address or port");
        Err(Error::new(ErrorKind::Io, message))
    }

    fn bind(wanted: &ListenAddress, port: u16) -> io::Result<Self> {
        let transports = wanted.transport.transports();
        let address = SocketAddr::new(wanted.ip, port);
        if !transports.tcp {
            return Ok(Self { tcp: None, udp: Some(udp::bind(address)?) });
        }
        if !transports.quic {
            return Ok(Self { tcp: Some(tcp::bind(address)?), udp: None });
        }
        // Any port of the system's choice is free for TCP; another program may have it for UDP.
        let tries = if port == 0 { TRIES } else { 1 };
        let mut result = Self::bind_both(address);
        for _ in 1..tries {
            match result {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    result = Self::bind_both(address);
                }
                _ => break,
            }
        }
        result
    }

    fn bind_both(address: SocketAddr) -> io::Result<Self> {
        let tcp = tcp::bind(address)?;
        let udp = udp::bind(tcp.local_addr()?)?;
        Ok(Self { tcp: Some(tcp), udp: Some(udp) })
    }

    /// Where the sockets are bound.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn addresses(&self) -> io::Result<Vec<Address>> {
        let tcp = self.tcp.as_ref().map(|tcp| tcp.local_addr().map(Address::tcp));
        let udp = self.udp.as_ref().map(|udp| udp.local_addr().map(Address::quic));
        tcp.into_iter().chain(udp).collect()
    }
}

#[cfg(test)]
mod tests {
    use p2pchan_proto::settings::{Changes, Settings};

    use super::*;

    fn wanted(text: &str) -> ListenAddress {
        let mut changes = Changes::default();
        changes.set("listen", text);
        Settings::default().with(&changes).unwrap().listen[0].clone()
    }

    #[tokio::test]
    async fn an_address_without_a_transport_is_the_same_number_for_both() {
        let sockets = Sockets::open(&wanted("127.0.0.1:0")).unwrap();
        let addresses = sockets.addresses().unwrap();
        let port = addresses[0].socket.port();
        let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [format!("tcp://127.0.0.1:{port}"), format!("quic://127.0.0.1:{port}")]);
    }

    #[tokio::test]
    async fn a_port_that_another_program_has_for_udp_is_passed_over() {
        // Only UDP is taken: TCP alone may have the first port, both together may not.
        // Other tests take ports too, so this looks until it has two that are free.
        let (taken, free) = loop {
            let taken = udp::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
            let port = taken.local_addr().unwrap().port();
            let following = Sockets::open(&wanted(&format!("127.0.0.1:{}", port.max(2) + 1)));
            let tcp = Sockets::open(&wanted(&format!("tcp://127.0.0.1:{port}")));
            if port < u16::MAX - 1 && following.is_ok() && tcp.is_ok() {
                break (taken, port + 1);
            }
        };
        let port = free - 1;
        let both = Sockets::open(&wanted(&format!("127.0.0.1:{port}~{free}"))).unwrap();
        assert_eq!(both.addresses().unwrap()[1].socket.port(), free);
        let error = Sockets::open(&wanted(&format!("quic://127.0.0.1:{port}"))).unwrap_err();
        assert!(error.message().contains(&format!("quic://127.0.0.1:{port}")), "{error}");
        drop(taken);
    }
}
