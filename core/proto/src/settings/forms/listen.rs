//! Addresses to listen at, with sets of ports to choose from.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{list, number::is_digits, port::port};
use crate::{
    address::TransportKind,
    settings::{key::Form, value::Value},
};

/// More addresses than machines have; each costs a socket.
const MOST_ADDRESSES: usize = 16;
const WANTED: &str = "an address such as 0.0.0.0:8099 or [::]:3401~3499";

/// An address to listen at: `0.0.0.0:8099`, `tcp://[::]:3401~3499,4000`, `quic://127.0.0.1:0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// What to accept there; for [`TransportKind::Any`] the TCP and the UDP port have the same number.
    pub transport: TransportKind,
    /// The IP address to bind; unspecified for all of this machine: `0.0.0.0` IPv4, `[::]` IPv6.
    pub ip: IpAddr,
    /// The ports to choose from: the first that is free is taken.
    pub ports: PortSet,
}

impl ListenAddress {
    /// The same with this port and no other.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        Self { ports: PortSet { ranges: vec![(port, port)] }, ..self.clone() }
    }

    /// Whether the two want the same ports of one transport at one IP address.
    fn clashes(&self, other: &Self) -> bool {
        let transport = self.transport.overlaps(other.transport);
        transport && (self.ip, &self.ports) == (other.ip, &other.ports)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transport.write_scheme(f)?;
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.ports),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.ports),
        }
    }
}

/// A set of ports, such as `3401~3499,4000`, or `0`, which stands for any free port.
#[derive(Clone, PartialEq, Eq)]
pub struct PortSet {
    /// First and last port of each range, ascending, neither touching nor overlapping.
    ranges: Vec<(u16, u16)>,
}

impl PortSet {
    /// Whether it stands for any free port that the system picks.
    pub fn is_any(&self) -> bool {
        self.ranges == [(0, 0)]
    }

    /// Whether the port is one of the set.
    pub fn contains(&self, port: u16) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&port))
    }

    /// The ports, ascending; the one port 0 if it stands for any.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.trim() == "0" {
            return Ok(Self { ranges: vec![(0, 0)] });
        }
        let mut ranges = text.split(',').map(port_range).collect::<Result<Vec<_>, _>>()?;
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Ok(Self { ranges: merged })
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.ranges.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            write!(f, "{first}")?;
            if last > first {
                write!(f, "~{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortSet({self})")
    }
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    if text.contains('-') {
        let fixed = text.trim().replace('-', "~");
        return Err(format!("writes a range of ports with -; write {fixed}"));
    }
    let (first, last) = text.split_once('~').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first == 0 {
        return Err("has port 0 among others; write 0 alone for any free port".into());
    }
    if first > last {
        return Err(format!("has a reversed range of ports; write {last}~{first}"));
    }
    Ok((first, last))
}

/// The list of addresses of the key `listen`.
pub(in crate::settings) struct Listen;

impl Form for Listen {
    type Typed = Vec<ListenAddress>;

    fn read(&self, value: &Value) -> Result<Vec<ListenAddress>, String> {
        let items = match value {
            Value::Text(text) => list::items(&apart(text), WANTED, MOST_ADDRESSES)?,
            value => list::items(value, WANTED, MOST_ADDRESSES)?,
        };
        if items.is_empty() {
            return Err(format!("is an empty list; give {WANTED}, or null to listen nowhere"));
        }
        let mut addresses: Vec<ListenAddress> = Vec::new();
        for item in &items {
            let address = listen_address(item)?;
            if addresses.iter().any(|earlier| earlier.clashes(&address)) {
                return Err(format!("names {address} twice; take one out"));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    fn write(&self, addresses: &Vec<ListenAddress>) -> Value {
        if addresses.is_empty() {
            return Value::Null;
        }
        addresses.iter().map(ToString::to_string).collect()
    }

    fn kind(&self) -> &'static str {
        "list of listen addresses"
    }

    fn range(&self) -> String {
        format!("1 to {MOST_ADDRESSES} addresses")
    }

    fn unset(&self) -> &'static str {
        "nowhere"
    }
}

/// Takes a text with several addresses apart. Commas stand between addresses and also between
/// ports; a piece without a colon can only be ports of the address before it.
fn apart(text: &str) -> Value {
    if matches!(text.trim(), "" | "[]") {
        return text.into();
    }
    let mut addresses: Vec<String> = Vec::new();
    for piece in text.split(',') {
        match addresses.last_mut() {
            Some(address) if !piece.contains(':') => {
                address.push(',');
                address.push_str(piece);
            }
            _ => addresses.push(piece.into()),
        }
    }
    addresses.into()
}

fn listen_address(text: &str) -> Result<ListenAddress, String> {
    let (transport, rest) = TransportKind::split(text).map_err(|(scheme, rest)| {
        format!(
            "has the unknown scheme {scheme:?}; write tcp://{rest}, quic://{rest}, or {rest} for both"
        )
    })?;
    let (ip, ports) = ip_and_rest(rest)?;
    let nobody = match ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    };
    if nobody {
        return Err(format!("has {ip}, which no program can listen at; give {WANTED}"));
    }
    Ok(ListenAddress { transport, ip, ports: PortSet::read(ports)? })
}

/// Takes `IP:PORTS` or `[IPv6]:PORTS` apart.
fn ip_and_rest(text: &str) -> Result<(IpAddr, &str), String> {
    if is_digits(text) {
        return Err(format!("has no IP address; write 0.0.0.0:{text} or [::]:{text}"));
    }
    if text.parse::<IpAddr>().is_ok() {
        let ip = if text.contains(':') { format!("[{text}]") } else { text.to_owned() };
        return Err(format!("has no port; write {ip}:8099, or {ip}:0 for any free port"));
    }
    let wrong = || format!("has {text:?}, which is not IP:PORT; give {WANTED}");
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, ports) = rest.split_once("]:").ok_or_else(wrong)?;
        return Ok((ip.parse::<Ipv6Addr>().map_err(|_| wrong())?.into(), ports));
    }
    let (ip, ports) = text.split_once(':').ok_or_else(wrong)?;
    Ok((ip.parse::<Ipv4Addr>().map_err(|_| wrong())?.into(), ports))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: impl Into<Value>) -> Result<Vec<String>, String> {
        let addresses = Listen.read(&value.into())?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_scheme_says_the_transport_and_none_means_both() {
        for (text, transport) in [
            ("0.0.0.0:8099", TransportKind::Any),
            ("tcp://[::1]:0", TransportKind::Tcp),
            ("quic://127.0.0.1:3401~3499,4000", TransportKind::Quic),
        ] {
            let read = Listen.read(&text.into()).unwrap();
            assert_eq!((read[0].transport, &*read[0].to_string()), (transport, text));
        }
        // One port number is a port of each transport.
        assert_eq!(read("tcp://0.0.0.0:1, quic://0.0.0.0:1").unwrap().len(), 2);
    }

    #[test]
    fn an_address_with_one_port_names_no_other() {
        let wanted = Listen.read(&"quic://127.0.0.1:3401~3499".into()).unwrap();
        assert_eq!(wanted[0].with_port(3444).to_string(), "quic://127.0.0.1:3444");
    }

    #[test]
    fn commas_part_addresses_and_ports() {
        let both = ["tcp://0.0.0.0:3401~3499,4000", "[::]:5000,6000"];
        assert_eq!(read("tcp://0.0.0.0:3401~3499,4000, [::]:5000,6000").unwrap(), both);
        assert_eq!(read(both).unwrap(), both);
    }

    #[test]
    fn ports_are_tried_ascending_and_once() {
        let ports = PortSet::read("4000,3401~3403,3402~3405").unwrap();
        assert_eq!(ports.iter().collect::<Vec<_>>(), [3401, 3402, 3403, 3404, 3405, 4000]);
        assert_eq!(ports.to_string(), "3401~3405,4000");
        assert_eq!(PortSet::read("7~8,9"), PortSet::read("7~9"));
        assert!(ports.contains(3404) && !ports.contains(3999) && !ports.is_any());
        assert_eq!(PortSet::read("1~65535").unwrap().iter().count(), 65535);
        assert!(PortSet::read("0").unwrap().is_any());
    }

    #[test]
    fn a_wrong_address_is_told_why() {
        for (text, why) in [
            (
                "udp://0.0.0.0:1",
                "unknown scheme \"udp\"; write tcp://0.0.0.0:1, quic://0.0.0.0:1, or",
            ),
            ("0.0.0.0:65536", "0 to 65535"),
            ("0.0.0.0:-1", "write ~1"),
            ("0.0.0.0:8099-9000", "write 8099~9000"),
            ("0.0.0.0:9000~8099", "write 8099~9000"),
            ("0.0.0.0:0~5", "port 0 among others"),
            ("0.0.0.0:0,5", "port 0 among others"),
            ("0.0.0.0:5,0", "port 0 among others"),
            ("0.0.0.0:", "where a port must stand"),
            ("0.0.0.0:5/x", "where a port must stand"),
            ("0.0.0.0", "write 0.0.0.0:8099"),
            ("::1", "write [::1]:8099"),
            ("8099", "write 0.0.0.0:8099"),
            ("::1:8099:x", "not IP:PORT"),
            ("localhost:8099", "not IP:PORT"),
            ("224.0.0.1:1", "no program can listen"),
            ("0.0.0.0:1, 0.0.0.0:1", "twice"),
            ("0.0.0.0:1, quic://0.0.0.0:1", "quic://0.0.0.0:1 twice"),
            ("[]", "null to listen nowhere"),
            ("", "is empty"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(read(8099).unwrap_err().contains("is a number"));
        let many: Vec<_> = (1..=17).map(|port| format!("127.0.0.1:{port}")).collect();
        assert!(read(many).unwrap_err().contains("at most 16"));
    }

    proptest! {
        #[test]
        fn a_port_set_survives_its_text_form(ranges in prop::collection::vec((1_u16.., 0_u16..50), 1..20)) {
            let texts: Vec<_> = ranges
                .iter()
                .map(|(first, more)| format!("{first}~{}", first.saturating_add(*more)))
                .collect();
            let ports = PortSet::read(&texts.join(",")).unwrap();
            prop_assert_eq!(&PortSet::read(&ports.to_string()).unwrap(), &ports);
            let listed: Vec<_> = ports.iter().collect();
            prop_assert!(listed.is_sorted_by(|a, b| a < b));
            for (first, more) in ranges {
                prop_assert!(ports.contains(first) && ports.contains(first.saturating_add(more)));
            }
        }

        #[test]
        fn reading_any_text_as_an_address_never_panics(text: String, like in r"(tcp://|quic://)?[\[\]:.0-9]{0,12}[:~,0-9-]{0,12}") {
            let _ = (read(text), read(like));
        }
    }
}
