//! How a message looks on standard output.

use std::io::{self, IsTerminal};

use p2pchan::{Kind, Message, PeerId};
use serde_json::{Value, json};

use crate::status::printable;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rendering {
    /// The message as it is, then a newline.
    Data,
    /// The same, but nothing that would command the terminal.
    Terminal,
    /// `{"peer":…,"kind":"text","text":…}`, `{…"kind":"bytes","hex":…}`, `{…"kind":"json","json":…}`.
    Json,
}

impl Rendering {
    /// The form that fits standard output.
    pub(super) fn new(json: bool) -> Self {
        if json {
            Self::Json
        } else if io::stdout().is_terminal() {
            Self::Terminal
        } else {
            Self::Data
        }
    }

    /// The message as a line, with its newline.
    pub(super) fn line(self, peer: PeerId, message: &Message) -> Vec<u8> {
        let mut line = match self {
            Self::Data => Vec::from(&message.payload()[..]),
            Self::Terminal => printable(&String::from_utf8_lossy(message.payload())).into_bytes(),
            Self::Json => object(peer, message).into_bytes(),
        };
        line.push(b'\n');
        line
    }
}

fn object(peer: PeerId, message: &Message) -> String {
    let peer = peer.to_string();
    let payload = message.payload();
    match (message.kind(), message.as_text()) {
        (Kind::Text, Some(text)) => {
            json!({ "peer": peer, "kind": "text", "text": text }).to_string()
        }
        (Kind::Json, _) if let Some(json) = one_line(payload) => {
            format!(r#"{{"peer":"{peer}","kind":"json","json":{json}}}"#)
        }
        _ => json!({ "peer": peer, "kind": "bytes", "hex": hex(payload) }).to_string(),
    }
}

/// The JSON text as it came, so that long numbers keep their digits, without the newlines that may
/// stand between its parts. `None` if it is not JSON.
fn one_line(json: &[u8]) -> Option<String> {
    serde_json::from_slice::<Value>(json).ok()?;
    let text = std::str::from_utf8(json).ok()?;
    Some(text.replace(['\n', '\r'], " "))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(rendering: Rendering, message: &Message) -> String {
        String::from_utf8(rendering.line(PeerId::from_bytes([0xab; 32]), message)).unwrap()
    }

    #[test]
    fn data_is_printed_byte_for_byte() {
        let line =
            Rendering::Data.line(PeerId::from_bytes([0; 32]), &Message::bytes(&b"\xff\x1b"[..]));
        assert_eq!(line, b"\xff\x1b\n");
    }

    #[test]
    fn a_terminal_is_not_commanded_by_messages() {
        assert_eq!(rendered(Rendering::Terminal, &Message::text("\u{1b}[2J")), "\\u{1b}[2J\n");
    }

    #[test]
    fn a_machine_gets_one_object_a_line_whatever_the_message_holds() {
        for message in [Message::text("two\nlines"), Message::bytes(&b"\xff\n\x00"[..])] {
            let line = rendered(Rendering::Json, &message);
            assert_eq!(line.matches('\n').count(), 1);
            let value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["peer"], "ab".repeat(32));
        }
        assert!(rendered(Rendering::Json, &Message::bytes(&b"\xff\n\x00"[..])).contains("ff0a00"));
    }
}
