//! Which addresses can be dialled at all, and which belong to one site.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::address::{Address, is_virtual};

/// The one form of an address: an IPv4 address mapped into IPv6 (RFC 4291, `::ffff:192.0.2.1`) is the
/// IPv4 address, so no rule is passed by in disguise.
pub(super) fn canonical(address: Address) -> Address {
    let SocketAddr::V6(v6) = address.socket else { return address };
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => Address { socket: SocketAddr::new(v4.into(), v6.port()), ..address },
        None => address,
    }
}

/// Why an address is never dialled, if so. It must be canonical.
pub(super) const fn never_dialled(address: Address) -> Option<&'static str> {
    if address.socket.port() == 0 {
        return Some("has port 0");
    }
    match address.socket.ip() {
        IpAddr::V4(ip) if ip.octets()[0] == 0 => Some("is unspecified"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("is the broadcast address"),
        IpAddr::V6(ip) if ip.is_unspecified() => Some("is unspecified"),
        ip if ip.is_multicast() => Some("is multicast"),
        ip if is_virtual(ip) => Some("is reserved"),
        _ => None,
    }
}

/// Whoever holds a public address holds all its ports, and mostly all addresses of an IPv6 /64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Site {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl Site {
    /// The site of a public address; loopback, private and link-local ones have none, as many of our
    /// own may live there and no stranger is hurt.
    pub(super) fn of(address: Address) -> Option<Self> {
        match address.socket.ip() {
            IpAddr::V4(ip) => (!is_local_v4(ip)).then_some(Self::V4(ip)),
            IpAddr::V6(ip) => (!is_local_v6(ip)).then(|| {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6([a, b, c, d])
            }),
        }
    }
}

const fn is_local_v4(ip: Ipv4Addr) -> bool {
    // 100.64.0.0/10 is shared by the customers of one provider (RFC 6598).
    let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
}

const fn is_local_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
}
