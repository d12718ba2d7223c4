//! One port, and one IPv4 address of this machine.

use std::net::Ipv4Addr;

use super::{
    number::{is_digits, within},
    wrong_type,
};
use crate::settings::{key::Form, value::Value};

/// A UDP port of the node's own.
pub(in crate::settings) struct Port;

impl Form for Port {
    type Typed = Option<u16>;

    fn read(&self, value: &Value) -> Result<Option<u16>, String> {
        match value {
            Value::Integer(number) => {
                let number = within(*number, &(0..=i64::from(u16::MAX)), |port| port.to_string())?;
                Ok(u16::try_from(number).ok())
            }
            Value::Text(text) => port(text).map(Some),
            other => Err(wrong_type(other, "a port such as 6881")),
        }
    }

    fn write(&self, port: &Option<u16>) -> Value {
        (*port).into()
    }

    fn kind(&self) -> &'static str {
        "port"
    }

    fn range(&self) -> String {
        "0 to 65535".into()
    }

    fn unset(&self) -> &'static str {
        "any free one, if BitTorrent is on"
    }
}

/// An IPv4 address of this machine.
pub(in crate::settings) struct Ipv4;

impl Form for Ipv4 {
    type Typed = Ipv4Addr;

    fn read(&self, value: &Value) -> Result<Self::Typed, String> {
        const WANTED: &str = "an IPv4 address such as 127.0.0.1";
        let Value::Text(text) = value else { return Err(wrong_type(value, WANTED)) };
        let ip: Self::Typed =
            text.trim().parse().map_err(|_| format!("is not an IPv4 address; give {WANTED}"))?;
        if ip.is_multicast() || ip.is_broadcast() {
            return Err(format!("is no address of a machine; give {WANTED}"));
        }
        Ok(ip)
    }

    fn write(&self, ip: &Self::Typed) -> Value {
        ip.to_string().into()
    }

    fn kind(&self) -> &'static str {
        "IPv4 address"
    }

    fn range(&self) -> String {
        "an address of this machine, or `0.0.0.0` for all".into()
    }
}

/// A port, 0 included.
pub(super) fn port(text: &str) -> Result<u16, String> {
    let text = text.trim();
    match text.parse() {
        Ok(port) if is_digits(text) => Ok(port),
        _ => Err(format!("has {text:?} where a port must stand; allowed is 0 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_port_is_a_number_up_to_65535() {
        assert_eq!(Port.read(&6881.into()), Ok(Some(6881)));
        assert_eq!(Port.read(&"0".into()), Ok(Some(0)));
        assert!(Port.read(&65536.into()).unwrap_err().contains("0 to 65535"));
        for text in ["65536", "-1", "+5", "", "http", "8099-9000"] {
            assert!(Port.read(&text.into()).unwrap_err().contains("0 to 65535"), "{text}");
        }
        assert!(Port.read(&(-1).into()).unwrap_err().contains("0 to 65535"));
    }

    #[test]
    fn an_address_to_bind_is_one_of_a_machine() {
        assert_eq!(Ipv4.read(&"127.0.0.1".into()), Ok(Ipv4Addr::LOCALHOST));
        for text in ["224.0.0.1", "255.255.255.255", "::1", "localhost", "1.2.3", ""] {
            assert!(Ipv4.read(&text.into()).unwrap_err().contains("such as 127.0.0.1"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_as_a_port_never_panics(text: String) {
            let _ = (Port.read(&text.clone().into()), Ipv4.read(&text.into()));
        }
    }
}
