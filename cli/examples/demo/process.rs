//! A process that takes part, and what it says.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    process::{ExitStatus, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
};

use crate::{Outcome, text};

/// Lines of a process that wait to be looked at; then it waits too.
const WAITING: usize = 64;

/// A process that is killed when this is dropped, and what it prints, as JSON objects.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    said: mpsc::Receiver<Value>,
    told: mpsc::Receiver<Value>,
    /// Events that were passed over while another was waited for.
    passed: VecDeque<Value>,
}

impl Process {
    /// Each line that it prints is made an object by `parse`; one with a member `event` is an event.
    pub(crate) fn start(
        program: &Path,
        name: &'static str,
        arguments: &[&str],
        parse: fn(&str) -> Value,
    ) -> Outcome<Self> {
        let mut command = Command::new(program);
        // A library is the one it was linked with: cargo's search path leads to others.
        command.args(arguments).env_remove("LD_LIBRARY_PATH").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let (say, said) = mpsc::channel(WAITING);
        let (tell, told) = mpsc::channel(WAITING);
        let output = child.stdout.take().ok_or("no standard output")?;
        let errors = child.stderr.take().ok_or("no standard error")?;
        tokio::spawn(read(output, parse, say.clone(), tell.clone()));
        tokio::spawn(read(errors, parse, say, tell));
        Ok(Self { name, child, stdin, said, told, passed: VecDeque::new() })
    }

    /// The next object that is no event, which must have this member.
    pub(crate) async fn next(&mut self, member: &str) -> Outcome<Value> {
        match self.said.recv().await {
            Some(object) if object.get(member).is_some() => Ok(object),
            Some(other) => Err(format!("{} printed {other}", self.name).into()),
            None => Err(self.failed().await.into()),
        }
    }

    /// The next event of this name.
    pub(crate) async fn event(&mut self, name: &str) -> Outcome<Value> {
        if let Some(event) = self.all_one(name) {
            return Ok(event);
        }
        while let Some(event) = self.told.recv().await {
            if event["event"] == name {
                return Ok(event);
            }
            self.passed.push_back(event);
        }
        Err(self.failed().await.into())
    }

    fn all_one(&mut self, name: &str) -> Option<Value> {
        let place = self.passed.iter().position(|event| event["event"] == name)?;
        self.passed.remove(place)
    }

    /// All events of this name so far.
    pub(crate) fn all(&mut self, name: &str) -> Vec<Value> {
        while let Ok(event) = self.told.try_recv() {
            self.passed.push_back(event);
        }
        std::iter::from_fn(|| self.all_one(name)).collect()
    }

    /// What the process said before it ended.
    async fn failed(&mut self) -> String {
        let errors: Vec<_> = self.all("error");
        let why =
            errors.first().map_or("without a word", |error| text(error, "message")).to_owned();
        match self.child.wait().await {
            Ok(status) => format!("{} ended too early, {status}: {why}", self.name),
            Err(error) => format!("{}: {error}", self.name),
        }
    }

    pub(crate) async fn say(&mut self, line: &str) -> Outcome<()> {
        let stdin = self.stdin.as_mut().ok_or("hung up already")?;
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(())
    }

    pub(crate) async fn hears(&mut self, line: &str) -> Outcome<()> {
        let heard = self.next("text").await?;
        if text(&heard, "text") == line {
            return Ok(());
        }
        Err(format!("{} heard {heard} instead of {line:?}", self.name).into())
    }

    /// Says so many numbers and hears those of each of the others, at the same time.
    pub(crate) async fn count(&mut self, messages: usize, others: usize) -> Outcome<()> {
        let mut stdin = self.stdin.take().ok_or("hung up already")?;
        let numbers: String = (1..=messages).map(|number| format!("{number}\n")).collect();
        let say = async { Outcome::Ok(stdin.write_all(numbers.as_bytes()).await?) };
        let hear = async {
            let mut counted = HashMap::new();
            for _ in 0..messages * others {
                let heard = self.next("text").await?;
                let count = counted.entry(text(&heard, "peer").to_owned()).or_insert(0);
                *count += 1;
                if text(&heard, "text") != count.to_string() {
                    return Err(format!("{} heard {heard} instead of {count}", self.name).into());
                }
            }
            Ok(())
        };
        tokio::try_join!(say, hear)?;
        self.stdin = Some(stdin);
        Ok(())
    }

    /// The end of its input.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    pub(crate) async fn end(&mut self) -> Outcome<ExitStatus> {
        Ok(self.child.wait().await?)
    }
}

/// The command line with `--json`; what is something else is kept as an error to be shown.
pub(crate) fn command_line(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| json!({ "event": "error", "message": line }))
}

/// The chats in `examples`, which print `+ PEER at ADDRESS` and `PEER: TEXT`.
pub(crate) fn chat(line: &str) -> Value {
    if let Some((peer, address)) = line.strip_prefix("+ ").and_then(|line| line.split_once(" at "))
    {
        return json!({ "event": "remote_opened", "peer": peer, "address": address });
    }
    match line.split_once(": ") {
        Some((peer, text)) if u32::from_str_radix(peer, 16).is_ok() => {
            json!({ "peer": peer, "text": text })
        }
        _ => json!({ "event": "error", "message": line }),
    }
}

async fn read(
    output: impl AsyncRead + Unpin,
    parse: fn(&str) -> Value,
    said: mpsc::Sender<Value>,
    told: mpsc::Sender<Value>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let object = parse(&line);
        let to = if object.get("event").is_some() { &told } else { &said };
        if to.send(object).await.is_err() {
            return;
        }
    }
}
