//! The two processes of a run, and what the parent hears from them.

use std::{
    env::current_exe,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use serde::de::DeserializeOwned;

use crate::{
    Outcome,
    arguments::{End, System, Work, spelt},
    cases::Case,
    figures::{Figure, Figures, with_sum},
    machine::anonymous_memory,
    memory::STEPS,
};

/// What plays the ends that are not this program's own.
pub(crate) struct Programs {
    /// The program in C
    pub(crate) c: Option<PathBuf>,
    /// The interpreter of Python
    pub(crate) python: Option<PathBuf>,
    /// The packages for Node
    pub(crate) node: Option<PathBuf>,
    /// The program p2pchan-rivals
    pub(crate) rivals: Option<PathBuf>,
    /// The packages of rivals for Node
    pub(crate) rivals_node: Option<PathBuf>,
    /// The interpreter of Python of rivals
    pub(crate) rivals_python: Option<PathBuf>,
}

/// Runs one system through one case.
pub(crate) fn run(
    case: &Case,
    system: System,
    cores: &[usize],
    programs: &Programs,
) -> Outcome<Figures> {
    let start = |end, address: &str| {
        let mut command = endpoint(case, system, end, address)?;
        if let Some(core) = core(case, end, cores) {
            command.args(["--core", &core.to_string()]);
        }
        for (option, path) in [
            ("--c-program", &programs.c),
            ("--python", &programs.python),
            ("--node", &programs.node),
            ("--rivals", &programs.rivals),
            ("--rivals-node", &programs.rivals_node),
            ("--rivals-python", &programs.rivals_python),
        ] {
            if let Some(path) = path {
                command.arg(option).arg(path);
            }
        }
        let name = format!("{} {} {}", spelt(&case.work), spelt(&system), spelt(&end));
        Process::start(command, name)
    };
    let mut accepting = start(End::Accept, "")?;
    let address: String = accepting.hear()?;
    let mut dialling = start(End::Dial, &address)?;
    let figures = match case.work {
        Work::Memory => watch_memory(case, &accepting, &mut dialling)?,
        _ => with_sum(dialling.hear()?),
    };
    dialling.end()?;
    Ok(figures)
}

/// One end, which does not outlive this.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    name: String,
}

impl Process {
    pub(crate) fn start(mut command: Command, name: String) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no pipe to the child")?;
        let output = BufReader::new(child.stdout.take().ok_or("no pipe from the child")?);
        Ok(Self { child, input, output, name })
    }

    /// The next thing that it says. It ends by itself if it takes too long, so this never hangs.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> Outcome<T> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(format!("`{}` ended without a result", self.name).into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    pub(crate) fn go_on(&mut self) -> Outcome<()> {
        Ok(self.input.write_all(b"\n")?)
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(&mut self) -> Outcome<()> {
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("`{}`: {status}", self.name).into()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program, told to be one end.
fn endpoint(case: &Case, system: System, end: End, address: &str) -> Outcome<Command> {
    let mut command = Command::new(current_exe()?);
    command.args(["endpoint", "--work", &spelt(&case.work), "--system", &spelt(&system)]);
    command.args(["--end", &spelt(&end), &format!("--address={address}")]);
    for (option, amount) in [
        ("--size", case.amount.size),
        ("--milliseconds", case.amount.milliseconds as usize),
        ("--at-once", case.amount.at_once),
        ("--idle", case.amount.idle),
    ] {
        command.args([option, &amount.to_string()]);
    }
    Ok(command)
}

/// The last core is furthest from the interrupts of most machines.
fn core(case: &Case, end: End, cores: &[usize]) -> Option<usize> {
    match end {
        End::Accept if !case.one_core => cores.first().copied(),
        _ => cores.last().copied(),
    }
}

fn watch_memory(case: &Case, accepting: &Process, dialling: &mut Process) -> Outcome<Figures> {
    let mut looks = Vec::new();
    for step in STEPS {
        let said: String = dialling.hear()?;
        if said != step {
            return Err(format!("`{}` said {said} instead of {step}", dialling.name).into());
        }
        looks.push((settled(accepting.child.id())?, settled(dialling.child.id())?));
        dialling.go_on()?;
    }
    let [begun, ready, open] = looks[..] else { return Err("a look at memory is missing".into()) };
    let each = |from: u64, to: u64| (to as f64 - from as f64) / case.amount.idle as f64;
    Ok(Figures::from([
        (Figure::AcceptingMemory, each(ready.0, open.0)),
        (Figure::DiallingMemory, each(ready.1, open.1)),
        (Figure::ReadyMemory, each(begun.1, ready.1)),
    ]))
}

/// Memory once it stays the same over several looks, or the last look if it never does.
fn settled(process: u32) -> Outcome<u64> {
    const LOOKS: u32 = 40;
    const SAME: u32 = 4;
    let (mut memory, mut same) = (anonymous_memory(process)?, 0);
    for _ in 0..LOOKS {
        sleep(Duration::from_millis(50));
        let now = anonymous_memory(process)?;
        same = if now == memory { same + 1 } else { 0 };
        memory = now;
        if same == SAME {
            break;
        }
    }
    Ok(memory)
}
