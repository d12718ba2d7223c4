//! The log of the library, led to a function of the program.
//!
//! The sink is three atomics behind a version number, not a lock: a lock that a thread held while the
//! process forked would stay locked in the child for ever.

use std::{
    ffi::{c_int, c_void},
    fmt::{self, Write},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence},
    },
};

use p2pchan::{Error, ErrorKind};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

use crate::{
    general::{P2PCHAN_LOG_OFF, P2PCHAN_LOG_TRACE, p2pchan_log},
    result::{c_string, invalid},
};

/// The longest line, in bytes: as long as any message of the library, and no flood from a peer.
const LINE: usize = 2048;

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
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Leads the log here, once in a process.
fn subscribe() -> Result<(), Error> {
    static SUBSCRIBED: OnceLock<bool> = OnceLock::new();
    let subscribe = || tracing::subscriber::set_global_default(ToSink).is_ok();
    if *SUBSCRIBED.get_or_init(subscribe) {
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

fn number(level: Level) -> c_int {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for ToSink {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // What other crates log may hold what a peer sent.
        if metadata.target().starts_with("p2pchan") && metadata.is_event() {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match LEVEL.load(Ordering::Relaxed) {
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            5 => LevelFilter::TRACE,
            _ => LevelFilter::OFF,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) <= LEVEL.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(Sink { level, function: Some(function), userdata }) = load() else { return };
        let own = number(*event.metadata().level());
        if own > level {
            return;
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        let line = c_string(&line.0);
        // SAFETY: the program's function, which it keeps usable.
        unsafe { function(userdata, own, line.as_ptr()) };
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message first, then the fields, on one line.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = if field.name() == "message" {
            format!("{value:?} ")
        } else {
            format!("{}={value:?} ", field.name())
        };
        let room = LINE.saturating_sub(self.0.len());
        let text = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        let text: String = text.take(room / 4).collect();
        // Writing to memory does not fail.
        let _ = self.0.write_str(&text);
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
