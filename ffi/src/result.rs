//! Result codes, the message of the last failure, and the wall that no panic crosses.

use std::{
    any::Any,
    cell::RefCell,
    ffi::{CString, c_char},
    panic::{AssertUnwindSafe, catch_unwind},
};

use p2pchan::{Error, ErrorKind};

/// How a call went: P2PCHAN_OK, or what went wrong. Later versions may have further codes.
pub type p2pchan_result = i32;

/// It worked.
pub const P2PCHAN_OK: p2pchan_result = 0;
/// An argument can never be right. Nothing changed; correct the call.
pub const P2PCHAN_ERR_INVALID: p2pchan_result = -1;
/// A setting is unknown, of the wrong type or out of range. Nothing changed.
pub const P2PCHAN_ERR_SETTINGS: p2pchan_result = -2;
/// The node, remote or request has ended.
pub const P2PCHAN_ERR_CLOSED: p2pchan_result = -3;
/// The other side or the network did not answer in time.
pub const P2PCHAN_ERR_TIMEOUT: p2pchan_result = -4;
/// The send buffer is full; nothing was queued. on_writable comes once there is room.
pub const P2PCHAN_ERR_WOULD_BLOCK: p2pchan_result = -5;
/// The other side, or this node's own list, callback or limit, does not want it.
pub const P2PCHAN_ERR_REFUSED: p2pchan_result = -6;
/// The peer could not prove its identity or a common subject.
pub const P2PCHAN_ERR_AUTH: p2pchan_result = -7;
/// A message is larger than this node or the peer takes. Nothing was queued.
pub const P2PCHAN_ERR_TOO_BIG: p2pchan_result = -8;
/// The operating system refused: a port in use, an unreadable file, no route.
pub const P2PCHAN_ERR_IO: p2pchan_result = -9;
/// The call would wait for the callback that makes it. Call it from elsewhere.
pub const P2PCHAN_ERR_IN_CALLBACK: p2pchan_result = -10;
/// A defect of the library. Please report it.
pub const P2PCHAN_ERR_INTERNAL: p2pchan_result = -11;
/// The process was forked; the node belongs to the parent. Make a new one.
pub const P2PCHAN_ERR_FORKED: p2pchan_result = -12;
/// The peer broke the protocol. Its fault, or a different version.
pub const P2PCHAN_ERR_PROTOCOL: p2pchan_result = -13;

/// The code of each kind, and its sentence.
const TABLE: [(p2pchan_result, ErrorKind, &std::ffi::CStr); 13] = [
    (P2PCHAN_ERR_INVALID, ErrorKind::Invalid, c"an argument is not valid"),
    (P2PCHAN_ERR_SETTINGS, ErrorKind::Settings, c"a setting is not valid"),
    (P2PCHAN_ERR_CLOSED, ErrorKind::Closed, c"it has ended"),
    (P2PCHAN_ERR_TIMEOUT, ErrorKind::Timeout, c"no answer in time"),
    (P2PCHAN_ERR_WOULD_BLOCK, ErrorKind::WouldBlock, c"the send buffer is full"),
    (P2PCHAN_ERR_REFUSED, ErrorKind::Refused, c"refused"),
    (P2PCHAN_ERR_AUTH, ErrorKind::Auth, c"identity or subject not proved"),
    (P2PCHAN_ERR_TOO_BIG, ErrorKind::TooBig, c"the message is too big"),
    (P2PCHAN_ERR_IO, ErrorKind::Io, c"the operating system refused"),
    (P2PCHAN_ERR_IN_CALLBACK, ErrorKind::InCallback, c"not allowed inside a callback"),
    (P2PCHAN_ERR_INTERNAL, ErrorKind::Internal, c"a defect of the library"),
    (P2PCHAN_ERR_FORKED, ErrorKind::Forked, c"the process was forked; make a new node"),
    (P2PCHAN_ERR_PROTOCOL, ErrorKind::Protocol, c"the peer broke the protocol"),
];

/// The code of a kind of error. One that a later core adds is INTERNAL until it has a code.
pub(crate) fn code(kind: ErrorKind) -> p2pchan_result {
    TABLE.iter().find(|row| row.1 == kind).map_or(P2PCHAN_ERR_INTERNAL, |row| row.0)
}

/// A short English phrase for a code, also for one that this version does not know.
///
/// Ownership: static text; never freed. Threads: any. Errors: none, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn p2pchan_strerror(code: p2pchan_result) -> *const c_char {
    let row = TABLE.iter().find(|row| row.0 == code);
    let unknown = if code == P2PCHAN_OK { c"no error" } else { c"unknown result code" };
    row.map_or(unknown, |row| row.2).as_ptr()
}

/// What a program says of its own work: nothing went wrong, or an error of this code.
pub(crate) fn to_error(
    code: p2pchan_result,
    message: Option<&str>,
) -> Result<Result<(), Error>, Error> {
    if code == P2PCHAN_OK {
        return Ok(Ok(()));
    }
    let row = TABLE.iter().find(|row| row.0 == code);
    let Some((_, kind, sentence)) = row else {
        return Err(invalid(format!(
            "result {code} is no code; give one of P2PCHAN_OK and P2PCHAN_ERR_*"
        )));
    };
    let sentence = sentence.to_str().unwrap_or_default();
    Ok(Err(Error::new(*kind, message.unwrap_or(sentence))))
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Why the last call that failed on this thread failed: a sentence that names the thing, the value
/// and the fix; "" if none has failed yet. Calls that work do not change it.
///
/// Ownership: the library's; valid until the next call on this thread that fails. Threads: any, each
/// has its own. Errors: none, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn p2pchan_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Text of the library as C has it. A NUL in it, which a peer may have sent, ends it.
pub(crate) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Notes a failure for `p2pchan_last_error`; its code.
#[cold]
pub(crate) fn fail(error: &Error) -> p2pchan_result {
    // A thread that ends has nobody left to ask.
    let _ = LAST.try_with(|last| *last.borrow_mut() = c_string(error.message()));
    code(error.kind())
}

/// Runs the body of a function of the interface: no panic leaves it, failures are noted.
#[inline]
pub(crate) fn call(body: impl FnOnce() -> Result<(), Error>) -> p2pchan_result {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => P2PCHAN_OK,
        Ok(Err(error)) => fail(&error),
        Err(panic) => fail(&defect(&*panic)),
    }
}

/// As [`call`], for functions that have another answer.
pub(crate) fn answer<T>(otherwise: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    let mut result = otherwise;
    call(|| body().map(|answer| result = answer));
    result
}

fn defect(panic: &(dyn Any + Send)) -> Error {
    let text = p2pchan_pump::said(panic).unwrap_or("no message");
    Error::new(ErrorKind::Internal, format!("a defect of p2pchan, please report it: {text}"))
}

/// An argument that can never be right.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn last() -> String {
        // SAFETY: it is valid until the next call on this thread.
        unsafe { CStr::from_ptr(p2pchan_last_error()) }.to_str().unwrap().into()
    }

    #[test]
    fn every_kind_of_error_has_a_code_and_a_sentence() {
        for (place, error) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(code(error), -1 - i32::try_from(place).unwrap(), "{error}");
        }
    }

    #[test]
    fn a_panic_becomes_a_code_and_a_message() {
        assert_eq!(call(|| panic!("the moon is full")), P2PCHAN_ERR_INTERNAL);
        assert!(last().contains("the moon is full"));
        assert_eq!(call(|| Ok(())), P2PCHAN_OK);
        assert!(last().contains("the moon is full"), "success changes nothing");
    }

    #[test]
    fn a_message_with_a_nul_ends_there() {
        assert_eq!(call(|| Err(invalid("before\0after"))), P2PCHAN_ERR_INVALID);
        assert_eq!(last(), "before");
    }
}
