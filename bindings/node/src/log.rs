//! The library's log, led to the event loop that asked for it last.

#![expect(clippy::needless_pass_by_value, reason = "what JavaScript passes comes by value")]

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use napi::{
    Status,
    bindgen_prelude::{FnArgs, Function},
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use napi_derive::napi;
use p2pchan::{Error, ErrorKind};
use p2pchan_pump::{Lines, level_changed};

use crate::error::{Failure, thrown};

/// Lines that wait for the event loop: some seconds of everything. Then new ones are only counted.
const MOST: usize = 1024;

type Line = FnArgs<(u8, String)>;
/// Weak: it does not keep the process alive.
type Listener = ThreadsafeFunction<Line, (), Line, Status, false, true, MOST>;

static LEVEL: AtomicU8 = AtomicU8::new(0);
static LISTENER: Mutex<Option<Arc<Listener>>> = Mutex::new(None);
static LOST: AtomicU64 = AtomicU64::new(0);

fn listener() -> MutexGuard<'static, Option<Arc<Listener>>> {
    LISTENER.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ToJavaScript;

impl Lines for ToJavaScript {
    fn level(&self) -> u8 {
        LEVEL.load(Ordering::Relaxed)
    }

    fn line(&self, level: u8, line: &str) {
        let Some(listener) = listener().clone() else { return };
        let told = |level, line| {
            listener.call((level, line).into(), ThreadsafeFunctionCallMode::NonBlocking)
                == Status::Ok
        };
        let lost = LOST.swap(0, Ordering::Relaxed);
        let told_lost = lost == 0 || told(2, format!("{lost} lines of the log were lost"));
        if !told_lost || !told(level, line.trim_end().into()) {
            LOST.fetch_add(if told_lost { 1 } else { lost + 1 }, Ordering::Relaxed);
        }
    }
}

/// Leads lines up to this level, from 0 (none) to 5 (all), to this function. With `unless_taken` only if
/// they go nowhere yet, or went to an environment that is gone.
#[napi(catch_unwind)]
pub fn set_log(level: u8, call: Function<'_, Line, ()>, unless_taken: bool) -> Result<(), Failure> {
    static SUBSCRIBED: OnceLock<bool> = OnceLock::new();
    SUBSCRIBED.get_or_init(|| p2pchan_pump::subscribe(ToJavaScript));
    if unless_taken && listener().as_ref().is_some_and(|listener| !listener.aborted()) {
        return Ok(());
    }
    let made = call.build_threadsafe_function().weak::<true>().max_queue_size::<MOST>().build();
    let made = made.map_err(|error| thrown(Error::new(ErrorKind::Internal, error.to_string())))?;
    // Dropped with the lock free, as that calls Node.
    let before = listener().replace(Arc::new(made));
    drop(before);
    if LEVEL.swap(level, Ordering::Relaxed) != level {
        level_changed();
    }
    Ok(())
}
