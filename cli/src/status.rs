//! Standard error: what happens, as lines for people or as JSON for machines.
//!
//! Every line is told to a thread, because a terminal that stands still must not hold up the
//! network. If it does not keep up, lines are skipped, and a line says how many.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use indicatif::MultiProgress;
use p2pchan::{Event, PeerId};
use serde_json::{Map, Value, json};

/// Lines that wait for standard error: a burst of addresses from a lookup fits.
const WAITING: usize = 1024;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Errors.
    Errors,
    /// What changes the state: opened, found nobody, ended.
    Usual,
    /// Also each address that was found, dialled or refused.
    Everything,
}

/// Tells what happens. Clones share the thread.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    lines: SyncSender<Line>,
    skipped: Arc<AtomicU64>,
    bars: MultiProgress,
    began: Instant,
    json: bool,
    level: Level,
}

#[derive(Debug)]
enum Line {
    Text(String),
    /// Everything before is written: say so here.
    End(SyncSender<()>),
}

impl Status {
    /// Tells up to `level`, as one JSON object a line if `json`.
    pub(crate) fn new(json: bool, level: Level) -> Self {
        let (lines, waiting) = sync_channel(WAITING);
        let bars = MultiProgress::new();
        let above = bars.clone();
        thread::spawn(move || write_lines(&waiting, &above));
        Self { lines, skipped: Arc::default(), bars, began: Instant::now(), json, level }
    }

    /// For commands that have nothing to tell but errors.
    pub(crate) fn plain() -> Self {
        Self::new(false, Level::Usual)
    }

    /// Where bars are drawn, below the lines, if there is somebody to look at them.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        let wanted = !self.json && self.level >= Level::Usual && !self.bars.is_hidden();
        wanted.then_some(&self.bars)
    }

    /// Tells one thing: `event` names it for machines, `fields` are its details, `text` is for people.
    pub(crate) fn tell(&self, level: Level, event: &str, fields: Value, text: &str) {
        if level > self.level {
            return;
        }
        let skipped = self.skipped.swap(0, Ordering::Relaxed);
        let late = if skipped > 0 {
            let text = format!("{skipped} lines of status were skipped");
            self.line("skipped", json!({ "count": skipped }), &text) + "\n"
        } else {
            String::new()
        };
        let line = Line::Text(late + &self.line(event, fields, text));
        if self.lines.try_send(line).is_err() {
            self.skipped.fetch_add(skipped + 1, Ordering::Relaxed);
        }
    }

    /// Tells why the command fails. Waits for room, since it is the last word.
    pub(crate) fn failure(&self, message: &str) {
        let line = self.line("error", json!({ "message": message }), message);
        // Fails only if the thread ended because standard error is closed.
        let _ = self.lines.send(Line::Text(line));
    }

    /// Waits until everything is written.
    pub(crate) fn finish(&self) {
        let (written, wait) = sync_channel(1);
        if self.lines.send(Line::End(written)).is_ok() {
            // An error means that the thread has ended, because standard error is closed.
            let _ = wait.recv();
        }
    }

    fn line(&self, event: &str, fields: Value, text: &str) -> String {
        if !self.json {
            return format!("p2pchan: {}", printable(text));
        }
        let mut object = Map::new();
        object.insert("event".into(), event.into());
        object.insert("seconds".into(), self.began.elapsed().as_secs_f64().into());
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        Value::Object(object).to_string()
    }

    /// Tells an event of the node. What goes as expected is told at the level `usual`.
    pub(crate) fn event(&self, event: &Event, usual: Level) {
        if let Some(Told { level, name, fields, text }) = told(event, usual) {
            self.tell(level, name, fields, &text);
        }
    }
}

struct Told {
    level: Level,
    name: &'static str,
    fields: Value,
    text: String,
}

/// How an event is told; `None` for what is told elsewhere or what a later library adds.
fn told(event: &Event, usual: Level) -> Option<Told> {
    let tell = |level, name, fields, text| Some(Told { level, name, fields, text });
    match event {
        Event::Listening { address } => {
            let fields = json!({ "address": address.to_string() });
            tell(usual, "listening", fields, format!("listening on {address}"))
        }
        Event::Opened { source, socket } => {
            let fields = json!({ "source": &**source, "socket": socket });
            tell(usual, "opened", fields, format!("{source} uses {socket}"))
        }
        Event::Announced { source, .. } => {
            let text = format!("others can find this node through {source}");
            tell(usual, "announced", json!({ "source": &**source }), text)
        }
        Event::Found { source, address, .. } => {
            let fields = json!({ "source": &**source, "address": address.to_string() });
            tell(Level::Everything, "found", fields, format!("{source} names {address}"))
        }
        Event::DiscoveryFailed { source, error, .. } => {
            let fields = json!({ "source": &**source, "message": error.to_string() });
            tell(Level::Usual, "discovery_failed", fields, format!("{source}: {error}"))
        }
        Event::Dialling { address } => {
            let fields = json!({ "address": address.to_string() });
            tell(Level::Everything, "dialling", fields, format!("dialling {address}"))
        }
        Event::DialFailed { address, error } => {
            let fields = json!({ "address": address.to_string(), "message": error.to_string() });
            let text = format!("could not reach {address}: {error}");
            tell(Level::Everything, "dial_failed", fields, text)
        }
        Event::Unreachable { address, reason, attempts, .. } => {
            let fields = json!({
                "address": address.to_string(), "reason": reason, "attempts": attempts,
            });
            let text = format!("found {address}, but could not reach it: {reason}");
            tell(Level::Usual, "unreachable", fields, text)
        }
        Event::RemoteOpened { peer, address, .. } => {
            let fields = json!({ "peer": peer.to_string(), "address": address.to_string() });
            let text = format!("remote {} is open at {address}", peer.short());
            tell(usual, "remote_opened", fields, text)
        }
        Event::RemoteEnded { peer, reason, .. } => Some(ended(usual, *peer, &reason.to_string())),
        Event::Refused { peer, address, reason } => {
            let fields = json!({ "peer": peer.to_string(), "address": address.to_string(), "reason": reason });
            let text = format!("refused {} at {address}: {reason}", peer.short());
            tell(Level::Everything, "refused", fields, text)
        }
        Event::Warning { message } => tell(
            Level::Usual,
            "warning",
            json!({ "message": message }),
            format!("warning: {message}"),
        ),
        Event::Missed { count } => tell(
            Level::Usual,
            "skipped",
            json!({ "count": count }),
            format!("{count} events were skipped"),
        ),
        _ => None,
    }
}

fn ended(level: Level, peer: PeerId, reason: &str) -> Told {
    Told {
        level,
        name: "remote_ended",
        fields: json!({ "peer": peer.to_string(), "reason": reason }),
        text: format!("remote {} has ended: {reason}", peer.short()),
    }
}

/// What a peer wrote must not command the terminal: control characters, and those that change the
/// order in which others are shown, are shown as escapes.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if reorders || character.is_control() && character != '\t' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn write_lines(lines: &Receiver<Line>, bars: &MultiProgress) {
    for line in lines {
        match line {
            Line::Text(text) => {
                if bars.suspend(|| writeln!(io::stderr().lock(), "{text}")).is_err() {
                    return;
                }
            }
            Line::End(written) => {
                // Whoever waited may be gone.
                let _ = written.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_wrote_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\r\n☃"), "a\\u{1b}[2Jb\tc\\r\\n☃");
        assert_eq!(printable("gpj.\u{202e}exe\u{2066}"), "gpj.\\u{202e}exe\\u{2066}");
    }

    #[test]
    fn a_machine_gets_one_object_a_line_even_for_text_with_newlines() {
        let status = Status::new(true, Level::Everything);
        let line = status.line("warning", json!({ "message": "two\nlines" }), "");
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], "warning");
        assert_eq!(value["message"], "two\nlines");
        assert!(value["seconds"].is_number());
    }
}
