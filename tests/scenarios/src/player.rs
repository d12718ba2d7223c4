//! A player: a process that does what it is told.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Instant,
};

use serde_json::{Map, Value};

use crate::{DEADLINE, Language};

/// Lines that are shown when something fails, and characters of each.
const LINES: usize = 12;
const SHOWN: usize = 400;

/// A running player, and what it has said.
pub(crate) struct Player {
    child: Child,
    /// None once it was told that nothing follows.
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    /// Answers that came before they were asked for.
    early: BTreeMap<u64, Map<String, Value>>,
    last: u64,
    /// The last lines, of both.
    said: VecDeque<String>,
}

impl Player {
    pub(crate) fn start(language: &Language) -> Result<Self, String> {
        let failed = |why: String| format!("player {}: {why}", language.name);
        let (program, arguments) =
            language.command.split_first().ok_or_else(|| failed("no command".into()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("{program}: {error}")))?;
        let (orders, output) = (child.stdin.take(), child.stdout.take());
        let (orders, output) = orders.zip(output).ok_or_else(|| failed("no pipes".into()))?;
        let (sender, answers) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            // Nobody reads on when the player is gone.
            lines.into_iter().try_for_each(|line| sender.send(line)).ok();
        });
        let (early, said) = (BTreeMap::new(), VecDeque::new());
        Ok(Self { child, orders: Some(orders), answers, early, last: 0, said })
    }

    /// Tells it to do something; the number is that of the answer.
    pub(crate) fn order(
        &mut self,
        verb: &str,
        arguments: &Map<String, Value>,
    ) -> Result<u64, String> {
        self.last += 1;
        let mut order = arguments.clone();
        order.insert("order".into(), self.last.into());
        order.insert("do".into(), verb.into());
        let line = Value::Object(order).to_string();
        self.keep(&format!("> {line}"));
        let mut orders = self.orders.as_ref().ok_or("the player has been told to end")?;
        let sent = writeln!(orders, "{line}").and_then(|()| orders.flush());
        sent.map_err(|error| format!("the player takes no orders any more: {error}"))?;
        Ok(self.last)
    }

    /// Waits for the answer to an order.
    pub(crate) fn answer(&mut self, number: u64) -> Result<Map<String, Value>, String> {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(answer) = self.early.remove(&number) {
                return Ok(answer);
            }
            let line = self
                .answers
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .map_err(|error| format!("no answer within {DEADLINE:?}: {error}"))?;
            let answer: Map<String, Value> = serde_json::from_str(&line)
                .map_err(|error| format!("the player said {line}: {error}"))?;
            self.keep(&format!("< {line}"));
            let number =
                answer.get("order").and_then(Value::as_u64).ok_or("an answer to no order")?;
            self.early.insert(number, answer);
        }
    }

    fn keep(&mut self, line: &str) {
        if self.said.len() == LINES {
            self.said.pop_front();
        }
        self.said.push_back(shortened(line));
    }

    /// The last lines, what it was told and what it answered.
    pub(crate) fn said(&self) -> impl Iterator<Item = &str> {
        self.said.iter().map(String::as_str)
    }

    /// Lets it end by itself, which it does when nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        self.orders = None;
        match self.answers.recv_timeout(DEADLINE) {
            Ok(line) => return Err(format!("the player said {line} when nothing followed")),
            Err(RecvTimeoutError::Timeout) => return Err("the player does not end".into()),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the player ended with {status}")) }
    }

    /// At once, as if the machine had ended it.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As much of a line as fits on a screen.
pub(crate) fn shortened(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}
