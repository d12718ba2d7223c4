//! Lines of the library's log, until Python takes them: no thread of the library ever runs Python.

use std::{
    collections::VecDeque,
    hint, mem,
    sync::{
        Mutex, MutexGuard, OnceLock, TryLockError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
};

use p2pchan_pump::{Lines, generation, level_changed};
use pyo3::prelude::*;

/// Lines that wait: some seconds of everything. Then new ones are only counted.
const MOST: usize = 1024;
/// How often a lock is tried, which is never held longer than it takes to move a line.
const TRIES: usize = 1000;

static LEVEL: AtomicU8 = AtomicU8::new(0);
static WAITING: Mutex<Waiting> = Mutex::new(Waiting { generation: 0, lines: VecDeque::new() });
static LOST: AtomicU64 = AtomicU64::new(0);
static PENDING: AtomicBool = AtomicBool::new(false);

struct Waiting {
    /// Of the process that logged them.
    generation: u64,
    lines: VecDeque<(u8, String)>,
}

/// Nobody waits for this lock: one that a thread held while the process forked stays locked in the
/// child for ever.
fn waiting() -> Option<MutexGuard<'static, Waiting>> {
    let mut waiting = (0..TRIES).find_map(|_| match WAITING.try_lock() {
        Ok(waiting) => Some(waiting),
        Err(TryLockError::Poisoned(waiting)) => Some(waiting.into_inner()),
        Err(TryLockError::WouldBlock) => {
            hint::spin_loop();
            None
        }
    })?;
    if waiting.generation != generation() {
        *waiting = Waiting { generation: generation(), lines: VecDeque::new() };
    }
    Some(waiting)
}

struct ToPython;

impl Lines for ToPython {
    fn level(&self) -> u8 {
        LEVEL.load(Ordering::Relaxed)
    }

    fn line(&self, level: u8, line: &str) {
        match waiting() {
            Some(mut waiting) if waiting.lines.len() < MOST => {
                waiting.lines.push_back((level, line.trim_end().into()));
            }
            _ => drop(LOST.fetch_add(1, Ordering::Relaxed)),
        }
        PENDING.store(true, Ordering::Release);
    }
}

/// Whether there are lines.
pub(crate) fn pending() -> bool {
    PENDING.load(Ordering::Relaxed)
}

/// Keeps lines up to this level, from 0 (none) to 5 (all), for `log_lines`.
#[pyfunction]
pub(crate) fn log_level(level: u8) {
    static SUBSCRIBED: OnceLock<bool> = OnceLock::new();
    SUBSCRIBED.get_or_init(|| p2pchan_pump::subscribe(ToPython));
    if LEVEL.swap(level, Ordering::Relaxed) != level {
        level_changed();
    }
}

/// The lines that wait, with their levels, and how many there was no room for.
#[pyfunction]
pub(crate) fn log_lines() -> (Vec<(u8, String)>, u64) {
    PENDING.swap(false, Ordering::Acquire);
    let Some(mut waiting) = waiting() else { return (Vec::new(), 0) };
    (mem::take(&mut waiting.lines).into(), LOST.swap(0, Ordering::Relaxed))
}
