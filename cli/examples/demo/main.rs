//! The main job of p2pchan, shown without any network: `make demo`.
//!
//! Starts a BitTorrent DHT on loopback and five processes that know only a phrase and that network's
//! address: two of this command line, one in C, one in Python and one in JavaScript. `P2PCHAN_PYTHON` and
//! `P2PCHAN_NODE` name programs that run those; without them they are fewer. Sees them find each other
//! there, and has each talk with the others. Prints what was opened, what was found, where, and how long
//! each step took. Ends by itself, with exit code 0 if all of that happened; its processes end with it,
//! however it ends.

mod process;

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{process::Command, signal, task::JoinSet, time::timeout};

use crate::process::{Process, chat, command_line};

const PHRASE: &str = "programs that share a phrase";
/// Far more than it takes: seconds, most of them in the DHT.
const DEADLINE: Duration = Duration::from_secs(120);
/// Messages that each side sends.
const MESSAGES: usize = 1000;

/// A person whose chat is run by an interpreter.
struct Script {
    name: &'static str,
    path: &'static str,
    language: &'static str,
    /// The variable of the environment that names the interpreter.
    variable: &'static str,
}

const SCRIPTS: [Script; 2] = [
    Script {
        name: "Dan",
        path: "examples/python/chat.py",
        language: "Python",
        variable: "P2PCHAN_PYTHON",
    },
    Script {
        name: "Eve",
        path: "examples/node/chat.js",
        language: "Node",
        variable: "P2PCHAN_NODE",
    },
];

impl Script {
    /// With its interpreter; what is missing is told.
    fn found(&self) -> Option<(&Self, PathBuf)> {
        let interpreter = env::var_os(self.variable).filter(|named| !named.is_empty());
        if interpreter.is_none() {
            println!("SKIPPED: nobody talks in {}; {} names none", self.language, self.variable);
        }
        Some((self, interpreter?.into()))
    }
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = tokio::select! {
        outcome = timeout(DEADLINE, demonstrate()) => match outcome {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("not done within {} s", DEADLINE.as_secs()).into()),
        },
        _ = signal::ctrl_c() => Err("stopped".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate() -> Outcome<()> {
    let folder = folder()?;
    let program = folder.join(format!("p2pchan{}", env::consts::EXE_SUFFIX));
    let mut clock = Clock::start();

    let mut network = Process::start(&program, "network", &["testnet", "--json"], command_line)?;
    let entrance = network.next("bootstrap").await?["bootstrap"][0].as_str().map(String::from);
    let entrance = entrance.ok_or("the network told no address")?;
    clock.step(&format!("a BitTorrent DHT runs on this machine; it is entered at {entrance}"));

    let scripts: Vec<_> = SCRIPTS.iter().filter_map(Script::found).collect();
    let others = 2 + scripts.len();
    let person = |name| join(name, &program, &entrance, others);
    let mut people = vec![person("Ann")?, person("Ben")?];
    clock.step(&format!("two processes, Ann and Ben, know that address and {PHRASE:?}"));
    for person in &mut people {
        tell_opened(person).await?;
    }
    clock.step("both are up");
    for person in &mut people {
        tell_found(person).await?;
    }
    clock.step("they found each other, and proved to each other that they know the phrase");

    let in_c = compile(&folder).await?;
    join_chat(&mut people, "Cyd", &in_c, &[], &entrance)?;
    clock.step("a C compiler has made examples/c/chat.c a program; as Cyd it knows the same");
    tell_newcomer(&mut people).await?;
    clock.step("it found the others, and they know it");

    for (Script { name, path, language, .. }, interpreter) in scripts {
        let script = repository().join(path);
        let script = script.to_str().ok_or("the path of the repository is not UTF-8")?;
        join_chat(&mut people, name, &interpreter, &[script], &entrance)?;
        clock.step(&format!("as {name}, {language} runs {path}"));
        tell_newcomer(&mut people).await?;
        clock.step("it found the others, and they know it");
    }

    for speaker in 0..people.len() {
        say_hello(&mut people, speaker).await?;
    }
    clock.step("they said hello, each to all others");

    let people = count(people).await?;
    clock.step(&format!("each heard {MESSAGES} messages of all others: all, in order, once"));

    for mut person in people {
        person.hang_up();
        let ended = person.end().await?;
        if !ended.success() {
            return Err(format!("{} ended with {ended}", person.name).into());
        }
    }
    clock.step("all flushed, ended and exited with code 0");
    println!("{:7.3} s in all", clock.total());
    Ok(())
}

/// The program lies one folder above the examples.
fn folder() -> Outcome<PathBuf> {
    let path = env::current_exe()?.parent().and_then(Path::parent).map(Path::to_owned);
    path.filter(|path| path.join("deps").exists())
        .ok_or_else(|| "p2pchan is not built; use `make demo`".into())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The chat in C, as anybody would compile it, with the library that cargo has built.
async fn compile(folder: &Path) -> Outcome<PathBuf> {
    let sources = repository();
    let (libraries, chat) = (folder.join("deps"), folder.join("chat-in-c"));
    let mut command = Command::new("cc");
    command.arg(sources.join("examples/c/chat.c")).arg("-o").arg(&chat);
    command.arg("-I").arg(sources.join("include"));
    command.arg("-L").arg(&libraries).arg("-lp2pchan_ffi");
    command.arg(format!("-Wl,-rpath,{}", libraries.display()));
    let status = command.status().await.map_err(|error| format!("cc: {error}"))?;
    if status.success() { Ok(chat) } else { Err(format!("cc: {status}").into()) }
}

/// With the command line, which reads its input once it has a remote to all others.
fn join(name: &'static str, program: &Path, entrance: &str, others: usize) -> Outcome<Process> {
    let options = ["join", PHRASE, "--lan=off", "--bootstrap", entrance, "--listen", "127.0.0.1:0"];
    let others = others.to_string();
    let options = [&options[..], &["--until", &others, "--json", "--verbose"]].concat();
    Process::start(program, name, &options, command_line)
}

/// With a chat of the examples, which take the same arguments and print the same lines.
fn join_chat(
    people: &mut Vec<Process>,
    name: &'static str,
    program: &Path,
    first: &[&str],
    entrance: &str,
) -> Outcome<()> {
    let bootstrap = format!("discovery.bittorrent.bootstrap={entrance}");
    let address = "discovery.bittorrent.address=127.0.0.1";
    let arguments = [first, &[PHRASE, "listen=127.0.0.1:0", &bootstrap, address]].concat();
    people.push(Process::start(program, name, &arguments, chat)?);
    Ok(())
}

async fn tell_opened(person: &mut Process) -> Outcome<()> {
    let socket = person.event("opened").await?;
    let (name, source) = (person.name, text(&socket, "source"));
    println!("          {name} opened {} for {source}", text(&socket, "socket"));
    let listening = person.event("listening").await?;
    println!("          {name} listens on {}", text(&listening, "address"));
    Ok(())
}

/// Waits for one more remote.
async fn tell_found(person: &mut Process) -> Outcome<()> {
    let name = person.name;
    let opened = person.event("remote_opened").await?;
    for found in person.all("found") {
        let source = text(&found, "source");
        println!("          {name} found {} through {source}", text(&found, "address"));
    }
    let peer: String = text(&opened, "peer").chars().take(8).collect();
    println!("          {name} has a remote: {peer} at {}", text(&opened, "address"));
    Ok(())
}

/// Waits until the last of them has a remote to each of the others.
async fn tell_newcomer(people: &mut [Process]) -> Outcome<()> {
    let Some((newcomer, others)) = people.split_last_mut() else { return Ok(()) };
    for person in others {
        tell_found(person).await?;
        tell_found(newcomer).await?;
    }
    Ok(())
}

async fn say_hello(people: &mut [Process], speaker: usize) -> Outcome<()> {
    let names: Vec<_> = people.iter().map(|person| person.name).collect();
    let others: Vec<_> = names.iter().filter(|name| **name != names[speaker]).copied().collect();
    let line = format!("Hello, {}!", others.join(" and "));
    people[speaker].say(&line).await?;
    for person in people.iter_mut().filter(|person| person.name != names[speaker]) {
        person.hears(&line).await?;
    }
    Ok(())
}

/// All say their numbers and hear those of the others, at the same time.
async fn count(people: Vec<Process>) -> Outcome<Vec<Process>> {
    let others = people.len() - 1;
    let mut counting = JoinSet::new();
    for mut person in people {
        counting.spawn(async move {
            person.count(MESSAGES, others).await?;
            Outcome::Ok(person)
        });
    }
    let mut counted = Vec::new();
    while let Some(person) = counting.join_next().await {
        counted.push(person??);
    }
    Ok(counted)
}

/// A member of `event`, such as its address.
fn text<'a>(event: &'a Value, member: &str) -> &'a str {
    event[member].as_str().unwrap_or("?")
}

/// Says how long each step took.
struct Clock {
    began: Instant,
    step: Instant,
}

impl Clock {
    fn start() -> Self {
        let now = Instant::now();
        Self { began: now, step: now }
    }

    fn step(&mut self, what: &str) {
        println!("{:7.3} s  {what}", self.step.elapsed().as_secs_f64());
        self.step = Instant::now();
    }

    fn total(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
