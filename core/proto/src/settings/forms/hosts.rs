//! Hosts to begin with, by name or IP address.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use super::{list, number::is_digits, port::port};
use crate::{
    address::TransportKind,
    settings::{key::Form, value::Value},
};

/// Each seed is dialled again and again; who has more wants a discovery service.
const MOST_SEEDS: usize = 256;
/// A few answering nodes are enough to join a DHT.
const MOST_BOOTSTRAP: usize = 64;
/// RFC 1035, section 2.3.4.
const MAX_LABEL: usize = 63;
/// RFC 1035, section 2.3.4, less the two bytes that are not written.
const MAX_NAME: usize = 253;

/// A host and a port: `example.org:8099`, `192.0.2.7:8099`, `[2001:db8::1]:8099`.
///
/// Names are resolved each time they are needed, by whoever has a resolver.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A host name in lower case, or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

impl HostPort {
    /// The IP address, if the host is not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("has {text:?}, which is not HOST:PORT, such as example.org:8099");
        let (host, port_text) = match text.strip_prefix('[') {
            Some(rest) => {
                let (ip, port) = rest.split_once("]:").ok_or_else(wrong)?;
                (ip.parse::<Ipv6Addr>().map_err(|_| wrong())?.to_string(), port)
            }
            None => {
                let (host, port) = text.split_once(':').ok_or_else(wrong)?;
                (host.to_ascii_lowercase(), port)
            }
        };
        let host =
            Self { host, port: port(port_text).map_err(|why| format!("{why}, in {text:?}"))? };
        host.check()?;
        Ok(host)
    }

    fn check(&self) -> Result<(), String> {
        if self.port == 0 {
            return Err(format!("has {self}; nobody can be reached at port 0"));
        }
        match self.ip() {
            Some(ip) if ip.is_unspecified() || ip.is_multicast() => {
                Err(format!("has {self}; nobody can be reached at {ip}"))
            }
            None if !is_host_name(&self.host) => {
                Err(format!("has {:?}, which is neither a host name nor an IP address", self.host))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether this is a host name: RFC 1123, section 2.1, and the underscore that private networks
/// use. A last label of digits alone would be a mistyped IPv4 address.
fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= MAX_NAME
        && text.split('.').all(is_label)
        && text.rsplit('.').next().is_some_and(|last| !is_digits(last))
}

fn write<T: fmt::Display>(items: &[T]) -> Value {
    items.iter().map(ToString::to_string).collect()
}

/// A known peer: `example.org:8099`, `tcp://192.0.2.7:8099`, `quic://[2001:db8::1]:8099`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed {
    /// How to speak there.
    pub transport: TransportKind,
    /// Where.
    pub host: HostPort,
}

impl Seed {
    fn read(text: &str) -> Result<Self, String> {
        let (transport, rest) = TransportKind::split(text).map_err(|(scheme, rest)| {
            format!(
                "has the unknown scheme {scheme:?}; write tcp://{rest}, quic://{rest}, or {rest} \
                 for both"
            )
        })?;
        Ok(Self { transport, host: HostPort::read(rest)? })
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transport.write_scheme(f)?;
        write!(f, "{}", self.host)
    }
}

/// The list of known peers of the key `discovery.seeds`.
pub(in crate::settings) struct Seeds;

impl Form for Seeds {
    type Typed = Vec<Seed>;

    fn read(&self, value: &Value) -> Result<Vec<Seed>, String> {
        let items = list::items(value, "addresses such as example.org:8099", MOST_SEEDS)?;
        if items.is_empty() {
            return Err("is an empty list; give addresses such as example.org:8099, or null for \
                        no seeds"
                .into());
        }
        items.iter().map(|item| Seed::read(item)).collect()
    }

    fn write(&self, seeds: &Vec<Seed>) -> Value {
        if seeds.is_empty() { Value::Null } else { write(seeds) }
    }

    fn kind(&self) -> &'static str {
        "list of hosts"
    }

    fn range(&self) -> String {
        format!("1 to {MOST_SEEDS} hosts")
    }

    fn unset(&self) -> &'static str {
        "none"
    }
}

/// The nodes through which a client joins a DHT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// The well-known nodes of the public network.
    Public,
    /// These and no others. None: a network of one's own, to which others may come.
    Hosts(Vec<HostPort>),
}

/// The key `discovery.bittorrent.bootstrap`.
pub(in crate::settings) struct BootstrapForm;

impl Form for BootstrapForm {
    type Typed = Option<Bootstrap>;

    fn read(&self, value: &Value) -> Result<Option<Bootstrap>, String> {
        let items = list::items(value, "public, or nodes such as 127.0.0.1:6881", MOST_BOOTSTRAP)?;
        if items == ["public"] {
            return Ok(Some(Bootstrap::Public));
        }
        items
            .iter()
            .map(|item| node(item))
            .collect::<Result<_, _>>()
            .map(Bootstrap::Hosts)
            .map(Some)
    }

    fn write(&self, bootstrap: &Option<Bootstrap>) -> Value {
        match bootstrap {
            None => Value::Null,
            Some(Bootstrap::Public) => "public".into(),
            Some(Bootstrap::Hosts(hosts)) => write(hosts),
        }
    }

    fn kind(&self) -> &'static str {
        "`public` or a list of hosts"
    }

    fn range(&self) -> String {
        format!("0 to {MOST_BOOTSTRAP} hosts, IPv4 or names")
    }

    fn unset(&self) -> &'static str {
        "off; `public` if a port is named"
    }
}

fn node(text: &str) -> Result<HostPort, String> {
    if text == "public" {
        return Err("has public beside other nodes; give public alone, or only nodes".into());
    }
    let node = HostPort::read(text)?;
    // The client library speaks IPv4 only; silence would look like a network without peers.
    match node.ip() {
        Some(IpAddr::V6(_)) => {
            Err(format!("has {node}; BitTorrent discovery of this version speaks IPv4 only"))
        }
        _ => Ok(node),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seeds(value: impl Into<Value>) -> Result<Vec<String>, String> {
        Ok(Seeds.read(&value.into())?.iter().map(ToString::to_string).collect())
    }

    fn bootstrap(value: impl Into<Value>) -> Result<Option<Bootstrap>, String> {
        BootstrapForm.read(&value.into())
    }

    #[test]
    fn seeds_are_names_or_addresses() {
        let written = "tcp://Example.ORG:8099, 192.0.2.7:1, quic://[2001:DB8::1]:2, nas_1.local.:3";
        assert_eq!(
            seeds(written).unwrap(),
            ["tcp://example.org:8099", "192.0.2.7:1", "quic://[2001:db8::1]:2", "nas_1.local.:3"]
        );
    }

    #[test]
    fn a_wrong_seed_is_told_why() {
        for (text, why) in [
            ("example.org", "not HOST:PORT"),
            ("example.org:0", "port 0"),
            ("example.org:65536", "0 to 65535"),
            ("http://example.org:80", "write tcp://example.org:80, quic://example.org:80, or"),
            ("quic://", "not HOST:PORT"),
            ("0.0.0.0:1", "nobody can be reached"),
            ("1.2.3:1", "neither a host name nor an IP address"),
            ("1.2.3.400:1", "neither a host name nor an IP address"),
            ("-a.org:1", "neither"),
            ("a b.org:1", "neither"),
            ("a..org:1", "neither"),
            (":1", "neither"),
            ("::1:1", "where a port must stand"),
            ("bücher.example:1", "neither"),
            ("[]", "null for no seeds"),
        ] {
            let error = seeds(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(seeds(format!("{}:1", "a.".repeat(130))).is_err());
        assert!(seeds(format!("{}:1", "a".repeat(64))).is_err());
    }

    #[test]
    fn bootstrap_is_public_or_named_or_none() {
        assert_eq!(bootstrap("public"), Ok(Some(Bootstrap::Public)));
        assert_eq!(bootstrap(["public"]), Ok(Some(Bootstrap::Public)));
        let host = HostPort { host: "127.0.0.1".into(), port: 6881 };
        assert_eq!(bootstrap("127.0.0.1:6881"), Ok(Some(Bootstrap::Hosts(vec![host]))));
        assert_eq!(bootstrap("[]"), Ok(Some(Bootstrap::Hosts(vec![]))));
        assert!(bootstrap("public,127.0.0.1:1").unwrap_err().contains("public alone"));
        assert!(bootstrap("[::1]:6881").unwrap_err().contains("IPv4 only"));
        assert!(bootstrap("off").is_err());
    }

    proptest! {
        #[test]
        fn reading_any_text_as_a_host_never_panics(text: String, like in r"(tcp://|quic://)?[\[\]a-z.:-]{0,20}:[0-9]{0,6}") {
            for text in [text, like] {
                let _ = bootstrap(&*text);
                if let Ok(hosts) = seeds(text) {
                    prop_assert_eq!(seeds(hosts.clone()).unwrap(), hosts);
                }
            }
        }
    }
}
