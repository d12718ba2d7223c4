//! Programs in C, compiled as their authors would and linked with the library, shared and static.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Generous: it only has to be shorter than the patience of whoever runs the tests.
const DEADLINE: Duration = Duration::from_secs(60);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// Where cargo puts the library beside this test.
fn libraries() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().into()
}

#[derive(Clone, Copy, PartialEq)]
enum Linked {
    Shared,
    Static,
}

/// Compiles a program; warnings are errors.
fn compile(source: &str, linked: Linked) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (program, libraries) = (folder.path().join("program"), libraries());
    let mut command = Command::new("cc");
    command.args(["-std=gnu11", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread"]);
    command.arg("-I").arg(repository().join("include")).arg(repository().join(source));
    command.arg("-o").arg(&program);
    match linked {
        Linked::Shared => {
            command.arg("-L").arg(&libraries).arg("-lp2pchan_ffi");
            command.arg(format!("-Wl,-rpath,{}", libraries.display()));
        }
        Linked::Static => {
            command.arg(libraries.join("libp2pchan_ffi.a")).args(["-lgcc_s", "-lm", "-ldl"]);
        }
    }
    assert!(command.status().unwrap().success(), "{source} does not compile");
    (folder, program)
}

/// With the library that it was linked with: cargo's search path leads to others first.
fn run(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// Runs a program to its end, which it has to reach in time.
fn passes(source: &str, linked: Linked) {
    let (_folder, program) = compile(source, linked);
    let mut child = run(&program).spawn().unwrap();
    let (sender, receiver) = mpsc::channel();
    let id = child.id();
    thread::spawn(move || sender.send(child.wait().unwrap()));
    let status = receiver.recv_timeout(DEADLINE);
    let status = status.unwrap_or_else(|_| panic!("{source} (process {id}) does not end"));
    assert!(status.success(), "{source}: {status}");
}

#[test]
fn nodes_find_each_other_through_a_service_written_in_c() {
    passes("ffi/tests/c/discovery.c", Linked::Shared);
    passes("ffi/tests/c/discovery.c", Linked::Static);
}

/// A program that talks, ended when this is dropped.
struct Talking {
    child: Child,
    /// Until its end.
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Talking {
    fn start(source: &str, linked: Linked, arguments: &[&str]) -> Self {
        let (folder, program) = compile(source, linked);
        let mut command = run(&program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, input, lines, _folder: folder }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// What follows in the next line that has such a word in it.
    fn hear(&self, word: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("no {word}"));
            if let Some((_, rest)) = line.split_once(word) {
                return rest.into();
            }
        }
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_chats_in_c_talk_to_each_other() {
    let chat = "examples/c/chat.c";
    let mut near = Talking::start(chat, Linked::Shared, &["c", "listen=tcp://127.0.0.1:0"]);
    let address = near.hear("listening at ");
    let seeds = format!("discovery.seeds={address}");
    let mut far = Talking::start(chat, Linked::Static, &["c", &seeds]);
    near.hear("+ ");
    far.hear("+ ");
    near.say("how are you?");
    assert_eq!(far.hear(": "), "how are you?");
    far.say("as one is");
    assert_eq!(near.hear(": "), "as one is");
    far.input = None;
    assert!(far.child.wait().unwrap().success());
    near.hear("- ");
}
