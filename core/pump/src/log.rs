//! The library's log, led to a program line by line.

use std::fmt;

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

/// The longest line, in bytes: as long as any message of the library, and no flood from a peer.
const LINE: usize = 2048;

/// Where lines go. It is asked and told by any thread at any moment.
pub trait Lines: Send + Sync + 'static {
    /// How much is wanted at this moment: 0 for nothing, then errors, warnings, information, what
    /// helps to find mistakes, and 5 for everything.
    fn level(&self) -> u8;
    /// A line, and its level from 1 to 5: the message first, then the fields, without line breaks.
    fn line(&self, level: u8, line: &str);
}

/// Leads the log of the process there; false if it has a subscriber already.
pub fn subscribe(lines: impl Lines) -> bool {
    tracing::subscriber::set_global_default(ToLines(lines)).is_ok()
}

/// To be called when what [`Lines::level`] says has changed.
pub fn level_changed() {
    tracing::callsite::rebuild_interest_cache();
}

struct ToLines<T>(T);

const fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl<T: Lines> Subscriber for ToLines<T> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // What other crates log may hold what a peer sent.
        if metadata.target().starts_with("p2pchan") && metadata.is_event() {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.level() {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) <= self.0.level()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.line(number(*event.metadata().level()), &line.0);
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
        self.0.extend(text.take(room / 4));
    }
}
