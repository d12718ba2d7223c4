//! Errors as JavaScript gets them: `code` is the name of the kind, to which `lib/errors.js` gives its class.

use napi_derive::napi;
use p2pchan::{Error, ErrorKind};

/// What fails here: thrown with the kind as its `code`.
pub(crate) type Failure = napi::Error<String>;

/// The names of all kinds of errors.
#[napi(catch_unwind)]
pub fn codes() -> Vec<&'static str> {
    ErrorKind::ALL.into_iter().map(ErrorKind::code).collect()
}

/// The error to throw.
#[cold]
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn thrown(error: Error) -> Failure {
    napi::Error::new(error.kind().code().into(), error.message())
}

/// An argument that can never be right.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
