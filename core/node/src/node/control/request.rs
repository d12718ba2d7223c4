//! What is asked and answered, as JSON.

use p2pchan_proto::error::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A request.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub(super) enum Request {
    /// All that is open and under way.
    Status,
    /// What is known of a peer or an address.
    Explain { target: String },
    /// Reads the settings file again.
    Reload,
}

impl Request {
    pub(super) fn read(line: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(line).map_err(|error| {
            let message = format!(
                "the request cannot be read: {error}; send one line such as {{\"request\":\"status\"}}"
            );
            Error::new(ErrorKind::Invalid, message)
        })
    }
}

/// A document as the answer to a request.
pub(super) fn document(document: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(document)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("writing JSON: {error}")))
}

/// The line that is sent.
pub(super) fn answer(answer: Result<Value, Error>) -> Vec<u8> {
    let answer = match answer {
        Ok(document) => json!({ "ok": document }),
        Err(error) => {
            json!({ "error": { "code": error.kind().code(), "message": error.message() } })
        }
    };
    let mut line = answer.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_read_and_others_are_refused_with_an_example() {
        let read = |text: &str| Request::read(text.as_bytes());
        assert_eq!(read(r#"{"request":"status"}"#), Ok(Request::Status));
        let explain = Request::Explain { target: "127.0.0.1:1".into() };
        assert_eq!(read(r#" {"target":"127.0.0.1:1","request":"explain"} "#), Ok(explain));
        for text in ["", "status", "{}", r#"{"request":"stop"}"#, r#"{"request":"explain"}"#] {
            let error = read(text).unwrap_err();
            assert!(error.message().contains(r#"{"request":"status"}"#), "{error}");
        }
    }

    #[test]
    fn an_answer_is_one_line() {
        let error = Error::new(ErrorKind::Io, "two\nlines");
        let line = answer(Err(error));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read["error"]["code"], "IO");
    }

    proptest! {
        #[test]
        fn reading_any_bytes_never_panics(line: Vec<u8>) {
            let _ = Request::read(&line);
        }
    }
}
