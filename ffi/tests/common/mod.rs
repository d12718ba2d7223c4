//! Compiles programs in C as their authors would, links them with the library, and talks to them.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Generous: it only has to be shorter than the patience of whoever runs the tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Linked {
    Shared,
    Static,
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// Where cargo puts the library beside this test.
fn libraries() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().into()
}

/// A program, in a folder that goes with it.
pub(crate) struct Program {
    folder: tempfile::TempDir,
    name: String,
}

impl Program {
    /// Compiles a source; warnings are errors. Options are such as `-std=c99`, and further libraries.
    pub(crate) fn compile(source: &str, linked: Linked, options: &[&str]) -> Self {
        let program = Self { folder: tempfile::tempdir().unwrap(), name: source.into() };
        let libraries = libraries();
        let mut command = Command::new("cc");
        command.args(["-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread"]);
        command.arg("-I").arg(repository().join("include")).arg(repository().join(source));
        command.arg("-o").arg(program.path()).args(options);
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
        program
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    /// With the library that it was linked with: cargo's search path leads to others first.
    fn command(&self) -> Command {
        let mut command = Command::new(self.path());
        command.env_remove("LD_LIBRARY_PATH");
        command
    }

    /// Starts it, to talk to it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Talking {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Talking { child, input, lines, name: self.name.clone() }
    }
}

/// A program that talks, ended when this is dropped.
pub(crate) struct Talking {
    child: Child,
    /// Until its end.
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    name: String,
}

impl Talking {
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// What follows in the next line that has such a word in it.
    pub(crate) fn hear(&self, word: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|_| panic!("{} never says {word:?}", self.name));
            if let Some((_, rest)) = line.split_once(word) {
                return rest.into();
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends its input, and waits until it has ended.
    pub(crate) fn hang_up(&mut self) -> ExitStatus {
        self.input = None;
        // What it still says ends with it.
        while self.lines.recv_timeout(DEADLINE).is_ok() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
