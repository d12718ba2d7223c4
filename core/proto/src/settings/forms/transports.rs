//! Sets of transports.

use super::list;
use crate::{
    address::{TransportKind, Transports},
    settings::{key::Form, value::Value},
};

/// More items than there are names, so that one that stands twice is not what is complained about.
const MOST_ITEMS: usize = 8;
const WANTED: &str = "tcp, quic, or both";

/// The list of transports of the key `transports`.
pub(in crate::settings) struct TransportsForm;

impl Form for TransportsForm {
    type Typed = Transports;

    fn read(&self, value: &Value) -> Result<Transports, String> {
        let items = list::items(value, WANTED, MOST_ITEMS)?;
        let mut transports = Transports { tcp: false, quic: false };
        for item in &items {
            match &**item {
                "tcp" => transports.tcp = true,
                "quic" => transports.quic = true,
                _ => return Err(format!("has {item:?}, which is no transport; give {WANTED}")),
            }
        }
        if transports.is_empty() {
            return Err(format!(
                "is an empty list, with which nobody could be dialled; give {WANTED}"
            ));
        }
        Ok(transports)
    }

    fn write(&self, transports: &Transports) -> Value {
        [(transports.tcp, TransportKind::Tcp), (transports.quic, TransportKind::Quic)]
            .into_iter()
            .filter(|(is_in, _)| *is_in)
            .map(|(_, kind)| kind.name().to_owned())
            .collect()
    }

    fn kind(&self) -> &'static str {
        "list of transports"
    }

    fn range(&self) -> String {
        "`tcp`, `quic`, or both".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: impl Into<Value>) -> Result<Transports, String> {
        TransportsForm.read(&value.into())
    }

    #[test]
    fn one_or_both_can_be_named_in_any_order() {
        assert_eq!(read("quic, tcp"), Ok(Transports::ALL));
        assert_eq!(read(["tcp", "tcp"]), Ok(Transports { tcp: true, quic: false }));
        assert_eq!(read("quic"), Ok(Transports { tcp: false, quic: true }));
        for transports in ["tcp", "quic", "tcp,quic"] {
            let typed = read(transports).unwrap();
            assert_eq!(TransportsForm.read(&TransportsForm.write(&typed)), Ok(typed));
        }
    }

    #[test]
    fn a_wrong_list_is_told_why() {
        for (text, why) in [
            ("[]", "nobody could be dialled"),
            ("", "is empty"),
            ("udp", "\"udp\", which is no transport; give tcp, quic, or both"),
            ("TCP", "no transport"),
            ("any", "no transport"),
            ("tcp,", "empty item"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(read(6).unwrap_err().contains("is a number"));
    }
}
