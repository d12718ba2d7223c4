//! Real processes of `p2pchan`, killed when they are dropped, and waits with a generous deadline.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::UdpSocket,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Far more than anything takes, also on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Arguments of `p2pchan`, not yet run.
pub(crate) fn p2pchan(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2pchan"));
    command.args(arguments);
    for variable in ["P2PCHAN_SECRET", "P2PCHAN_PHRASE", "P2PCHAN_CONTROL"] {
        command.env_remove(variable);
    }
    command
}

/// What a command that ends by itself printed and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs a command that ends by itself, without input.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    let mut process = Process::start(arguments);
    process.hang_up();
    let mut stdout = process.stdout.take().expect("nobody took it");
    let mut bytes = Vec::new();
    stdout.read_to_end(&mut bytes).unwrap();
    let status = process.wait();
    let stderr = process.told().map(|line| line + "\n").collect();
    Ended { code: status.code(), stdout: bytes, stderr }
}

/// A running process.
pub(crate) struct Process {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<BufReader<ChildStdout>>,
    told: Receiver<String>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(&mut p2pchan(arguments))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(BufReader::new);
        let told = status_lines(child.stderr.take().unwrap());
        Self { child, stdin, stdout, told }
    }

    /// The next status event of this name, of a process that was told `--json`.
    pub(crate) fn event(&self, name: &str) -> Value {
        let end = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        loop {
            match self.told.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let event: Value = serde_json::from_str(&line).expect(&line);
                    if event["event"] == name {
                        return event;
                    }
                    seen.push(line);
                }
                Err(why) => panic!("no event {name} ({why}) after {seen:#?}"),
            }
        }
    }

    /// What it tells on standard error from now on, to its end.
    pub(crate) fn told(&self) -> impl Iterator<Item = String> {
        self.told.iter()
    }

    /// What it has told lately.
    pub(crate) fn told_so_far(&self) -> Vec<String> {
        self.told.try_iter().collect()
    }

    /// Whether nothing of this name has been told so far.
    pub(crate) fn told_nothing_of(&self, name: &str) -> bool {
        self.told.try_iter().all(|line| !line.contains(&format!("\"event\":\"{name}\"")))
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("not hung up yet");
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// The end of its input.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// The next line of its output, without the newline.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
        let stdout = self.stdout.take().expect("nobody took it");
        let (sender, heard) = channel();
        thread::spawn(move || {
            let mut stdout = stdout;
            let mut line = Vec::new();
            let read = stdout.read_until(b'\n', &mut line);
            // The test may have given up.
            let _ = sender.send((read, line, stdout));
        });
        match heard.recv_timeout(DEADLINE) {
            Ok((read, mut line, stdout)) => {
                self.stdout = Some(stdout);
                assert!(read.unwrap() > 0, "the output ended");
                assert_eq!(line.pop(), Some(b'\n'));
                line
            }
            Err(RecvTimeoutError::Timeout) => panic!("heard nothing"),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn hear_text(&mut self) -> String {
        String::from_utf8(self.hear()).unwrap()
    }

    /// Sends a signal such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > end {
                panic!(
                    "it does not end; lately it told {:#?}",
                    self.told.try_iter().collect::<Vec<_>>()
                );
            }
            // A process cannot be waited for with a deadline, so this asks again.
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status_lines(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A network on loopback, and the options with which `join` uses it and nothing else.
pub(crate) struct Network {
    _process: Process,
    pub(crate) bootstrap: String,
}

impl Network {
    pub(crate) fn start() -> Self {
        let mut process = Process::start(&["testnet", "--json", "--nodes", "4"]);
        let line: Value = serde_json::from_slice(&process.hear()).unwrap();
        let bootstrap = line["bootstrap"][0].as_str().unwrap().to_owned();
        Self { _process: process, bootstrap }
    }

    /// `join PHRASE` with status as JSON, on loopback only.
    pub(crate) fn join(&self, more: &[&str]) -> Process {
        Process::start(&self.arguments(more))
    }

    pub(crate) fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let options = [
            "join",
            "a phrase of the tests",
            "--lan=off",
            "--bootstrap",
            &self.bootstrap,
            "--listen",
            "127.0.0.1:0",
            "--verbose",
        ];
        [&options[..], more].concat()
    }
}

/// An address of this machine where nobody answers, for as long as the socket lives.
pub(crate) fn silence() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}
