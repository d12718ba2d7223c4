//! How far a transfer is: a bar on a terminal, and one line at the end.
//!
//! Who moves bytes only counts them; a thread draws, because a terminal that stands still must not
//! hold up the network.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use indicatif::{BinaryBytes, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

use crate::status::{Status, printable};

/// The time between two drawings: smooth for the eye, and nothing for the processor.
const FRAME: Duration = Duration::from_millis(100);
/// Letters of a file's name beside the bar.
const NAME: usize = 24;
const WITH_TOTAL: &str =
    "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
const WITHOUT_TOTAL: &str = "{msg} {spinner} {binary_bytes}  {binary_bytes_per_sec}  {elapsed}";

/// A number of bytes for people, such as 1.20 GiB.
pub(crate) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// A bar, drawn until it is dropped; where there is no terminal, nothing.
#[derive(Clone)]
pub(crate) struct Bar {
    counts: Arc<Counts>,
    _drawing: Option<Arc<Drawing>>,
}

#[derive(Default)]
struct Counts {
    position: AtomicU64,
    /// It has not moved but jumped there, so it says nothing of the speed.
    jumped: AtomicBool,
    name: Mutex<String>,
}

impl Bar {
    /// Begins at nothing.
    pub(crate) fn new(total: Option<u64>, status: &Status) -> Self {
        let counts = Arc::new(Counts::default());
        let drawing = status.bars().map(|bars| {
            let bar = bars.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
            let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
            // Fails only for a template that cannot be read.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            Arc::new(Drawing::start(bar, bars.clone(), Arc::clone(&counts)))
        });
        Self { counts, _drawing: drawing }
    }

    /// So many bytes have moved.
    pub(crate) fn moved(&self, bytes: u64) {
        self.counts.position.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The next byte is this one, and those before have moved earlier.
    pub(crate) fn jump(&self, position: u64) {
        self.counts.position.store(position, Ordering::Relaxed);
        self.counts.jumped.store(true, Ordering::Release);
    }

    /// What is moved now.
    pub(crate) fn name(&self, name: &str) {
        let shown: String = printable(name).chars().take(NAME).collect();
        *self.counts.name.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

/// The thread that draws; it ends with this.
struct Drawing {
    end: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drawing {
    fn start(bar: ProgressBar, bars: MultiProgress, counts: Arc<Counts>) -> Self {
        let (end, ended) = channel();
        let thread = thread::spawn(move || {
            while ended.recv_timeout(FRAME) == Err(RecvTimeoutError::Timeout) {
                draw(&bar, &counts);
            }
            bar.finish_and_clear();
            bars.remove(&bar);
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked, and if it did there is only no bar.
            let _ = thread.join();
        }
    }
}

fn draw(bar: &ProgressBar, counts: &Counts) {
    let name = counts.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if bar.message() != name {
        bar.set_message(name);
    }
    let jumped = counts.jumped.swap(false, Ordering::Acquire);
    bar.set_position(counts.position.load(Ordering::Relaxed));
    if jumped {
        bar.reset_eta();
    }
}

/// What a transfer came to: how much moved, and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    began: Instant,
    moved: u64,
}

impl Summary {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), moved: 0 }
    }

    /// So many bytes have moved, not counting what was there before.
    pub(crate) const fn moved(&mut self, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// Bytes that have moved.
    pub(crate) const fn bytes(&self) -> u64 {
        self.moved
    }

    /// Seconds since the beginning.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// For people: `1.20 GiB in 12.0 s, 102 MiB/s`.
    pub(crate) fn text(&self) -> String {
        if self.moved == 0 {
            return "nothing was missing".into();
        }
        let elapsed = self.began.elapsed();
        let rate = u128::from(self.moved) * 1000 / elapsed.as_millis().max(1);
        let rate = size(u64::try_from(rate).unwrap_or(u64::MAX));
        let took = if elapsed < Duration::from_secs(100) {
            format!("{:.1} s", elapsed.as_secs_f64())
        } else {
            HumanDuration(elapsed).to_string()
        };
        format!("{} in {took}, {rate}/s", size(self.moved))
    }
}
