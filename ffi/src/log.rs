//! The log of the library, led to a function of the program.
//!
//! The sink is three atomics behind a version number, not a lock: a lock that a thread held while the
//! process forked would stay locked in the child for ever.

use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence},
    },
};

use p2pchan::{Error, ErrorKind};
use p2pchan_pump::{Lines, level_changed};

use crate::{
    general::{P2PCHAN_LOG_OFF, P2PCHAN_LOG_TRACE, p2pchan_log},
    result::{c_string, invalid},
};

/// Where lines go.
#[derive(Clone, Copy)]
pub(crate) struct Sink {
    pub(crate) level: c_int,
    pub(crate) function: p2pchan_log,
    pub(crate) userdata: *mut c_void,
}

/// Odd while a sink is being written.
static VERSION: AtomicU32 = AtomicU32::new(0);
static LEVEL: AtomicI32 = AtomicI32::new(P2PCHAN_LOG_OFF);
static FUNCTION: AtomicUsize = AtomicUsize::new(0);
static USERDATA: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Replaces the sink.
pub(crate) fn set(sink: Sink) -> Result<(), Error> {
    if !(P2PCHAN_LOG_OFF..=P2PCHAN_LOG_TRACE).contains(&sink.level) {
        return Err(invalid(format!("log level {}; give 0 (off) to 5 (trace)", sink.level)));
    }
    subscribe()?;
    store(sink);
    level_changed();
    Ok(())
}

/// Leads the log here, once in a process.
fn subscribe() -> Result<(), Error> {
    static SUBSCRIBED: OnceLock<bool> = OnceLock::new();
    if *SUBSCRIBED.get_or_init(|| p2pchan_pump::subscribe(ToSink)) {
        return Ok(());
    }
    let message = "this process, which is written in Rust, has a subscriber of its own; use that";
    Err(Error::new(ErrorKind::Refused, message))
}

fn store(Sink { level, function, userdata }: Sink) {
    let level = if function.is_none() { P2PCHAN_LOG_OFF } else { level };
    // Whoever comes second, or finds what a fork cut short, simply writes on top.
    VERSION.fetch_or(1, Ordering::AcqRel);
    fence(Ordering::Release);
    LEVEL.store(level, Ordering::Relaxed);
    FUNCTION.store(function.map_or(0, |function| function as usize), Ordering::Relaxed);
    USERDATA.store(userdata, Ordering::Relaxed);
    let version = VERSION.load(Ordering::Relaxed);
    VERSION.store((version | 1).wrapping_add(1), Ordering::Release);
}

/// The sink, unless it is being replaced at this moment: then the line is lost, as it belongs to
/// neither.
fn load() -> Option<Sink> {
    let version = VERSION.load(Ordering::Acquire);
    let (level, function) = (LEVEL.load(Ordering::Relaxed), FUNCTION.load(Ordering::Relaxed));
    let userdata = USERDATA.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    if version & 1 == 1 || VERSION.load(Ordering::Relaxed) != version || function == 0 {
        return None;
    }
    // SAFETY: it was stored as such a function, and is not zero.
    let function = unsafe { std::mem::transmute::<usize, p2pchan_log>(function) };
    Some(Sink { level, function, userdata })
}

struct ToSink;

impl Lines for ToSink {
    fn level(&self) -> u8 {
        LEVEL.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }

    fn line(&self, own: u8, line: &str) {
        let Some(Sink { level, function: Some(function), userdata }) = load() else { return };
        if c_int::from(own) <= level {
            let line = c_string(line);
            // SAFETY: the program's function, which it keeps usable.
            unsafe { function(userdata, own.into(), line.as_ptr()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::{CStr, c_char},
        sync::Mutex,
    };

    use super::*;
    use crate::general::p2pchan_set_log;

    unsafe extern "C" fn keep(userdata: *mut c_void, level: c_int, line: *const c_char) {
        // SAFETY: what the test has set, and what the library promises.
        let (lines, line) =
            unsafe { (&*userdata.cast::<Mutex<Vec<(c_int, String)>>>(), CStr::from_ptr(line)) };
        lines.lock().unwrap().push((level, line.to_str().unwrap().into()));
    }

    #[test]
    fn lines_of_the_level_and_below_reach_the_program() {
        let lines: &Mutex<Vec<(c_int, String)>> = Box::leak(Box::default());
        let userdata = ptr::from_ref(lines).cast_mut().cast();
        // SAFETY: the lines live for ever.
        assert_eq!(unsafe { p2pchan_set_log(3, Some(keep), userdata) }, 0);
        tracing::info!(target: "p2pchan", answer = 42, "one\nline\0more");
        tracing::debug!(target: "p2pchan", "too fine");
        tracing::error!(target: "somebody_else", "not ours");
        // SAFETY: as above.
        assert_eq!(unsafe { p2pchan_set_log(3, None, ptr::null_mut()) }, 0);
        tracing::error!(target: "p2pchan", "nobody listens");
        // SAFETY: as above.
        assert_eq!(unsafe { p2pchan_set_log(6, Some(keep), userdata) }, -1);
        let lines = lines.lock().unwrap();
        let ours: Vec<_> = lines.iter().filter(|(_, line)| line.contains("line")).collect();
        assert_eq!(ours.len(), 1, "{lines:?}");
        assert!(ours[0].1.starts_with("one line more") && ours[0].1.contains("answer=42"));
        assert!(lines.iter().all(|(level, _)| *level <= 3));
    }
}
