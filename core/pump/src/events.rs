//! Events by name, with their particulars as JSON; docs/status.md lists them.

use p2pchan::{Error, Event};
use serde_json::{Value, json};

/// The name of an event, the same in all languages, and its particulars: always an object.
pub(crate) fn named(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Listening { address } => ("listening", json!({"address": text(address)})),
        Event::NotListening { address } => ("not_listening", json!({"address": text(address)})),
        Event::Opened { source, socket } => {
            ("opened", json!({"source": **source, "socket": socket}))
        }
        Event::Closed { source, socket } => {
            ("closed", json!({"source": **source, "socket": socket}))
        }
        Event::Announced { source, subject } => {
            ("announced", json!({"source": **source, "subject": **subject}))
        }
        Event::Found { source, subject, address } => {
            ("found", json!({"source": **source, "subject": **subject, "address": text(address)}))
        }
        Event::DiscoveryFailed { source, subject, error } => (
            "discovery_failed",
            with_error(json!({"source": **source, "subject": **subject}), error),
        ),
        Event::Dialling { address } => ("dialling", json!({"address": text(address)})),
        Event::DialFailed { address, error } => {
            ("dial_failed", with_error(json!({"address": text(address)}), error))
        }
        Event::Unreachable { subject, address, reason, attempts } => (
            "unreachable",
            json!({
                "subject": subject.as_deref(), "address": text(address),
                "reason": reason, "attempts": attempts,
            }),
        ),
        Event::RemoteOpened { peer, subject, address } => (
            "remote_opened",
            json!({"peer": text(peer), "subject": **subject, "address": text(address)}),
        ),
        Event::RemoteEnded { peer, subject, reason } => (
            "remote_ended",
            json!({"peer": text(peer), "subject": **subject, "reason": text(reason)}),
        ),
        Event::Refused { peer, address, reason } => {
            ("refused", json!({"peer": text(peer), "address": text(address), "reason": reason}))
        }
        Event::Paused => ("paused", json!({})),
        Event::Resumed => ("resumed", json!({})),
        Event::Warning { message } => ("warning", json!({"message": message})),
        Event::Missed { count } => ("missed", json!({"count": count})),
        // One that a later core adds, until it has a name here.
        event => ("event", json!({"message": text(event)})),
    }
}

fn text(value: &impl ToString) -> String {
    value.to_string()
}

fn with_error(mut particulars: Value, error: &Error) -> Value {
    particulars["code"] = error.kind().code().into();
    particulars["error"] = error.message().into();
    particulars
}

#[cfg(test)]
mod tests {
    use p2pchan::ErrorKind;

    use super::*;

    #[test]
    fn an_event_is_a_name_and_an_object() {
        let address = "tcp://192.0.2.7:8099".parse().unwrap();
        let error = Error::new(ErrorKind::Timeout, "no \"answer\"");
        let (name, json) = named(&Event::DialFailed { address, error });
        let expected = json!({
            "address": "tcp://192.0.2.7:8099", "code": "TIMEOUT", "error": "no \"answer\"",
        });
        assert_eq!((name, json), ("dial_failed", expected));
        assert_eq!(named(&Event::Paused), ("paused", json!({})));
    }
}
