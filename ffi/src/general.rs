//! Version and log.

use std::ffi::{c_char, c_int, c_void};

use crate::{
    log::{self, Sink},
    result::{call, p2pchan_result},
};

/// The version of the running library: major << 16 | minor << 8 | patch. P2PCHAN_VERSION_HEX is that
/// of the header.
///
/// Threads: any. Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn p2pchan_version_hex() -> u32 {
    const fn part(text: &str) -> u32 {
        let (digits, mut place, mut number) = (text.as_bytes(), 0, 0);
        while place < digits.len() {
            number = number * 10 + (digits[place] - b'0') as u32;
            place += 1;
        }
        number
    }
    const {
        part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
            | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
            | part(env!("CARGO_PKG_VERSION_PATCH"))
    }
}

/// The version of the running library as text, such as "0.1.0".
///
/// Ownership: static text; never freed. Threads: any. Errors: none, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn p2pchan_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// A line of the log: its level, and one line of text without a line end.
pub type p2pchan_log =
    Option<unsafe extern "C" fn(userdata: *mut c_void, level: c_int, line: *const c_char)>;

/// Nothing is logged.
pub const P2PCHAN_LOG_OFF: c_int = 0;
/// Defects of the library.
pub const P2PCHAN_LOG_ERROR: c_int = 1;
/// What works differently from what was probably meant.
pub const P2PCHAN_LOG_WARN: c_int = 2;
/// What happens.
pub const P2PCHAN_LOG_INFO: c_int = 3;
/// What helps to find out why.
pub const P2PCHAN_LOG_DEBUG: c_int = 4;
/// Everything.
pub const P2PCHAN_LOG_TRACE: c_int = 5;

/// Sends the log of all nodes of the process to a function of the program: lines of this level and
/// below. The log never holds messages or subjects. Replaces what was set before; NULL, or the level
/// P2PCHAN_LOG_OFF, ends it. At first there is none.
///
/// The function is called from any thread of the library, perhaps from several at once, and must not
/// call the library. It is no callback of a node: rules 4 to 6 do not count for it.
///
/// Ownership: the function and its userdata must stay usable as long as the process lives, as another
/// thread may be about to call them. Threads: any. Errors: P2PCHAN_ERR_INVALID for an unknown level.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p2pchan_set_log(
    level: c_int,
    log: p2pchan_log,
    userdata: *mut c_void,
) -> p2pchan_result {
    call(|| log::set(Sink { level, function: log, userdata }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_version_agree() {
        let hex = p2pchan_version_hex();
        let text = format!("{}.{}.{}", hex >> 16, hex >> 8 & 0xff, hex & 0xff);
        assert_eq!(text, env!("CARGO_PKG_VERSION"));
    }
}
